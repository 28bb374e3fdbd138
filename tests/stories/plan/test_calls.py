"""How many calls a plan and its apply take, exactly: a twentieth of the size in `make test`, the whole in `make soak`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from reconciler.core.plan.saved import write_saved
from reconciler.intercom.memory import Memory
from reconciler.manifest.read import read_manifest
from reconciler.workflow.apply import prepare
from reconciler.workflow.plan import propose
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import WIDE, Route
from tests.desk.soak import times
from tests.stories.plan.by_hand import by_hand, contact, tag

Doc = dict[str, Any]
TAGS = [f"t{n}" for n in range(20)]


def people(number: int, **fields: Any) -> list[Doc]:
    return [{"external_id": f"u{n}", **fields} for n in range(number)]


def people_with_tags(number: int, **fields: Any) -> list[Doc]:
    return [{"external_id": f"u{n}", "tags": [TAGS[n % 20], TAGS[(n + 7) % 20]], **fields} for n in range(number)]


def calls(route: Route, declared: Doc) -> tuple[int, Mapping[str, int], int]:
    """The calls of a plan; those of its apply, reads and writes; and those that the plan said its apply would take."""
    path = route.manifest({**declared, "policy": WIDE | declared.get("policy", {})})
    route.box.forget_requests()
    found = route.saved(path)
    planned = len(route.box.requests)
    route.box.forget_requests()
    assert {str(outcome.status) for outcome in route.apply(found)} == {"applied"}
    writes = len(route.box.writes)
    return planned, {"reads": len(route.box.requests) - writes, "writes": writes}, found["cost"]["calls"]


def test_attaches_are_looked_at_again_a_hundred_and_fifty_at_a_time(make_route: MakeRoute) -> None:
    number, companies = times(100), [{"company_id": f"c{n}"} for n in range(times(10))]
    live = [{**one, "companies": [f"c{n % len(companies)}"]} for n, one in enumerate(people(times(1000)))]
    route = make_route({"tags": TAGS, "companies": companies, "contacts": live})
    planned, applied, shown = calls(route, {"tags": TAGS, "companies": companies, "contacts": people_with_tags(number)})
    searches = ceil(number / 150)
    assert planned == 2 + searches + ceil(len(companies) / 60) <= 60
    assert applied == {"reads": 2 + searches, "writes": 20 * ceil(number / 10 / 50)}
    assert applied["writes"] <= 100
    assert sum(applied.values()) == shown <= 160


def test_a_detach_that_somebody_wrote_down_costs_its_own_call(make_route: MakeRoute) -> None:
    number = times(75)
    route = make_route({"tags": ["vip"], "contacts": people(number, tags=["vip"])})
    _, applied, shown = calls(route, {"policy": {"links": "declared"}, "tags": ["vip"], "contacts": people(number, tags=[])})
    assert applied == {"reads": 2 + ceil(number / 150), "writes": number}
    assert sum(applied.values()) == shown <= number + 40


def test_a_detach_of_what_is_only_ours_is_looked_for_in_the_list_of_its_contact(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": people(3)}, ledger=True)
    route.converge(route.manifest({"tags": ["vip"], "contacts": people(3, tags=["vip"])}))
    route.clock.now += 3600
    _, applied, shown = calls(route, {"policy": {"links": "owned"}, "tags": ["vip"], "contacts": people(3, tags=[])})
    asked = Counter(f"{r.method} {'/tags' if r.path.endswith('/tags') else ''}" for r in route.box.requests if "/contacts/" in r.path)
    assert applied == {"reads": 2 + 1 + 3, "writes": 3}
    assert asked["GET /tags"] == 3
    assert sum(applied.values()) == shown


@pytest.mark.parametrize(("number", "each"), [(150, True), (151, False)])
def test_updates_are_read_one_by_one_up_to_a_hundred_and_fifty(number: int, each: bool, make_route: MakeRoute) -> None:
    route = make_route({"contacts": people(number)})
    _, applied, shown = calls(route, {"contacts": people(number, name="X")})
    assert applied == {"reads": 1 + ceil(number / 150) + (number if each else 0), "writes": number}
    assert sum(applied.values()) == shown
    notes = [note["message"] for note in route.document(route.manifest({"contacts": people(number, name="Y")}))["notes"]]
    assert any("as fresh as Intercom's search" in note for note in notes) is not each


def test_who_gets_another_identity_is_read_by_the_id_however_many_there_are(make_route: MakeRoute) -> None:
    route = make_route({"contacts": people(151)})
    moved = [{"external_id": f"v{n}", "was": {"external_id": f"u{n}"}} for n in range(151)]
    _, applied, shown = calls(route, {"contacts": moved})
    assert applied["reads"] > 151
    assert sum(applied.values()) == shown


def test_a_company_that_is_written_is_read_once_by_its_key(make_route: MakeRoute) -> None:
    companies = [{"company_id": f"c{n}"} for n in range(130)]
    route = make_route({"companies": companies, "contacts": people(1, companies=[f"c{n}" for n in range(130)])})
    _, applied, shown = calls(route, {"companies": [{**company, "name": "N"} for company in companies[:9]]})
    assert applied == {"reads": 1 + 9, "writes": 9}
    assert sum(applied.values()) == shown


# ---- what a weaker look must not change
def test_what_is_lost_for_good_is_seen_by_a_strong_read_though_search_lags(make_route: MakeRoute) -> None:
    """Search still shows who was archived, or has another key by now: nobody is archived or deleted by what it shows."""
    route = make_route({"contacts": people(2)}, update_delay=600)
    declared = [{"external_id": "u0", "state": "archived"}, {"external_id": "u1", "state": "absent"}]
    limits = {"limits": {"archives": 5, "contact_deletes": 5, "people": 5}}
    found = route.saved(route.manifest({"policy": limits, "contacts": declared}))
    paths = [contact(route, "u0"), contact(route, "u1")]
    for n, path in enumerate(paths):
        by_hand(route, "PUT", path, {"external_id": f"other{n}"})
    assert route.apply(found) == []
    assert route.box.writes == []


def test_what_a_stale_search_shows_as_linked_or_not_costs_at_most_a_call(make_route: MakeRoute) -> None:
    """Somebody detached one and attached the other a moment ago: the calls for these are answered, and nothing is left undone."""
    route = make_route({"tags": ["vip", "old"], "contacts": [*people(1, tags=["old"])]}, update_delay=600)
    declared = {"policy": {"links": "declared"}, "tags": ["vip", "old"], "contacts": people(1, tags=["vip"])}
    found = route.saved(route.manifest(declared))
    path = contact(route, "u0")
    by_hand(route, "DELETE", f"{path}/tags/{tag(route, 'old')}")
    by_hand(route, "POST", f"{path}/tags", {"id": tag(route, "vip")})
    assert {str(outcome.status) for outcome in route.apply(found)} == {"applied"}
    (person,) = route.box.ws.store.table("contact").docs.values()
    assert list(person["tags"]) == [tag(route, "vip")]


# ---- apply of a manifest: what its own plan read a moment ago is not read again
def count_calls(desk: Desk, declared: Doc, *more: str) -> Counter[str]:
    """The calls of `apply MANIFEST`, by method, after its plan's: those that it says it planned are those that it made."""
    desk.box.forget_requests()
    assert desk("plan", "m.yaml", m={**declared, "policy": WIDE | declared.get("policy", {})}) == 0, desk.err
    planned = len(desk.box.requests)
    desk.box.forget_requests()
    assert desk("apply", "m.yaml", "--auto-approve", *more) == 0, desk.err
    made = desk.box.requests[planned:]
    assert f"Calls: {len(made)} planned, {len(made)} made." in desk.out
    assert f"Cost: {len(made)} call" in desk.out
    return Counter(f"{request.method} {re.sub('[0-9a-f]{24}|(?<=tags/)[0-9]+', '*', request.path)}" for request in made)


