"""A list that contradicts itself proves nothing, and one that never ends is ended."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.plan.scope import Scope
from reconciler.errors import IntercomError
from reconciler.intercom import listing
from reconciler.intercom.listing import read_all
from reconciler.kinds import KINDS
from reconciler.kinds.company import COMPANY
from reconciler.workflow.lookup import list_all
from tests.conftest import MakeRoute
from tests.desk.clock import Clock
from tests.desk.liar import Instead, Liar, says
from tests.desk.route import WIDE, Route, changes
from tests.desk.soak import only_in_soak
from tests.unit.intercom.http.app import App, Said, client, refusal

LEAD = {"contacts": [{"email": "zoe@serenity.example", "role": "lead", "missing": "create"}]}
PAGES = {"type": "pages", "page": 1, "per_page": 150, "total_pages": 3}
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "a total": {"data": [], "total_count": 1},
    "pages": {"data": [], "total_count": None, "pages": PAGES},
    "a negative total": {"data": [], "total_count": -1},
    "no number": {"data": [], "total_count": "1"},
    "true": {"data": [], "total_count": True},
    "false": {"data": [], "total_count": False},
    "a next page of no kind": {"data": [], "total_count": 0, "pages": {"next": 7}},
    "a next page without a cursor": {"data": [], "total_count": 0, "pages": {"next": {"page": 2}}},
    "has_more": {"data": [], "total_count": 0, "has_more": True},
    "has_more of no kind": {"data": [], "total_count": 0, "has_more": "yes"},
}


@pytest.mark.parametrize("lie", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_search_that_contradicts_itself_is_no_proof_of_absence(make_route: MakeRoute, lie: dict[str, Any]) -> None:
    route = make_route({"contacts": [{"role": "lead", "email": "zoe@serenity.example"}]})
    route.between = says("/contacts/search", **lie)
    with pytest.raises(IntercomError, match="POST .*/contacts/search: .* nothing can be said of what is not in it"):
        route.document(route.manifest(LEAD))
    assert not route.box.writes


def test_a_search_that_contradicts_itself_once_is_read_again(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"role": "lead", "email": "zoe@serenity.example"}]})
    first = iter([True])
    route.between = lambda app: Liar(app, lambda asked, body: {**body, "data": []} if "search" in asked and next(first, False) else body)
    assert changes(route.document(route.manifest(LEAD))) == []


@pytest.mark.parametrize("email", [None, "", 5, [], {}, "None", "mal@serenity.example"], ids=repr)
def test_whom_a_search_shows_without_what_it_was_asked_for_may_be_the_one_who_is_meant(make_route: MakeRoute, email: Any) -> None:
    route = make_route({"contacts": [{"role": "lead", "email": "zoe@serenity.example"}]})
    route.between = says("/contacts/search", data=lambda rows: [{**row, "email": email} for row in rows])
    with pytest.raises(IntercomError):
        route.document(route.manifest(LEAD))


def crowd(number: int) -> dict[str, Any]:
    return {
        "tags": [f"t{n}" for n in range(number)],
        "companies": [{"company_id": f"c{n}"} for n in range(number)],
        "contacts": [{"external_id": "25", "tags": [f"t{n}" for n in range(number)], "companies": [f"c{n}" for n in range(number)]}],
    }


ONE_LIST = {"tags": "/contacts/[^/]+/tags", "companies": "/contacts/[^/]+/companies"}
EXACT = {"policy": {"links": "exact", **WIDE}, "tags": ["t0"], "companies": [{"company_id": "c0"}]}


@pytest.mark.parametrize("wrong", [None, "None", True, "", 1.5, {}, "t0", "../../tags/1"], ids=repr)
@pytest.mark.parametrize("links", ONE_LIST)
def test_a_link_to_an_id_that_cannot_be_one_is_a_failed_read(make_route: MakeRoute, links: str, wrong: Any) -> None:
    route = make_route(crowd(11))
    route.between = says(ONE_LIST[links], data=lambda rows: [{**rows[0], "id": wrong}, *rows[1:]])
    entry, live_id = {"external_id": "25", links: ["t0" if links == "tags" else "c0"]}, route.id_of(Address("contact", "25"))
    with pytest.raises(IntercomError, match=f"GET .*/contacts/{live_id}/{links}: .* an id that is none of Intercom's"):
        route.document(route.manifest({**EXACT, "contacts": [entry]}))


@pytest.mark.parametrize("links", ONE_LIST)
def test_a_list_of_links_that_is_cut_is_a_failed_read(make_route: MakeRoute, links: str) -> None:
    route = make_route(crowd(11))
    route.between = says(ONE_LIST[links], data=lambda rows: rows[:5], total_count=11)
    with pytest.raises(IntercomError, match="the list says that there are 11 and showed 5"):
        route.document(route.manifest({**EXACT, "contacts": [{"external_id": "25", links: []}]}))


def test_what_would_be_kept_is_read_whole_or_nothing_is_written(make_route: MakeRoute) -> None:
    route = make_route(crowd(2), ledger=True)
    plan = route.saved(route.manifest({"policy": WIDE, "companies": [{"company_id": "c0", "state": "absent"}]}))
    route.between = says("/companies/[^/]+/contacts.*per_page=50", data=[], total_count=1)
    with pytest.raises(IntercomError, match="says that there are 1 and showed 0"):
        route.apply(plan)
    assert not route.box.writes


# ---- companies past the cap of their list
def test_a_count_at_the_cap_is_no_count(make_route: MakeRoute) -> None:
    """API 2.16, POST /companies/list: at most 10,000 companies are reached."""
    total = 130
    people = [{"external_id": "25", "companies": [f"c{n}" for n in range(total)]}]
    route = make_route({"companies": [{"company_id": f"c{n}"} for n in range(total)], "contacts": people})
    route.between = says("/companies/list", total_count=10_000)
    with route.session() as session:
        assert len({thing.id for thing in list_all(session, "companies")}) == total
    route.clock.now += 61
    route.box.forget_requests()
    keys = [f"c{n}" for n in range(total)]
    # More are declared than pages of a full list would be read.
    companies = [{"company_id": key} for key in (*keys, *(f"d{n}" for n in range(100)))]
    assert len(changes(route.document(route.manifest({"policy": WIDE, "companies": companies})))) == 100
    assert [r.path for r in route.box.requests if r.method == "POST"] == ["/companies/list"]
    assert "/companies/scroll" in {r.path for r in route.box.requests}


def test_a_list_without_a_total_that_ends_at_the_cap_is_not_whole(make_route: MakeRoute) -> None:
    people = [{"external_id": "25", "companies": [f"c{n}" for n in range(14)]}]
    route = make_route({"companies": [{"company_id": f"c{n}"} for n in range(14)], "contacts": people})
    assert COMPANY.listing
    listing, page = replace(COMPANY.listing, per_page=5, most=10), list[Any]()

    def cut(asked: str, body: Any) -> Any:
        if "list" not in asked:
            return body
        page.extend(body["data"])
        # The pages shift: on the second, what was shown takes the place of another one.
        return {"data": [page[0], *body["data"][1:]]} if "page=2" in asked else {"data": body["data"], "pages": body["pages"]}

    route.between = lambda app: Liar(app, cut)
    with route.session() as session:
        shown = [body["id"] for body in read_all(session.client, listing)]
        assert len(shown) == len(set(shown)) == 14
        route.clock.now += 61
        first = list(itertools.islice(read_all(session.client, listing), listing.per_page))
        rest = [body["id"] for body in read_all(session.client, listing, first=first)]
    assert sorted([body["id"] for body in first] + rest) == sorted(shown)


# ---- lists without an end
Rows = Callable[[int], list[dict[str, Any]]]


def endless(pattern: str, rows: Rows, total: int | None, kind: str = "contact") -> Callable[[Any], Instead]:
    """Lists that go on: every page has a new cursor."""
    numbers = itertools.count(1)

    def answer(asked: str) -> Any:
        number = next(numbers)
        if "scroll" in asked:
            more: dict[str, Any] = {"pages": None, "scroll_param": f"scroll{number}"}
        else:
            more = {"pages": {"type": "pages", "page": number, "per_page": 150, "next": {"starting_after": f"cursor{number}"}}}
        named = {"type": kind, "company_id": f"x{number}", "email": "zoe@serenity.example"}
        return {"type": "list", "data": [named | row for row in rows(number)], "total_count": total, **more}

    return lambda app: Instead(app, pattern, answer)


ROWS: dict[str, Rows] = {
    "no items": lambda number: [],
    "the same items": lambda number: [{"id": f"{1:024x}"}],
    "new items": lambda number: [{"id": f"{number:024x}"}],
}


def read_everything(route: Route) -> None:
    route.document(route.manifest({"contacts": [{"email": "zoe@serenity.example"}]}))


def scroll(route: Route) -> None:
    companies = [{"company_id": f"c{n}"} for n in range(400)]
    route.document(route.manifest({"companies": companies}))


def list_contacts(route: Route) -> None:
    with route.session() as session:
        list(list_all(session, "contacts"))


LISTS: dict[str, tuple[str, Callable[[Route], None]]] = {
    "search": ("/contacts/search", read_everything),
    "contacts": ("GET /contacts[?]", list_contacts),
}
# A thousand pages are read where each has new items: one such list shows it, whatever it says of its length.
LONG = {("contacts", "new items", 3), ("contacts", "new items", None), ("search", "new items", 3)}
ENDLESS = [
    pytest.param(*LISTS[name], ROWS[rows], total, id=f"{name}-{rows}-{total}", marks=only_in_soak if (name, rows, total) in LONG else ())
    for name, rows, total in itertools.product(LISTS, ROWS, (3, None))
]


@pytest.mark.parametrize(("pattern", "read", "rows", "total"), ENDLESS)
def test_a_list_that_never_ends_is_ended(
    make_route: MakeRoute, pattern: str, read: Callable[[Route], None], rows: Rows, total: int | None
) -> None:
    route = make_route()
    route.between = endless(pattern, rows, total)
    with pytest.raises(IntercomError, match="the list goes on|the answer says that there are|says that there are"):
        read(route)
    assert len(route.box.requests) < 2 * 1100


@pytest.mark.parametrize("rows", [ROWS["the same items"]], ids=["a page again"])
def test_a_scroll_that_never_ends_is_ended(make_route: MakeRoute, rows: Rows) -> None:
    route = make_route({"companies": [{"company_id": "a"}]})
    scrolling = endless("/companies/scroll", rows, None, "company")
    route.between = lambda app: says("/companies/list", total_count=10_000)(scrolling(app))
    with pytest.raises(IntercomError, match="the list goes on and shows nothing new"):
        scroll(route)
    assert len(route.box.requests) < 20


def test_a_raw_list_that_never_ends_is_ended(make_route: MakeRoute) -> None:
    from reconciler.intercom.http.request import Request
    from reconciler.intercom.search.lookup import read_answers

    route = make_route()
    route.between = endless("/contacts", ROWS["new items"], 3)
    with route.session() as session, pytest.raises(IntercomError, match="and promised fewer"):
        list(read_answers(session.client, Request("GET", "/contacts"), all_pages=True))


# ---- what is read only to be told
TRACES: list[tuple[Any, Any]] = [(7, 1), (None, 1), ("x", 1), ({}, 1), ([7], 1), ([{"id": None}], 1), ([{}], 1e30), ([{}], "x")]


@pytest.mark.parametrize(("rows", "when"), TRACES)
def test_who_applied_a_tag_may_be_told_in_any_way(make_route: MakeRoute, rows: Any, when: Any) -> None:
    route = make_route({"tags": ["vip", "stray"], "contacts": [{"external_id": "25", "tags": ["stray"]}]}, ledger=True)
    policy = {"undeclared_tags": "drift"}
    route.converge(route.manifest({"policy": policy, "tags": ["vip"]}))
    stray = {"type": "tag", "id": route.id_of(Address("tag", "stray")), "applied_at": when}
    route.between = says("/contacts/[^/]+/tags$", data=[stray] if rows == [{}] else rows)
    plan = route.document(route.folder / "intercom.yaml", scope=Scope(moved=True))
    assert [note["address"] for note in plan["notes"] if note["topic"] == "undeclared"] == ["tag/stray"]


def test_a_scroll_that_somebody_else_holds_is_waited_for_aloud() -> None:
    clock, notices, companies = Clock(0.0), list[str](), KINDS["company"].listing
    assert companies
    assert companies.scroll
    app = App(refusal(400, "scroll_exists", "no"), Said(200, {"type": "list", "data": [], "scroll_param": "x"}))
    assert list(listing.scroll(client(app, clock, now=lambda: clock.now, notice=notices.append), companies.scroll)) == []
    assert notices == ["127.0.0.1:9: another scroll is open, and Intercom admits one at a time; waiting until 00:01:01 UTC"]
