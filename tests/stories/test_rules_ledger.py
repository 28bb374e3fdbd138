"""What the ledger decides: what is ours, what goes, what came back, and what moved. Each test is one sentence."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.policies import policy_model
from reconciler.core.model.policy import Policy, tightened
from reconciler.core.model.recorded import Record
from reconciler.core.plan.saved import Enclosed, saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Stale
from reconciler.kinds import KINDS
from reconciler.ledger.homes.home import LockLost
from reconciler.ledger.ledger import Ledger
from reconciler.manifest.read import read_manifest
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.lookup import raw_answers, raw_request
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.recall import locked
from reconciler.workflow.record import head_of
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines

PRUNING = "policy: {prune: {tags: owned, companies: owned}}\n"
MOVED = Scope(moved=True)


def record(told: Route, address: str, name: str = "default") -> Record | None:
    assert told.ledger
    kind, _, key = address.partition("/")
    return told.ledger.memory(told.app_id(), name).at(Address(kind, key))


def topics(found: PlanDocument, topic: str) -> list[str]:
    return [f"{note['address']}: {note['message']}" for note in found["notes"] if note["topic"] == topic]


def one(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


# ── which files speak ──────────────────────────────────────────────────────────────────────────────────────────────────────
def two_files(told: Route) -> tuple[Path, Path]:
    """Two manifests of one name, both applied."""
    a, b = told.manifest(PRUNING + "tags: [vip, trial]\n", "a.yaml"), told.manifest("tags: [beta]\n", "b.yaml")
    told.converge(a, b)
    return a, b


def test_one_file_alone_takes_nothing_of_the_other_away(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, _ = two_files(told)
    found = told.document(a)
    assert changes(found) == []
    (note,) = topics(found, "not read")
    assert note.startswith("tag/beta: is ours")
    assert "b.yaml, which was not given: left alone" in note


def test_applied_one_after_the_other_under_one_name_they_take_nothing_away(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = told.manifest(PRUNING + "tags: [vip]\n", "a.yaml"), told.manifest(PRUNING + "tags: [beta]\n", "b.yaml")
    for path in (a, b, a, b):
        told.converge(path)
    assert sorted(t["name"] for t in told.box.ws.store.table("tag").in_order()) == ["beta", "vip"]


def test_what_a_removed_file_declared_goes_when_another_file_of_that_run_is_read(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = two_files(told)
    b.unlink()
    assert lines(told.document(a)) == ["delete tag/beta (config)"]


def test_where_no_file_of_former_runs_is_read_this_is_another_folder_and_nothing_goes(route: MakeRoute) -> None:
    told = route(ledger=True)
    a, b = two_files(told)
    for path in (a, b):
        path.unlink()
    found = told.document(told.manifest(PRUNING + "tags: [vip]\n", "moved.yaml"))
    assert changes(found) == []
    assert len(topics(found, "not read")) == 2


def test_what_leaves_a_file_that_is_read_goes(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "7"}]}, ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\ncompanies: [{company_id: '6'}, {company_id: '7'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '8'}]\n")
    # Company 7 was there before us.
    assert changes(told.document(path)) == ["create company/8", "delete tag/old", "delete company/6"]


def test_a_section_that_is_no_longer_written_is_not_ours_to_prune(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '6'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "companies: [{company_id: '6'}]\n")
    found = told.document(path)
    assert changes(found) == []
    assert [note.partition(":")[0] for note in topics(found, "orphaned")] == ["tag/vip"]


def test_a_target_prunes_nothing(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [vip]\n")
    assert changes(told.document(path, scope=Scope(target=("tag/*",)))) == []
    assert changes(told.document(path, scope=Scope(exclude=("contact/**",)))) == ["delete tag/old"]


def test_a_saved_plan_prunes_and_a_second_time_writes_nothing(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\ncompanies: [{company_id: '6'}, {company_id: '7'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '7'}]\n")
    found = told.saved(path)
    assert [o.status for o in told.apply(found)] == ["applied", "applied"]
    told.box.forget_requests()
    assert told.apply(found) == []
    assert not told.box.writes
    assert record(told, "tag/old") is None


def test_a_tag_made_anew_between_plan_and_apply_makes_the_prune_stale(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [vip]\n")
    found = told.saved(path)
    old = next(t for t in told.box.ws.store.table("tag").in_order() if t["name"] == "old")
    told.box.ws.store.drop("tag", old["id"])
    told.box.seed({"tags": ["old"]})
    # The one that was ours is gone, which is what the plan wanted; the new one is somebody's own.
    assert told.apply(found) == []
    assert changes(told.document(path)) == []


def test_a_company_whose_own_read_fails_is_never_pruned(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "companies: [{company_id: '6'}, {company_id: '7'}]\n")
    told.converge(path)
    told.manifest(PRUNING + "companies: [{company_id: '7'}]\n")
    told.box.faults.add("GET", "^/companies/", status=500, times=None)
    with pytest.raises(Exception, match="500"):
        told.document(path)


# ── whose it is ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_was_there_is_recorded_and_not_owned(route: MakeRoute) -> None:
    told = route({"tags": ["vip"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    told.converge(told.manifest("tags: [vip, new]\ncontacts: [{external_id: '25', tags: [vip, new]}]\n"))
    vip, new, contact = (record(told, address) for address in ("tag/vip", "tag/new", "contact/25"))
    assert vip
    assert new
    assert contact
    assert (vip.owned, new.owned, contact.owned) == (False, True, False)
    assert {vip.id: "found", new.id: "owned"} == dict(contact.links["tags"])
    assert [Path(file).name for file in vip.files] == ["intercom.yaml"]


def test_what_a_saved_plan_does_not_touch_is_recorded_as_it_was_found(route: MakeRoute) -> None:
    """So that a pipeline, which applies saved plans only, can tell drift."""
    told = route({"tags": ["vip"], "companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = told.manifest("tags: [vip, new]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    told.apply(told.saved(path))
    assert record(told, "company/6") is not None
    told.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    assert lines(told.document(path)) == ["update company/6 name='Blue Sun' (drift)"]


def meanwhile(told: Route, path: str, seed: dict[str, Any]) -> None:
    """Somebody makes something just before our call arrives."""
    told.box.faults.add("POST", path, run=lambda: told.box.seed(seed), times=1)


def test_a_company_that_somebody_made_meanwhile_is_recorded_only(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    made = told.clock.now - 60
    meanwhile(told, "^/companies$", {"companies": [{"company_id": "6", "created_at": int(made)}]})
    outcome = one(told.converge(path))
    assert (outcome.status, outcome.reason) == ("applied", "existed already")
    found = record(told, "company/6")
    assert found
    assert not found.owned


def test_a_contact_that_the_create_met_is_recorded_only(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("contacts: [{external_id: '25', missing: create, name: Zoe}]\n")
    meanwhile(told, "^/contacts$", {"contacts": [{"external_id": "25"}]})
    assert one(told.converge(path)).reason == "existed already"
    found = record(told, "contact/25")
    assert found
    assert not found.owned


def test_a_create_whose_answer_was_lost_is_ours_when_it_is_found(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, old]\n")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.converge(path)
    found = record(told, "tag/old")
    assert found
    assert found.owned
    told.manifest(PRUNING + "tags: [vip]\n")
    assert changes(told.document(path)) == ["delete tag/old"]


def test_the_same_files_under_another_name_take_nothing_away_and_say_whose_it_is(route: MakeRoute) -> None:
    told = route(ledger=True)
    text = "policy: {prune: {tags: owned}, links: owned}\ntags: [vip, old]\ncontacts: [{external_id: '25', missing: create, tags: [vip]}]\n"
    told.converge(told.manifest("name: growth\n" + text))
    later = "name: growth-team\npolicy: {prune: {tags: owned}}\ntags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n"
    found = told.document(told.manifest(later))
    assert changes(found) == []
    assert "2 of the declared things are recorded under `name: growth` and not under this one" in topics(found, "foreign")[0]


def test_a_ledger_that_is_lost_owns_nothing_and_tombstones_go_on(route: MakeRoute) -> None:
    told = route(ledger=True)
    text = "policy: {prune: {tags: owned}}\ntags: [vip, old, {name: gone, state: %s}]\n"
    told.converge(told.manifest(text % "present"))
    assert told.ledger
    told.ledger.close()
    (told.folder / ".reconciler" / "key").unlink()
    told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock)
    assert told.ledger
    with told.ledger:
        assert "written with another key" in told.ledger.warning
        found = told.document(told.manifest((text % "absent").replace("old, ", "")))
        assert changes(found) == ["delete tag/gone"]
        assert found["changes"][0]["remark"] == "never ours"


def test_a_policy_file_that_never_prunes_cannot_be_loosened(route: MakeRoute) -> None:
    _, refused = tightened(_policy(), _policy(prune={"tags": "owned"}))
    assert refused == ("prune.tags: owned (allowed: never)",)
    base = _policy(prune={"tags": "all"}, scope={"tags": ["growth/*", "sales/*"]})
    merged, refused = tightened(base, _policy(scope={"tags": ["growth/*"]}))
    assert (merged.reach("tags"), refused) == (("growth/*",), ())
    assert tightened(base, _policy(scope={"tags": ["**"]}))[1]


def _policy(**written: Any) -> Policy:
    return policy_model(KINDS).model_validate(written)


# ── protected, emptied, renamed ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_protection_ends_only_by_an_apply_of_its_own(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [{name: gold, protect: true}]\n")
    told.converge(path)
    told.manifest("tags: [{name: gold, state: absent}]\n")
    assert lines(told.document(path)) == ["delete tag/gold (config)", "refused protect"]
    told.manifest("tags: [gold]\n")
    told.converge(path)
    told.manifest("tags: [{name: gold, state: absent}]\n")
    assert lines(told.document(path)) == ["delete tag/gold (config)"]


@pytest.mark.parametrize(("name", "written"), [("early birds", "early birds"), ("a: b", "'a: b'")])
def test_a_rename_that_is_taken_back_is_told_by_the_name_that_the_ledger_knew(name: str, written: str, route: MakeRoute) -> None:
    """`git revert` of a done `renamed_from`: nothing but the ledger says that the new empty tag was the old one's name."""
    told = route({"tags": ["Beta"], "contacts": [{"external_id": "25", "tags": ["Beta"]}]}, ledger=True)
    path = told.manifest("tags: [Beta]\n")
    told.converge(path)
    told.manifest(f"tags: [{{name: {written}, renamed_from: Beta}}]\n")
    told.converge(path)
    told.manifest(f"tags: [{written}]\n")
    told.converge(path)
    told.manifest("tags: [Beta]\n")
    found = told.document(path)
    assert changes(found) == ["create tag/Beta"]
    (note,) = topics(found, "renamed")
    assert f"tag {name!r} had that name before" in note
    assert f"`renamed_from: {written}`" in note
    assert "contacts (1) stay with the old one" in note
    assert f"`{{name: {written}, state: absent}}`" in note
    told.manifest(f"policy: {{prune: {{tags: owned}}}}\ntags: [{{name: Beta, renamed_from: {written}}}]\n")
    assert changes(told.document(path)) == ["rename tag/Beta name='Beta'"]