def test_what_the_plan_of_an_apply_read_is_not_read_again(desk: Desk) -> None:
    desk.seed(tags=["vip", "old", "Beta"], contacts=people(3, tags=["old"]), companies=[{"company_id": "6"}, {"company_id": "7"}])
    declared = {
        "policy": {"links": "declared"},
        "tags": ["vip", {"name": "old", "state": "absent"}, {"name": "beta", "renamed_from": "Beta"}],
        "companies": [{"company_id": "6", "name": "Blue Sun"}],
        "contacts": [
            *people(2, name="X", tags=["vip"]),
            {"external_id": "u2", "state": "archived"},
            {"external_id": "new", "missing": "create"},
        ],
    }
    assert count_calls(desk, declared, "--ledger", "none") == {
        "GET /me": 1,
        "GET /contacts/*": 1,
        "POST /contacts": 1,
        "POST /contacts/*/archive": 1,
        "POST /tags": 2,
        "PUT /companies/*": 1,
        "PUT /contacts/*": 2,
        "DELETE /tags/*": 1,
    }


@pytest.mark.parametrize(
    ("later", "writes", "again"),
    [(0, False, False), (31, False, True), (0, True, True)],
    ids=["at once", "too late", "another apply wrote"],
)
def test_what_is_remembered_is_young_and_nobody_of_ours_wrote_since(later: float, writes: bool, again: bool, make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": people(2)}, ledger=True)
    manifest = read_manifest([str(route.manifest({"tags": ["vip"], "contacts": people(1, tags=["vip"])}))])
    memory = Memory()
    with route.session() as session:
        planned = propose(replace(session, memory=memory), manifest)
    if writes:
        route.converge(route.manifest({"name": "other", "contacts": people(2, name="X")[1:]}, "other.yaml"))
    route.clock.now += later
    route.box.forget_requests()
    with route.session() as session:
        work = prepare(replace(session, memory=memory), write_saved(route.kinds, planned.plan, "salt"), manifest)
    assert [request.path for request in route.box.requests] == ["/me", *(["/tags", "/contacts/search"] if again else [])]
    assert [str(change.target) for change in work.proposal.plan.changes] == ["tag/vip"]


# ---- who carries what is lost, or gets another name
@pytest.mark.parametrize(("number", "each"), [(50, 4), (51, 0)], ids=["as many as are counted", "too many"])
def test_of_many_renames_nobody_counts_who_carries_each(number: int, each: int, make_route: MakeRoute) -> None:
    route = make_route({"tags": [f"Old {n}" for n in range(number)]})
    renamed = [{"name": f"new-{n}", "renamed_from": f"Old {n}"} for n in range(number)]
    planned, applied, shown = calls(route, {"tags": renamed})
    assert planned == 2 + each * number
    assert applied == {"reads": 2, "writes": number}
    assert sum(applied.values()) == shown
    again = make_route({"tags": [f"Old {n}" for n in range(number)]})
    document = again.document(again.manifest({"policy": WIDE, "tags": renamed}))
    told = [note["message"] for note in document["notes"] if note["topic"] == "not counted"]
    assert [bool(change.get("uses")) for change in document["changes"]] == [bool(each)] * number
    assert told == (
        []
        if each
        else [
            "51 tags get another name, too many to ask who has each; nobody loses one by that; "
            "`--target` plans up to 50 of them with their numbers"
        ]
    )


def test_beside_many_renames_what_goes_is_counted_still(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["gone", *(f"Old {n}" for n in range(51))], "contacts": people(3, tags=["gone"])})
    renamed = [{"name": f"new-{n}", "renamed_from": f"Old {n}"} for n in range(51)]
    declared = {"policy": WIDE | {"limits": {"people": 2}}, "tags": [{"name": "gone", "state": "absent"}, *renamed]}
    planned = route.planned(route.manifest(declared))
    assert Counter(request.path for request in route.box.requests)["/contacts/search"] == 1
    assert [refusal.gate for refusal in planned.plan.refusals] == ["limits.people"]


