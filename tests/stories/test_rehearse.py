"""`rehearse PLAN.json`: what an apply would meet is known before it, and nothing is written for that."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.model.facts import Facts
from reconciler.core.model.outcome import Outcome
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.gates import Approval
from reconciler.core.plan.rehearsal import BEFORE, Rehearsal
from reconciler.core.plan.rehearsal import document as show
from reconciler.core.plan.saved import write_saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import IntercomError, Refused, Stale
from reconciler.sandbox.call import Recorded
from reconciler.sandbox.replica import Replica
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.rehearse import Script, rehearse
from reconciler.workflow.stage import name_route
from reconciler.workflow.undo import propose_undo
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import WIDE, Route
from tests.desk.soak import only_in_soak

X = [f"{n:024x}" for n in range(1, 9)]
# Ten plants that can be read: whoever carries the manifest out meets each of them.
SEED: dict[str, Any] = {
    "attributes": [{"name": f"a{n}", "model": "company"} for n in range(250)],
    "tags": ["Beta"],
    "companies": [{"company_id": "6", "name": "Blue Sun"}],
    "contacts": [
        {"external_id": "25"},
        {"external_id": "26"},
        {"id": X[0], "role": "lead", "email": "zoe@serenity.example"},
        {"id": X[1], "role": "user", "email": "zoe@serenity.example"},
        {"id": X[2], "role": "lead", "email": "wash@serenity.example"},
        {"id": X[3], "role": "lead", "email": "Wash@serenity.example"},
        {"email": "taken@serenity.example"},
        {"email": "inara@serenity.example"},
    ],
}
PLANTED = f"""
policy: {{refused_entries: hold, links: additive}}
attributes:
  - {{name: phone, model: contact, data_type: string}}
  - {{name: a/b, model: contact, data_type: string}}
  - {{name: more, model: contact, data_type: string}}
tags: [vip]
companies:
  - {{company_id: "6", monthly_spend: 3000000000}}
contacts:
  - {{external_id: "25", owner_id: "77"}}
  - {{external_id: "27", missing: create, owner_id: "78"}}
  - {{id: "{X[0]}", role: user}}
  - {{id: "{X[2]}", role: user}}
  - {{id: "{X[3]}", role: user}}
  - {{external_id: "26", missing: create, email: taken@serenity.example}}
  - {{email: inara@serenity.example, role: lead}}
  - {{email: new@serenity.example, missing: create, tags: [vip]}}
"""
REFUSED = {
    "attribute/phone": "400 'phone' is one of our standard attributes",
    "attribute/a/b": "400 Your name for this attribute must only contain",
    "attribute/more": "400 You have reached the limit of 250 custom attributes",
    "company/6": "400 bad 'monthly_spend' parameter",
    "contact/25": "400 The owner specified is not a member",
    "contact/27": "400 The owner specified is not a member",
    f"contact/id:{X[0]}": f"409 A contact matching those details already exists with id={X[1]}",
    f"contact/id:{X[3]}": f"409 A contact matching those details already exists with id={X[2]}",
}
GATES = ("taken: ", "fixed: ")


WHOLE = """
name: growth
policy: {links: exact, prune: {tags: owned}, limits: {contact_deletes: 5, people: 100, detaches: 100}}
attributes: [{name: seats, model: contact, data_type: integer}]
tags:
  - vip
  - {name: customer, renamed_from: client}
  - {name: gold, merged_from: [silver]}
  - {name: old, state: absent}
companies: [{company_id: "6", name: Blue Sun, tags: [vip]}, {company_id: "7", state: absent}]
contacts:
  - {external_id: "25", name: Zoe, custom_attributes: {seats: 5}, tags: [vip, customer], companies: ["6"]}
  - {external_id: "26", tags: [gold]}
  - {external_id: "27", state: archived}
  - {external_id: "28", state: absent}
  - {external_id: "29", missing: create, tags: [vip]}
