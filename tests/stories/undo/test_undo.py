"""What a plan that takes a run back does, what it leaves alone, and what it says of that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.outcome import Outcome
from reconciler.core.model.policy import Limits, Policy
from reconciler.core.plan.approvals import Approvals, parse_approval
from reconciler.errors import Refused, Stale, Usage
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.undo import prepare_undo, run_meant
from tests.conftest import MakeRoute
from tests.desk.calling import Caller
from tests.desk.route import Route, changes
from tests.stories.undo.conftest import MAL, SEED, WASH, ZOE
from tests.stories.undo.taking_back import carry_out_plan, notes, plan_back, propose_back, run, runs, take_back, undo_plan, workspace

DAY = 86400.0
LOST, CHANGED = "cannot come back", "changed since"


def statuses(outcomes: Iterable[Outcome]) -> set[str]:
    return {str(outcome.status) for outcome in outcomes}


def by_hand(route: Route, method: str, target: str, body: object = None) -> Any:
    """What somebody does in Intercom, past our own client."""
    return Caller(route.box).ok(method, target, body)


# ---- what others use by now
def test_a_tag_that_others_carry_by_now_stays(route: Route) -> None:
    first = run(route, tags=["new"])
    run(route, tags=["new"], contacts=[{"external_id": "25", "tags": ["new"]}, {"external_id": "26", "tags": ["new"]}])
    plan = undo_plan(route, first)
    assert changes(plan) == []
    assert notes(plan, CHANGED)["tag/new"] == ["2 that the run did not link to it carry it now, so it stays"]


def test_a_tag_that_the_run_gave_to_people_goes_with_them(route: Route) -> None:
    run(route, tags=["new"], contacts=[{"external_id": "25", "tags": ["new"]}])
    assert "delete tag/new" in changes(undo_plan(route))


def test_a_company_that_somebody_filled_stays(route: Route) -> None:
    run(route, companies=[{"company_id": "9", "name": "Gold"}])
    assert "delete company/9" in changes(undo_plan(route))
    by_hand(route, "POST", "/companies", {"company_id": "9", "plan": "Enterprise"})
    plan = undo_plan(route)
    assert changes(plan) == []
    assert notes(plan, CHANGED)["company/9"] == ["it has plan since, so it stays"]


def test_what_another_name_has_by_now_stays(route: Route) -> None:
    first = run(route, name="growth", tags=["new"])
    run(route, name="support", tags=["new"])
    plan = undo_plan(route, first)
    assert changes(plan) == []
    assert notes(plan, CHANGED)["tag/new"] == ["`name: support` has it too, so it stays"]


def test_a_link_that_another_name_has_too_stays(route: Route) -> None:
    linked = {"tags": ["new"], "contacts": [{"external_id": "25", "tags": ["new"]}]}
    run(route, name="growth", tags=["new"])
    second = run(route, name="growth", **linked)
    run(route, name="support", **linked)
    plan = undo_plan(route, second)
    assert changes(plan) == []
    assert "`name: support` has the link to" in str(notes(plan, CHANGED))


# ---- what comes back
def test_everything_that_can_comes_back(route: Route) -> None:
    before = workspace(route)
    run(
        route,
        tags=[{"name": "vip", "state": "absent"}, {"name": "beta-2026", "renamed_from": "Beta"}, "new"],
        companies=[{"company_id": "6", "state": "absent"}, {"company_id": "7", "name": "Gold", "tags": ["new"]}],
        contacts=[
            {"external_id": "25", "name": "Hoban", "phone": None, "tags": ["new"], "companies": ["7"]},
            {"external_id": "26", "tags": [{"tag": "beta-2026", "state": "absent"}]},
            {"external_id": "27", "state": "archived"},
        ],
    )
    assert workspace(route) != before
    assert statuses(take_back(route)) == {"applied"}
    assert workspace(route) == before


def test_an_undo_can_be_undone(route: Route) -> None:
    before = workspace(route)
    run(route, tags=[{"name": "vip", "state": "absent"}, "new"], contacts=[{"external_id": "25", "name": "Hoban", "tags": ["new"]}])
    after = workspace(route)
    take_back(route)
    assert workspace(route) == before
    take_back(route)
    assert workspace(route) == after
    assert route.ledger
    assert [past.verb for past in route.ledger.runs()] == ["undo", "undo", "apply"]


def test_who_was_created_is_archived_and_not_deleted(route: Route) -> None:
    run(route, contacts=[{"external_id": "40", "state": "present", "name": "River"}])
    plan = plan_back(route)
    (change,) = changes(plan)
    assert change.startswith("archive contact/")
    assert list(notes(plan, LOST).values()) == [["is archived, not deleted: undo deletes nobody"]]
    take_back(route)
    take_back(route)
    assert workspace(route)["contact"][change.removeprefix("archive contact/id:")].get("archived") is None


def test_an_attribute_that_was_made_is_archived_and_one_that_was_archived_comes_back(route: Route) -> None:
    score = {"name": "score", "model": "contact", "data_type": "integer", "state": "archived"}
    run(route, attributes=[score, {"name": "seats", "model": "company", "data_type": "integer"}])
    assert changes(plan_back(route)) == ["unarchive attribute/score", "archive attribute/seats"]
    assert statuses(take_back(route)) == {"applied"}
    assert changes(plan_back(route)) == ["unarchive attribute/seats", "archive attribute/score"]


def test_no_undo_brings_back_an_attribute_that_another_one_archived(route: Route) -> None:
    seats = {"name": "seats", "model": "company", "data_type": "integer", "description": "Seats"}
    created = run(route, attributes=[seats])
    described = run(route, attributes=[{**seats, "description": "Places"}])
    carry_out_plan(route, undo_plan(route, described))
    back = undo_plan(route, created)
    assert changes(back) == ["archive attribute/seats"]
    assert {outcome.status for outcome in carry_out_plan(route, back)} == {"applied"}
    assert changes(plan_back(route, created)) == changes(plan_back(route, described)) == []
    assert carry_out_plan(route, back) == []


def test_whoever_was_brought_back_is_archived_again(route: Route) -> None:
    run(route, contacts=[{"external_id": "27", "state": "archived"}])
    run(route, contacts=[{"id": MAL, "state": "present", "name": "Malcolm"}])
    plan = plan_back(route)
    assert changes(plan) == [f"archive contact/id:{MAL}"]
    assert notes(plan, LOST) == {f"contact/id:{MAL}": ["name: stays as the run wrote it; what was archived could not be seen"]}


def test_a_link_to_what_the_run_deleted_comes_back_with_it(route: Route) -> None:
    """A detach and a deletion of the other end, in one run."""
    before = workspace(route)
    run(
        route,
        companies=[{"company_id": "6", "state": "absent"}, {"company_id": "7"}],
        contacts=[{"external_id": "27", "companies": ["7"]}],
        policy={"links": "exact"},
    )
    assert workspace(route) != before
    take_back(route)
    assert workspace(route) == before


def test_unique_values_that_moved_go_back_in_order(route: Route) -> None:
    before = workspace(route)
    run(
        route,
        contacts=[
            {"external_id": "25", "email": "pilot@serenity.example"},
            {"external_id": "26", "email": "wash@serenity.example"},
        ],
    )
    assert workspace(route) != before
    assert statuses(take_back(route)) == {"applied"}
    assert workspace(route) == before


def test_what_a_search_lags_and_a_list_hides_comes_back_where_the_plan_saw_it(make_route: MakeRoute) -> None:
    """Companies without users are in no list: their tags are known where the plan looked at them, else that is said."""
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6", "tags": ["vip"]}]}, ledger=True)
    before = workspace(route)
    run(route, tags=[{"name": "vip", "state": "absent"}], companies=[{"company_id": "6", "name": "Sun"}])
    take_back(route)
    assert workspace(route) == before


def test_right_after_the_run_it_is_seen_though_search_lags(make_route: MakeRoute) -> None:
    route = make_route(SEED, ledger=True, search_delay=600.0, update_delay=600.0)
    before = workspace(route)
    run(route, contacts=[{"external_id": "25", "name": "Hoban", "tags": [{"tag": "vip", "state": "absent"}]}], tags=["vip"])
    assert len(changes(plan_back(route))) == 2
    take_back(route)
    assert workspace(route) == before


# ---- which run
def test_a_run_that_did_nothing_is_not_the_last_one(route: Route) -> None:
    wrote = run(route, tags=["vip", "new"])
    assert run(route, tags=["vip", "new"]) != wrote
    assert propose_back(route).plan.undoes == wrote


def test_the_last_run_may_be_that_of_one_name(route: Route) -> None:
    ours = run(route, tags=["ours"], name="growth")
    theirs = run(route, tags=["theirs"], name="sales")
    with route.session() as session:
        assert [run_meant(session, "last", name) for name in ("growth", "sales", None)] == [ours, theirs, theirs]
        with pytest.raises(Usage, match="under `name: other` yet"):
            run_meant(session, "last", "other")


def test_an_older_run_is_taken_back_as_far_as_it_still_stands(route: Route) -> None:
    first = run(route, contacts=[{"external_id": "25", "name": "Hoban", "phone": "+15550108"}])
    run(route, contacts=[{"external_id": "25", "name": "Hoban W."}])
    plan = plan_back(route, first)
    assert changes(plan) == [f"update contact/id:{WASH} phone='***'"]
    assert notes(plan, CHANGED) == {f"contact/id:{WASH}": ["name is not as the run left it"]}


@pytest.mark.parametrize("name", ["20200101T000000000-00000000", "../ledger", "no such", ""])
def test_a_run_that_nobody_knows_is_wrong_usage(route: Route, name: str) -> None:
    run(route, tags=["new"])
    with pytest.raises(Usage, match="no such run.*reconciler history"):
        propose_back(route, name)


def test_a_run_that_wrote_nothing_has_nothing_to_undo(route: Route) -> None:
    with pytest.raises(Usage, match="there is nothing to undo"):
        propose_back(route, run(route, tags=["vip"]))


def test_after_thirty_days_it_is_gone(route: Route) -> None:
    name = run(route, tags=["new"])
    plan = undo_plan(route, name)
    route.clock.now += 30 * DAY - 120
    assert changes(plan_back(route, name)) == ["delete tag/new"]
    route.clock.now += 180
    with pytest.raises(Usage, match="thirty days"):
        propose_back(route, name)
    with pytest.raises(Stale, match="thirty days"):
        carry_out_plan(route, plan)


def test_a_run_in_another_workspace_is_refused(route: Route, make_route: MakeRoute, tmp_path: Path) -> None:
    name, plan = run(route, tags=["new"]), undo_plan(route)
    other = make_route(SEED, app_id="elsewhere")
    other.ledger = route.ledger
    with pytest.raises(Refused, match="workspace"):
        propose_back(other, name)
    with pytest.raises(Refused, match="workspace"):
        carry_out_plan(other, plan)
    assert not other.box.writes


def test_only_what_was_done_is_taken_back(route: Route) -> None:
    """A run that was stopped on the way, and finished by another one, is undone as far as it got itself."""
    contact = {"external_id": "25", "name": "Hoban", "tags": [{"tag": "vip", "state": "absent"}]}
    plan, stop = route.saved(route.manifest({"tags": ["vip"], "contacts": [contact]})), threading.Event()
    with route.session() as session:
        work = prepare(session, plan, planned_manifest(plan))
        for _ in carry_out(session, work, stop):
            stop.set()
    (first,) = runs(route)
    route.clock.now += 60
    route.apply(plan)
    assert changes(plan_back(route, first)) == [f"update contact/id:{WASH} name='***'"]
    assert changes(plan_back(route, runs(route)[0])) == [f"attach contact/id:{WASH} tag/vip"]


def test_of_a_lost_answer_what_is_live_says_whether_it_was_done(route: Route) -> None:
    route.box.faults.add("PUT", f"/contacts/{WASH}", drop="after", times=None)
    route.box.faults.add("PUT", f"/contacts/{ZOE}", drop="before", times=None)
    route.box.faults.add("POST", "^/tags$", drop="after", times=None)
    run(route, tags=["new"], contacts=[{"external_id": "25", "name": "Hoban"}, {"external_id": "26", "name": "Z"}])
    route.box.faults.clear()
    assert changes(plan_back(route)) == [f"update contact/id:{WASH} name='***'", "delete tag/new"]


# ---- what changed since
def test_a_field_that_changed_since_is_listed_and_left_alone(route: Route) -> None:
    run(route, contacts=[{"external_id": "25", "name": "Hoban", "phone": "+15550108"}, {"external_id": "26", "name": "Z"}])
    by_hand(route, "PUT", f"/contacts/{WASH}", {"name": "Somebody"})
    plan = plan_back(route)
    assert notes(plan, CHANGED) == {f"contact/id:{WASH}": ["name is not as the run left it"]}
    assert changes(plan) == [f"update contact/id:{WASH} phone='***'", f"update contact/id:{ZOE} name='***'"]
    take_back(route)
    assert (workspace(route)["contact"][WASH]["name"], workspace(route)["contact"][WASH]["phone"]) == ("Somebody", "+15550107")


def test_what_is_as_it_was_before_is_no_change_and_no_note(route: Route) -> None:
    run(route, contacts=[{"external_id": "25", "name": "Hoban", "tags": [{"tag": "vip", "state": "absent"}]}], tags=["vip"])
    by_hand(route, "PUT", f"/contacts/{WASH}", {"name": "Wash"})
    plan = plan_back(route)
    assert (changes(plan), notes(plan, CHANGED)) == ([f"attach contact/id:{WASH} tag/vip"], {})


def test_who_is_gone_since_is_listed_and_the_rest_comes_back(route: Route) -> None:
    run(route, tags=[{"name": "vip", "state": "absent"}], contacts=[{"external_id": "25", "name": "Hoban"}])
    by_hand(route, "POST", f"/contacts/{WASH}/archive")
    plan = plan_back(route)
    one = ["1 of the 2 contacts that were linked to it are gone"]
    gone = {"tag/vip": one, f"contact/id:{WASH}": ["is gone: archived, merged or deleted"]}
    assert notes(plan, CHANGED) == gone
    assert changes(plan) == ["create tag/vip", "attach company/6 tag/vip", f"attach contact/id:{ZOE} tag/vip"]


def test_a_link_whose_end_is_gone_is_listed(route: Route) -> None:
    run(route, tags=["vip", "Beta"], contacts=[{"external_id": "26", "tags": [{"tag": "vip", "state": "absent"}]}])
    tag = next(t for t in by_hand(route, "GET", "/tags")["data"] if t["name"] == "vip")
    by_hand(route, "DELETE", f"/tags/{tag['id']}")
    plan = plan_back(route)
    assert (changes(plan), notes(plan, CHANGED)) == ([], {f"tag/id:{tag['id']}": ["is gone, and its links with it"]})


def test_what_was_made_and_then_changed_stays(route: Route) -> None:
    contacts = [{"external_id": "40", "state": "present", "name": "R"}]
    run(route, tags=["new"], companies=[{"company_id": "8", "name": "Alliance"}], contacts=contacts)
    new = next(t for t in by_hand(route, "GET", "/tags")["data"] if t["name"] == "new")
    by_hand(route, "POST", "/tags", {"id": new["id"], "name": "theirs"})
    by_hand(route, "POST", "/companies", {"company_id": "8", "name": "Feds"})
    river = by_hand(route, "GET", "/contacts/find_by_external_id/40")["id"]
    by_hand(route, "PUT", f"/contacts/{river}", {"name": "River"})
    plan = plan_back(route)
    text = "name is not as the run left it, so all of it stays"
    assert (changes(plan), notes(plan, CHANGED)) == ([], {"tag/theirs": [text], "company/8": [text], f"contact/id:{river}": [text]})


def test_what_is_there_again_is_left_as_it_is_and_gets_its_links(route: Route) -> None:
    run(route, tags=[{"name": "vip", "state": "absent"}], companies=[{"company_id": "6", "state": "absent"}])
    tag = by_hand(route, "POST", "/tags", {"name": "vip"})["id"]
    company = by_hand(route, "POST", "/companies", {"company_id": "6", "name": "Another Sun"})["id"]
    plan = plan_back(route)
    again = "is there again (id {}): only links that it lacks are made"
    assert notes(plan, CHANGED) == {"tag/vip": [again.format(tag)], "company/6": [again.format(company)]}
    assert {change.split()[0] for change in changes(plan)} == {"attach"}
    take_back(route)
    assert workspace(route)["company"]["6"]["name"] == "Another Sun"
    assert workspace(route)["contact"][ZOE]["tags"] == ["Beta", "vip"]
    assert workspace(route)["contact"][ZOE]["companies"] == ["6"]


@pytest.mark.parametrize("others", [["VIP"], ["VIP", "Vip"]])
def test_another_tag_never_gets_what_one_had_that_was_deleted(others: list[str], route: Route) -> None:
    run(route, tags=[{"name": "vip", "state": "absent"}])
    route.box.seed({"tags": [{"name": name, "id": f"90{i}"} for i, name in enumerate(others)]})
    plan = plan_back(route)
    assert ([refused["gate"] for refused in plan["refused"]], changes(plan)) == (["twins"], [])
    assert all(f"{name!a} (id 90{i}" in plan["refused"][0]["message"] for i, name in enumerate(others))


def test_a_company_that_is_still_going_is_not_made_anew(make_route: MakeRoute) -> None:
    route = make_route(SEED, ledger=True, archive_delay=300.0)
    run(route, companies=[{"company_id": "6", "state": "absent"}])
    plan = plan_back(route)
    assert changes(plan) == []
    assert "that takes effect later; undo again when it is gone" in notes(plan, LOST)["company/6"][0]
    route.clock.now += 600
    assert changes(plan_back(route))[0] == "create company/6"


# ---- what cannot come back
def test_a_new_id_and_what_hangs_on_the_old_one_are_said(route: Route) -> None:
    run(route, tags=[{"name": "vip", "state": "absent"}], companies=[{"company_id": "7", "state": "absent"}])
    said = notes(plan_back(route), LOST)
    assert said.keys() == {"tag/vip", "company/7"}
    assert said["tag/vip"][0].startswith("comes back, but not its id 101; segments, campaigns and counts stay bound to that one")
    assert "which Intercom may still be archiving" in said["company/7"][0]


def test_who_was_deleted_for_ever_does_not_come_back(route: Route) -> None:
    run(route, contacts=[{"external_id": "25", "state": "absent"}], policy={"limits": {"contact_deletes": 1}})
    plan = plan_back(route)
    assert (changes(plan), notes(plan, LOST)) == ([], {f"contact/id:{WASH}": ["was deleted for ever"]})


def test_what_intercom_cannot_be_told_is_said(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"id": WASH, "role": "lead", "name": "Wash"}], "companies": [{"company_id": "6"}]}, ledger=True)
    run(
        route,
        contacts=[{"id": WASH, "role": "user", "name": "Hoban", "phone": "+15550107"}],
        companies=[{"company_id": "6", "website": "https://a.example", "name": "Sun"}],
    )
    plan = plan_back(route)
    assert notes(plan, LOST) == {
        f"contact/id:{WASH}": ["role: a user cannot become a lead"],
        "company/6": ["website: there was nothing, and Intercom takes no null for it"],
    }
    assert changes(plan) == ["update company/6 name='6'", f"update contact/id:{WASH} name='***' phone=None"]


def test_a_value_that_another_one_keeps_is_said(make_route: MakeRoute) -> None:
    """Somebody without an e-mail got one of another, and cannot be without it again."""
    contacts = [{"id": WASH, "external_id": "25", "email": "a@mail.example"}, {"id": ZOE, "external_id": "26"}]
    route = make_route({"contacts": contacts}, ledger=True)
    run(route, contacts=[{"external_id": "25", "email": "b@mail.example"}, {"external_id": "26", "email": "a@mail.example"}])
    plan = plan_back(route)
    assert changes(plan) == []
    assert notes(plan, LOST) == {
        f"contact/id:{WASH}": ["email: another contact has this value now and keeps it"],
        f"contact/id:{ZOE}": ["email: there was nothing, and Intercom takes no null for it"],
    }


def test_a_name_that_another_tag_has_now_is_said(route: Route) -> None:
    run(route, tags=[{"name": "beta-2026", "renamed_from": "Beta"}])
    by_hand(route, "POST", "/tags", {"name": "BETA"})
    plan = plan_back(route)
    assert (changes(plan), notes(plan, LOST)) == ([], {"tag/beta-2026": ["name: another tag has this value now and keeps it"]})


def test_what_a_create_found_in_place_stays(route: Route) -> None:
    theirs: dict[str, Any] = {"companies": [{"company_id": "9", "name": "Theirs", "created_at": 1_500_000_000}]}
    route.box.faults.add("POST", "^/companies$", run=lambda: route.box.seed(theirs))
    route.box.faults.add("POST", "^/contacts$", run=lambda: route.box.seed({"contacts": [{"external_id": "31", "name": "Book"}]}))
    run(route, companies=[{"company_id": "9", "name": "Ours"}], contacts=[{"external_id": "31", "state": "present"}])
    plan = plan_back(route)
    assert changes(plan) == []
    assert {message for said in notes(plan, LOST).values() for message in said} == {
        "was there before, as far as the ledger knows, so it stays; what it had then was not read"
    }


# ---- gates, and the plan as a file
def test_the_limits_are_those_of_the_run(route: Route) -> None:
    tags = [f"t{i}" for i in range(12)]
    name = run(route, tags=tags, policy={"limits": {"creates": 12, "deletes": 11}})
    (refusal,) = propose_back(route, name).plan.refusals
    assert (refusal.gate, " deleted, the limit is 11" in refusal.message) == ("limits.deletes", True)
    plan = undo_plan(route, name)
    with pytest.raises(Refused, match="--approve"):
        carry_out_plan(route, plan)
    assert refusal.approve
    rules = Approvals(on_command_line=(parse_approval(refusal.approve),))
    assert propose_back(route, name, rules).plan.refusals == ()
    assert statuses(carry_out_plan(route, plan, rules)) == {"applied"}


@pytest.mark.parametrize(("ruling", "limit"), [(5, 5), (50, 11)])
def test_of_the_limits_of_the_run_and_of_a_policy_file_the_stricter_counts(route: Route, ruling: int, limit: int) -> None:
    name = run(route, tags=[f"t{i}" for i in range(12)], policy={"limits": {"deletes": 11}})
    (refusal,) = propose_back(route, name, Approvals(base=Policy(limits=Limits(deletes=ruling)))).plan.refusals
    assert f"the limit is {limit}" in refusal.message


def test_what_is_protected_now_is_not_taken_back(route: Route) -> None:
    name = run(route, tags=["new"])
    run(route, tags=[{"name": "new", "protect": True}])
    assert [refusal.gate for refusal in propose_back(route, name).plan.refusals] == ["protect"]


def test_an_undo_makes_no_more_calls_than_are_allowed(route: Route) -> None:
    run(route, tags=["new", "newer"])
    assert [refusal.gate for refusal in propose_back(route, "last", Approvals(max_calls=1)).plan.refusals] == ["max-calls"]


def test_a_saved_undo_that_was_applied_writes_nothing_again(route: Route) -> None:
    run(
        route,
        tags=[{"name": "vip", "state": "absent"}, {"name": "beta-2026", "renamed_from": "Beta"}, "new"],
        companies=[{"company_id": "6", "state": "absent"}],
        contacts=[{"external_id": "25", "name": "Hoban", "tags": ["new"]}, {"external_id": "27", "state": "archived"}],
    )
    plan = undo_plan(route)
    assert plan["run"] == runs(route)[0]
    assert "manifest" not in plan
    assert statuses(carry_out_plan(route, plan)) == {"applied"}
    route.box.forget_requests()
    assert carry_out_plan(route, plan) == []
    assert not route.box.writes


def test_a_saved_undo_that_ended_on_the_way_is_finished_by_the_same_file(route: Route) -> None:
    before = workspace(route)
    run(route, tags=[{"name": "vip", "state": "absent"}], companies=[{"company_id": "6", "state": "absent"}])
    plan, stop = undo_plan(route), threading.Event()
    with route.session() as session:
        for _ in carry_out(session, prepare_undo(session, plan), stop):
            stop.set()
    assert workspace(route) != before
    carry_out_plan(route, plan)
    assert workspace(route) == before


CHANGES: dict[str, Callable[[Route], Any]] = {
    "a field that was to come back": lambda told: by_hand(told, "PUT", f"/contacts/{WASH}", {"name": "Somebody"}),
    "a tag that was to get its name back": lambda told: by_hand(told, "POST", "/tags", {"id": "102", "name": "theirs"}),
    "a company that was to be deleted": lambda told: by_hand(told, "POST", "/companies", {"company_id": "8", "name": "Feds"}),
    "somebody who was to get a tag": lambda told: by_hand(told, "POST", f"/contacts/{ZOE}/archive"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_after_it_was_planned_makes_it_stale(route: Route, change: Callable[[Route], Any]) -> None:
    run(
        route,
        tags=[{"name": "vip", "state": "absent"}, {"name": "beta-2026", "renamed_from": "Beta"}],
        companies=[{"company_id": "8", "name": "Alliance"}],
        contacts=[{"external_id": "25", "name": "Hoban"}],
    )
    plan = undo_plan(route)
    change(route)
    route.box.forget_requests()
    with pytest.raises(Stale):
        carry_out_plan(route, plan)
    assert not route.box.writes


# ---- what the ledger knows then
def test_who_owned_what_is_as_before(route: Route) -> None:
    """What comes back is ours if it was; nothing that was somebody else's is pruned or detached later."""
    assert route.ledger
    run(route, tags=["ours", "vip"], contacts=[{"external_id": "25", "tags": ["ours"]}, {"external_id": "26", "tags": ["ours"]}])
    absent = [{"name": "ours", "state": "absent"}, {"name": "vip", "state": "absent"}]
    run(route, tags=absent, contacts=[{"external_id": "25", "name": "Hoban"}])
    take_back(route)
    memory = route.ledger.read_recorded(route.app_id())
    ours, vip = (_live_tag(route, name) for name in ("ours", "vip"))
    record = memory.of("tag", ours)
    assert record
    assert (record.owned, *(Path(file).name for file in record.files)) == (True, "intercom.yaml")
    assert memory.of("tag", vip) is None
    links = memory.records["contact", WASH].links["tags"]
    assert (links.get(ours), links.get(vip)) == ("owned", None)
    pruning = {"prune": {"tags": "owned"}, "links": "owned"}
    left = route.document(route.manifest({"policy": pruning, "tags": ["Beta"], "contacts": [{"external_id": "25", "tags": []}]}))
    assert [line for line in changes(left) if "vip" in line] == []
    assert [line.partition(" (")[0] for line in changes(left)] == ["detach contact/25 tag/ours", "delete tag/ours"]