@pytest.mark.parametrize(
    ("ledger", "reads"),
    [
        (False, ["/companies", "/content/search", "/conversations/search", "/contacts/search"]),
        (True, ["/companies", "/content/search", "/conversations/search", "/contacts/search"]),
    ],
    ids=["counted", "kept"],
)
def test_who_carries_what_goes_is_asked_for_once_in_each_place(ledger: bool, reads: list[str], make_route: MakeRoute) -> None:
    """With a ledger they are read one by one, for an undo: that is their number, too."""
    route = make_route({"tags": ["gone"], "contacts": people(3, tags=["gone"])}, ledger=ledger)
    planned, applied, shown = calls(route, {"tags": [{"name": "gone", "state": "absent"}]})
    asked = [request.path for request in route.box.requests if request.path.endswith(("/search", "companies"))]
    assert planned == 2 + 4
    assert sorted(asked) == sorted(reads)
    assert applied["writes"] == 1
    assert sum(applied.values()) == shown


# ---- the fewest calls, and why: plan --explain
FOUR = {"GET /companies": 4, "POST /companies/list": 1}


@pytest.mark.parametrize(
    ("live", "declared", "said", "asked"),
    [
        (3, 3, "one by one, 3 calls", {"GET /companies": 3}),
        (130, 4, "rest of the list, 2 calls; not one by one, 4 calls", {"POST /companies/list": 3}),
        (300, 4, "one by one, 4 calls; not rest of the list, 4 calls", FOUR),
    ],
    ids=["few are not counted", "the listing is fewer", "the listing is no fewer"],
)
def test_a_listing_is_read_where_that_is_fewer_calls(live: int, declared: int, said: str, asked: dict[str, int], desk: Desk) -> None:
    companies = [{"company_id": f"c{n:03}"} for n in range(live)]
    desk.seed(companies=companies, contacts=[{"external_id": f"u{n}", "companies": [f"c{n:03}"]} for n in range(live)])
    desk.box.forget_requests()
    assert desk("plan", "m.yaml", "--explain", m={"companies": companies[:declared]}) == 0, desk.err
    assert Counter(f"{request.method} {request.path}" for request in desk.box.requests) == {"GET /me": 1, **asked}
    assert f"how the workspace was read (1)\n    company: {declared} by company_id: {said}\n" in desk.out


