"""What a refused entry mentions: whatever it means, nothing of that is pruned, and nothing is taken from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.desk.desk import Desk
from tests.desk.soak import cases

OURS = "policy: {links: owned, prune: {tags: owned, companies: owned}%s}\n"
HOLD = OURS % ", refused_entries: hold"
WRONG = "tags: [{id: '99999', name: gold}, keep]\n"


def people(item: str, field: str = "tags") -> str:
    return "contacts:\n" + "".join(f"- {{external_id: '{n}', {field}: [{item}]}}\n" for n in range(3))


def make_ours(desk: Desk, declared: str) -> None:
    """Apply this, so that it is ours."""
    desk.seed(contacts=[{"external_id": str(n)} for n in range(3)])
    assert desk("apply", "m.yaml", "--auto-approve", m=OURS % "" + declared) == 0


def count_carriers(desk: Desk, kind: str, field: str, live_id: str) -> int:
    return sum(live_id in doc[field] for doc in desk.box.ws.store.table(kind).in_order())


def names(desk: Desk, kind: str, field: str) -> set[Any]:
    return {doc[field] for doc in desk.box.ws.store.table(kind).in_order()}


MENTIONING = {
    "by a wrong id": HOLD + WRONG + people("{id: '99999'}"),
    "and nobody else any more": HOLD + WRONG + people("keep"),
    "in another case": HOLD + WRONG.replace("gold", "GOLD") + people("{id: '99999'}"),
    "in a spelling that looks alike": HOLD + WRONG.replace("gold", "'go ld'") + people("{id: '99999'}"),
    "as the name before": HOLD + WRONG.replace("name: gold", "name: new, renamed_from: gold") + people("{id: '99999'}"),
    "beside a tombstone": HOLD + WRONG.replace("[", "[{name: gold, state: absent}, ") + people("{id: '99999'}"),
    "where nothing else may be linked": HOLD.replace("owned,", "exact,", 1) + WRONG + people("{id: '99999'}"),
    "where what is declared rules": HOLD.replace("owned,", "declared,", 1) + WRONG + people("{id: '99999'}"),
    "where all is pruned": HOLD.replace("prune: {tags: owned", "scope: {tags: ['**']}, prune: {tags: all") + WRONG + people("keep"),
}


@pytest.mark.parametrize(
    "text", cases(MENTIONING, "by a wrong id", "in a spelling that looks alike", "as the name before", "where all is pruned")
)
def test_a_tag_that_a_refused_entry_mentions_is_neither_pruned_nor_taken_from_anybody(desk: Desk, text: str) -> None:
    name = "go\u00a0ld" if "go ld" in text else "gold"
    if name != "gold":
        desk.seed(tags=[name])
    make_ours(desk, f"tags: [{name}, keep]\n" + people(name))
    gold = desk.id("tag", name=name)
    if name != "gold":
        assert desk("adopt", f"tag/{name}", "--auto-approve") == 0
    before = desk.records()[f"tag/{gold}"]
    for _ in range(2):
        assert desk("apply", "m.yaml", "--auto-approve", m=text) == 5
    assert (names(desk, "tag", "name"), count_carriers(desk, "contact", "tags", gold)) == ({name, "keep"}, 3)
    after = desk.records()[f"tag/{gold}"]
    assert (after.address, after.owned, after.deleted) == (before.address, True, False)


def test_a_company_that_a_refused_entry_mentions_stays_with_its_people_and_tags(desk: Desk) -> None:
    two = "companies: [{company_id: '6', name: Blue, tags: [gold]}, {company_id: '7'}]\n"
    make_ours(desk, "tags: [gold, keep]\n" + two + people("'6'", "companies"))
    six, gold = desk.id("company", company_id="6"), desk.id("tag", name="gold")
    wrong = "5f0000000000000000000000"
    text = WRONG + two.replace("[gold]", "[keep]").replace("{company_id: '6'", f"{{id: {wrong}, company_id: '6'")
    assert desk("apply", "m.yaml", "--auto-approve", m=HOLD + text + people(f"{{id: {wrong}}}", "companies")) == 5
    assert (names(desk, "company", "company_id"), names(desk, "tag", "name")) == ({"6", "7"}, {"gold", "keep"})
    assert count_carriers(desk, "contact", "companies", six) == 3
    assert count_carriers(desk, "company", "tags", gold) == 1


def test_what_a_refusal_names_as_the_twin_stays(desk: Desk) -> None:
    make_ours(desk, "tags: [gold, silver, keep]\n" + people("gold"))
    silver = desk.id("tag", name="silver")
    text = f"tags: [{{id: '{silver}', name: gold}}, keep]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=HOLD + text + people("gold")) == 5
    assert names(desk, "tag", "name") == {"gold", "silver", "keep"}
    assert count_carriers(desk, "contact", "tags", desk.id("tag", name="gold")) == 3


@pytest.mark.parametrize("live", [["go ld", "GO LD"], ["go\u00a0ld"]], ids=["refused", "held back"])
def test_what_an_entry_was_on_record_stays_under_its_new_name(desk: Desk, live: list[str]) -> None:
    make_ours(desk, "tags: [go ld, keep]\n" + people("keep"))
    gold = desk.id("tag", name="go ld")
    desk.box.ws.store.put("tag", {**(desk.box.ws.store.get("tag", gold) or {}), "name": "other"})
    desk.seed(tags=[{"name": name, "id": f"90{n}"} for n, name in enumerate(live)])
    text = HOLD.replace("prune: {tags: owned", "scope: {tags: ['**']}, prune: {tags: all") + "tags: [go ld, keep]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 5
    assert names(desk, "tag", "name") == {*live, "other", "keep"}


def test_what_is_planned_at_a_refused_entry_itself_is_shown_where_the_whole_plan_is_refused(desk: Desk) -> None:
    make_ours(desk, "tags: [gold]\n" + people("gold"))
    text = "tags: [gold]\ncontacts: [{external_id: '0', tags: [], custom_attributes: {nope: 1}}]\n"
    for policy, planned in ((OURS % "", ["detach", "update"]), (HOLD, [])):
        assert desk.plan(m=policy + text) == 3
        assert sorted(change["action"] for change in desk.saved()["changes"]) == planned


def test_somebody_whom_a_refused_entry_mentions_is_not_archived_for_another_one(desk: Desk) -> None:
    desk.seed(contacts=[{"email": "wash@s.example"}])
    refused = "{external_id: '1', email: wash@s.example, custom_attributes: {colour: red}, state: present}"
    text = f"policy: {{refused_entries: hold}}\ncontacts:\n- {refused}\n- {{email: wash@s.example, state: archived}}\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 5
    assert desk.writes == []


def test_what_a_refused_entry_mentions_is_said_to_go_nowhere(desk: Desk) -> None:
    make_ours(desk, "tags: [gold, keep]\n" + people("gold"))
    for policy in (HOLD, OURS % "", "policy: {links: additive, prune: {tags: never}}\n"):
        desk.write("m.yaml", policy + WRONG.replace("keep]", "keep, golden]") + people("keep"))
        for verb in ("plan", "drift"):
            desk(verb, "m.yaml", "--format", "json")
            report = json.loads(desk.out)
            assert "looks like a rename" not in desk.out
            assert not [c for c in report["changes"] if "tag/gold" in (c["address"], c["target"])]
            (note,) = (note for note in report["notes"] if note["address"] == "tag/gold" and note["topic"] != "undeclared")
            assert "mentions it" in note["message"]
        assert desk("explain", "tag/gold", "m.yaml") == 0
        assert "delete" not in desk.out.partition("the next plan")[2]


def test_what_another_entry_wants_of_it_is_not_called_done(desk: Desk) -> None:
    make_ours(desk, "tags: [gold, keep]\n" + people("gold"))
    gold = desk.id("tag", name="gold")
    for scope in (("--target", "contact/0"), ("--exclude", "tag/id:99999")):
        assert desk("apply", "m.yaml", "--auto-approve", *scope, m=OURS % "" + WRONG + people("keep")) == 5
        assert f"contact/0: detach tag/gold: not now, as the entry at m.yaml:2:8 mentions that tag (id {gold})" in desk.out
        assert desk.plan(*scope) == 2
    assert count_carriers(desk, "contact", "tags", gold) == 3


def test_what_a_refused_entry_mentioned_is_ours_to_prune_as_before_once_nothing_mentions_it(desk: Desk) -> None:
    make_ours(desk, "tags: [gold, keep]\n" + people("gold"))
    assert desk("apply", "m.yaml", "--auto-approve", m=HOLD + WRONG + people("keep")) == 5
    assert desk("plan", "m.yaml", "--detailed-exitcode", m=OURS % "" + "tags: [gold, keep]\n" + people("gold, keep")) == 0
    assert desk("apply", "m.yaml", "--auto-approve", m=OURS % "" + "tags: [keep]\n" + people("keep")) == 0
    assert names(desk, "tag", "name") == {"keep"}


def test_what_an_id_that_is_not_live_may_mean_is_neither_pruned_nor_taken_from_who_is_to_have_that(desk: Desk) -> None:
    make_ours(desk, "tags: [gold, silver, keep]\n" + people("keep").replace("keep", "gold, keep", 1))
    text = HOLD + "tags: [keep, {id: '99999'}]\n" + people("{id: '99999'}").replace("'99999'}", "'99999'}, {tag: keep, state: absent}", 1)
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 5
    assert names(desk, "tag", "name") == {"gold", "silver", "keep"}
    assert [count_carriers(desk, "contact", "tags", desk.id("tag", name=name)) for name in ("gold", "keep")] == [1, 2]
    assert "contact/0: detach tag/gold: not now, as the entry at m.yaml:2:14 may mean that tag by its id, which is not live" in desk.out
    # Once it is known what was meant, the rest goes as before.
    assert desk("apply", "m.yaml", "--auto-approve", m=OURS % "" + "tags: [gold, keep]\n" + people("gold, keep")) == 0
    assert names(desk, "tag", "name") == {"gold", "keep"}


def test_what_an_entry_names_with_which_nothing_is_done_is_not_pruned(desk: Desk) -> None:
    make_ours(desk, "tags: [ash, birch, cedar, elm, one, two, keep]\n" + people("elm").replace("elm", "keep", 2))
    two = desk.id("tag", name="two")
    beside = f"{{name: one, renamed_from: birch}}, {{id: '{two}', name: two, renamed_from: cedar}}"
    tags = f"tags: [keep, {{id: '99999', name: ash, state: absent}}, {beside}]\n"
    text = HOLD + tags + "contacts: [{external_id: '2', tags: [], custom_attributes: {nope: 1}}]\n"
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 5
    assert names(desk, "tag", "name") == {"ash", "birch", "cedar", "elm", "one", "two", "keep"}
    assert desk.out.count("it stays") == 4
    assert desk.out.count("is still live beside it; write that name under `merged_from` instead") == 2