def test_a_new_company_is_asked_about_by_those_who_move_to_it(route: MakeRoute) -> None:
    people = [{"external_id": key, "companies": ["blue"]} for key in ("25", "26")]
    told = route({"companies": [{"company_id": "blue"}], "contacts": people}, ledger=True)
    path = told.manifest({"companies": [{"company_id": "blue"}], "contacts": people})
    told.converge(path)
    told.manifest({"companies": [{"company_id": "0x2a"}], "contacts": [{**one, "companies": ["0x2a"]} for one in people]})
    found = told.document(path)
    (note,) = topics(found, "renamed")
    assert "2 of the 2 who get the new one have the old one" in note
    assert "no company can be renamed" in note
    assert "contacts (2) stay with the old one" in note


def test_somebody_new_who_looks_like_somebody_who_left_is_told(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("contacts: [{email: old.wash@serenity.example, name: Hoban, missing: create}]\n")
    told.converge(path)
    told.manifest("contacts: [{email: wash@serenity.example, name: Hoban, missing: create}]\n")
    found = told.document(path)
    assert [line.partition(" ")[0] for line in changes(found)] == ["create"]
    (note,) = topics(found, "renamed")
    assert "which is ours and left the manifest" in note
    assert "was: {email: o***@serenity.example}" in note
    told.manifest("contacts: [{email: wash@serenity.example, was: {email: old.wash@serenity.example}, name: Hoban, missing: create}]\n")
    assert [line.partition(" ")[0] for line in changes(told.document(path))] == ["update"]


# ── gone and back ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def archived(told: Route, key: str) -> None:
    contact = next(c for c in told.box.ws.store.table("contact").in_order() if c.get("external_id") == key)
    told.box.seed({"contacts": [{"id": contact["id"], "external_id": key, "archived": True}]})


def test_a_contact_that_was_archived_by_hand_comes_back_by_its_id_whatever_missing_says(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest("contacts: [{external_id: '25', name: Wash}]\n")
    told.converge(path)
    archived(told, "25")
    assert lines(told.document(path)) == ["unarchive contact/25 (drift)"]
    assert one(told.converge(path)).status == "applied"
    assert lines(told.document(path)) == []


def test_a_contact_that_was_deleted_is_made_anew_only_when_that_is_written(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest("contacts: [{external_id: '25', missing: create}]\n")
    told.converge(path)
    contact = told.box.ws.store.table("contact").in_order()[0]
    told.box.ws.store.drop("contact", contact["id"])
    outcome = one(told.converge(path))
    assert (outcome.status, outcome.deleted) == ("failed", True)
    assert "recreate: true" in outcome.reason
    assert lines(told.document(path)) == ["note missing contact/25"]
    told.manifest("contacts: [{external_id: '25', missing: create, recreate: true}]\n")
    assert changes(told.document(path)) == ["create contact/25"]
    assert one(told.converge(path)).status == "applied"
    found = record(told, "contact/25")
    assert found
    assert found.owned
    assert found.id != contact["id"]


def test_who_has_another_email_by_now_is_told_and_left_alone(route: MakeRoute) -> None:
    told = route({"contacts": [{"email": "wash@serenity.example"}]}, ledger=True)
    path = told.manifest("contacts: [{email: wash@serenity.example, missing: create}]\n")
    told.converge(path)
    contact = told.box.ws.store.table("contact").in_order()[0]
    told.box.seed({"contacts": [{"id": contact["id"], "email": "hoban@serenity.example"}]})
    told.clock.now += 3600
    found = told.document(path)
    assert changes(found) == []
    assert "another email in Intercom now" in topics(found, "moved")[0]
    assert told.document(path, scope=MOVED)["drift"]["moved"] == 1


# ── drift ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def drifting(told: Route) -> Path:
    path = told.manifest("companies: [{company_id: '6', name: Blue Sun, plan: p1}]\n")
    told.converge(path)
    told.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    return told.manifest("companies: [{company_id: '6', name: Blue Sun, plan: p2}]\n")


def test_drift_names_the_field_that_moved_and_not_what_was_merged(route: MakeRoute) -> None:
    told = route(ledger=True)
    found = told.document(drifting(told), scope=MOVED)
    assert lines(found) == ["update company/6 name='Blue Sun' (drift)", "note not applied yet company/6"]
    assert found["drift"] == {"moved": 1, "pending": 1, "undeclared": 0, "recorded": True}


def test_a_fix_puts_right_what_moved_and_leaves_what_was_merged(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = drifting(told)
    planned = told.planned(path, scope=MOVED)
    fix = saved(told.kinds, planned.plan, "salt", Enclosed(found=planned.found))
    assert one(told.apply(fix)).status == "applied"
    assert lines(told.document(path)) == ["update company/6 plan='p2' (config)"]
    told.box.forget_requests()
    assert told.apply(fix) == []
    assert not told.box.writes


def test_a_fix_is_stale_when_it_moved_once_more(route: MakeRoute) -> None:
    told = route(ledger=True)
    planned = told.planned(drifting(told), scope=MOVED)
    fix = saved(told.kinds, planned.plan, "salt")
    told.box.seed({"companies": [{"company_id": "6", "name": "Third"}]})
    with pytest.raises(Stale, match="name is no longer what it was"):
        told.apply(fix)


def test_with_an_empty_ledger_every_difference_is_unrecorded(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "6", "name": "Firefly"}]}, ledger=True)
    path = told.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    found = told.document(path, scope=MOVED)
    assert lines(found) == ["create tag/vip (unrecorded)", "update company/6 name='Blue Sun' (unrecorded)"]
    assert found["drift"] == {"moved": 2, "pending": 0, "undeclared": 0, "recorded": False}


def test_an_undeclared_tag_is_drift_when_the_policy_says_so_with_who_applied_it(route: MakeRoute) -> None:
    seed = {"admins": [{"id": "456", "name": "Zoe", "email": "zoe@serenity.example"}], "contacts": [{"external_id": "25"}]}
    told = route(seed, ledger=True)
    path = told.manifest("policy: {undeclared_tags: drift}\ntags: [vip]\n")
    told.converge(path)
    with told.session() as session:
        for method, where, body in (("POST", "/tags", {"name": "by hand"}), ("POST", "/contacts/%s/tags", None)):
            contact = told.box.ws.store.table("contact").in_order()[0]["id"]
            tag = told.box.ws.store.table("tag").in_order()[-1]["id"]
            asked = raw_request(method, where % contact if "%" in where else where, [], body or {"id": tag})
            list(raw_answers(session, asked, all_pages=False))
    found = told.document(path, scope=MOVED)
    assert found["drift"] == {"moved": 0, "pending": 0, "undeclared": 1, "recorded": True}
    assert "seen applied last on 2026-09-21 by " in topics(found, "undeclared")[0]


def test_a_tag_deleted_by_hand_is_drift_with_all_its_links(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.converge(path)
    with told.session() as session:
        tag = told.box.ws.store.table("tag").in_order()[0]["id"]
        list(raw_answers(session, raw_request("DELETE", f"/tags/{tag}", [], None), all_pages=False))
    found = told.document(path, scope=MOVED)
    assert lines(found) == ["create tag/vip (drift)", "attach contact/25 tag/vip (drift)"]


def test_under_exact_a_tag_that_somebody_attached_is_drift(route: MakeRoute) -> None:
    told = route({"tags": ["vip", "theirs"], "contacts": [{"external_id": "25", "tags": ["vip"]}]}, ledger=True)
    path = told.manifest("policy: {links: exact}\ntags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.converge(path)
    told.box.seed({"contacts": [{"external_id": "25", "tags": ["vip", "theirs"]}]})
    assert lines(told.document(path, scope=MOVED)) == ["detach contact/25 tag/theirs (drift)", "note undeclared tag/theirs"]


# ── runs ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_apply_with_nothing_to_do_is_a_run_and_records_what_it_found(route: MakeRoute) -> None:
    told = route({"tags": ["vip"]}, ledger=True)
    assert told.converge(told.manifest("tags: [vip]\n")) == []
    assert told.ledger
    memory = told.ledger.memory(told.app_id())
    assert memory.runs == 1
    assert [r.address for r in memory.records.values()] == ["tag/vip"]


def test_what_was_not_started_is_unapplied_in_the_next_plan(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    stop = threading.Event()
    stop.set()
    told.apply(told.saved(path), stop)
    assert lines(told.document(path)) == ["create tag/vip (unapplied)", "create company/6 (unapplied)"]


def test_a_failed_field_is_unapplied_until_the_manifest_wants_another(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = told.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    told.converge(path)
    told.box.faults.add("PUT", "^/companies/", status=422, times=1)
    told.manifest("companies: [{company_id: '6', name: Blue Moon}]\n")
    assert one(told.converge(path)).status == "failed"
    assert lines(told.document(path)) == ["update company/6 name='Blue Moon' (unapplied)"]
    told.manifest("companies: [{company_id: '6', name: Red Sun}]\n")
    assert lines(told.document(path)) == ["update company/6 name='Red Sun' (config)"]


# ── found by attack ────────────────────────────────────────────────────────────────────────────────────────────────────────
ALL = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\n'


def by_hand(told: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody edits the workspace."""
    with told.session() as session:
        list(raw_answers(session, raw_request(method, path, [], body), all_pages=False))


def tag_id(told: Route, name: str) -> str:
    return str(next(t["id"] for t in told.box.ws.store.table("tag").in_order() if t["name"] == name))


def contact_id(told: Route, key: str = "25") -> str:
    return str(next(c["id"] for c in told.box.ws.store.table("contact").in_order() if c.get("external_id") == key))


def test_prune_all_leaves_what_another_file_declares(route: MakeRoute) -> None:
    told = route({"tags": ["growth/x"]}, ledger=True)
    told.converge(told.manifest("tags: [growth/x]\n", "b.yaml"))
    found = told.document(told.manifest(ALL + "tags: [a]\n", "a.yaml"))
    assert changes(found) == ["create tag/a"]
    assert topics(found, "not read")[0].startswith("tag/growth/x: is declared in ")


def test_to_leave_the_new_name_out_does_not_lift_the_gate_for_a_rename(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest(PRUNING + "tags: [Beta]\ncontacts: [{external_id: '25', tags: [Beta]}]\n")
    told.converge(path)
    told.manifest(PRUNING + "tags: [beta-2026]\ncontacts: [{external_id: '25', tags: [beta-2026]}]\n")
    assert "refused rename" in lines(told.document(path, scope=Scope(exclude=("tag/beta-2026",))))


def test_prune_all_of_companies_looks_at_all_that_are_listed(route: MakeRoute) -> None:
    mine = [{"company_id": f"growth/{n}", "name": "x"} for n in range(65)]
    told = route({"companies": mine, "contacts": [{"external_id": "25", "companies": [c["company_id"] for c in mine]}]}, ledger=True)
    text = 'policy: {prune: {companies: all}, scope: {companies: ["growth/*"]}, limits: {deletes: 100}}\ncompanies: [{company_id: a}]\n'
    path = told.manifest(text)
    told.converge(path)
    assert told.document(path)["summary"]["delete"] == 65


def test_what_another_key_recorded_under_another_name_is_spared_too(route: MakeRoute) -> None:
    told = route(ledger=True)
    told.converge(told.manifest("name: a\n" + PRUNING + "tags: [shared, mine]\n", "a.yaml"))
    assert told.ledger
    told.ledger.close()
    key = (told.folder / ".reconciler" / "key").read_text()
    for name, text in (("b", "0f" * 32), ("a", key)):
        told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock, environ={"RECONCILER_LEDGER_KEY": text})
        if name == "b":
            told.converge(told.manifest("name: b\ntags: [shared]\n", "b.yaml"))
    assert told.ledger
    with told.ledger:
        assert "with another key" in told.ledger.warning
        found = told.document(told.manifest("name: a\n" + PRUNING + "tags: [mine]\n", "a.yaml"))
        assert changes(found) == []
        assert "`name: b` has it too" in topics(found, "orphaned")[0]


def test_a_tag_that_two_files_declare_is_deleted_by_neither_alone(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1"}, {"external_id": "2"}]}, ledger=True)
    a = told.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n", "a.yaml")
    b = told.manifest(PRUNING + "tags: [vip, m]\ncontacts: [{external_id: '2', tags: [vip]}]\n", "b.yaml")
    told.converge(a)
    told.converge(b)
    told.manifest(PRUNING + "tags: [m]\ncontacts: [{external_id: '2', tags: []}]\n", "b.yaml")
    found = told.document(b)
    assert [change for change in changes(found) if change.startswith("delete")] == []
    assert "/a.yaml, which was not given: left alone" in topics(found, "not read")[0]
    told.manifest("tags: [m2]\ncontacts: [{external_id: '1', tags: []}]\n", "a.yaml")
    assert "delete tag/vip" in changes(told.document(a, b))


def test_links_that_two_files_write_are_detached_by_neither_alone(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1"}]}, ledger=True)
    told.converge(told.manifest("tags: [n]\ncontacts: [{external_id: '1', tags: [n]}]\n", "c.yaml"))
    found = told.document(told.manifest("tags: [n, m]\ncontacts: [{external_id: '1', tags: [m]}]\n", "d.yaml"))
    assert [change for change in changes(found) if change.startswith("detach")] == []
    assert "c.yaml, which declares it too, was not given: it stays" in topics(found, "not read")[0]


def test_what_a_lost_create_made_belongs_to_the_files_of_its_run(route: MakeRoute) -> None:
    told = route(ledger=True)
    a = told.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    b = told.manifest(PRUNING + "tags: [two]\n", "b.yaml")
    told.converge(a)
    told.converge(b)
    told.manifest(PRUNING + "tags: [one, new]\n", "a.yaml")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(a)
    told.box.faults.clear()
    found = told.document(b)
    assert changes(found) == []
    assert any("/a.yaml, which was not given" in note for note in topics(found, "not read"))
    told.manifest(PRUNING + "tags: [one]\n", "a.yaml")
    assert changes(told.document(a)) == ["delete tag/new"]


def test_an_apply_that_wrote_nothing_is_no_first_run(route: MakeRoute) -> None:
    told = route({"tags": ["growth/a", "x"]}, ledger=True)
    text = 'policy: {prune: {tags: all}, scope: {tags: ["growth/*"]}}\ntags: [x, new]\n'
    path = told.manifest(text)
    assert told.ledger
    with told.session() as session:
        run = told.ledger.begin(head_of(session, read_manifest([str(path)]), "apply"))
    told.ledger.end(run, 3, {})
    assert changes(told.document(path)) == ["create tag/new"]
    told.converge(path)
    assert changes(told.document(path)) == ["delete tag/growth/a"]


def test_what_somebody_gave_another_name_is_not_pruned_under_it(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, x]\n")
    told.converge(path)
    by_hand(told, "POST", "/tags", {"id": tag_id(told, "vip"), "name": "Churn risk Q4"})
    told.manifest(PRUNING + "tags: [x]\n")
    found = told.document(path)
    assert changes(found) == []
    assert "it was tag/vip when it was applied, and somebody renamed it: left alone" in topics(found, "orphaned")[0]


def test_no_try_of_a_call_goes_out_without_the_lock(route: MakeRoute) -> None:
    told = route(ledger=True)
    found = told.saved(told.manifest("tags: [vip]\n"))
    told.box.faults.add("POST", "^/tags$", status=503, times=None)
    assert told.ledger

    def check() -> None:
        if told.box.writes:
            raise LockLost("the lock is gone")

    told.ledger.check = check  # type: ignore[method-assign]  # the lock is lost once the first try was answered
    told.box.forget_requests()
    with told.session() as session, locked(session, 1.0), pytest.raises(LockLost):
        list(carry_out(session, prepare(session, found, planned_manifest(found)), threading.Event()))
    assert len(told.box.writes) == 1


def test_what_another_name_linked_is_not_pruned_though_its_run_was_killed(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "1"}]}, ledger=True)
    growth = told.manifest("name: growth\n" + PRUNING + "tags: [vip, x]\n", "growth.yaml")
    told.converge(growth)
    told.converge(told.manifest("name: support\ntags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n", "support.yaml"))
    assert told.ledger
    told.ledger.record(told.app_id(), "support", [], [("tag", tag_id(told, "vip"))])
    told.manifest("name: growth\n" + PRUNING + "tags: [x]\n", "growth.yaml")
    found = told.document(growth)
    assert changes(found) == []
    assert "`name: support` has it too" in topics(found, "orphaned")[0]


def test_a_lost_attach_makes_only_the_link_of_its_very_ids_ours(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    assert changes(told.document(path)) == ["detach contact/25 tag/vip"]
    by_hand(told, "DELETE", f"/tags/{tag_id(told, 'vip')}")
    by_hand(told, "POST", "/tags", {"name": "vip"})
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    assert changes(told.document(path)) == []


def with_key(told: Route, key: str | None = None) -> None:
    """From now on the ledger is opened with this key, else with the one that lies beside it."""
    if told.ledger:
        told.ledger.close()
    environ = {"RECONCILER_LEDGER_KEY": key} if key else {}
    told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock, environ=environ)


def test_a_run_with_a_wrong_key_takes_nothing_from_those_who_have_the_right_one(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, trial]\n")
    told.converge(path)
    with_key(told, "0f" * 32)
    assert changes(told.document(told.manifest(PRUNING + "tags: [vip]\n"))) == []
    told.converge(path)
    with_key(told)
    assert told.ledger
    with told.ledger:
        assert told.ledger.warning == ""
        assert changes(told.document(path)) == ["delete tag/trial"]


def test_what_a_run_with_a_wrong_key_detached_is_not_ours_when_somebody_attached_it_again(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    text = "tags: [vip]\ncontacts: [{external_id: '25', tags: [%s]}]\n"
    told.converge(told.manifest(text % "vip"))
    assert changes(told.document(told.manifest(text % ""))) == ["detach contact/25 tag/vip"]
    with_key(told, "0f" * 32)
    told.clock.now += 60
    told.converge(told.manifest("policy: {links: exact}\n" + text % ""))
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    with_key(told)
    assert told.ledger
    with told.ledger:
        assert changes(told.document(told.manifest(text % ""))) == []


def test_a_lost_attach_that_a_later_run_saw_undone_makes_nothing_ours(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}], "tags": ["vip"]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.box.faults.add("POST", "^/contacts/[^/]+/tags$", drop="before", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    told.converge(path)
    by_hand(told, "POST", f"/contacts/{contact_id(told)}/tags", {"id": tag_id(told, "vip")})
    assert changes(told.document(path)) == []


def test_a_lost_create_that_a_later_run_did_not_find_makes_nothing_ours(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, other]\n")
    told.box.faults.add("POST", "^/tags$", drop="before", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest(PRUNING + "tags: [other]\n")
    told.converge(path)
    told.box.seed({"tags": ["vip"]})
    assert changes(told.document(path)) == []


def test_what_a_lost_create_made_is_an_orphan_when_its_entry_is_gone(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, other]\n")
    told.box.faults.add("POST", "^/tags$", drop="after", times=None)
    told.converge(path)
    told.box.faults.clear()
    told.manifest(PRUNING + "tags: [other]\n")
    assert changes(told.document(path)) == ["delete tag/vip"]


def test_a_ledger_restored_from_before_owns_nothing_and_says_so(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest(PRUNING + "tags: [vip, beta]\ncontacts: [{external_id: '25', tags: [beta]}]\n")
    told.converge(path)
    assert told.ledger
    told.ledger.close()
    folder = told.folder / ".reconciler"
    old = (folder / "ledger.db").read_bytes()
    told.ledger = Ledger.open(folder, create=True, now=told.clock)
    told.clock.now += 60
    told.converge(path)
    assert told.ledger
    told.ledger.close()
    (folder / "ledger.db").write_bytes(old)
    told.manifest(PRUNING + "tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    for _ in range(2):
        told.ledger = Ledger.open(folder, create=True, now=told.clock)
        assert told.ledger
        assert changes(told.document(path)) == []
        assert ("is older than the last run here" in told.ledger.warning) is (_ == 0)
        told.converge(path)
        told.ledger.close()


def test_a_file_of_another_repository_speaks_for_itself_alone(route: MakeRoute, monkeypatch: pytest.MonkeyPatch) -> None:
    told = route(ledger=True)
    for name in ("one", "two"):
        (told.folder / name / ".git").mkdir(parents=True)
    monkeypatch.chdir(told.folder / "one")
    told.converge(told.manifest(PRUNING + "tags: [vip]\n", "one/intercom.yaml"))
    monkeypatch.chdir(told.folder / "two")
    found = told.document(told.manifest(PRUNING + "tags: [zzzzzzzzz]\n", "two/intercom.yaml"))
    assert changes(found) == ["create tag/zzzzzzzzz"]
    assert topics(found, "not read")[0].endswith("declared in intercom.yaml of another repository, which was not given: left alone")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://github.com/acme/ops.git", "git@github.com:acme/ops"),
        ("https://x:tok@gitlab.example/acme/ops", "ssh://git@gitlab.example/acme/ops.git"),
    ],
)
def test_a_repository_is_one_however_it_is_reached(one: str, other: str, tmp_path: Path) -> None:
    import subprocess

    from reconciler.manifest.repository import origin

    told = []
    for n, url in enumerate((one, other)):
        folder = tmp_path / str(n)
        subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=60)
        subprocess.run(["git", "-C", str(folder), "remote", "add", "origin", url], check=True, timeout=60)
        told.append(origin(folder))
    assert told[0] == told[1] != ""
    assert "tok" not in told[0]


def test_a_list_that_is_no_longer_written_does_not_keep_what_somebody_undid(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    told.converge(path)
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25'}]\n")
    told.converge(path)
    link = f"/contacts/{contact_id(told)}/tags"
    by_hand(told, "DELETE", f"{link}/{tag_id(told, 'vip')}")
    told.converge(path)
    by_hand(told, "POST", link, {"id": tag_id(told, "vip")})
    told.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    assert changes(told.document(path)) == []


def test_a_tag_deleted_by_hand_stays_drift_after_a_part_was_applied(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [vip, beta]\n")
    told.converge(path)
    by_hand(told, "DELETE", f"/tags/{tag_id(told, 'vip')}")
    told.apply(told.saved(path, scope=Scope(exclude=("tag/vip",))))
    assert lines(told.document(path, scope=MOVED)) == ["create tag/vip (drift)"]


def test_what_was_deleted_and_made_again_by_somebody_else_is_drift_and_not_ours(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("companies: [{company_id: '6', name: Blue}]\n")
    told.converge(path)
    company = told.box.ws.store.table("company").in_order()[0]["id"]
    told.box.ws.store.drop("company", company)
    told.box.seed({"companies": [{"company_id": "6", "name": "Red"}]})
    assert lines(told.document(path, scope=MOVED)) == ["update company/6 name='Blue' (drift)"]
    told.converge(path)
    found = record(told, "company/6")
    assert found
    assert not found.owned


def test_an_archived_contact_that_somebody_brought_back_is_drift(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "31"}]}, ledger=True)
    path = told.manifest("contacts: [{external_id: '31', state: archived}]\n")
    live_id = contact_id(told, "31")
    told.converge(path)
    by_hand(told, "POST", f"/contacts/{live_id}/unarchive")
    assert lines(told.document(path, scope=MOVED)) == ["archive contact/31 (drift)"]


def test_a_tombstone_whose_tag_is_there_again_is_drift(route: MakeRoute) -> None:
    told = route({"tags": ["old"]}, ledger=True)
    path = told.manifest("tags: [{name: old, state: absent}]\n")
    told.converge(path)
    told.box.seed({"tags": ["old"]})
    found = told.document(path, scope=MOVED)
    assert lines(found) == ["delete tag/old (drift)"]
    assert found["changes"][0]["remark"] == "never ours"
    told.manifest("tags: [old]\n")
    assert changes(told.document(path)) == []


def test_a_renamed_tag_whose_name_somebody_else_took_is_told_and_kept(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [vip]\n")
    told.converge(path)
    by_hand(told, "POST", "/tags", {"id": tag_id(told, "vip"), "name": "renamed"})
    told.box.seed({"tags": ["vip"]})
    found = told.document(path, scope=MOVED)
    assert found["drift"]["moved"] == 1
    assert "another one has that name now" in topics(found, "moved")[0]
    told.converge(path)
    assert told.ledger
    kept = {r.id: r.owned for r in told.ledger.memory(told.app_id()).records.values()}
    assert kept == {tag_id(told, "renamed"): True, tag_id(told, "vip"): False}


@pytest.mark.parametrize("prune", [{"prune": {"tags": "owned"}}, {"prune": {"tags": "all"}, "scope": {"tags": ["**"]}}])
def test_nobody_loses_a_tag_because_somebody_renamed_it_and_made_another_of_its_name(route: MakeRoute, prune: dict[str, Any]) -> None:
    told = route({"contacts": [{"external_id": "26"}, {"external_id": "27"}]}, ledger=True)
    people = [{"external_id": "26", "tags": ["vip"]}, {"external_id": "27", "tags": ["vip"]}]
    written = {"policy": {"links": "owned", **prune}, "tags": ["vip"], "contacts": people}
    told.converge(told.manifest(written))
    was = tag_id(told, "vip")
    by_hand(told, "POST", "/tags", {"id": was, "name": "gold"})
    told.box.seed({"tags": ["vip"]})
    for left in (["attach contact/26 tag/vip", "attach contact/27 tag/vip"], []):
        found = told.document(told.manifest(written))
        assert changes(found) == left
        (text,) = topics(found, "moved")
        assert f"is ours (id {was}) and was tag/vip when it was applied; another one has that name now" in text
        assert sum("the link to tag/gold" in text for text in topics(found, "orphaned")) == 2
        told.converge(told.manifest(written))
    people[0]["tags"] = []
    assert sorted(changes(told.document(told.manifest(written)))) == ["detach contact/26 tag/gold", "detach contact/26 tag/vip"]


def test_who_was_deleted_for_good_stays_drift(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = told.manifest("contacts: [{external_id: '25'}]\n")
    told.converge(path)
    told.box.ws.store.drop("contact", contact_id(told))
    told.converge(path)
    assert told.document(path, scope=MOVED)["drift"]["moved"] == 1
    told.manifest("contacts: [{external_id: '25', recreate: true}]\n")
    assert changes(told.document(path)) == ["create contact/25"]


def test_with_an_empty_ledger_somebody_missing_is_a_difference(route: MakeRoute) -> None:
    told = route(ledger=True)
    assert told.document(told.manifest("contacts: [{external_id: '25'}]\n"), scope=MOVED)["drift"]["moved"] == 1


def test_a_link_that_another_name_has_too_stays(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True)
    text = "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
    told.converge(told.manifest("name: a\n" + text, "a.yaml"))
    told.converge(told.manifest("name: b\n" + text, "b.yaml"))
    found = told.document(told.manifest("name: a\ntags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n", "a.yaml"))
    assert changes(found) == []
    assert "`name: b` has it too" in topics(found, "foreign")[0]


def test_a_tombstone_does_not_take_what_another_name_protects(route: MakeRoute) -> None:
    told = route({"tags": ["gold"]}, ledger=True)
    told.converge(told.manifest("name: b\ntags: [{name: gold, protect: true}]\n", "b.yaml"))
    found = told.document(told.manifest("name: a\ntags: [{name: gold, state: absent}]\n", "a.yaml"))
    assert lines(found)[:2] == ["delete tag/gold (foreign)", "refused protect"]
    assert "`name: b` has it too" in found["changes"][0]["remark"]


def test_was_is_found_by_the_id_in_the_ledger_while_search_is_blind(route: MakeRoute) -> None:
    told = route(ledger=True, search_delay=600)
    path = told.manifest("contacts: [{email: old@serenity.example, missing: create}]\n")
    told.converge(path)
    told.manifest("contacts: [{email: new@serenity.example, was: {email: old@serenity.example}}]\n")
    assert [line.partition(" ")[0] for line in changes(told.document(path))] == ["update"]


def test_under_a_target_nobody_who_was_not_looked_at_is_called_an_orphan(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [a]\ncontacts: [{email: wash@serenity.example, missing: create}]\n")
    told.converge(path)
    told.manifest("tags: [a]\ncontacts: [{external_id: '25', was: {email: wash@serenity.example}}]\n")
    assert topics(told.document(path, scope=Scope(target=("tag/a",))), "orphaned") == []


def test_an_empty_scope_under_prune_all_is_a_refusal_and_no_crash() -> None:
    base = _policy(prune={"tags": "all"}, scope={"tags": ["growth/*"]})
    assert tightened(base, _policy(scope={"tags": []}))[1] == ("scope.tags: none (allowed: growth/*)",)
    assert tightened(base, _policy(scope={"tags": ["growth/x"]}))[1] == ()