@pytest.mark.parametrize(
    ("having", "hidden", "said", "asked"),
    [
        (60, 0, "30 by company_id: by tag, at least 1 call; not one by one, 30 calls; not rest of the list, 10 calls", {"tag_id": 1}),
        (200, 0, "30 by company_id: by tag, 3 calls; not one by one, 30 calls; not rest of the list, 10 calls", {"tag_id": 4}),
        (60, 5, "5 by company_id: one by one, 5 calls; not rest of the list, 10 calls", {"tag_id": 1, "company_id": 5}),
        (620, 0, "30 by company_id: rest of the list, 10 calls; not by tag, 10 calls; not one by one, 30 calls", {"tag_id": 1, "list": 10}),
    ],
    ids=["one page shows all", "further pages show the rest", "the lists hide some", "the list of all is no more"],
)
def test_companies_are_read_by_tag_where_that_is_fewer_calls(
    having: int, hidden: int, said: str, asked: dict[str, int], desk: Desk
) -> None:
    companies = [{"company_id": f"c{n:03}", "tags": ["vip"] if n < having else []} for n in range(640)]
    desk.seed(tags=["vip"], companies=companies, contacts=[{"external_id": "u", "companies": [f"c{n:03}" for n in range(hidden, 640)]}])
    desk.box.forget_requests()
    assert desk("plan", "m.yaml", "--explain", m={"tags": ["vip"], "companies": companies[:30]}) == 0, desk.err
    assert f"company: {said}" in desk.out
    reads = Counter(next((key for key in ("tag_id", "company_id") if key in r.query), r.path.rpartition("/")[2]) for r in desk.box.requests)
    # The first page of all companies says how many there are.
    assert reads == Counter({"me": 1, "tags": 1, "list": 1}) + Counter(asked)


def test_a_plan_says_how_it_read_and_what_else_that_would_have_cost(desk: Desk) -> None:
    desk.seed(tags=["vip"], contacts=people(151, tags=["vip"]))
    declared = {"tags": ["vip"], "contacts": [*people(151, tags=["vip"]), {"email": "zoe@s.example"}]}
    assert desk("plan", "m.yaml", "--explain", "--report", "json=plan.json", m=declared) == 0, desk.err
    told = """how the workspace was read (4)
    tag: 1 declared: list, 1 call
    contact: 1 by email: search, 1 call; not list, nobody knows how many calls
    contact: 151 by external_id: search, 2 calls; not one by one, 151 calls; not list, nobody knows how many calls
    contact: 1 by email: search for a part of it, 1 call; not list, nobody knows how many calls
"""
    assert told in desk.out
    read = json.loads((desk.folder / "plan.json").read_text())["explain"]
    assert read[0] == {
        "kind": "tag",
        "by": None,
        "things": 1,
        "ways": [{"way": "list", "calls": 1, "at_least": False}],
        "taken": "list",
    }
    assert "zoe" not in json.dumps(read)
    assert desk("plan", "m.yaml", "--format", "json") == 0
    assert "explain" not in json.loads(desk.out)
