"""`also: [conversations]`: a merge moves the tags of conversations too; through kills, lags and refusals none loses what it had."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.gates import Approval
from reconciler.errors import Usage
from tests.conftest import MakeRoute
from tests.desk.route import WIDE, Route
from tests.desk.soak import SOAKS, times
from tests.stories.apply.results import describe_outcomes, wrote
from tests.stories.apply.test_merges import tags_of
from tests.stories.plan.test_saved_plans import Killed, kill_after, kill_before
from tests.stories.undo.taking_back import Patient, carry_out_plan, runs, undo_plan

OLD = ["gold", "VIP client"]
MERGE = {"policy": WIDE, "tags": [{"name": "vip", "merged_from": OLD, "also": ["conversations"]}]}
# Five hundred, or a twentieth of that.
MANY = times(25)
# One has both old tags, one has the new one already.
SEED: dict[str, Any] = {
    "tags": [*OLD, "vip", "other"],
    "contacts": [{"external_id": "1", "tags": ["gold"]}],
    "conversations": [{"tags": OLD}, {"tags": ["gold", "vip"]}, {"tags": ["VIP client", "other"]}, {"tags": ["other"]}],
}
MOVED = {"1": ["vip"], "2": ["vip"], "3": ["other", "vip"], "4": ["other"]}


@pytest.fixture
def route(make_route: MakeRoute) -> Route:
    return make_route(SEED, ledger=True)


def carried(route: Route) -> dict[str, list[str]]:
    """The tags of each conversation."""
    store = route.box.ws.store
    names = {i: tag["name"] for i, tag in store.table("tag").docs.items()}
    return {i: sorted(names[end] for end in c["tags"]) for i, c in store.table("conversation").docs.items()}


def tag(route: Route, conversation: str, *names: str) -> None:
    """Somebody gives a conversation tags."""
    store = route.box.ws.store
    ends = [i for i, one in store.table("tag").docs.items() if one["name"] in names]
    doc = store.table("conversation").docs[conversation]
    store.put("conversation", {**doc, "tags": {**doc["tags"], **dict.fromkeys(ends, [0, ""])}})


def live_tags(route: Route) -> set[str]:
    return {one["name"] for one in route.box.ws.store.table("tag").docs.values()}


def apply(route: Route, plan: Any) -> dict[str, tuple[str, str]]:
    route.clock.now += 60
    return describe_outcomes(route.apply(plan, Patient(route.clock)))


@pytest.mark.timeout(900)
def test_many_conversations_move_once_through_a_kill_and_back(make_route: MakeRoute) -> None:
    route = make_route({"tags": OLD, "conversations": [{"tags": ["gold"], "count": MANY}]}, ledger=True)
    path, before = route.manifest(MERGE), carried(route)
    plan = route.saved(path)
    assert plan["summary"] | {"attach": MANY, "detach": MANY, "delete": 2} == plan["summary"]
    assert [note["message"] for note in plan["notes"] if note["topic"] == "moving"] == [
        f"conversations ({MANY}) get tag/vip and lose this one, in {2 * MANY:,} calls"
    ]
    with kill_after(route, MANY + MANY // 2), pytest.raises(Killed):
        route.apply(plan)
    assert "gold" in live_tags(route)
    apply(route, plan)
    assert set(map(tuple, carried(route).values())) == {("vip",)}
    assert len(wrote(route)) == 2 * MANY + 3
    assert route.document(path)["changes"] == []
    for run in runs(route):
        assert all(o.status == "applied" for o in carry_out_plan(route, undo_plan(route, run)))
    assert carried(route) == before
    assert live_tags(route) == {*OLD}


def test_the_plan_costs_what_the_apply_takes(route: Route) -> None:
    plan = route.saved(route.manifest(MERGE))
    route.box.forget_requests()
    apply(route, plan)
    assert carried(route) == MOVED
    # What stays is read once for both.
    assert plan["cost"]["calls"] - len(route.box.requests) == 3


@pytest.mark.parametrize(("kill", "few"), [(kill_before, (3,)), (kill_after, (6,))])
def test_a_kill_anywhere_loses_no_tag_and_undo_brings_all_back(make_route: MakeRoute, kill: Any, few: tuple[int, ...]) -> None:
    for number in range(9) if SOAKS else few:
        route = make_route(SEED, ledger=True)
        path, before = route.manifest(MERGE), carried(route)
        with kill(route, number), pytest.raises(Killed):
            route.converge(path)
        now = carried(route)
        assert all({*OLD, "vip"} & {*now[one]} for one in "123")
        route.clock.now += 60
        apply(route, route.saved(path))
        assert carried(route) == MOVED
        assert live_tags(route) == {"vip", "other"}
        for run in runs(route):
            # Where the killed run had made all its writes, the second one made none.
            with suppress(Usage):
                carry_out_plan(route, undo_plan(route, run))
        assert carried(route) == before
        assert tags_of(route)["6762f0dd1bb69f9f00000001"] == ["gold"]


def test_who_gets_an_old_tag_since_the_plan_and_right_before_the_end_is_moved_too_and_goes_back(route: Route) -> None:
    route.box.seed({"conversations": [{"tags": ["other"]}]})
    path, before = route.manifest(MERGE), carried(route)
    plan = route.saved(path)
    tag(route, "4", "gold")
    route.box.faults.add("DELETE", "^/conversations/3/", run=lambda: tag(route, "5", "VIP client"))
    assert {how for how, _ in apply(route, plan).values()} == {"applied"}
    assert carried(route) == {**MOVED, "4": ["other", "vip"], "5": ["other", "vip"]}
    assert route.document(path)["changes"] == []
    assert all(o.status == "applied" for o in carry_out_plan(route, undo_plan(route)))
    assert carried(route) == {**before, "4": ["gold", "other"], "5": ["VIP client", "other"]}


def test_while_the_search_still_shows_what_was_moved_the_old_tag_stays(route: Route) -> None:
    route.box.settings.update_delay = 120
    path = route.manifest(MERGE)
    outcomes = apply(route, route.saved(path))
    lags = "not deleted: Intercom still finds conversations ({}) with it, as its search lags; run again in some minutes"
    assert outcomes["delete tag/gold"] == ("skipped", lags.format(2))
    assert outcomes["delete tag/VIP client"] == ("skipped", lags.format(2))
    assert carried(route) == MOVED
    route.clock.now += 120
    assert {how for how, _ in apply(route, route.saved(path)).values()} == {"applied"}
    assert live_tags(route) == {"vip", "other"}


def test_a_short_lag_is_waited_for(route: Route) -> None:
    route.box.settings.update_delay = 12
    assert {how for how, _ in apply(route, route.saved(route.manifest(MERGE))).values()} == {"applied"}
    assert live_tags(route) == {"vip", "other"}


FAULTS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "a refusal": ({"status": 403, "code": "forbidden", "message": "No scope"}, "POST", "failed", "403 No scope"),
    "a refusal of the second call": ({"status": 403, "code": "forbidden", "message": "No scope"}, "DELETE", "failed", "403 No scope"),
    "a conversation that is gone": (
        {"status": 404, "code": "not_found", "message": "Conversation not found"},
        "POST",
        "skipped",
        "the conversation is archived, merged or deleted: Conversation not found",
    ),
    "a reply without the tag": ({"body": b"{}"}, "POST", "failed", "what the answer shows cannot be read"),
    "a second reply without the tag": ({"body": b"{}"}, "DELETE", "failed", "what the answer shows cannot be read"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_where_one_cannot_be_moved_its_old_tag_stays_and_the_next_run_goes_on(route: Route, what: str) -> None:
    fault, method, status, reason = FAULTS[what]
    path = route.manifest(MERGE)
    route.box.faults.add(method, "^/conversations/3/", times=None, **fault)
    outcomes = apply(route, route.saved(path))
    verb, end = ("attach", "vip") if method == "POST" else ("detach", "VIP client")
    how, why = outcomes[f"{verb} conversation/id:3 tag/{end}"]
    assert (how, reason in why) == (status, True), why
    assert outcomes["delete tag/VIP client"][0] == "skipped"
    # Whoever gets the new one may have several old ones, so all of these wait.
    assert outcomes["delete tag/gold"][0] == ("skipped" if method == "POST" else "applied")
    assert {"VIP client", "vip"} & {*carried(route)["3"]}
    route.box.faults.clear()
    assert {how for how, _ in apply(route, route.saved(path)).values()} <= {"applied"}
    assert carried(route) == MOVED
    assert live_tags(route) == {"vip", "other"}


def test_one_that_was_deleted_meanwhile_holds_nothing_for_long(route: Route) -> None:
    path = route.manifest(MERGE)
    plan = route.saved(path)
    route.box.faults.add("POST", "^/conversations/1/", run=lambda: route.box.ws.store.drop("conversation", "1"))
    assert apply(route, plan)["delete tag/gold"][0] == "skipped"
    assert {how for how, _ in apply(route, route.saved(path)).values()} == {"applied"}
    assert live_tags(route) == {"vip", "other"}


def test_the_rate_limit_is_kept(route: Route) -> None:
    route.box.settings.rate_limit = 9
    assert {how for how, _ in apply(route, route.saved(route.manifest(MERGE))).values()} == {"applied"}
    assert carried(route) == MOVED


def test_one_that_had_the_new_tag_keeps_it_when_the_run_is_taken_back(route: Route) -> None:
    apply(route, route.saved(route.manifest(MERGE)))
    assert not [call for call in route.box.requests if call.method == "POST" and call.path == "/conversations/2/tags"]
    assert all(o.status == "applied" for o in carry_out_plan(route, undo_plan(route)))
    assert carried(route) == {"1": ["VIP client", "gold"], "2": ["gold", "vip"], "3": ["VIP client", "other"], "4": ["other"]}


def test_what_content_holds_stays_and_conversations_move_all_the_same(route: Route) -> None:
    route.box.seed({"content": [{"tags": ["gold"]}]})
    path = route.manifest(MERGE)
    (held,) = [note["message"] for note in route.document(path)["notes"] if note["topic"] == "merging"]
    assert held == (
        "stays, as content items (1) carry it, which only people can move; "
        "contacts (1), companies (at least 0) and conversations (2) get tag/vip"
    )
    assert {how for how, _ in apply(route, route.saved(path)).values()} == {"applied"}
    assert carried(route) == MOVED
    assert live_tags(route) == {"gold", "vip", "other"}
    assert route.document(path)["changes"] == []


def test_conversations_that_cannot_be_read_refuse_the_merge(route: Route) -> None:
    route.box.settings.plan_restricted = True
    plan = route.document(route.manifest(MERGE))
    assert [refusal["gate"] for refusal in plan["refused"]] == ["merge", "merge"]
    assert "403" in plan["refused"][0]["message"]


def test_a_token_that_names_no_admin_moves_none(route: Route) -> None:
    body = b'{"type": "admin", "app": {"id_code": "sandbox1", "region": "US"}}'
    route.box.faults.add("GET", "^/me$", body=body, times=None)
    plan = route.document(route.manifest(MERGE))
    assert "the token names no admin" in plan["refused"][0]["message"]


def test_they_have_a_limit_of_their_own_which_an_approval_lifts(route: Route) -> None:
    limits = {"attaches": 1, "detaches": 0, "people": 0, "conversations": 2}
    path = route.manifest(MERGE | {"policy": {"limits": limits}})
    plan = route.document(path)
    assert [refusal["gate"] for refusal in plan["refused"]] == ["limits.conversations"]
    assert plan["refused"][0]["message"].startswith("3 conversations moved, the limit is 2")
    assert plan["people"] == {"losing": 0, "exact": True}
    word = str(plan["refused"][0]["approve"])
    assert word.endswith(":3")
    digest, _, people = word.partition(":")
    route.rules = Approvals(on_command_line=(Approval(digest, int(people)),))
    assert {how for how, _ in apply(route, route.saved(path)).values()} == {"applied"}
    assert carried(route) == MOVED
