"""What was sent and never proved, and what is declared and not done now, is no success; what only waits is said and counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.manifest.read import read_manifest
from reconciler.workflow.apply import prepare
from reconciler.workflow.planfile import planned_manifest
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.soak import cases

LEAD = "tags: [vip]\ncontacts: [{email: lead@mail.example, role: lead, missing: create, tags: [vip]}]\n"


def codes(desk: Desk, *more: str) -> tuple[int, int, int]:
    """How plan, drift and apply end."""
    plan = desk("plan", "m.yaml", "--detailed-exitcode", *more)
    return plan, desk("drift", "m.yaml", *more), desk("apply", "m.yaml", "--auto-approve", *more)


def document(desk: Desk, verb: str = "plan") -> dict[str, Any]:
    desk(verb, "m.yaml", "--format", "json")
    answer: dict[str, Any] = json.loads(desk.out)
    return answer


def test_a_create_whose_answer_was_lost_is_no_success_until_it_is_proved(desk: Desk) -> None:
    desk.box.faults.add("POST", "^/contacts$", drop="before")
    assert desk.plan(m=LEAD) == 2
    assert desk("apply", "plan.json") == 5
    desk.written()
    assert codes(desk) == (2, 2, 5)
    assert "Unproven, or not done now (1):\n  ! contact/l***@mail.example#" in desk.out
    assert "and a plan after 20" in desk.out
    for verb in ("plan", "drift"):
        [unproven] = document(desk, verb)["unproven"]
        assert str(unproven["address"]).startswith("contact/l***@mail.example#")
        assert unproven["until"].endswith("Z")
        assert unproven["until"] in unproven["reason"]
    assert desk("apply", "plan.json", "--events", "events.ndjson") == 5
    assert json.loads((desk.folder / "events.ndjson").read_text().splitlines()[-1])["unproven"] == 1
    assert desk("plan", "m.yaml") == 0
    assert desk.out.endswith("No changes now: 1 thing unproven or held back, see above.\n")
    assert desk("history", "--format", "json") == 0
    assert {run["exit_code"] for run in json.loads(desk.out)} == {5}
    assert [write for write in desk.writes if write == "POST /contacts"] == []


def test_what_is_unproven_is_annotated_at_its_entry(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.box.faults.add("POST", "^/contacts$", drop="before")
    assert desk("apply", "m.yaml", "--auto-approve", m=LEAD) == 5
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for code in codes(desk):
        assert code
        assert "::warning file=m.yaml,line=2::withheld: contact/l***@mail.example#" in desk.err


def test_what_is_proved_since_the_plan_was_made_is_not_unproven_any_more(make_route: MakeRoute) -> None:
    route = make_route(ledger=True, search_delay=120)
    path = route.manifest(LEAD.replace("tags: [vip]", "name: Zoe").removeprefix("name: Zoe\n"))
    route.box.faults.add("POST", "^/contacts$", drop="after")
    route.converge(path)
    kept = route.saved(path)
    assert len(kept["unproven"]) == 1
    for wait, number in ((0, 1), (130, 0)):
        route.clock.now += wait
        with route.session() as session:
            assert len(prepare(session, kept, planned_manifest(kept)).unproven) == number


ARCHIVED = "contacts: [{external_id: '1', state: archived}, {email: wash@s.example, state: archived}]\n"


def test_who_is_to_be_gone_and_cannot_be_seen_is_settled(desk: Desk) -> None:
    desk.write("m.yaml", ARCHIVED)
    assert codes(desk)[0::2] == (0, 0)
    assert codes(desk) == (0, 0, 0)
    assert document(desk)["unproven"] == []


def test_who_is_to_be_gone_is_unproven_for_a_while_where_our_last_write_was_not_answered(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1"}, {"email": "wash@s.example"}]}, ledger=True)
    path = route.manifest(ARCHIVED)
    route.box.faults.add("POST", "^/contacts/.*/archive$", drop="after", times=None)
    assert {outcome.status for outcome in route.converge(path)} == {"failed"}
    # Whom a strong read does not show is gone, whatever became of the answer.
    [unproven] = route.document(path)["unproven"]
    assert str(unproven["address"]).startswith("contact/w***@s.example#")
    with route.session() as session:
        ready = prepare(session, route.saved(path), read_manifest([str(path)]))
        assert [note.until for note in ready.unproven] == [pytest.approx(route.clock.now + 15 * 60, abs=600)]
    route.clock.now += 15 * 60 + 1
    assert route.document(path)["unproven"] == []


HELD = {
    "a name that only looks like a live one": ({"tags": ["a\u00a0b"]}, "tags: ['a b']\n"),
    "a link to it": (
        {"tags": ["a\u00a0b"], "contacts": [{"external_id": "1"}]},
        "tags: ['a b']\ncontacts: [{external_id: '1', tags: ['a b']}]\n",
    ),
    "somebody who has another name, and is nowhere": (
        {},
        "contacts: [{email: new@s.example, was: {email: old@s.example}, missing: create}]\n",
    ),
}


@pytest.mark.parametrize(("live", "desired"), HELD.values(), ids=list(HELD))
def test_what_is_declared_and_not_done_now_is_no_success(desk: Desk, live: dict[str, Any], desired: str) -> None:
    desk.seed(**live)
    assert desk.plan(m=desired) == 2
    assert desk("apply", "plan.json") == 5
    assert desk("apply", "m.yaml", "--auto-approve", "--ledger", "none") == 5
    assert desk.writes == []


# A tag that only looks like a live one, a lead whose create was never answered, and what has nothing to do with them.
ASIDE = (
    "tags: ['a b', x]\ncontacts:\n- {email: lead@mail.example, role: lead, missing: create}\n"
    "- {external_id: '1', tags: [x]}\n- {external_id: '2', tags: ['a b']}\n"
)
LEAD_ONLY, TAG_ONLY = ("contact/lead@mail.example",), ("tag/a b", "contact/2")
SCOPES: dict[str, tuple[tuple[str, ...], tuple[str, ...], bool]] = {
    "a target": (("tag/x",), (), True),
    "a target and what it is linked to": (("contact/1",), (), True),
    "all but these": ((), (*LEAD_ONLY, *TAG_ONLY), True),
    "all but the tag and who is to have it": ((), TAG_ONLY, False),
    "all but the lead": ((), LEAD_ONLY, False),
    "the lead itself": (LEAD_ONLY, (), False),
    "who is to have the tag": (("contact/2",), (), False),
}


@pytest.mark.parametrize(("target", "exclude", "done"), cases(SCOPES, "a target", "all but these", "all but the lead"))
def test_what_is_held_back_or_unproven_outside_of_the_scope_is_no_business_of_a_plan(
    desk: Desk, target: tuple[str, ...], exclude: tuple[str, ...], done: bool
) -> None:
    desk.seed(tags=["a\u00a0b"], contacts=[{"external_id": "1"}, {"external_id": "2"}])
    desk.box.faults.add("POST", "^/contacts$", drop="before")
    assert desk("apply", "m.yaml", "--auto-approve", m=ASIDE) == 5
    scope = [word for option, globs in (("--target", target), ("--exclude", exclude)) for glob in globs for word in (option, glob)]
    assert desk.plan(*scope) == (0 if done else 2)
    assert any(said in desk.out for said in ("held back", "looks like")) is not done
    for apply in (("apply", "m.yaml", "--auto-approve", *scope), ("apply", "plan.json")):
        assert desk(*apply) == (0 if done else 5)
        assert ("Unproven, or not done now" in desk.out) is not done


def test_a_note_is_a_note(desk: Desk) -> None:
    desk.seed(tags=["vip"], contacts=[{"external_id": "1", "tags": ["vip"]}])
    people = "[{external_id: '1', tags: []}, {external_id: nobody, tags: [vip]}]"
    ours = f"policy: {{links: owned}}\ntags: [vip, {{name: gone, state: absent}}]\ncontacts: {people}\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=ours) == 0
    assert codes(desk) == (0, 0, 0)
    assert {note["topic"] for note in document(desk)["notes"]} >= {"missing"}


def test_what_is_unproven_in_many_entries_is_annotated_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.box.faults.add("POST", "^/contacts$", drop="before", times=None)
    leads = "".join(f"- {{email: l{n}@mail.example, role: lead, missing: create}}\n" for n in range(11))
    assert desk("apply", "m.yaml", "--auto-approve", m=f"contacts:\n{leads}") == 5
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert desk("plan", "m.yaml") == 0
    (line,) = [line for line in desk.err.splitlines() if line.startswith("::warning")]
    assert line.startswith("::warning file=m.yaml,line=2::withheld: contact/l***@mail.example#")
    assert line.endswith(" (and 10 more like it)")


def leave_late(desk: Desk) -> None:
    """A company is deleted, by plan.json, later than Intercom says: the list shows it still."""
    desk.seed(companies=[{"company_id": "6"}])
    assert desk.plan(m="companies: [{company_id: '6', state: absent}]\n") == 2
    company = desk.box.ws.store.table("company").in_order()[0]
    assert desk("apply", "plan.json") == 0
    desk.box.ws.store.put("company", {**company, "leaves_at": desk.box.ws.now() + 600})


def test_what_only_waits_is_said_and_leaves_the_exit_code_alone_but_for_the_strict(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_late(desk)
    desk.written()
    assert codes(desk) == (0, 0, 0)
    assert "Waiting for Intercom (1):\n  ! company/6: was deleted, and Intercom still shows it" in desk.out
    assert (document(desk)["waiting"], document(desk)["unproven"]) == (1, [])
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert codes(desk, "--fail-on", "waiting") == (3, 2, 5)
    assert "::error file=m.yaml,line=1::waiting: company/6" in desk.err
    assert desk("apply", "plan.json") == 0
    assert "::notice file=m.yaml,line=1::waiting: company/6" in desk.err
    assert desk("apply", "plan.json", "--fail-on", "waiting") == 5
    assert desk.writes == []


@pytest.mark.parametrize("verb", [("plan", "m.yaml"), ("drift", "m.yaml"), ("apply", "m.yaml", "--auto-approve"), ("apply", "plan.json")])
def test_who_fails_on_what_waits_says_so_in_one_line(verb: tuple[str, ...], desk: Desk) -> None:
    leave_late(desk)
    assert desk(*verb) == 0
    assert "--fail-on" not in desk.err
    assert desk(*verb, "--fail-on", "waiting") != 0
    [line] = [line for line in desk.err.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: --fail-on waiting: 1 entry waits for Intercom; run this again after 20")
