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
from tests.stories.apply.results import told_of, wrote
from tests.stories.plan.test_saved_plans import Killed, killed_after, killed_before
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
def told(route: MakeRoute) -> Route:
    return route(SEED, ledger=True)


def tags_of(told: Route) -> dict[str, list[str]]:
    """Which tags each contact and company has."""
    seen = workspace(told)
    return {name: thing["tags"] for kind in ("contact", "company") for name, thing in seen[kind].items()}


def give(told: Route, name: str, who: str) -> None:
    """Somebody gives a person a tag."""
    store = told.box.ws.store
    end = next(i for i, found in store.table("tag").docs.items() if found["name"] == name)
    person = next(c for c in store.table("contact").docs.values() if c["external_id"] == who)
    store.put(
        "contact",
        {**person, "tags": {**person["tags"], end: {"at": 0, "by": ""}} if isinstance(person["tags"], dict) else [*person["tags"], end]},
    )


@pytest.mark.timeout(900)
def test_two_tags_with_many_members_become_one_through_a_kill_and_back(route: MakeRoute) -> None:
    both = [["gold"], ["VIP client"], ["gold", "VIP client"]]
    told = route(
        {"tags": ["gold", "VIP client"], "contacts": [{"external_id": str(n), "tags": both[n % 3]} for n in range(MANY)]}, ledger=True
    )
    path, before = told.manifest(MERGE), workspace(told)
    plan = told.saved(path)
    assert plan["summary"] | {"attach": MANY, "create": 1, "delete": 2} == plan["summary"]
    with killed_after(told, MANY // 100), pytest.raises(Killed):
        told.apply(plan)
    assert len(told.box.ws.store.table("tag").docs) == 3
    told.clock.now += 60
    assert all(o.status == "applied" for o in told.apply(plan))
    assert len(wrote(told)) <= MANY / 50 + 3 + 1
    assert len(runs(told)) == 2
    assert set(map(tuple, tags_of(told).values())) == {("vip",)}
    assert told.document(path)["changes"] == []
    for run in runs(told):
        assert all(o.status == "applied" for o in carry_out_plan(told, undo_plan(told, run)))
    assert workspace(told) == before


@pytest.mark.parametrize("kill", [killed_before, killed_after])
def test_a_kill_anywhere_loses_nobody(route: MakeRoute, kill: Any) -> None:
    for number in range(5):
        told = route(SEED, ledger=True)
        path = told.manifest(MERGE)
        with kill(told, number), pytest.raises(Killed):
            told.converge(path)
        assert all({"vip", "gold", "VIP client"} & set(tags) for tags in tags_of(told).values())
        told.converge(path)
        assert sorted(tags_of(told).values()) == [["other", "vip"], ["vip"], ["vip"]]
        assert told.document(path)["changes"] == []


def test_who_comes_since_the_plan_and_right_before_the_end_is_moved_too_and_goes_back(told: Route) -> None:
    told.box.seed({"contacts": [{"external_id": str(n)} for n in (3, 4)]})
    path, before = told.manifest(MERGE), workspace(told)
    plan = told.saved(path)
    give(told, "gold", "3")
    fault = told.box.faults.add("POST", "^/tags$", run=lambda: give(told, "gold", "4"), after=2)
    outcomes = told_of(told.apply(plan))
    assert {what for what, (how, _) in outcomes.items() if how != "applied"} == set()
    assert fault.hits == 1
    assert told.document(path)["changes"] == []
    assert [tags for tags in tags_of(told).values() if "vip" not in tags] == []
    assert all(o.status == "applied" for o in carry_out_plan(told, undo_plan(told)))
    people = {c["external_id"]: c["id"] for c in told.box.ws.store.table("contact").docs.values()}
    after = workspace(told)
    for who in "34":
        assert after["contact"].pop(people[who])["tags"] == ["gold"]
        before["contact"].pop(people[who])
    assert after == before


def test_who_comes_with_an_old_tag_that_stays_is_moved_for_the_one_that_goes(told: Route) -> None:
    told.box.seed({"conversations": [{"tags": ["VIP client"]}], "contacts": [{"external_id": "3"}]})
    plan = told.saved(told.manifest(MERGE))
    give(told, "VIP client", "3")
    give(told, "gold", "3")
    assert {o.status for o in told.apply(plan)} == {"applied"}
    assert sorted(tags_of(told).values()) == [["VIP client", "vip"], ["VIP client", "vip"], ["other", "vip"], ["vip"]]


def test_what_conversations_or_content_carry_stays_and_says_so(told: Route) -> None:
    told.box.seed({"conversations": [{"tags": ["gold"]}], "content": [{"tags": ["VIP client"]}]})
    path = told.manifest(MERGE)
    found = told.document(path)
    assert found["summary"]["delete"] == 0
    held = "stays, as {} (1) carry it, which only people can move; contacts (1) and companies (at least {}) get tag/vip"
    assert {note["address"]: note["message"] for note in found["notes"] if note["topic"] == "merging"} == {
        "tag/gold": held.format("conversations", 1),
        "tag/VIP client": held.format("content items", 0),
    }
    told.converge(path)
    assert sorted(tags_of(told).values()) == [["VIP client", "vip"], ["gold", "other", "vip"], ["gold", "vip"]]
    assert told.document(path)["changes"] == []


def test_what_cannot_be_counted_counts_as_carried(told: Route) -> None:
    told.box.faults.add("GET", "/content/search", status=403, times=None)
    found = told.document(told.manifest(MERGE))
    assert (found["summary"]["delete"], found["refused"]) == (0, [])
    assert "content items (nobody can say how many)" in found["notes"][-1]["message"]


def test_what_is_held_only_at_the_end_stays(told: Route) -> None:
    plan = told.saved(told.manifest(MERGE))
    told.box.seed({"conversations": [{"tags": ["gold"]}]})
    outcomes = told_of(told.apply(plan))
    assert outcomes["delete tag/gold"] == ("skipped", "not deleted: conversations (1) carry it, which only people can move")
    assert outcomes["delete tag/VIP client"] == ("applied", "")
    assert all("vip" in tags for tags in tags_of(told).values())


def test_a_segment_is_named(told: Route) -> None:
    text = "Unable to delete Tag with dependent objects. Segments: Seg 1."
    told.box.faults.add("DELETE", "/tags/", status=400, code="tag_has_dependent_objects", message=text, times=None)
    outcomes = told_of(told.converge(told.manifest(MERGE)))
    assert outcomes["delete tag/gold"] == ("failed", f"400 {text}")


def test_who_is_not_proved_to_have_the_new_one_keeps_the_old_one(told: Route) -> None:
    body = b'{"type": "tag", "id": "104", "name": "vip", "users": [], "companies": []}'
    told.box.faults.add("POST", "^/tags$", body=body, after=1, times=None)
    outcomes = told_of(told.converge(told.manifest(MERGE)))
    assert {how for what, (how, _) in outcomes.items() if what.startswith("delete")} == {"skipped"}
    assert sorted(tags_of(told).values()) == [["VIP client"], ["gold"], ["gold", "other"]]


def test_who_cannot_be_read_is_not_moved(told: Route) -> None:
    told.box.faults.add("POST", "/contacts/search", status=403, times=None)
    found = told.document(told.manifest(MERGE))
    assert [refusal["gate"] for refusal in found["refused"]] == ["merge", "merge"]
    assert "403" in found["refused"][0]["message"]


def test_whose_own_list_rules_and_leaves_the_new_one_out_does_not_get_it(told: Route) -> None:
    path = told.manifest(MERGE | {"policy": WIDE | {"links": "exact"}, "contacts": [{"external_id": "1", "tags": []}]})
    told.converge(path)
    assert sorted(tags_of(told).values()) == [[], ["vip"], ["vip"]]
    assert told.document(path)["changes"] == []


def test_deletions_count_and_an_approval_holds_though_more_come(told: Route) -> None:
    limits = {"limits": {"deletes": 1, "attaches": 2}}
    found = told.document(told.manifest(MERGE | {"policy": limits}))
    assert [refusal["gate"] for refusal in found["refused"]] == ["limits.attaches", "limits.deletes"]
    assert found["people"] == {"losing": 0, "exact": True}
    word = found["refused"][0]["approve"]
    assert str(word).endswith(":3")
    told.box.seed({"contacts": [{"external_id": "3", "tags": ["gold"]}]})
    more = {refusal["approve"] for refusal in told.document(told.manifest(MERGE | {"policy": limits}))["refused"]}
    assert more == {str(word).replace(":3", ":4")}


@pytest.mark.parametrize("cut", [False, True])
def test_under_owned_nobody_whose_list_is_written_loses_it_again(told: Route, cut: bool) -> None:
    path = told.manifest(MERGE | {"policy": WIDE | {"links": "owned"}, "contacts": [{"external_id": "1", "tags": []}]})
    if cut:
        with killed_after(told, 2), pytest.raises(Killed):
            told.converge(path)
    for _ in range(3):
        told.clock.now += 3600
        told.converge(path)
        assert all("vip" in tags for tags in tags_of(told).values())


def test_an_old_tag_that_is_there_again_is_drift(told: Route) -> None:
    path = told.manifest(MERGE)
    told.converge(path)
    told.box.seed({"tags": ["gold"]})
    found = told.document(path, scope=Scope(moved=True))
    assert [(change["action"], change["address"], change["cause"]) for change in found["changes"]] == [("delete", "tag/gold", "drift")]


def test_its_changes_come_of_the_line_that_says_so(told: Route) -> None:
    base = read_manifest([str(told.manifest({"policy": WIDE, "tags": ["gold", "VIP client"]}))])
    found = told.planned(told.manifest(MERGE), scope=Scope(since=base))
    assert set(find_origins(base, found.manifest, found.plan.changes)) == {"explained"}
    assert found.plan.summary["attach"] == 3
    found = told.planned(told.manifest(MERGE))
    assert set(find_origins(found.manifest, found.manifest, found.plan.changes)) == {"earlier"}


@pytest.mark.parametrize(("more", "off"), [({"tags": ["vip"]}, 2), ({}, 0), ({"conversations": [{"tags": ["gold", "VIP client"]}]}, 0)])
def test_the_cost_is_what_it_takes(told: Route, more: dict[str, Any], off: int) -> None:
    """Where what stays is live it is read once for both, which is not counted."""
    told.box.seed(more)
    plan = told.saved(told.manifest(MERGE))
    told.box.forget_requests()
    told.apply(plan)
    assert plan["cost"]["calls"] - len(told.box.requests) == off