def _live_tag(route: Route, name: str) -> str:
    return next(str(tag["id"]) for tag in by_hand(route, "GET", "/tags")["data"] if tag["name"] == name)


def test_an_undo_is_no_drift_and_the_manifest_is_news_again(route: Route) -> None:
    written: Any = {"contacts": [{"external_id": "25", "name": "Hoban", "phone": "+15550108"}]}
    run(route, contacts=[{"external_id": "25", "name": "W", "phone": "+15550107"}])
    run(route, **written)
    take_back(route)
    (change,) = route.document(route.manifest(written))["changes"]
    assert (change["address"], change["cause"]) == ("contact/25", "config")


def test_a_contact_that_an_undo_archived_is_known_under_its_name(route: Route) -> None:
    written: Any = {"contacts": [{"external_id": "40", "missing": "create"}]}
    run(route, **written)
    take_back(route)
    assert [line.partition(" (")[0] for line in changes(route.document(route.manifest(written)))] == ["unarchive contact/40"]


# ---- what an undo plan shows
def test_no_e_mail_stands_in_an_undo_plan(route: Route) -> None:
    pilot = {"external_id": "25", "name": "Hoban", "email": "pilot@serenity.example"}
    run(route, contacts=[pilot, {"email": "zoe@serenity.example", "name": "Z"}])
    text = str(undo_plan(route)) + str(plan_back(route))
    assert not [word for word in ("wash@", "pilot@", "zoe@", "Hoban", "'Z'") if word in text]
    assert {change["remark"] for change in plan_back(route)["changes"]} == {"contact/25 now", "contact/26 now"}


def test_to_plan_an_undo_is_to_read(route: Route) -> None:
    run(route, tags=["new"])
    route.box.forget_requests()
    assert propose_back(route).plan.changes
    assert not route.box.writes
