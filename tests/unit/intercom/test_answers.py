"""An answer that is not what was asked for is an error and never absence; pages are followed to their end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.errors import IntercomError, ReconcilerError
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines

Doc = dict[str, Any]

FLAWS: tuple[tuple[str, Doc], ...] = (
    ("a page of HTML", {"body": b"<html>busy</html>", "headers": {"Content-Type": "text/html"}}),
    ("an empty body", {"body": b""}),
    ("an error inside", {"body": b'{"type":"error.list","errors":[{"code":"server_error"}]}'}),
    ("no list", {"body": b"{}"}),
    ("a list that is none", {"body": b'{"type":"list","data":null}'}),
    ("a cut body", {"body": b'{"type":"list","data":[{"type":"tag","id":'}),
    ("a 204", {"status": 204, "body": b""}),
    ("a 500", {"status": 500}),
    ("a 403", {"status": 403}),
    ("a dropped connection", {"drop": "before"}),
)

READS = ("^/tags$", "^/contacts/search$", "^/companies/list$", "^/contacts/[^/]*/tags$", "^/contacts/[^/]*/companies$", "^/data_attributes")

MANY: Doc = {
    "tags": [f"t{n}" for n in range(12)],
    "attributes": [{"name": "tier", "model": "contact"}],
    "companies": [{"company_id": f"c{n}"} for n in range(12)],
    "contacts": [{"external_id": "25", "tags": [f"t{n}" for n in range(12)], "companies": [f"c{n}" for n in range(12)]}],
}

CONVERGED: Doc = {
    "policy": {"links": "exact", "missing_contacts": "create"},
    "tags": MANY["tags"],
    "companies": MANY["companies"],
    "contacts": [{**MANY["contacts"][0], "custom_attributes": {"tier": None}}],
}


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(("what", "flaw"), FLAWS, ids=[what for what, _ in FLAWS])
def test_an_answer_that_is_not_what_was_asked_for_is_an_error_never_absence(what: str, flaw: Doc, path: str, make_route: MakeRoute) -> None:
    route = make_route(MANY)
    manifest = route.manifest(CONVERGED)
    assert changes(route.document(manifest)) == []
    route.box.faults.add(path=path, times=None, **flaw)
    with pytest.raises(ReconcilerError) as failed:
        route.document(manifest)
    assert failed.value.exit_code == 1
    assert "<html" not in str(failed.value)
    assert len(str(failed.value)) < 500
    assert route.box.writes == []


def test_a_second_page_that_nobody_documented_is_followed(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "tags": ["a", "b", "c"]}]})
    manifest = route.manifest("policy: {links: exact}\ntags: [a, b, c]\ncontacts: [{external_id: '25', tags: [a, b, c]}]\n")
    tags = [{"type": "tag", "id": doc["id"], "name": doc["name"]} for doc in route.box.ws.store.table("tag").in_order()]
    for part, following in ((tags[:1], {"page": 2}), (tags[1:], None)):
        body = {"type": "list", "data": part, "pages": {"type": "pages", "next": following}}
        route.box.faults.add("GET", "^/tags$", body=json.dumps(body).encode())
    assert changes(route.document(manifest)) == []


@pytest.mark.parametrize("pages", [{"has_more": True}, {"pages": {"next": {"page": 2}}}])
def test_a_list_that_never_ends_or_does_not_say_how_is_an_error(pages: Doc, make_route: MakeRoute) -> None:
    route = make_route()
    route.box.faults.add("GET", "^/tags$", body=json.dumps({"type": "list", "data": [], **pages}).encode(), times=None)
    with pytest.raises(ReconcilerError):
        route.document(route.manifest("tags: [vip]\n"))


def test_more_than_one_page_of_everything_is_converged(make_route: MakeRoute) -> None:
    names = [f"n{n:03}" for n in range(161)]
    people = [{"external_id": name, "companies": ["n000"]} for name in names]
    people[0] = {"external_id": "n000", "tags": names[:31], "companies": names[:61]}
    seed = {"tags": names, "companies": [{"company_id": name} for name in names], "contacts": people}
    route = make_route(seed)
    assert lines(route.document(route.manifest({"policy": {"links": "exact", "missing_contacts": "error"}, **seed}))) == []


def test_rows_that_move_between_two_pages_are_not_missing(make_route: MakeRoute) -> None:
    people = [{"external_id": f"u{n:03}", "companies": [f"c{n:03}"]} for n in range(300)]
    companies = [{"company_id": f"c{n:03}"} for n in range(300)]
    route = make_route({"companies": companies, "contacts": people})

    def touch() -> None:
        for n in range(0, 300, 15):
            doc = route.box.ws.store.table("company").find("company_id", f"c{n:03}")[0]
            route.box.ws.store.put("company", {**doc, "last_request_at": 1_790_000_000 + n})

    route.box.faults.add("POST", "^/companies/list$", run=touch, after=1)
    manifest = route.manifest({"policy": {"missing_contacts": "error"}, "companies": companies, "contacts": people})
    assert lines(route.document(manifest)) == []


@pytest.mark.parametrize("what", ["companies: [{company_id: '6', name: Sun}]", "contacts: [{external_id: '25', missing: create}]"])
def test_a_404_that_is_not_intercoms_proves_nothing(make_route: MakeRoute, what: str) -> None:
    route = make_route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "hidden_from_search": 600}]})
    path = route.manifest(what)
    route.box.faults.add("GET", "^/(companies|contacts)", status=404, body=b"<html>no such page</html>", times=None)
    with pytest.raises(IntercomError):
        route.planned(path)
