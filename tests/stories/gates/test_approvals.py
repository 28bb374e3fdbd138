"""Gates in the hands of people: what a deletion would touch, the approval that lets exactly it pass, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.desk.desk import Desk

MANY = {
    "tags": ["vip", "promo"],
    "contacts": [{"external_id": f"p{n:03}", "tags": ["promo"]} for n in range(600)],
    "conversations": [{"tags": ["promo"], "count": 50}],
    "content": [{"tags": ["promo"], "count": 4}],
}
GONE = "workspace: {app_id: sandbox1}\ntags: [vip, {name: promo, state: absent}]\n"


@pytest.fixture
def many(desk: Desk) -> Desk:
    desk.seed(**MANY)
    return desk


def more(desk: Desk, number: int) -> None:
    """So many more people carry the tag."""
    desk.seed(contacts=[{"external_id": f"q{n:03}", "tags": ["promo"]} for n in range(number)])


def test_the_plan_says_whom_a_deletion_touches_and_where(many: Desk) -> None:
    assert many.plan("--report", "markdown=plan.md", m=GONE) == 3
    assert "tag/promo (600 people)" in many.out
    assert "in use: 600 contacts, at least 0 companies, 50 conversations, 4 content items, tickets, workflows" in many.out
    assert "600 people" in (many.folder / "plan.md").read_text(encoding="utf-8")
    [change] = many.saved()["changes"]
    assert change["people"] == 600
    assert change["uses"] == {"contacts": 600, "companies": 0, "conversations": 50, "content items": 4}
    assert many.gates() == ["limits.people"]
    assert many.word().endswith(":600")


def test_it_is_refused_until_it_is_approved(many: Desk) -> None:
    many.plan(m=GONE)
    word = many.word()
    assert many("apply", "plan.json") == 3
    assert f"--approve {word}" in many.err
    assert many.writes == []
    assert many("apply", "plan.json", "--approve", word) == 0
    assert [path.rpartition("/")[0] for path in many.written()] == ["DELETE /tags"]
    assert many.plan(m=GONE) == 0


def test_plan_and_an_unasked_apply_take_it_too(many: Desk) -> None:
    many.plan(m=GONE)
    word = many.word()
    assert many.plan("--approve", word) == 2
    assert "would be refused, and is approved" in many.out
    assert many("apply", "plan.json") == 3, "an approval is given to the run that writes"
    assert many("apply", "plan.json", "--approve", word) == 0


def test_an_approval_of_the_plan_before_lets_no_other_one_pass(many: Desk) -> None:
    many.plan(m=GONE)
    word = many.word()
    many.plan(m="workspace: {app_id: sandbox1}\ntags: [{name: vip, state: absent}, {name: promo, state: absent}]\n")
    assert many.word() != word
    assert many("apply", "plan.json", "--approve", word) == 3
    assert many("apply", "m.yaml", "--auto-approve", "--approve", word) == 3
    assert many.writes == []


def test_an_approval_is_for_one_workspace(many: Desk) -> None:
    many.plan(m="tags: [vip, {name: promo, state: absent}]\n")
    word = many.word()
    many.seed(app={"id_code": "other1"})
    many.box.ws.prepare()
    many.plan()
    assert many.word() != word


def test_an_approval_is_for_one_id(many: Desk) -> None:
    """The tag was deleted and made again by somebody: it is another tag, of which nobody approved the deletion."""
    many.plan(m=GONE)
    word = many.word()
    (tag,) = (tag for tag in many.box.ws.store.table("tag").in_order() if tag["name"] == "promo")
    many.box.ws.store.drop("tag", tag["id"])
    many.seed(tags=["promo"], contacts=[{"external_id": f"p{n:03}", "tags": ["promo"]} for n in range(600)])
    many.plan()
    assert many.word() != word
    assert many.plan("--approve", word) == 3


@pytest.mark.parametrize(("number", "code"), [(30, 0), (31, 3)])
def test_five_percent_more_people_than_approved_pass_and_one_more_does_not(number: int, code: int, many: Desk) -> None:
    many.plan(m=GONE)
    word = many.word()
    more(many, number)
    assert many("apply", "plan.json", "--approve", word) == code
    assert len(many.writes) == (1 if code == 0 else 0)
    assert f":{600 + number}" in many.err or code == 0


@pytest.mark.parametrize(("number", "code"), [(30, 0), (31, 3)])
def test_a_plan_that_was_approved_when_it_was_made_is_held_to_the_same_five_percent(number: int, code: int, many: Desk) -> None:
    many.plan(m=GONE)
    word = many.word()
    assert many.plan("--approve", word) == 2
    more(many, number)
    assert many("apply", "plan.json", "--approve", word) == code


@pytest.mark.parametrize("lacks", ["read_conversations", "read_content"])
def test_what_the_token_may_not_read_is_unknown_and_needs_the_approval(lacks: str, desk: Desk) -> None:
    desk.seed(tags=["vip", "promo"])
    where = {"read_conversations": "conversations", "read_content": "content items"}[lacks]
    desk.box.tokens["sandbox"] = frozenset({lacks})
    assert desk.plan(m=GONE) == 3
    assert f"{where}: unknown" in desk.out
    assert desk.gates() == ["unknown"]
    assert desk.saved()["changes"][0]["uses"][where] is None
    assert desk("apply", "plan.json") == 3
    assert desk.writes == []
    assert desk("apply", "plan.json", "--approve", desk.word()) == 0
    assert len(desk.writes) == 1


def test_content_is_counted_under_older_versions_of_the_api_too(many: Desk) -> None:
    """GET /content/search is new in 2.16."""
    assert many.plan("--api-version", "2.15", m=GONE) == 3
    assert many.saved()["changes"][0]["uses"]["content items"] == 4
    assert many.gates() == ["limits.people"]


def test_a_number_of_people_that_was_unknown_when_it_was_approved_is_not_any_number(many: Desk) -> None:
    fault = many.box.faults.add("POST", "^/contacts/search$", status=400, code="parameter_invalid", times=1)
    many.plan(m=GONE)
    assert fault.hits == 1
    assert many.gates() == ["unknown"]
    assert many.word().endswith(":0")
    assert many("apply", "plan.json", "--approve", many.word()) == 3
    assert many.writes == []


def test_the_word_covers_all_that_is_refused_together(many: Desk) -> None:
    text = "policy: {limits: {deletes: 0, attaches: 0}}\ntags: [vip, {name: promo, state: absent}]\n"
    text += "contacts: [{external_id: p000, tags: [vip]}]\n"
    many.plan(m=text)
    assert many.gates() == ["limits.attaches", "limits.deletes", "limits.people"]
    assert many("apply", "plan.json", "--approve", many.word()) == 0
    assert len(many.writes) == 2


def test_what_no_approval_lifts_has_none(desk: Desk) -> None:
    desk.seed(tags=["vip", "promo"])
    text = "workspace: {app_id: other}\ntags: [vip, {name: promo, state: absent}]\ncontacts: [{external_id: x, missing: error}]\n"
    desk.plan(m=text)
    assert {refusal["approve"] for refusal in desk.saved()["refused"]} == {None}
    assert "--approve" not in desk.out


# ---- the policy of the base branch


LOOSE = "policy: {limits: {deletes: 5, people: 9999}}\n"
BASE = "policy: {limits: {deletes: 0}}\n"


def test_a_change_that_raises_the_limits_and_deletes_in_one_go_is_refused(many: Desk) -> None:
    many.write("base.yaml", BASE)
    assert many.plan("--policy", "base.yaml", m=LOOSE + GONE) == 3
    assert many.gates()[0] == "policy"
    assert "limits.deletes: 5 (allowed: 0)" in many.out
    assert "limits.people: 9999 (allowed: 500)" in many.out
    assert {"limits.deletes", "limits.people"} <= set(many.gates())
    # With all its approvals it is still refused: a policy is changed in a change of its own.
    for command in (("apply", "plan.json"), ("apply", "m.yaml", "--auto-approve")):
        assert many(*command, "--policy", "base.yaml", "--approve", many.word()) == 3
    assert many.writes == []


def test_a_policy_file_that_refuses_former_names_is_not_loosened(desk: Desk) -> None:
    text = "policy: {former_names: accept}\ntags: [{name: b, renamed_from: a}]\n"
    desk.write("base.yaml", "policy: {links: owned}\n")
    assert desk.plan("--policy", "base.yaml", m=text) == 3
    assert "former_names: accept (allowed: refuse)" in desk.out
    desk.write("base.yaml", "policy: {former_names: accept}\n")
    assert desk.plan("--policy", "base.yaml", m=text) == 2


def test_what_is_stricter_than_the_policy_file_counts_and_is_the_first_line(desk: Desk) -> None:
    desk.seed(tags=["promo"])
    desk.write("base.yaml", "policy: {limits: {deletes: 7}}\n")
    assert desk.plan("--policy", "base.yaml", m="policy: {limits: {deletes: 0}}\n" + GONE) == 3
    assert desk.gates() == ["limits.deletes"]
    lines = [line for line in desk.out.splitlines() if line]
    assert "policy" in lines[1]
    assert "limits.deletes: 7 -> 0" in lines[2]


@pytest.mark.parametrize(
    ("base", "here"),
    [
        ("{limits: {people: 10}}", "{limits: {people: 10%}}"),
        ("{limits: {people: 10%}}", "{limits: {people: 10}}"),
        ("{limits: {people: 10%}}", "{limits: {people: 11%}}"),
        ("{links: additive}", "{links: declared}"),
        ("{links: declared}", "{links: exact}"),
        ("{missing_contacts: error}", "{missing_contacts: skip}"),
        ("{missing_contacts: skip}", "{missing_contacts: create}"),
        ("{undeclared_tags: report}", "{undeclared_tags: ignore}"),
    ],
)
def test_looser_is_refused_and_the_way_back_is_not(base: str, here: str, desk: Desk) -> None:
    desk.write("base.yaml", f"policy: {base}\n")
    assert desk.plan("--policy", "base.yaml", m=f"policy: {here}\ntags: []\n") == 3
    assert desk.gates() == ["policy"]
    desk.write("base.yaml", f"policy: {here}\n")
    turned = "limits" in base and base.count("%") + here.count("%") == 1
    assert desk.plan("--policy", "base.yaml", m=f"policy: {base}\ntags: []\n") == (3 if turned else 0)


def entry(word: str, expires: str = "2100-01-01") -> Mapping[str, Any]:
    digest, _, people = word.partition(":")
    return {"hash": digest, "people": int(people), "reason": "It ended", "by": "Inara Serra", "expires": expires}


@pytest.mark.parametrize(("expires", "code"), [("2100-01-01", 0), ("2020-01-01", 3)])
def test_an_approval_in_the_policy_file_counts_until_it_expires(expires: str, code: int, many: Desk) -> None:
    many.write("base.yaml", "policy: {}\n")
    many.plan("--policy", "base.yaml", m=GONE)
    many.write("base.yaml", {"policy": {}, "approvals": [entry(many.word(), expires)]})
    assert many("apply", "plan.json", "--policy", "base.yaml") == code
    assert len(many.writes) == (1 if code == 0 else 0)


def test_an_approval_in_the_manifest_counts_only_without_a_policy_file(many: Desk) -> None:
    import yaml

    many.write("base.yaml", "policy: {}\n")
    many.plan(m=GONE)
    approved = {**yaml.safe_load(GONE), "approvals": [entry(many.word())]}
    assert many.plan("--policy", "base.yaml", m=approved) == 3
    assert many("apply", "plan.json", "--policy", "base.yaml") == 3
    assert many.writes == []
    assert many.plan() == 2
    assert many("apply", "plan.json") == 0


def test_an_approval_of_fewer_people_than_there_are_does_not_count(many: Desk) -> None:
    many.plan(m=GONE)
    # Of one thing that goes the number is no estimate, though nobody knows who they are.
    assert "up to" not in many.out
    digest = many.word().partition(":")[0]
    assert many.plan("--approve", f"{digest}:500") == 3
    assert many.plan("--approve", f"{digest}:572") == 2


@pytest.mark.parametrize("word", ["", "1a2b3c4d5e6f", *(f"1a2b3c4d5e6f:{n}" for n in ("", "-1", "1.5", "٣")), "1A2B3C4D5E6F:1"])
def test_a_malformed_approval_is_wrong_usage(word: str, desk: Desk) -> None:
    assert desk.plan("--approve", word, m=GONE) == 64
    assert desk.box.requests == []


# ---- protect


@pytest.mark.parametrize("state", ["absent", "archived"])
def test_what_is_protected_is_not_lost_whatever_is_approved(state: str, desk: Desk) -> None:
    desk.seed(tags=["promo"], contacts=[{"external_id": "25"}])
    limits = "policy: {limits: {contact_deletes: 9}}\n"
    text = limits + f"contacts: [{{external_id: '25', state: {state}, protect: true}}]\n"
    assert desk.plan(m=text) == 3
    assert desk.gates() == ["protect"]
    assert desk("apply", "plan.json") == 3
    assert desk.writes == []
    assert desk.plan(m=text.replace(", protect: true", "")) == 2


# ---- numbers


GONE_LINK = "{tag: vip, state: absent}"


def people(number: int) -> Mapping[str, Any]:
    return {"tags": ["vip"], "contacts": [{"external_id": f"p{n:02}", "tags": ["vip"]} for n in range(number)]}


def detaching(live: int, number: int, limits: str) -> str:
    """All are declared; so many of them lose the tag."""
    entries = "".join(f"  - {{external_id: p{n:02}, tags: [{GONE_LINK if n < number else 'vip'}]}}\n" for n in range(live))
    return f"policy: {{limits: {{{limits}}}}}\ntags: [vip]\ncontacts:\n{entries}"


@pytest.mark.parametrize(
    ("live", "losing", "limits", "gates"),
    [
        (9, 9, "people: 20%", []),
        (10, 2, "people: 20%", []),
        (10, 3, "people: 20%", ["limits.people"]),
        (10, 3, "people: 2", ["limits.people"]),
        (9, 3, "people: 2", ["limits.people"]),
        (10, 3, "detaches: 20%", ["limits.detaches"]),
        (9, 9, "detaches: 20%", []),
        (20, 3, "people: 0%", ["limits.people"]),
        (20, 20, "people: 100%", []),
    ],
)
def test_a_percentage_counts_from_ten_up_and_a_number_always(live: int, losing: int, limits: str, gates: list[str], desk: Desk) -> None:
    desk.seed(**people(live))
    assert desk.plan(m=detaching(live, losing, limits)) == (3 if gates else 2)
    assert desk.gates() == gates


def test_a_percentage_is_of_all_contacts_live_not_of_those_declared(desk: Desk) -> None:
    desk.seed(**people(30))
    assert desk.plan(m=detaching(10, 5, "people: 20%")) == 2
    assert desk.plan(m=detaching(10, 7, "people: 20%")) == 3
    assert "of 30" in desk.out


def test_calls_are_counted_listed_and_capped(desk: Desk) -> None:
    desk.seed(tags=["vip"], contacts=[{"external_id": "25"}, {"email": "wash@serenity.example"}])
    text = "tags: [vip, new]\ncontacts: [{external_id: '25', tags: [vip, new]}, {email: wash@serenity.example, name: Hoban, tags: [new]}]\n"
    assert desk.plan("--calls", "--report", "json=calls.json", m=text) == 2
    listed = desk.saved("calls.json")["calls"]
    assert len(listed) == desk.saved()["cost"]["calls"] == sum(desk.saved()["cost"]["routes"].values())
    assert not any("wash@" in call or "Hoban" in call for call in listed)
    assert desk.plan("--max-calls", str(len(listed))) == 2
    assert desk.plan("--max-calls", str(len(listed) - 1)) == 3
    assert desk.gates() == ["max-calls"]
    assert desk("apply", "plan.json", "--max-calls", str(len(listed))) == 3, "the plan itself was refused"
    assert desk.plan() == 2
    assert desk("apply", "plan.json", "--max-calls", str(len(listed) - 1)) == 3
    assert desk.written() == []
    assert desk("apply", "plan.json", "--max-calls", str(len(listed))) == 0
    assert f"Calls: {len(listed)} planned, {len(listed)} made." in desk.out


def test_the_calls_are_shown_as_text_too(desk: Desk) -> None:
    assert desk("plan", "m.yaml", "--calls", m="tags: [vip]\n") == 0
    assert "POST /tags" in desk.out


# ---- an approval that does not count says so


def _approval(word: str, people: int, expires: str) -> str:
    return f"approvals: [{{hash: '{word.partition(':')[0]}', people: {people}, reason: over, by: Inara, expires: {expires}}}]\n"


@pytest.mark.parametrize(
    ("people", "expires", "why"),
    [
        (600, "2026-01-01", "the approval by Inara expired at 2026-01-01T00:00:00Z"),
        (500, "2999-12-31", "the approval by Inara covers 500 people, and this touches 600"),
    ],
)
def test_an_approval_of_these_changes_that_does_not_count_says_why(people: int, expires: str, why: str, many: Desk) -> None:
    assert many.plan(m=GONE) == 3
    committed = _approval(many.word(), people, expires)
    assert many.plan(m=GONE + committed) == 3
    assert many.out.count(why) == 1
    # The saved plan says it once more, and no more than once.
    assert many("apply", "plan.json") == 3
    assert many.err.count(why) == 1
    assert many("apply", "m.yaml", "--auto-approve") == 3
    assert many.err.count(why) == 1
    assert many.writes == []


def test_an_approval_of_fewer_people_on_the_command_line_says_so(many: Desk) -> None:
    many.plan(m=GONE)
    short = many.word().replace(":600", ":500")
    for command in (("plan", "m.yaml"), ("apply", "plan.json"), ("apply", "m.yaml", "--auto-approve")):
        many(*command, "--approve", short)
        assert f"--approve {short} covers fewer people than the 600 that this touches" in many.out + many.err
    assert many.writes == []


def test_an_approval_of_the_manifest_under_a_policy_file_says_where_it_would_count(many: Desk) -> None:
    many.plan(m=GONE)
    many.write("base.yaml", "policy: {links: owned}\n")
    assert many.plan("--policy", "base.yaml", m=GONE + _approval(many.word(), 600, "2999-12-31")) == 3
    assert "stands in the manifest, and under --policy only those of that file count" in many.out


OTHER = "0123456789ab:600"
UNUSED = f"--approve {OTHER} is for nothing that this plan is refused for"


@pytest.mark.parametrize(("text", "code"), [(GONE, 3), ("tags: [vip, promo, new]\n", 0)], ids=["refused", "not refused"])
def test_an_approval_of_other_changes_that_is_given_is_told_once(text: str, code: int, many: Desk) -> None:
    assert many("plan", "m.yaml", "-o", "plan.json", "--approve", OTHER, m=text) == 0
    assert many.out.count(UNUSED) == 1
    assert many("apply", "plan.json", "--approve", OTHER) == code
    assert many.err.count(UNUSED) == 1
    assert many("apply", "m.yaml", "--auto-approve", "--approve", OTHER) == code
    assert (many.out + many.err).count(UNUSED) == 1


def test_an_approval_that_is_given_again_once_all_is_done_is_not_told(many: Desk) -> None:
    many.plan(m=GONE)
    for _ in range(2):
        assert many("apply", "plan.json", "--approve", many.word()) == 0
        assert "is for nothing" not in many.out + many.err


def test_an_undo_tells_it_too(many: Desk) -> None:
    assert many("apply", "m.yaml", "--auto-approve", m="tags: [vip, promo, new]\n") == 0
    assert many("undo", "last", "-o", "undo.json", "--approve", OTHER) == 0
    assert many.out.count(UNUSED) == 1
    assert many("apply", "undo.json", "--approve", OTHER) == 0
    assert many.err.count(UNUSED) == 1


def test_an_approval_of_other_changes_that_is_committed_says_nothing(many: Desk) -> None:
    assert many.plan(m=GONE + _approval("0123456789ab:600", 600, "2026-01-01")) == 3
    assert "Inara" not in many.out
    assert "is for nothing" not in many.out


@pytest.mark.parametrize(
    ("more", "said"), [("", "limits.people: 30 people lose"), (", {name: b, state: absent}", "limits.people: up to 60 people lose")]
)
def test_people_who_may_be_counted_twice_are_said_to_be_at_most_so_many(more: str, said: str, desk: Desk) -> None:
    desk.seed(tags=["a", "b"], contacts=[{"external_id": f"p{n}", "tags": ["a", "b"]} for n in range(30)])
    assert desk("plan", "m.yaml", m=f"policy: {{limits: {{people: 1}}}}\ntags: [{{name: a, state: absent}}{more}]\n") == 0
    assert said in desk.out
    assert f"\nPeople: {'up to 60' if more else '30'} lose a tag" in desk.out
