"""`state: deprecated`: a tag goes out of use, and nothing but people deletes it."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.compare.retiring import ASKED, Evidence, Stage, judge
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Resource
from reconciler.core.plan.scope import Scope
from reconciler.errors import Mark
from reconciler.kinds import KINDS
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes
from tests.desk.telling import asked, notes

DAY = 86_400
OLD: dict[str, Any] = {"name": "old", "state": "deprecated", "replaced_by": "vip", "retire_after": {"no_new_use_for": "90d"}}
MANIFEST: dict[str, Any] = {"tags": ["vip", OLD]}


def note_of(route: Route, **scope: Any) -> str:
    """What a plan says of the tag."""
    (note,) = notes(route.document(route.manifest(MANIFEST), scope=Scope(**scope)), "deprecated")
    return note


def days_ago(route: Route, days: float) -> int:
    return int(route.clock.now - days * DAY)


def people(route: Route, number: int, applied_at: int) -> list[dict[str, Any]]:
    return [{"external_id": str(n), "tags": [{"tag": "old", "applied_at": applied_at}]} for n in range(number)]


def test_the_days_go_down_with_the_clock_until_it_is_due_and_a_new_use_begins_them_anew(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"]})
    route.box.seed({"contacts": people(route, 2, days_ago(route, 60))})
    assert note_of(route).startswith("is draining: last new use 2026-07-23 (contact), 30 days to go; tag/vip replaces it")
    route.clock.now += 29.5 * DAY
    assert "1 day to go" in note_of(route)
    route.clock.now += DAY
    assert note_of(route).startswith("due since 2026-10-21: last new use 2026-07-23 (contact); tag/vip replaces it")
    route.box.seed({"conversations": [{"tags": ["old"]}]})
    assert note_of(route).startswith("still in use: 1 new use in the last 90 days, the last 2026-10-22 (conversation); 90 days to go")


def test_it_stays_when_it_is_due_and_deprecated_is_no_change_on_either_way(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"]}, ledger=True)
    for entry in ("old", OLD, {"name": "old", "state": "present"}):
        path = route.manifest({"policy": {"prune": {"tags": "owned"}}, "tags": ["vip", entry]})
        assert changes(route.document(path)) == []
        route.converge(path)
        route.clock.now += 200 * DAY
    assert not route.box.writes
    route.converge(route.manifest({"tags": ["vip", {"name": "old", "state": "absent"}]}))
    path = route.manifest(MANIFEST)
    assert changes(route.document(path)) == ["create tag/old"]
    assert {o.status for o in route.converge(path)} == {"applied"}


@pytest.mark.parametrize(("zone", "hours"), [("Pacific/Kiritimati", -11), ("Pacific/Pago_Pago", 11)])
def test_days_of_another_time_zone_hide_no_conversation(make_route: MakeRoute, zone: str, hours: int) -> None:
    route = make_route({"tags": ["vip", "old"], "app": {"timezone": zone}})
    route.clock.now += hours * 3600
    route.box.seed({"conversations": [{"tags": ["old"], "created_at": days_ago(route, 90) + 60}]})
    assert "1 day to go" in note_of(route)


@pytest.mark.parametrize("at", [0, -5, 2**60, float("nan")])
def test_what_is_no_time_or_still_to_come_is_as_new_as_can_be(at: float) -> None:
    resource = Resource(Address("tag", "old"), "name", "old", {}, Mark(""), "deprecated", quiet=90 * DAY)
    link = LinkName("contact", "tags")
    evidence = Evidence({link: frozenset("1"), LinkName("company", "tags"): frozenset()}, {(link, "1"): at}, {"conversations": ()})
    assert judge(KINDS, 1_790_000_000, resource, "5", evidence, None).stage is Stage.IN_USE


def test_what_cannot_be_read_is_not_known_and_never_due(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"]}, plan_restricted=True)
    assert note_of(route) == "not known whether it is still in use: conversations cannot be read; tag/vip replaces it"
    route.box.seed({"contacts": people(route, 1, days_ago(route, 10))})
    assert note_of(route).startswith("is draining: last new use 2026-09-11 (contact), at least 80 days to go; conversations cannot be read")
    route.box.faults.add("POST", "^/contacts/search$", status=403)
    assert note_of(route).startswith("not known whether it is still in use: conversations cannot be read; contacts cannot be read")


def test_of_many_people_and_of_companies_runs_remember_who_was_there(make_route: MakeRoute) -> None:
    many = ASKED + 1
    route = make_route({"tags": ["vip", "old"], "companies": [{"company_id": "6", "tags": ["old"]}]}, ledger=True)
    route.box.seed({"contacts": people(route, many, days_ago(route, 300))})
    route.box.seed({"contacts": [{"external_id": "0", "companies": ["6"]}]})
    unknown = f"not known whether it is still in use: no apply on record looked before, and of {many} contacts nobody says since when"
    assert note_of(route).startswith(unknown)
    route.converge(route.manifest(MANIFEST))
    route.clock.now += 30 * DAY
    assert note_of(route).startswith("is draining: last new use before 2026-09-21, when an apply looked, 60 days to go")
    route.box.seed({"contacts": [{"external_id": "new", "tags": [{"tag": "old", "applied_at": days_ago(route, 5)}]}]})
    route.box.seed({"companies": [{"company_id": "7", "tags": ["old"]}], "contacts": [{"external_id": "1", "companies": ["7"]}]})
    assert note_of(route).startswith("still in use: 2 new uses in the last 90 days, the last 2026-10-21 (company); 90 days to go")
    route.converge(route.manifest(MANIFEST))
    route.clock.now += DAY
    assert note_of(route).startswith("is draining: last new use before 2026-10-21, when an apply looked, 89 days to go")
    route.clock.now += 90 * DAY
    assert note_of(route).startswith("due since 2027-01-19: last new use before 2026-10-21, when an apply looked")
    # Who leaves is no new use.
    store = route.box.ws.store
    for contact in [c for c in store.table("contact").docs.values() if c["external_id"] != "new"]:
        store.put("contact", {**contact, "tags": {}})
    assert note_of(route).startswith("due since 2027-01-19")


def test_what_our_own_apply_attaches_is_a_new_use(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"], "contacts": [{"external_id": "1"}]}, ledger=True)
    path = route.manifest({**MANIFEST, "contacts": [{"external_id": "1", "tags": ["old"]}]})
    (note,) = notes(route.document(path), "deprecated")
    assert note.startswith("due: no use is known; 1 entry here still names it; tag/vip replaces it")
    route.converge(path)
    (note,) = notes(route.document(path), "deprecated")
    assert note.startswith("still in use: 1 new use in the last 90 days, the last 2026-09-21 (contact)")


def test_an_id_means_one_of_two_and_a_renamed_one_is_watched_on(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "old", "id": "5"}, {"name": "OLD", "id": "6"}]}, ledger=True)
    retire = {"retire_after": {"no_new_use_for": "90d"}}
    path = route.manifest({"tags": [{"id": "5", "state": "deprecated", "replaced_by": {"id": "6"}, **retire}, {"id": "6"}]})
    found = route.document(path)
    assert [(note["address"], note["message"]) for note in found["notes"] if note["topic"] == "deprecated"] == [
        ("tag/id:5", "due: no use is known; tag/id:6 replaces it; next: reconciler tag retire --due")
    ]
    route.converge(path)
    assert route.ledger
    record = route.ledger.read_recorded(route.app_id(), "default").of("tag", "5")
    assert record
    assert record.watch
    assert (record.watch.since, record.watch.new) == (route.clock.now, 0)
    route.manifest({"tags": [{"id": "5", "name": "older", "state": "deprecated", **retire}, {"id": "6"}]})
    assert {o.status for o in route.converge(path)} == {"applied"}
    after = route.ledger.read_recorded(route.app_id(), "default").of("tag", "5")
    assert after
    assert after.watch == record.watch


def test_nothing_is_asked_where_nothing_is_deprecated_or_another_thing_is_meant(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"]})
    route.box.forget_requests()
    route.document(route.manifest({"tags": ["vip", "old"]}))
    assert asked(route.box) == ["GET /tags 200"]
    found = route.document(route.manifest(MANIFEST), scope=Scope(target=("tag/vip",)))
    assert notes(found, "deprecated") == []
    assert set(asked(route.box)) == {"GET /tags 200"}
    assert notes(route.document(route.manifest(MANIFEST), scope=Scope(moved=True)), "deprecated") == []
    route.box.forget_requests()
    note_of(route)
    assert sorted(asked(route.box)[1:]) == ["GET /companies 200", "POST /contacts/search 200", "POST /conversations/search 200"]


def test_the_cost_of_an_apply_counts_the_look_at_who_has_it(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "old"], "contacts": [{"external_id": "x"}]}, ledger=True)
    route.box.seed({"contacts": people(route, 151, days_ago(route, 300))})
    manifest = {**MANIFEST, "contacts": [{"external_id": "x", "tags": ["vip"]}]}
    path = route.manifest(manifest)
    planned = route.planned(path).plan
    saved = route.saved(path)
    route.box.forget_requests()
    route.apply(saved)
    assert planned.calls == len(route.box.requests)
    assert route.id_of(Address("tag", "old"))
