"""A contact that was merged is followed, said, and never made a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from reconciler.errors import Stale
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import contact, gates, notes, one, people, settles, statuses
from tests.stories.kinds.test_contacts import VERSIONS, _blind

MERGED = {
    "tags": ["vip"],
    "contacts": [
        {"id": "6762f0dd1bb69f9f000000bb", "external_id": "25", "name": "Survivor"},
        {"id": "6762f0dd1bb69f9f000000aa", "external_id": "9", "merged_into": "25"},
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "entry",
    [
        {"external_id": "9", "missing": "create"},
        {"external_id": "9", "state": "present"},
        {"external_id": "9"},
        {"id": "6762f0dd1bb69f9f000000aa", "state": "present"},
        {"id": "6762f0dd1bb69f9f000000aa"},
    ],
    ids=["create", "present", "unset", "id-present", "id"],
)
def test_a_merged_contact_is_followed_said_and_never_a_twin(make_route: MakeRoute, version: str, entry: dict[str, str]) -> None:
    route = make_route(MERGED, version=version)
    written = {"tags": ["vip"], "contacts": [{**entry, "name": "Kaylee", "tags": ["vip"]}]}
    path = route.manifest(written)
    plan = route.document(path)
    assert [change["action"] for change in plan["changes"]] == ["update", "attach"]
    (said,) = notes(plan, "merged")
    assert "6762f0dd1bb69f9f000000bb" in said
    settles(route, written)
    assert people(route.box) == 2
    assert contact(route.box, external_id="25")["name"] == "Kaylee"
    assert contact(route.box, external_id="9")["tags"] == {}


def test_under_an_older_version_one_get_under_2_16_tells_who_was_merged(make_route: MakeRoute) -> None:
    route = make_route(MERGED, version="2.14")
    route.document(route.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    looks = [(r.status, r.headers["intercom-version"]) for r in route.box.requests if r.path.endswith("find_by_external_id/9")]
    assert looks == [(404, "2.14"), (410, "2.16")]


@pytest.mark.parametrize("version", ["2.14", "2.15"])
@pytest.mark.parametrize(
    "answer", [{"status": 400, "code": "intercom_version_invalid"}, {"status": 403, "code": "forbidden"}], ids=["400", "403"]
)
def test_where_2_16_is_refused_nothing_is_proven_and_nobody_is_created(make_route: MakeRoute, version: str, answer: dict[str, Any]) -> None:
    route = make_route({"tags": ["vip"], **MERGED}, version=version)
    path = route.manifest({"tags": ["vip"], "contacts": [{"external_id": "9", "missing": "create", "tags": ["vip"]}]})

    def refuse() -> None:
        route.box.faults.clear()
        route.box.faults.add("GET", "find_by_external_id/9$", after=1, **answer)

    refuse()
    plan = route.document(path)
    assert lines(plan) == ["note unproven contact/9"]
    assert "2.16" in notes(plan, "unproven")[0]
    refuse()
    saved = route.saved(path)
    refuse()
    assert route.apply(saved) == []
    assert people(route.box) == 2
    assert not route.box.writes


def test_a_410_that_does_not_say_into_whom_creates_nobody(make_route: MakeRoute) -> None:
    route = make_route(MERGED)
    route.box.faults.add("GET", "find_by_external_id/9$", headers={"Link": None}, times=None)
    plan = route.document(route.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(plan) == ["note unproven contact/9"]


def test_who_was_merged_into_somebody_archived_is_not_created(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "archived": True}, {"external_id": "9", "merged_into": "25"}]})
    plan = route.document(route.manifest({"contacts": [{"external_id": "9", "missing": "create"}]}))
    assert lines(plan) == ["note unproven contact/9"]


def test_a_chain_of_merges_is_followed_past_the_three_hops_of_the_link(make_route: MakeRoute) -> None:
    chain = [{"external_id": "0", "name": "Last"}] + [{"external_id": str(n), "merged_into": str(n - 1)} for n in range(1, 7)]
    route = make_route({"contacts": chain})
    settles(route, {"contacts": [{"external_id": "6", "missing": "create", "name": "Found"}]})
    assert contact(route.box, external_id="0")["name"] == "Found"
    assert people(route.box) == 7


def test_two_entries_that_were_merged_into_one_are_refused(make_route: MakeRoute) -> None:
    route = make_route(MERGED)
    plan = route.document(route.manifest({"contacts": [{"external_id": "9", "name": "A"}, {"external_id": "25", "name": "B"}]}))
    assert gates(plan) == ["identity"]
    assert changes(plan) == []


def _merging(route: Route, source: str, into: str) -> Callable[[], object]:
    def merge() -> None:
        store = route.box.ws.store
        doc = contact(route.box, external_id=source)
        store.put("contact", doc | {"merged_into": contact(route.box, external_id=into)["id"]})

    return merge


@pytest.mark.parametrize("version", VERSIONS)
def test_merged_in_the_middle_of_an_apply(make_route: MakeRoute, version: str) -> None:
    route = make_route({"tags": ["vip"], "contacts": [{"external_id": "25"}, {"external_id": "9"}, {"external_id": "30"}]}, version=version)
    written = {"tags": ["vip"], "contacts": [{"external_id": key, "name": "X", "tags": ["vip"]} for key in ("9", "30")]}
    path = route.manifest(written)
    nine = contact(route.box, external_id="9")["id"]
    route.box.faults.add("PUT", f"/{nine}$", run=_merging(route, "9", "25"))
    outcomes = statuses(route.converge(path))
    assert outcomes == {
        "update contact/9": "failed",
        "update contact/30": "applied",
        "attach contact/30 tag/vip": "applied",
        "attach contact/9 tag/vip": "skipped",
    }
    assert people(route.box) == 3
    plan = route.document(path)
    assert notes(plan, "merged")
    settles(route, written)
    assert contact(route.box, external_id="25")["name"] == "X"


def test_merged_between_the_plan_and_its_apply_the_plan_is_stale_or_harmless(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "name": "Other"}, {"external_id": "9", "name": "Old"}]})
    plan = route.saved(route.manifest({"contacts": [{"external_id": "9", "name": "New"}]}))
    _merging(route, "9", "25")()
    with pytest.raises(Stale):
        route.apply(plan)
    assert not route.box.writes


def test_merged_while_it_is_created_is_no_success_and_no_twin(make_route: MakeRoute) -> None:
    route = _blind(make_route, {"contacts": [{"external_id": "25"}, {"email": "zoe@x.example", "external_id": "9"}]})
    nine = contact(route.box, external_id="9")["id"]
    text = f"A contact matching those details already exists with id={nine}"
    route.box.faults.add("POST", "^/contacts$", status=409, code="conflict", message=text, run=_merging(route, "9", "25"))
    outcome = one(route.converge(route.manifest({"contacts": [{"email": "zoe@x.example", "missing": "create", "name": "X"}]})), "create")
    assert outcome.status is Status.FAILED
    assert nine in outcome.reason
    assert "merged" in outcome.reason
    assert people(route.box) == 2


@pytest.mark.parametrize("state", ["archived", "absent"])
def test_the_end_of_one_who_was_merged_is_not_the_end_of_the_other(make_route: MakeRoute, state: str) -> None:
    route = make_route(MERGED)
    path = route.manifest({"contacts": [{"external_id": "9", "state": state}], "policy": {"limits": {"contact_deletes": 5}}})
    plan = route.document(path)
    assert lines(plan) == ["note merged contact/9"]
    assert "stays as it is" in notes(plan, "merged")[0]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lead_that_we_created_and_that_was_merged_since_is_no_twin(make_route: MakeRoute, version: str) -> None:
    """Nothing but the id that we remember tells who it was: the e-mail is nobody's any more."""
    route = make_route({"contacts": [{"external_id": "25", "email": "mal@x.example"}]}, version=version, ledger=True)
    path = route.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    route.converge(path)
    lead = contact(route.box, email="lead@x.example")
    route.box.ws.store.put("contact", lead | {"merged_into": contact(route.box, external_id="25")["id"]})
    plan = route.document(path)
    assert not [change for change in plan["changes"] if change["action"] == "create"]
    assert contact(route.box, external_id="25")["id"] in notes(plan, "merged")[0]


def test_a_lead_that_we_created_and_of_whom_nobody_can_say_whether_it_was_merged_is_not_created_again(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, version="2.14", ledger=True)
    path = route.manifest({"contacts": [{"email": "lead@x.example", "role": "lead", "missing": "create"}]})
    route.converge(path)
    lead = contact(route.box, email="lead@x.example")
    route.box.ws.store.put("contact", lead | {"merged_into": contact(route.box, external_id="25")["id"]})
    route.box.faults.add("GET", f"^/contacts/{lead['id']}$", status=403, code="forbidden", after=1)
    plan = route.document(path)
    assert changes(plan) == []
    assert notes(plan, "unproven")