"""
LIVE: dict[str, Any] = {
    "tags": ["client", "silver", "gold", "old"],
    "companies": [{"company_id": "6", "name": "Sun"}, {"company_id": "7"}],
    "contacts": [
        {"external_id": "25", "email": "zoe@serenity.example", "tags": ["client", "old"], "companies": ["7"]},
        {"external_id": "26", "tags": ["silver"]},
        *({"external_id": str(n)} for n in (27, 28)),
        *({"email": f"crew{n}@serenity.example", "tags": ["silver"]} for n in range(3)),
    ],
    "conversations": [{"tags": ["old"], "count": 3}],
}


def play(route: Route, plan: PlanDocument) -> Rehearsal:
    """A rehearsal, for which nothing is written anywhere."""
    manifest = None if "run" in plan else planned_manifest(plan, route.kinds)
    route.box.forget_requests()
    before = contents(route.folder)
    with route.session() as session:
        rehearsal = rehearse(session, Script(plan, manifest, route.rules))
    assert (route.box.writes, contents(route.folder)) == ([], before)
    return rehearsal


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder, but for what SQLite keeps there while a database is open."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path): path.read_bytes() for path in files}


def calls_of(requests: Iterable[Recorded]) -> Counter[str]:
    """The calls that reached a workspace, by route."""
    with Replica() as box:
        return Counter(name_route(box, request.method, request.path) for request in requests)


def foretold(rehearsal: Rehearsal) -> Counter[str]:
    """The calls of an apply as a rehearsal told them."""
    return Counter(rehearsal.looks) + Counter(rehearsal.calls)


def ends(outcomes: Iterable[Outcome]) -> set[tuple[str, str, str, str]]:
    """What became of each change."""
    return {(o.change.action.value, str(o.change.address), str(o.change.target), f"{o.status} {o.reason}") for o in outcomes}


def hold_to_apply(route: Route, plan: PlanDocument, rehearsal: Rehearsal) -> None:
    """The apply gives what was told, call for call."""
    route.box.forget_requests()
    assert ends(route.apply(plan)) == ends(rehearsal.outcomes)
    assert calls_of(route.box.requests) == foretold(rehearsal)


def test_ten_planted_refusals_are_found_before_apply_meets_them(make_route: MakeRoute) -> None:
    route = make_route(SEED, ledger=True)
    plan = route.saved(route.manifest(PLANTED))
    rehearsal = play(route, plan)
    document = show(rehearsal)
    refused = {row["address"]: row["reason"] for row in document["refused"]}
    assert refused.keys() == REFUSED.keys()
    assert [reason for address, reason in REFUSED.items() if not refused[address].startswith(reason)] == []
    assert len(refused) + len(document["gates"]) == 10
    assert [name for name in GATES if not any(gate.startswith(name) for gate in document["gates"])] == []
    assert (rehearsal.exit_code, document["summary"]["applied"]) == (3, 4)
    assert {row["address"]: row["why"] for row in document["again"]["changes"]} == dict.fromkeys(REFUSED, "it is refused")
    hold_to_apply(route, plan, rehearsal)


@pytest.mark.parametrize("ledger", [True, pytest.param(False, marks=only_in_soak)])
def test_apply_makes_the_calls_that_were_told(make_route: MakeRoute, ledger: bool) -> None:
    """Creates, updates, renames, merges, deletions, archives, links of both ways; then there is nothing to do."""
    route = make_route(LIVE, ledger=ledger)
    plan = route.saved(route.manifest(WHOLE))
    rehearsal = play(route, plan)
    assert (rehearsal.exit_code, rehearsal.again.is_empty, rehearsal.left_over) == (0, True, ())
    check_kill(rehearsal, len(plan["changes"]))
    hold_to_apply(route, plan, rehearsal)
    assert route.document(route.folder / "intercom.yaml")["changes"] == []
    done = play(route, plan)
    assert (done.exit_code, done.outcomes, done.calls, done.kill, done.again.is_empty) == (0, (), {}, None, True)


def check_kill(rehearsal: Rehearsal, changes: int) -> None:
    """A kill in the middle was really done on the copy, and the next apply too."""
    kill = rehearsal.kill
    assert kill
    assert kill.after == (kill.of + 1) // 2
    if kill.known is not None:
        assert sum(kill.known.values()) == changes
        assert min(kill.known["applied"], kill.known["unanswered"]) > 0
    assert kill.outcomes
    assert {o.status for o in kill.outcomes} == {"applied"}
    assert (kill.again.is_empty, kill.unproven) == (True, 0)


@only_in_soak
def test_what_only_a_person_can_say_after_a_kill_is_said(make_route: MakeRoute) -> None:
    """A lead that was sent and whose answer was lost: search shows it, or nobody knows."""
    route = make_route(ledger=True)
    kill = play(route, route.saved(route.manifest("contacts: [{email: wash@serenity.example, role: lead, missing: create}]\n"))).kill
    assert kill
    assert (kill.after, kill.of, kill.known) == (1, 1, {"unanswered": 1})
    assert kill.again.is_empty


def test_what_cannot_be_read_is_told_and_not_claimed(make_route: MakeRoute) -> None:
    """Segments that use a tag, and who lies in the archive."""
    route = make_route({"tags": [{"name": "old", "segments": ["Seg 1"]}], "contacts": [{"external_id": "27", "archived": True}]})
    plan = route.saved(route.manifest("tags: [{name: old, state: absent}]\ncontacts: [{external_id: '27', missing: create}]\n"))
    rehearsal = play(route, plan)
    rests = {rest.what: rest.addresses for rest in rehearsal.rests}
    assert rests["whether a segment or another object depends on a tag (400 tag_has_dependent_objects)"] == ("tag/old",)
    assert rests["whether somebody in the archive, or blocked, holds an external_id or e-mail (409, 400)"] == ("contact/27",)
    assert rehearsal.exit_code == 0
    assert {o.status for o in route.apply(plan)} == {"failed"}


def test_who_is_brought_back_is_taken_to_be_in_the_archive(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "27", "name": "Zoe"}]}, ledger=True)
    path = route.manifest("contacts: [{external_id: '27', state: present, name: Zoe}]\n")
    route.converge(path)
    route.box.seed({"contacts": [{"external_id": "27", "archived": True}]})
    plan = route.saved(path)
    rehearsal = play(route, plan)
    assert [rest.addresses for rest in rehearsal.rests if "deleted or merged" in rest.what] == [("contact/27",)]
    hold_to_apply(route, plan, rehearsal)


def test_what_a_probe_established_is_no_reading_any_more(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25", "email": "zoe@serenity.example"}, {"external_id": "26"}]})
    plan = route.saved(route.manifest("contacts: [{external_id: '26', email: zoe@serenity.example}]\n"))
    what = "who may share an e-mail"
    assert what in {rest.what for rest in play(route, plan).rests}
    assert what not in {rest.what for rest in play(replace(route, facts=Facts(shared_email="other_external_ids")), plan).rests}
    plan = route.saved(route.manifest("contacts: [{external_id: '26', email: zoe@serenity.example}]\n"))
    told = replace(route, facts=Facts(email_case="lowered"))
    assert what in {rest.what for rest in play(told, plan).rests}


def test_what_the_token_may_not_read_is_told(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]})
    route.box.tokens["sandbox"] |= {"read_admins"}
    plan = route.saved(route.manifest("contacts: [{external_id: '25', owner_id: '77'}]\n"))
    rehearsal = play(route, plan)
    assert [text.partition(" (")[0] for text in rehearsal.unread] == ["GET /admins"]
    route.box.forget_requests()
    assert {outcome.status for outcome in route.apply(plan)} == {"failed"}
    assert calls_of(route.box.requests) == foretold(rehearsal)


def test_a_plan_that_is_stale_or_refused_ends_as_its_apply(make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    plan = route.saved(route.manifest("policy: {limits: {deletes: 0}}\ntags: [{name: old, state: absent}]\n"))
    (refusal,) = plan["refused"]
    with pytest.raises(Refused, match=refusal["approve"]):
        play(route, plan)
    digest, _, people = str(refusal["approve"]).partition(":")
    approved = replace(route, rules=Approvals(on_command_line=(Approval(digest, int(people)),)))
    assert len(play(approved, plan).outcomes) == 1
    path = route.manifest("contacts: [{external_id: '25', name: Zoe}]\n")
    plan = route.saved(path)
    route.manifest("contacts: [{external_id: '25', name: Kaylee}]\n")
    with pytest.raises(Stale, match="manifest"):
        play(route, plan)
    plan = route.saved(path)
    route.box.seed({"contacts": [{"external_id": "25", "name": "Inara"}]})
    with pytest.raises(Stale, match="workspace"):
        play(route, plan)


def test_what_moved_since_beside_the_plan_is_told_with_why(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "name": "Blue Sun"}]})
    plan = route.saved(route.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n"))
    route.box.seed({"companies": [{"company_id": "6", "name": "Red Sun"}]})
    rehearsal = play(route, plan)
    assert [(subject.address, why) for subject, why in rehearsal.left_over] == [("company/6", BEFORE)]
    assert rehearsal.exit_code == 0
    hold_to_apply(route, plan, rehearsal)


def test_a_rule_is_rehearsed_with_its_members(make_route: MakeRoute) -> None:
    """Also for who has more tags and companies than a contact shows, and is found by them."""
    many = [f"t{n}" for n in range(12)]
    people = [{"external_id": f"p{n}", "custom_attributes": {"plan": "Enterprise" if n % 2 else "Free"}, "tags": many} for n in range(6)]
    people += [{"external_id": f"had{n}", "custom_attributes": {"plan": "Free"}, "tags": [*many, "enterprise"]} for n in range(2)]
    people += [{"external_id": f"has{n}", "custom_attributes": {"plan": "Enterprise"}, "tags": [*many, "enterprise"]} for n in range(3)]
    route = make_route({"tags": ["enterprise"], "contacts": people})
    route.clock.now += 3600
    rule = "{tag: enterprise, on: contacts, where: 'custom_attributes.plan = Enterprise'}"
    plan = route.saved(route.manifest(f"tags: [enterprise]\nrules: [{rule}]\n"))
    rehearsal = play(route, plan)
    assert (len(rehearsal.outcomes), rehearsal.exit_code, rehearsal.again.is_empty) == (5, 0, True)
    hold_to_apply(route, plan, rehearsal)


@only_in_soak
def test_a_plan_that_takes_a_run_back_is_rehearsed_too(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    route.converge(route.manifest(f"policy: {{limits: {WIDE['limits']}}}\ntags: [vip, {{name: old, state: absent}}]\n"))
    assert route.ledger
    run = route.ledger.runs()[0].run
    with route.session() as session:
        plan = write_saved(route.kinds, propose_undo(session, run).plan, "salt")
        rehearsal = rehearse(session, Script(plan, None))
    assert (rehearsal.exit_code, rehearsal.again.is_empty) == (0, True)
    assert len(rehearsal.outcomes) == len(plan["changes"]) > 0


def test_percentages_are_held_against_all_that_is_live(make_route: MakeRoute) -> None:
    """The copy has only who was read; it counts the others too."""
    people = [{"external_id": str(n)} for n in range(60)]
    route = make_route({"contacts": people})
    policy = "policy: {limits: {archives: 10%, people: 10%}}\n"
    plan = route.saved(route.manifest(policy + "contacts: [{external_id: '1', state: archived}, {external_id: '2', state: archived}]\n"))
    rehearsal = play(route, plan)
    assert rehearsal.kill
    assert (rehearsal.again.is_empty, rehearsal.kill.again.is_empty, len(rehearsal.kill.outcomes)) == (True, True, 1)
    hold_to_apply(route, plan, rehearsal)


def test_it_is_a_verb(desk: Desk) -> None:
    desk.box.seed(SEED)
    text = "tags: [vip]\ncontacts: [{email: new@serenity.example, name: Kaylee Frye, missing: create, owner_id: '77', tags: [vip]}]\n"
    assert desk.plan(m=text) == 2
    desk.ledger().close()
    before = contents(desk.folder)
    assert desk("rehearse", "plan.json") == 3
    assert desk.out.splitlines()[0] == "Rehearsal on a private copy of sandbox1 (us); nothing was written"
    assert "  + create    contact/n***@serenity.example#" in desk.out
    assert desk.out.splitlines()[-1].startswith("Rehearsal: 1 applied, 1 refused, 1 not tried; 2 changes left; rests on ")
    text = desk.out
    assert desk("rehearse", "plan.json", "--format", "json") == 3
    assert [row["action"] for row in json.loads(desk.out)["refused"]] == ["create"]
    assert not any(value in text + desk.out + desk.err for value in ("new@serenity", "Kaylee"))
    assert (desk.writes, contents(desk.folder)) == ([], before)
    (desk.folder / "plan.json").write_text("{}")
    assert (desk("rehearse", "plan.json"), desk("rehearse", "nowhere.json"), desk("rehearse")) == (65, 65, 64)


def test_plan_rehearses_at_once(desk: Desk) -> None:
    desk.box.seed({"contacts": [{"external_id": "25"}]})
    assert desk("plan", "m.yaml", "--rehearse", "-o", "plan.json", m="contacts: [{external_id: '25', owner_id: '77'}]\n") == 3
    assert desk.out.startswith("Plan for workspace sandbox1")
    assert "\n\nRehearsal on a private copy of sandbox1 (us); nothing was written\n" in desk.out
    assert "rehearsal" not in desk.saved()
    assert desk("plan", "m.yaml", "--rehearse", "--format", "json", "--detailed-exitcode", m="tags: [vip]\n") == 2
    assert json.loads(desk.out)["rehearsal"]["summary"]["applied"] == 1
    assert desk("plan", "m.yaml", "--rehearse", "--format", "html") == 64
    assert desk.writes == []


@pytest.mark.parametrize("form", ["text", pytest.param("json", marks=only_in_soak)])
def test_what_a_gate_refuses_is_shown_and_not_rehearsed(desk: Desk, form: str) -> None:
    assert desk("plan", "m.yaml", "--rehearse", "--format", form, m="policy: {limits: {creates: 0}}\ntags: [vip]\n") == 3
    assert "tag/vip" in desk.out
    assert "Rehearsal" not in desk.out


@only_in_soak
def test_twenty_thousand_contacts(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": f"p{n}"} for n in range(20_000)]}, ledger=True)
    people = "".join(f"  - {{external_id: p{n}, tags: [vip]}}\n" for n in range(20_000))
    plan = route.saved(route.manifest(f"policy: {{limits: {{attaches: 20000, people: 20000}}}}\ntags: [vip]\ncontacts:\n{people}"))
    rehearsal = play(route, plan)
    assert (rehearsal.exit_code, rehearsal.again.is_empty) == (0, True)
    hold_to_apply(route, plan, rehearsal)


# What an answer may hold instead of what it should, by the call that it answers.
BROKEN = {
    "/contacts/search": '{"data": [null]}',
    "/tags": '{"data": [null]}',
    "/admins": '{"admins": [{}]}',
    "/data_attributes": '{"data": [{"custom": true}]}',
}


@pytest.mark.parametrize("path", BROKEN)
def test_an_answer_that_cannot_be_read_is_no_bug(make_route: MakeRoute, path: str) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]})
    things = "attributes: [{name: a, model: contact, data_type: string}]\ntags: [vip]\n"
    plan = route.saved(route.manifest(f"{things}contacts: [{{external_id: '25', owner_id: '77', tags: [vip]}}]\n"))
    route.box.faults.add(None, f"^{path}$", body=BROKEN[path].encode(), status=200, times=None)
    with pytest.raises(IntercomError, match=path):
        play(route, plan)
