"""`merged_from`: whoever has one of the old tags gets the new one, then the old ones go; nobody is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.compare.origin import find_origins
from reconciler.core.plan.scope import Scope
from reconciler.manifest.read import read_manifest
from tests.conftest import MakeRoute
from tests.desk.route import WIDE, Route
from tests.desk.soak import times
from tests.stories.apply.results import describe_outcomes, wrote
from tests.stories.plan.test_saved_plans import Killed, kill_after, kill_before
from tests.stories.undo.taking_back import carry_out_plan, runs, undo_plan, workspace

MERGE = {"policy": WIDE, "tags": [{"name": "vip", "merged_from": ["gold", "VIP client"]}]}
# Twelve thousand, or a twentieth of that; a third has both.
MANY = times(600)
SEED: dict[str, Any] = {
    "tags": ["gold", "VIP client", "other"],
    "companies": [{"company_id": "6", "tags": ["gold"]}],
    "contacts": [{"external_id": "1", "tags": ["gold", "other"], "companies": ["6"]}, {"external_id": "2", "tags": ["VIP client"]}],
}


@pytest.fixture
def route(make_route: MakeRoute) -> Route:
    return make_route(SEED, ledger=True)


def tags_of(route: Route) -> dict[str, list[str]]:
    """Which tags each contact and company has."""
    seen = workspace(route)
    return {name: thing["tags"] for kind in ("contact", "company") for name, thing in seen[kind].items()}


def give(route: Route, name: str, who: str) -> None:
    """Somebody gives a person a tag."""
    store = route.box.ws.store
    end = next(i for i, tag in store.table("tag").docs.items() if tag["name"] == name)
    person = next(c for c in store.table("contact").docs.values() if c["external_id"] == who)
    store.put(
        "contact",
        {**person, "tags": {**person["tags"], end: {"at": 0, "by": ""}} if isinstance(person["tags"], dict) else [*person["tags"], end]},
    )


@pytest.mark.timeout(900)
def test_two_tags_with_many_members_become_one_through_a_kill_and_back(make_route: MakeRoute) -> None:
    both = [["gold"], ["VIP client"], ["gold", "VIP client"]]
    route = make_route(
        {"tags": ["gold", "VIP client"], "contacts": [{"external_id": str(n), "tags": both[n % 3]} for n in range(MANY)]}, ledger=True
    )
    path, before = route.manifest(MERGE), workspace(route)
    plan = route.saved(path)
    assert plan["summary"] | {"attach": MANY, "create": 1, "delete": 2} == plan["summary"]
    with kill_after(route, MANY // 100), pytest.raises(Killed):
        route.apply(plan)
    assert len(route.box.ws.store.table("tag").docs) == 3
    route.clock.now += 60
    assert all(o.status == "applied" for o in route.apply(plan))
    assert len(wrote(route)) <= MANY / 50 + 3 + 1
    assert len(runs(route)) == 2
    assert set(map(tuple, tags_of(route).values())) == {("vip",)}
    assert route.document(path)["changes"] == []
    for run in runs(route):
        assert all(o.status == "applied" for o in carry_out_plan(route, undo_plan(route, run)))
    assert workspace(route) == before


@pytest.mark.parametrize("kill", [kill_before, kill_after])
def test_a_kill_anywhere_loses_nobody(make_route: MakeRoute, kill: Any) -> None:
    for number in range(5):
        route = make_route(SEED, ledger=True)
        path = route.manifest(MERGE)
        with kill(route, number), pytest.raises(Killed):
            route.converge(path)
        assert all({"vip", "gold", "VIP client"} & set(tags) for tags in tags_of(route).values())
        route.converge(path)
        assert sorted(tags_of(route).values()) == [["other", "vip"], ["vip"], ["vip"]]
        assert route.document(path)["changes"] == []


def test_who_comes_since_the_plan_and_right_before_the_end_is_moved_too_and_goes_back(route: Route) -> None:
    route.box.seed({"contacts": [{"external_id": str(n)} for n in (3, 4)]})
    path, before = route.manifest(MERGE), workspace(route)
    plan = route.saved(path)
    give(route, "gold", "3")
    fault = route.box.faults.add("POST", "^/tags$", run=lambda: give(route, "gold", "4"), after=2)
    outcomes = describe_outcomes(route.apply(plan))
    assert {what for what, (how, _) in outcomes.items() if how != "applied"} == set()
    assert fault.hits == 1
    assert route.document(path)["changes"] == []
    assert [tags for tags in tags_of(route).values() if "vip" not in tags] == []
    assert all(o.status == "applied" for o in carry_out_plan(route, undo_plan(route)))
    people = {c["external_id"]: c["id"] for c in route.box.ws.store.table("contact").docs.values()}
    after = workspace(route)
    for who in "34":
        assert after["contact"].pop(people[who])["tags"] == ["gold"]
        before["contact"].pop(people[who])
    assert after == before


def test_who_comes_with_an_old_tag_that_stays_is_moved_for_the_one_that_goes(route: Route) -> None:
    route.box.seed({"conversations": [{"tags": ["VIP client"]}], "contacts": [{"external_id": "3"}]})
    plan = route.saved(route.manifest(MERGE))
    give(route, "VIP client", "3")
    give(route, "gold", "3")
    assert {o.status for o in route.apply(plan)} == {"applied"}
    assert sorted(tags_of(route).values()) == [["VIP client", "vip"], ["VIP client", "vip"], ["other", "vip"], ["vip"]]


def test_what_conversations_or_content_carry_stays_and_says_so(route: Route) -> None:
    route.box.seed({"conversations": [{"tags": ["gold"]}], "content": [{"tags": ["VIP client"]}]})
    path = route.manifest(MERGE)
    plan = route.document(path)
    assert plan["summary"]["delete"] == 0
    held = "stays, as {} (1) carry it, which {}; contacts (1) and companies (at least {}) get tag/vip"
    assert {note["address"]: note["message"] for note in plan["notes"] if note["topic"] == "merging"} == {
        "tag/gold": held.format("conversations", "`also: [conversations]` moves", 1),
        "tag/VIP client": held.format("content items", "only people can move", 0),
    }
    route.converge(path)
    assert sorted(tags_of(route).values()) == [["VIP client", "vip"], ["gold", "other", "vip"], ["gold", "vip"]]
    assert route.document(path)["changes"] == []


def test_what_cannot_be_counted_counts_as_carried(route: Route) -> None:
    route.box.faults.add("GET", "/content/search", status=403, times=None)
    plan = route.document(route.manifest(MERGE))
    assert (plan["summary"]["delete"], plan["refused"]) == (0, [])
    assert "content items (nobody can say how many)" in plan["notes"][-1]["message"]


def test_what_is_held_only_at_the_end_stays(route: Route) -> None:
    plan = route.saved(route.manifest(MERGE))
    route.box.seed({"conversations": [{"tags": ["gold"]}]})
    outcomes = describe_outcomes(route.apply(plan))
    assert outcomes["delete tag/gold"] == ("skipped", "not deleted: conversations (1) carry it, which `also: [conversations]` moves")
    assert outcomes["delete tag/VIP client"] == ("applied", "")
    assert all("vip" in tags for tags in tags_of(route).values())


def test_a_segment_is_named(route: Route) -> None:
    text = "Unable to delete Tag with dependent objects. Segments: Seg 1."
    route.box.faults.add("DELETE", "/tags/", status=400, code="tag_has_dependent_objects", message=text, times=None)
    outcomes = describe_outcomes(route.converge(route.manifest(MERGE)))
    assert outcomes["delete tag/gold"] == ("failed", f"400 {text}")


def test_who_is_not_proved_to_have_the_new_one_keeps_the_old_one(route: Route) -> None:
    body = b'{"type": "tag", "id": "104", "name": "vip", "users": [], "companies": []}'
    route.box.faults.add("POST", "^/tags$", body=body, after=1, times=None)
    outcomes = describe_outcomes(route.converge(route.manifest(MERGE)))
    assert {how for what, (how, _) in outcomes.items() if what.startswith("delete")} == {"skipped"}
    assert sorted(tags_of(route).values()) == [["VIP client"], ["gold"], ["gold", "other"]]


def test_who_cannot_be_read_is_not_moved(route: Route) -> None:
    route.box.faults.add("POST", "/contacts/search", status=403, times=None)
    plan = route.document(route.manifest(MERGE))
    assert [refusal["gate"] for refusal in plan["refused"]] == ["merge", "merge"]
    assert "403" in plan["refused"][0]["message"]


def test_whose_own_list_rules_and_leaves_the_new_one_out_does_not_get_it(route: Route) -> None:
    path = route.manifest(MERGE | {"policy": WIDE | {"links": "exact"}, "contacts": [{"external_id": "1", "tags": []}]})
    route.converge(path)
    assert sorted(tags_of(route).values()) == [[], ["vip"], ["vip"]]
    assert route.document(path)["changes"] == []


def test_deletions_count_and_an_approval_holds_though_more_come(route: Route) -> None:
    limits = {"limits": {"deletes": 1, "attaches": 2}}
    plan = route.document(route.manifest(MERGE | {"policy": limits}))
    assert [refusal["gate"] for refusal in plan["refused"]] == ["limits.attaches", "limits.deletes"]
    assert plan["people"] == {"losing": 0, "exact": True}
    word = plan["refused"][0]["approve"]
    assert str(word).endswith(":3")
    route.box.seed({"contacts": [{"external_id": "3", "tags": ["gold"]}]})
    more = {refusal["approve"] for refusal in route.document(route.manifest(MERGE | {"policy": limits}))["refused"]}
    assert more == {str(word).replace(":3", ":4")}


@pytest.mark.parametrize("cut", [False, True])
def test_under_owned_nobody_whose_list_is_written_loses_it_again(route: Route, cut: bool) -> None:
    path = route.manifest(MERGE | {"policy": WIDE | {"links": "owned"}, "contacts": [{"external_id": "1", "tags": []}]})
    if cut:
        with kill_after(route, 2), pytest.raises(Killed):
            route.converge(path)
    for _ in range(3):
        route.clock.now += 3600
        route.converge(path)
        assert all("vip" in tags for tags in tags_of(route).values())


def test_an_old_tag_that_is_there_again_is_drift(route: Route) -> None:
    path = route.manifest(MERGE)
    route.converge(path)
    route.box.seed({"tags": ["gold"]})
    plan = route.document(path, scope=Scope(moved=True))
    assert [(change["action"], change["address"], change["cause"]) for change in plan["changes"]] == [("delete", "tag/gold", "drift")]


def test_its_changes_come_of_the_line_that_says_so(route: Route) -> None:
    base = read_manifest([str(route.manifest({"policy": WIDE, "tags": ["gold", "VIP client"]}))])
    plan = route.planned(route.manifest(MERGE), scope=Scope(since=base))
    assert set(find_origins(base, plan.manifest, plan.plan.changes)) == {"explained"}
    assert plan.plan.summary["attach"] == 3
    plan = route.planned(route.manifest(MERGE))
    assert set(find_origins(plan.manifest, plan.manifest, plan.plan.changes)) == {"earlier"}


@pytest.mark.parametrize(("more", "off"), [({"tags": ["vip"]}, 2), ({}, 0), ({"conversations": [{"tags": ["gold", "VIP client"]}]}, 0)])
def test_the_cost_is_what_it_takes(route: Route, more: dict[str, Any], off: int) -> None:
    """Where what stays is live it is read once for both, which is not counted."""
    route.box.seed(more)
    plan = route.saved(route.manifest(MERGE))
    route.box.forget_requests()
    route.apply(plan)
    assert plan["cost"]["calls"] - len(route.box.requests) == off
