"""Two live tags of one name: nothing is done by that name, in any verb; an `id:` in the entry means one of them alone."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from reconciler.core.plan.saved import write_saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Refused, Stale
from reconciler.kinds import KINDS
from reconciler.manifest.schema import manifest_schema
from reconciler.workflow.undo import prepare_undo, propose_undo
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import Route, changes
from tests.desk.telling import gates, invalid, notes, refusals, settles, statuses

VIP, TWIN = {"name": "vip", "id": "5"}, {"name": "VIP", "id": "9"}
PEOPLE = [{"external_id": "25", "tags": ["vip"]}, {"external_id": "26"}]


def tags(route: Route) -> set[tuple[str, str]]:
    return {(doc["id"], doc["name"]) for doc in route.box.ws.store.table("tag").in_order()}


def messages(plan: PlanDocument) -> str:
    return json.dumps([plan["refused"], plan["notes"]])


# ── whatever is wanted of the name ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_tombstone_takes_neither_of_two_however_often_it_is_applied(desk: Desk) -> None:
    desk.box.seed({"tags": [VIP, TWIN], "contacts": PEOPLE})
    desk.write("m.yaml", "tags: [{name: vip, state: absent}]\n")
    for _ in range(2):
        assert desk("apply", "m.yaml", "--auto-approve") == 3
        assert "'vip' (id 5, 1 person) and 'VIP' (id 9, 0 people)" in desk.err
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 3
    assert desk.writes == []


@pytest.mark.parametrize(
    "written",
    [
        {"tags": ["vip"]},
        {"tags": ["Vip"]},
        {"tags": [{"name": "vip", "state": "absent"}]},
        {"tags": [{"name": "new", "renamed_from": "vip"}]},
        {"tags": ["vip"], "contacts": [{"external_id": "26", "tags": ["vip"]}]},
        {"tags": ["vip"], "contacts": [{"external_id": "25", "tags": [{"tag": "vip", "state": "absent"}]}]},
        {"tags": ["vip"], "companies": [{"company_id": "6", "tags": ["VIP"]}]},
        {"policy": {"links": "exact", "prune": {"tags": "all"}, "scope": {"tags": ["**"]}}, "tags": ["vip"], "contacts": [PEOPLE[0]]},
        {"policy": {"links": "declared"}, "tags": ["vip"], "contacts": [{"external_id": "25", "tags": []}]},
    ],
)
def test_nothing_about_either_is_planned_and_no_message_calls_one_gone(make_route: MakeRoute, written: dict[str, Any]) -> None:
    route = make_route({"tags": [VIP, TWIN], "contacts": PEOPLE, "companies": [{"company_id": "6"}]}, ledger=True)
    plan = route.document(route.manifest(written))
    assert (gates(plan), changes(plan)) == (["twins"], [])
    assert all(refused["approve"] is None for refused in plan["refused"])
    assert "id 5, 1 person" in messages(plan)
    assert "id 9, 0 people" in messages(plan)
    assert "not live" not in messages(plan)
    assert "not declared" not in messages(plan)


def test_members_that_cannot_be_read_are_unknown(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP, TWIN]})
    route.box.faults.add("POST", "/contacts/search", status=403, times=None)
    ((_, message),) = refusals(route.document(route.manifest({"tags": ["vip"]})))
    assert "'vip' (id 5, an unknown number of people)" in message


# ── in every verb ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "written",
    [
        {"tags": [{"name": "vip", "state": "absent"}]},
        {"tags": ["vip"], "contacts": [{"external_id": "26", "tags": ["vip"]}]},
        {"tags": ["vip"], "contacts": [{"external_id": "25", "tags": [{"tag": "vip", "state": "absent"}]}]},
    ],
)
def test_a_twin_that_came_after_the_plan_refuses_its_apply(make_route: MakeRoute, written: dict[str, Any]) -> None:
    route = make_route({"tags": [VIP], "contacts": PEOPLE}, ledger=True)
    plan = route.saved(route.manifest(written))
    route.box.seed({"tags": [TWIN]})
    with pytest.raises(Refused, match="id 9"):
        route.apply(plan)
    assert route.box.writes == []


def test_a_part_of_a_plan_and_a_drift_are_refused_like_the_whole(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP], "contacts": PEOPLE}, ledger=True)
    path = route.manifest({"tags": ["vip"], "contacts": [{"external_id": "26", "tags": ["vip"]}]})
    route.converge(path)
    route.box.seed({"tags": [TWIN]})
    for scope in (Scope(target=("contact/26",)), Scope(target=("tag/vip",)), Scope(moved=True)):
        plan = route.document(path, scope=scope)
        assert (gates(plan), changes(plan)) == (["twins"], [])


def test_an_undo_does_nothing_by_a_name_that_has_a_twin_by_now(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP], "contacts": PEOPLE}, ledger=True)
    entries = [{"external_id": "26", "tags": ["vip"]}, {"external_id": "25", "tags": [{"tag": "vip", "state": "absent"}]}]
    route.converge(route.manifest({"tags": ["vip"], "contacts": entries}))
    assert route.ledger
    run = route.ledger.runs()[0].run
    with route.session() as session:
        before = propose_undo(session, run).plan
        plan = write_saved(KINDS, before, "salt")
        route.box.seed({"tags": [TWIN]})
        after = propose_undo(session, run).plan
        with pytest.raises(Refused, match="id 9"):
            prepare_undo(session, plan)
    assert len(before.changes) == 2
    assert (after.changes, [refusal.gate for refusal in after.refusals]) == ((), ["twins"])
    assert "'vip' (id 5, 1 person) and 'VIP' (id 9, 0 people)" in after.refusals[0].message


@pytest.mark.parametrize("name", ["vip", "VIP", "Vip"])
def test_a_name_that_has_a_twin_is_not_adopted_by_it(desk: Desk, name: str) -> None:
    desk.seed(tags=[VIP, TWIN, "gold"])
    assert desk("adopt", f"tag/{name}", "tag/gold", "tag/nope") == 3
    assert f"refused: twins: tag/{name}: several live tags have this name: 'vip' (id 5) and 'VIP' (id 9); " in desk.err
    assert "name one by its id, as in tag/id:5" in desk.err
    assert "tag/nope: not live" in desk.err
    assert not (desk.folder / ".reconciler").exists()
    assert desk("adopt", "tag/id:9") == 0
    assert list(desk.records()) == ["tag/9"]
    assert desk("plan", "m.yaml", "--detailed-exitcode", m="tags: [{id: '9', name: VIP}]\n") == 0


def test_explain_does_not_call_one_of_two_twins_gone(desk: Desk) -> None:
    desk.seed(tags=[VIP, TWIN])
    assert desk("explain", "tag/vip", "m.yaml", m="tags: [vip]\n") == 0
    assert "live      several have its name, and nobody can say which is meant (ids 5, 9)" in desk.out
    assert "not live" not in desk.out
    document = desk.json("explain", "tag/vip", "m.yaml")
    assert (document["live"], document["several"]) == (None, ["5", "9"])


def test_explain_shows_the_twin_that_is_spelled_so_where_nothing_declares_it(desk: Desk) -> None:
    desk.seed(tags=[VIP, TWIN])
    assert desk("explain", "tag/VIP", "m.yaml", m="tags: []\n") == 0
    assert "live      id 9" in desk.out
    assert desk("explain", "tag/Vip", "m.yaml") == 1
    assert "several live things (ids 5, 9); name one by its id, as in tag/id:5" in desk.err


@pytest.mark.parametrize(
    "tags",
    ["[{name: vip, state: deprecated, retire_after: {no_new_use_for: 30d}}]", "[{name: vip, merged_from: [old]}, keep]"],
    ids=["goes out of use", "takes in another one"],
)
def test_no_message_calls_one_of_two_twins_gone(desk: Desk, tags: str) -> None:
    desk.seed(tags=[VIP, TWIN, "old"])
    assert desk.plan(m=f"tags: {tags}\n") == 3
    assert "twins" in desk.gates()
    assert "not live" not in (desk.folder / "plan.json").read_text(encoding="utf-8") + desk.out


# ── the way on ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_of_two_is_renamed_tagged_and_retired_by_its_id_alone(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP, TWIN], "contacts": PEOPLE}, ledger=True)
    entries = [{"external_id": "25", "tags": [{"id": "9"}]}, {"external_id": "26", "tags": [{"id": "9"}]}]
    settles(route, {"tags": [{"id": "5"}, {"id": "9", "name": "VIP"}], "contacts": entries})
    assert [write.path.rpartition("/")[2] for write in route.box.writes if write.body == {"id": "9"}] == ["tags", "tags"]
    assert len(route.box.writes) == 2
    route.box.forget_requests()
    settles(route, {"tags": [{"id": "5", "state": "absent"}, {"id": "9", "name": "VIP"}], "contacts": entries})
    assert [(write.method, write.path) for write in route.box.writes] == [("DELETE", "/tags/5")]
    settles(route, {"tags": ["VIP"], "contacts": [{"external_id": "26", "tags": ["VIP"]}]})
    assert tags(route) == {("9", "VIP")}


def test_an_entry_that_gets_an_id_and_loses_it_again_disowns_nothing(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "26"}]}, ledger=True)
    policy = {"links": "owned", "prune": {"tags": "owned"}}
    settles(route, {"policy": policy, "tags": ["vip", "keep"], "contacts": [{"external_id": "26", "tags": ["vip"]}]})
    (live_id,) = (live_id for live_id, name in tags(route) if name == "vip")
    by_id = {"policy": policy, "tags": [{"id": live_id}, "keep"], "contacts": [{"external_id": "26", "tags": [{"id": live_id}]}]}
    for written in (by_id, {"policy": policy, "tags": ["vip", "keep"], "contacts": [{"external_id": "26", "tags": ["vip"]}]}, by_id):
        assert changes(route.document(route.manifest(written))) == []
        route.converge(route.manifest(written))
    gone = {"policy": policy, "tags": ["keep"], "contacts": [{"external_id": "26", "tags": []}]}
    assert changes(route.document(route.manifest(gone))) == ["detach contact/26 tag/vip", "delete tag/vip"]


def test_what_an_id_declared_and_somebody_renamed_since_is_not_pruned(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["keep"]}, ledger=True)
    policy = {"prune": {"tags": "owned"}}
    settles(route, {"policy": policy, "tags": ["vip", "keep"]})
    (live_id,) = (live_id for live_id, name in tags(route) if name == "vip")
    settles(route, {"policy": policy, "tags": [{"id": live_id, "name": "gold"}, "keep"]})
    route.box.ws.store.put("tag", {**(route.box.ws.store.get("tag", live_id) or {}), "name": "theirs"})
    plan = route.document(route.manifest({"policy": policy, "tags": ["keep"]}))
    assert changes(plan) == []
    assert "somebody renamed it" in notes(plan, "orphaned")[0]


def test_a_deletion_by_id_is_undone_under_the_name_that_it_had(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "gold ", "id": "5"}], "contacts": [{"external_id": "25", "tags": ["gold "]}]}, ledger=True)
    settles(route, {"tags": [{"id": "5", "name": "gold ", "state": "absent"}]})
    assert route.ledger
    with route.session() as session:
        plan = propose_undo(session, route.ledger.runs()[0].run).plan
    assert [f"{change.action} {change.address.kind}" for change in plan.changes] == ["create tag", "attach contact"]


def test_no_twin_is_made_by_two_new_names(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP, {"name": "gold", "id": "7"}]})
    plan = route.document(route.manifest({"tags": [{"id": "5", "name": "silver"}, {"id": "7", "name": "Silver"}]}))
    assert gates(plan) == ["twins"]
    plan = route.document(route.manifest({"tags": [{"id": "5", "name": "silver"}, "Silver"]}))
    assert gates(plan) == ["twins"]


def test_a_tombstone_by_id_that_is_done_is_done(make_route: MakeRoute) -> None:
    route = make_route({"tags": [VIP]}, ledger=True)
    path = route.manifest({"tags": [{"id": "5", "state": "absent"}]})
    assert statuses(route.converge(path)) == {"delete tag/id:5": "applied"}
    plan = route.document(path)
    assert (changes(plan), gates(plan), notes(plan, "unproven")) == ([], [], [])


@pytest.mark.parametrize(
    "written",
    [
        {"tags": [{"id": "5", "state": "absent"}]},
        {"tags": [{"id": "5"}], "contacts": [{"external_id": "26", "tags": [{"id": "5"}]}]},
        {"tags": [{"id": "5"}], "contacts": [{"external_id": "25", "tags": [{"id": "5", "state": "absent"}]}]},
    ],
)
def test_what_an_id_was_called_when_it_was_reviewed_is_what_its_apply_is_held_to(make_route: MakeRoute, written: dict[str, Any]) -> None:
    route = make_route({"tags": [VIP], "contacts": PEOPLE}, ledger=True)
    plan = route.saved(route.manifest(written))
    route.box.ws.store.put("tag", {**(route.box.ws.store.get("tag", "5") or {}), "name": "gold"})
    with pytest.raises(Stale, match="it is called 'gold' now"):
        route.apply(plan)
    assert route.box.writes == []


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_id_and_a_name_of_one_thing_contradict_each_other(state: str, make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "keep", "id": "5"}, "other"]})
    ours, other = {"id": "5", "name": "keep", "state": state}, {"name": "keep", "state": "absent" if state == "present" else "present"}
    plan = route.document(route.manifest({"tags": [ours, other, "new"]}))
    [(gate, message)] = refusals(plan)
    assert gate == "identity"
    assert "intercom.yaml:2:3 and " in message
    assert "intercom.yaml:5:3: these entries are the same live tag (id 5); keep one" in message
    assert changes(plan) == ["create tag/new"]


def test_a_name_that_is_to_be_gone_is_given_to_nothing(make_route: MakeRoute) -> None:
    route = make_route({"tags": [{"name": "beta", "id": "5"}]})
    plan = route.document(route.manifest({"tags": [{"id": "5", "name": "keep"}, {"name": "keep", "state": "absent"}, "new"]}))
    [(gate, message)] = refusals(plan)
    assert gate == "identity"
    assert "intercom.yaml:2:3: this tag would have the name 'keep', which is declared absent at " in message


# ── as written ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
HEX = "5f0000000000000000000001"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ({"tags": [{"id": "abc"}]}, "is not the id of a tag"),
        ({"tags": [{"id": "05"}]}, "is not the id of a tag"),
        ({"companies": [{"id": "6"}]}, "is not the id of a company"),
        ({"contacts": [{"external_id": "25", "tags": [{"id": HEX}]}]}, "is not the id of a tag"),
        ({"contacts": [{"external_id": "25", "companies": [{"id": "6"}]}]}, "is not the id of a company"),
        ({"tags": [{"id": "5"}], "contacts": [{"external_id": "25", "tags": [{"id": "6"}]}]}, "tag id 6 is not declared"),
        ({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": [{"tag": "vip", "id": "6"}]}]}, "is no link to a tag"),
        ({"tags": [{"id": "5", "state": "absent"}], "contacts": [{"external_id": "25", "tags": [{"id": "5"}]}]}, "id 5 is declared absent"),
        ({"tags": [{"id": "5"}, {"id": "5", "name": "x"}]}, "is already declared"),
        ({"tags": [{"name": "gold "}]}, "has blanks at its ends"),
        ({"tags": [{"name": "x", "renamed_from": "gold "}]}, "has blanks at its ends"),
        ({"companies": [{"company_id": " a"}]}, "has blanks at its ends"),
        ({"tags": [{"state": "absent"}]}, "`name` is missing"),
        ({"tags": [{"id": "5", "name": "vip"}, {"id": "9", "name": "VIP"}], "contacts": [{"external_id": "1", "tags": ["vip"]}]}, "which"),
    ],
)
def test_what_can_be_seen_to_be_wrong_with_an_id_is_said_offline(make_route: MakeRoute, written: dict[str, Any], problem: str) -> None:
    assert problem in invalid(make_route(), written)


def test_the_schema_takes_an_id_where_the_reader_does() -> None:
    # It brings no types.
    checked: Any = importlib.import_module("jsonschema").Draft202012Validator(manifest_schema())
    links = {"tags": [{"id": "5", "state": "absent"}, "vip"], "companies": [{"id": HEX}]}
    ours = [{"id": "5"}, {"id": 9, "name": "gold "}, "vip"]
    whole = {"tags": ours, "companies": [{"id": HEX}], "contacts": [{"external_id": "1", **links}]}
    assert [error.message for error in checked.iter_errors(whole)] == []
    for wrong in ({"tags": [{"state": "absent"}]}, {"tags": [{"id": "abc"}]}, {"companies": [{"name": "x"}]}):
        assert list(checked.iter_errors(wrong))
