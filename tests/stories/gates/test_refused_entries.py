"""Refusals of two classes: one stops a whole plan, the other concerns single entries and what depends on them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.core.model.address import Address
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.soak import only_in_soak

TWO = {"contacts": [{"external_id": "1", "email": "wash@s.example"}]}
# Two entries for one person, and a harmless tag.
ONE_BAD = """policy: {refused_entries: %s}
tags: [vip]
contacts:
- {external_id: '1', name: Wash}
- {email: wash@s.example, tags: [vip]}
"""


def drift(desk: Desk, *more: str) -> tuple[int, dict[str, Any]]:
    code = desk("drift", "m.yaml", "--format", "json", *more)
    return code, json.loads(desk.out)


def tags(desk: Desk) -> set[str]:
    assert desk("get", "tags") == 0
    return {line.split()[0] for line in desk.out.splitlines()[1:]}


# ---- apply: stop, and hold
@pytest.mark.parametrize("policy", ["stop", None])
def test_one_refused_entry_stops_all_unless_the_policy_says_otherwise(desk: Desk, policy: str | None) -> None:
    desk.seed(**TWO)
    text = ONE_BAD % policy if policy else ONE_BAD.partition("\n")[2]
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 3
    assert desk.plan() == 3
    assert desk("apply", "plan.json") == 3
    assert desk.writes == []


def test_what_is_not_refused_is_applied_under_hold_and_says_what_was_left_out(desk: Desk) -> None:
    desk.seed(**TWO)
    for _ in range(2):
        assert desk("apply", "m.yaml", "--auto-approve", m=ONE_BAD % "hold") == 5
        assert "REFUSED: apply would leave this out, for 1 reason" in desk.out
        assert "Refused, and left out (1):\n  ! identity: m.yaml:" in desk.out
    assert desk.writes == ["POST /tags"]
    assert desk("history", "--format", "json") == 0
    assert [run["exit_code"] for run in json.loads(desk.out)] == [5, 5]
    # Nothing of the refused entries went on record as found: mended, it is what it was before.
    assert desk("apply", "m.yaml", "--auto-approve", m="tags: [vip]\ncontacts:\n- {external_id: '1', name: Wash, tags: [vip]}\n") == 0


def test_what_stops_a_whole_plan_is_not_said_to_be_left_out_beside_what_is(desk: Desk) -> None:
    desk.seed(**TWO)
    assert desk("plan", "m.yaml", m=(ONE_BAD % "hold").replace("hold}", "hold, limits: {creates: 0}}")) == 0
    assert "REFUSED: apply would write nothing, for 2 reasons" in desk.out
    assert desk("apply", "m.yaml", "--auto-approve") == 3
    assert desk.writes == []


def test_a_saved_plan_holds_what_it_was_made_without(desk: Desk) -> None:
    desk.seed(**TWO)
    assert desk.plan(m=ONE_BAD % "hold") == 3
    plan = desk.saved()
    assert [(r["gate"], sorted(r["entries"])) for r in plan["refused"]] == [("identity", ["contact/1", plan["refused"][0]["entries"][1]])]
    assert [change["address"] for change in plan["changes"]] == ["tag/vip"]
    for _ in range(2):
        assert desk("apply", "plan.json") == 5
        assert "identity" in desk.out
    assert desk.writes == ["POST /tags"]


def test_nothing_of_a_refused_entry_goes_on_record_as_found(make_route: MakeRoute) -> None:
    people = [{"external_id": "1", "email": "wash@s.example", "name": "Wash"}, {"external_id": "2", "name": "Zoe"}]
    route = make_route({"contacts": people}, ledger=True)
    path = route.manifest((ONE_BAD % "hold").replace(", tags: [vip]", "") + "- {external_id: '2', name: Zoe}\n")
    for _ in range(2):
        route.converge(path)
        assert route.ledger
        memory = route.ledger.read_recorded(route.app_id(), "default")
        assert [memory.at(Address("contact", key)) is not None for key in ("1", "wash@s.example", "2")] == [False, False, True]


def test_nothing_of_an_entry_that_is_refused_since_the_plan_goes_on_record_as_found(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"email": "l@s.example", "role": "lead"}]}, ledger=True)
    people = "contacts: [{email: l@s.example, role: lead, name: Zoe}]\n"
    plan = route.saved(route.manifest(f"policy: {{refused_entries: hold}}\ntags: [vip]\n{people}"))
    store = route.box.ws.store
    (person,) = store.table("contact").in_order()
    # A user never becomes a lead.
    store.put("contact", {**person, "role": "user"})
    assert [str(outcome.change.address) for outcome in route.apply(plan)] == ["tag/vip"]
    assert route.ledger
    assert [record.kind for record in route.ledger.read_recorded(route.app_id(), "default").records.values()] == ["tag"]


DEPENDING = {
    "an unknown attribute holds the company, and nobody is put into it": (
        "companies:\n- {company_id: '6', name: Blue, custom_attributes: {colour: red}, tags: [vip]}\n"
        "contacts:\n- {external_id: '1', companies: ['6'], tags: [vip]}\n",
        ["create tag/vip", "attach contact/1 tag/vip"],
        {"contact/1": "waits for company/6, which is refused"},
    ),
    "a value that a refused entry gives up is not taken": (
        "contacts:\n- {external_id: '1', email: new@s.example, custom_attributes: {colour: red}}\n"
        "- {external_id: '2', email: wash@s.example}\n- {external_id: '3', tags: [vip]}\n",
        ["create tag/vip", "attach contact/3 tag/vip"],
        {"contact/2": "waits for contact/1, which is refused"},
    ),
    "who has to do with several of them waits for all": (
        "companies:\n- {company_id: '6', custom_attributes: {colour: red}}\n- {company_id: '7', custom_attributes: {colour: red}}\n"
        "contacts:\n- {external_id: '2', companies: ['6', '7']}\n- {external_id: '3', tags: [vip]}\n",
        ["create tag/vip", "attach contact/3 tag/vip"],
        {"contact/2": "waits for company/6 and company/7, which are refused"},
    ),
    "who is missing under error is left out": (
        "contacts:\n- {external_id: nobody, missing: error, tags: [vip]}\n- {external_id: '3', tags: [vip]}\n",
        ["create tag/vip", "attach contact/3 tag/vip"],
        {},
    ),
}


@pytest.mark.parametrize(("text", "left", "waiting"), DEPENDING.values(), ids=list(DEPENDING))
def test_what_depends_on_a_refused_entry_waits_with_it_and_is_named(
    desk: Desk, text: str, left: list[str], waiting: dict[str, str]
) -> None:
    people = [{"external_id": "1", "email": "wash@s.example"}, {"external_id": "2"}, {"external_id": "3"}]
    desk.seed(contacts=people, companies=[{"company_id": "6", "name": "Red"}])
    assert desk.plan(m=f"policy: {{refused_entries: hold}}\ntags: [vip]\n{text}") == 3
    planned = [" ".join(filter(None, (c["action"], c["address"], c["target"]))) for c in desk.saved()["changes"]]
    assert planned == left
    assert {note["address"]: note["message"] for note in desk.saved()["notes"] if note["topic"] == "withheld"} == waiting
    assert desk("apply", "plan.json") == 5, desk.err
    assert f"{len(left)} applied" in desk.out
    for _ in range(2):
        assert desk("apply", "m.yaml", "--auto-approve") == 5
        assert "Apply: nothing to do." in desk.out
        assert all(f"{address}: {message}" in desk.out for address, message in waiting.items())


def test_the_events_of_an_apply_under_hold_count_what_was_refused(desk: Desk) -> None:
    desk.seed(**TWO)
    for counts in ({"applied": 1}, {}):
        assert desk("apply", "m.yaml", "--auto-approve", "--events", "events.ndjson", m=ONE_BAD % "hold") == 5
        summary = json.loads((desk.folder / "events.ndjson").read_text().splitlines()[-1])
        assert (summary["counts"], summary["refused"]) == (counts, 2)


def test_an_entry_that_is_refused_since_the_plan_is_left_out_of_it_and_so_is_what_needs_it(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": "1"}, {"external_id": "2"}])
    text = "policy: {refused_entries: hold}\ncontacts:\n- {external_id: '1', name: Zoe, missing: error}\n- {external_id: '2', name: Wash}\n"
    assert desk.plan(m=text) == 2
    (zoe,) = (c["id"] for c in desk.box.ws.store.table("contact").in_order() if c["external_id"] == "1")
    assert desk("api", "DELETE", f"/contacts/{zoe}") == 0
    desk.box.forget_requests()
    assert desk("apply", "plan.json") == 5
    assert "1 applied, 0 ineffective, 0 failed, 1 skipped" in desk.out
    assert [write.split("/")[0] for write in desk.writes] == ["PUT "]


RENAMING = "policy: {refused_entries: hold, prune: {tags: owned}}\ntags: [%s]\ncontacts: [{external_id: '1', tags: [%s]}]\n"


def test_a_rename_that_nobody_declared_holds_both_ends_until_it_is_approved(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": "1"}])
    assert desk("apply", "m.yaml", "--auto-approve", m=RENAMING % ("promo-a", "promo-a")) == 0
    desk.written()
    assert desk.plan(m=RENAMING % ("promo-b, xyz", "promo-b")) == 3
    assert desk.gates() == ["rename"]
    assert [change["address"] for change in desk.saved()["changes"]] == ["tag/xyz"]
    assert desk("apply", "plan.json") == 5
    assert tags(desk) == {"promo-a", "xyz"}
    assert desk("apply", "m.yaml", "--auto-approve", "--approve", desk.word()) == 0
    assert tags(desk) == {"promo-b", "xyz"}


@pytest.mark.parametrize(("limit", "code"), [(1, 5), (0, 3)])
def test_limits_count_what_is_left_and_stop_all_of_it(desk: Desk, limit: int, code: int) -> None:
    desk.seed(**TWO)
    text = (ONE_BAD % "hold").replace("hold}", f"hold, limits: {{creates: {limit}}}}}")
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == code
    assert len(desk.writes) == limit


def test_a_manifest_may_not_hold_where_the_policy_file_stops(desk: Desk) -> None:
    desk.seed(**TWO)
    desk.write("base.yaml", "policy: {refused_entries: stop}\n")
    assert desk.plan("--policy", "base.yaml", m=ONE_BAD % "hold") == 3
    assert desk.gates() == ["policy", "identity"]
    assert desk("apply", "plan.json", "--policy", "base.yaml") == 3
    assert desk.writes == []


# ---- missing
@pytest.mark.parametrize(("declared", "missing", "refused"), [(100, 10, False), (560, 11, False), (560, 12, True)])
def test_ten_or_two_percent_of_the_declared_may_be_missing(desk: Desk, declared: int, missing: int, refused: bool) -> None:
    desk.seed(contacts=[{"external_id": f"c{n}"} for n in range(declared - missing)])
    text = "".join(f"- {{external_id: c{n}}}\n" for n in range(declared))
    assert desk.plan(m=f"contacts:\n{text}") == (3 if refused else 0)
    if refused:
        assert desk.gates() == ["limits.missing"]
        assert desk.word().endswith(f":{missing}")
        assert desk.plan("--approve", desk.word()) == 0
        # The word is for these people: of others nobody said anything.
        desk.seed(contacts=[{"external_id": f"c{declared - 1}"}])
        word = desk.saved()["approved"][0]
        assert desk.plan("--approve", word, m=f"contacts:\n{text}- {{external_id: d1}}\n") == 3


@pytest.mark.parametrize(("written", "code"), [("10", 0), ("3", 0), ("11", 3), ("2%", 3), ("10 or 2%", 0)])
def test_a_policy_file_of_the_default_may_be_tightened(desk: Desk, written: str, code: int) -> None:
    desk.write("base.yaml", "policy: {links: additive}\n")
    assert desk.plan("--policy", "base.yaml", m=f"policy: {{limits: {{missing: {written}}}}}\ntags: []\n") == code


# ---- drift
def test_drift_says_the_rest_where_single_entries_cannot_be_told(desk: Desk) -> None:
    desk.seed(tags=["vip", "old"], contacts=[{"external_id": "1", "email": "wash@s.example"}, {"external_id": "2", "tags": ["vip"]}])
    good = "tags: [vip, old]\ncontacts:\n- {external_id: '1'}\n- {external_id: '2', tags: [vip]}\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=good) == 0
    assert drift(desk)[0] == 0
    desk.write("m.yaml", f"{good}- {{email: wash@s.example}}\n")
    code, report = drift(desk, "--report", "markdown=night.md")
    assert (code, report["changes"], [r["gate"] for r in report["refused"]]) == (2, [], ["identity"])
    night = (desk.folder / "night.md").read_text(encoding="utf-8")
    assert "**Refused: nothing can be said of 2 entries, for 1 reason.** No drift seen. Nothing can be said of 2 entries." in night
    assert night.index("#### Refused") < night.index("identity")
    vip = desk.box.ws.store.table("tag").in_order()[0]["id"]
    assert desk("api", "DELETE", f"/tags/{vip}") == 0
    code, report = drift(desk)
    assert (code, report["changes"][0]["address"]) == (2, "tag/vip")
    assert report["drift"]["refused"] == 2


@pytest.mark.parametrize("entry", ["{external_id: '1', custom_attributes: {colour: red}}", "{external_id: nobody, missing: error}"])
def test_drift_never_ends_well_while_something_cannot_be_told(desk: Desk, entry: str) -> None:
    desk.seed(contacts=[{"external_id": "1"}])
    assert desk("apply", "m.yaml", "--auto-approve", m="contacts: [{external_id: '1'}]\n") == 0
    desk.write("m.yaml", f"contacts: [{entry}]\n")
    assert drift(desk)[0] == 2


def test_before_the_first_apply_nobody_is_both_a_difference_and_what_nothing_can_be_said_of(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": "1"}])
    entries = "contacts:\n- {external_id: '1', name: Wash}\n- {external_id: '2', missing: error}\n- {external_id: '3'}\n"
    assert desk("drift", "m.yaml", m=entries) == 2
    assert desk.out.splitlines()[-1].startswith("Unrecorded: 2 differences.")
    assert desk.out.splitlines()[-1].endswith(" Nothing can be said of 1 entry.")


def test_drift_in_another_workspace_says_nothing_at_all(desk: Desk) -> None:
    desk.write("m.yaml", "workspace: {app_id: another1}\ntags: []\n")
    code, report = drift(desk)
    assert (code, report["drift"]["blind"]) == (3, True)
    assert desk("drift", "m.yaml") == 3
    assert desk.out.endswith("Nothing can be said of this workspace.\n")


# ---- one cause, one message
def test_one_mistake_in_many_entries_is_one_refusal_with_its_first_places(desk: Desk) -> None:
    entries = "".join(f"- {{external_id: '{n}', missing: error, tags: [vip]}}\n" for n in range(1, 121))
    assert desk("plan", "m.yaml", "--format", "json", m=f"tags: [vip]\ncontacts:\n{entries}") == 0
    (refusal,) = json.loads(desk.out)["refused"]
    places = "m.yaml:3:3: contact not found (in 120 places, also at m.yaml:4:3, m.yaml:5:3; --format json names all)"
    assert refusal["message"] == f"{places}; correct the entry, or write missing: skip or create"
    assert (refusal["approve"], len(refusal["entries"])) == (None, 120)


def test_mistakes_that_are_alike_are_one_refusal(desk: Desk) -> None:
    desk.seed(contacts=[{"email": f"h{n}@serenity.example", "role": "user"} for n in range(12) for _ in range(2)])
    text = "contacts:\n" + "".join(f"- {{email: h{n}@serenity.example, name: Wash}}\n" for n in range(12))
    assert desk("plan", "m.yaml", "--format", "json", m=text) == 0
    (refusal,) = json.loads(desk.out)["refused"]
    assert refusal["message"].startswith("m.yaml:2:3: ")
    assert " (and 11 more like it, also at m.yaml:3:3, m.yaml:4:3; --format json names all)" in refusal["message"]
    assert len(refusal["entries"]) == 12


def test_a_mistake_in_three_entries_is_told_at_each(desk: Desk) -> None:
    entries = "".join(f"- {{external_id: '{n}', missing: error}}\n" for n in range(3))
    assert desk("plan", "m.yaml", "--format", "json", m=f"contacts:\n{entries}") == 0
    assert [len(refusal["entries"]) for refusal in json.loads(desk.out)["refused"]] == [1, 1, 1]


TWINS = {"tags": [{"name": "keep", "id": "5"}, {"name": "KEEP", "id": "9"}], "contacts": [{"external_id": "25"}]}
ASIDE = "policy: {refused_entries: %s}\ntags: [keep, new]\ncontacts: [{external_id: '25', tags: [new]}]\n"


@pytest.mark.parametrize("policy", ["stop", pytest.param("hold", marks=only_in_soak)])
@pytest.mark.parametrize("scope", [("--target", "tag/new"), ("--target", "contact/25"), ("--exclude", "tag/keep")])
def test_what_is_refused_outside_of_the_scope_is_no_business_of_a_plan(desk: Desk, policy: str, scope: tuple[str, str]) -> None:
    desk.seed(**TWINS)
    assert desk("apply", "m.yaml", *scope, "--auto-approve", m=ASIDE % policy) == 0
    assert tags(desk) == {"keep", "KEEP", "new"}


def test_what_is_refused_and_needed_within_the_scope_refuses_it(desk: Desk) -> None:
    desk.seed(**TWINS)
    text = (ASIDE % "stop").replace("tags: [new]}", "tags: [keep]}")
    assert desk("apply", "m.yaml", "--target", "contact/25", "--auto-approve", m=text) == 3
    assert desk.writes == []
