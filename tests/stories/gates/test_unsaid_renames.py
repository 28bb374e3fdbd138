"""Renames that nobody declared: while nobody said whether something new is what goes, nobody loses what goes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import changes

APPLY = ("apply", "m.yaml", "--auto-approve")
LINKS = "policy: {links: owned}\n"
OWNED = "policy: {links: owned, prune: {tags: owned, companies: owned}}\n"
HOLD = OWNED.replace("}}\n", "}, refused_entries: hold}\n")
# What the manifest calls `platinum x` looks like this, so that nothing is done with it.
LOOKALIKE = "platinum\u00a0x"


def people(tag: str, number: int = 3, field: str = "tags") -> str:
    return "contacts:\n" + "".join(f"- {{external_id: '{n}', {field}: [{tag}]}}\n" for n in range(number))


def crowd(desk: Desk, number: int = 3) -> None:
    desk.seed(contacts=[{"external_id": str(n)} for n in range(number)])


def live(desk: Desk, kind: str, name: str) -> set[Any]:
    return {doc[name] for doc in desk.box.ws.store.table(kind).docs.values()}


def count_members(desk: Desk, tag: str) -> int:
    tag_id = desk.id("tag", name=tag)
    return sum(tag_id in doc["tags"] for doc in desk.box.ws.store.table("contact").docs.values())


def drop(desk: Desk, tag: str) -> None:
    """Somebody deletes a tag that nobody has."""
    desk.box.ws.store.drop("tag", desk.id("tag", name=tag))


# ---- what is held back or refused
@pytest.mark.parametrize("policy", [OWNED, HOLD])
def test_the_old_tag_is_not_pruned_while_the_new_one_is_held_back(desk: Desk, policy: str) -> None:
    crowd(desk)
    assert desk(*APPLY, m=OWNED + "tags: [gold, keep]\n" + people("gold")) == 0
    desk.seed(tags=[LOOKALIKE])
    assert desk.plan(m=policy + "tags: ['platinum x', keep]\n" + people("'platinum x'")) == 3
    assert desk.gates() == ["rename"]
    assert desk(*APPLY) == (5 if policy == HOLD else 3)
    assert live(desk, "tag", "name") == {"gold", "keep", LOOKALIKE}
    assert count_members(desk, "gold") == 3
    assert "'platinum x' is new and held back, and 'gold'" in desk.err + desk.out
    assert "write `renamed_from: gold` on the new one" in desk.err + desk.out
    assert "`{name: gold, state: absent}`" in desk.err + desk.out
    assert desk(*APPLY, "--approve", desk.word()) == 5
    assert live(desk, "tag", "name") == {"keep", LOOKALIKE}


def test_nobody_loses_the_old_tag_while_the_new_one_is_held_back_and_nothing_is_pruned(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=LINKS + "tags: [gold, keep]\n" + people("gold")) == 0
    desk.seed(tags=[LOOKALIKE])
    assert desk(*APPLY, m=LINKS + "tags: ['platinum x', keep]\n" + people("'platinum x'")) == 5
    assert count_members(desk, "gold") == 3
    assert "those who are to get it keep the old one until then" in desk.out
    drop(desk, LOOKALIKE)
    assert desk(*APPLY) == 0
    assert count_members(desk, "gold") == 0
    assert count_members(desk, "platinum x") == 3


def test_who_is_to_get_nothing_new_loses_the_old_tag_while_the_new_one_is_held_back(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=LINKS + "tags: [gold, keep]\n" + people("gold")) == 0
    desk.seed(tags=[LOOKALIKE])
    rest = "- {external_id: '2', tags: []}\n"
    assert desk(*APPLY, m=LINKS + "tags: ['platinum x', keep]\n" + people("'platinum x'", 2) + rest) == 5
    assert count_members(desk, "gold") == 2


def test_the_old_tag_is_not_pruned_while_the_new_one_is_refused_under_hold(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=OWNED + "tags: [Beta, keep]\n" + people("Beta")) == 0
    desk.seed(tags=["zeta", {"name": "Zeta", "id": "901"}])
    assert desk.plan(m=HOLD + "tags: [zeta, keep]\n" + people("zeta")) == 3
    assert set(desk.gates()) == {"twins", "rename"}
    assert desk(*APPLY) == 5
    assert live(desk, "tag", "name") == {"Beta", "keep", "zeta", "Zeta"}
    assert count_members(desk, "Beta") == 3
    assert "renamed_from: Beta" not in desk.err + desk.out
    assert "write `merged_from: Beta` on the new one" in desk.err + desk.out


def test_nobody_gets_the_new_tag_under_hold_while_the_question_is_open(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=HOLD + "tags: [Beta, keep]\n" + people("Beta")) == 0
    assert desk(*APPLY, m=HOLD + "tags: [Beta-2026, keep, more]\n" + people("Beta-2026")) == 5
    assert live(desk, "tag", "name") == {"Beta", "keep", "more"}
    assert count_members(desk, "Beta") == 3


@pytest.mark.parametrize(("policy", "gates"), [(LINKS, ["attribute"]), (OWNED, ["attribute", "rename"])])
def test_nobody_loses_a_company_while_the_new_one_is_refused_under_hold(desk: Desk, policy: str, gates: list[str]) -> None:
    crowd(desk)
    assert desk(*APPLY, m=policy + "companies: [{company_id: '6'}, {company_id: '7'}]\n" + people("'6'", 3, "companies")) == 0
    wrong = "companies: [{company_id: '9', custom_attributes: {nope: 1}}, {company_id: '7'}]\n" + people("'9'", 3, "companies")
    assert desk.plan(m=policy.replace("links: owned", "links: owned, refused_entries: hold") + wrong) == 3
    assert sorted(desk.gates()) == gates
    assert desk(*APPLY) == 5
    assert live(desk, "company", "company_id") == {"6", "7"}
    assert all(len(doc["companies"]) == 1 for doc in desk.box.ws.store.table("contact").docs.values())


def test_likeness_alone_is_a_note_where_nobody_has_the_old_one_also_while_the_new_one_is_held_back(desk: Desk) -> None:
    assert desk(*APPLY, m=OWNED + "tags: [promo 2026, keep]\n") == 0
    desk.seed(tags=["promo\u00a02027"])
    assert desk.plan(m=OWNED + "tags: [promo 2027, keep]\n") == 2
    assert [change["address"] for change in desk.saved()["changes"]] == ["tag/promo 2026"]
    assert [note["address"] for note in desk.saved()["notes"] if note["topic"] == "renamed"] == ["tag/promo 2027"]


def test_likeness_alone_is_asked_about_where_nobody_can_say_who_has_the_old_one(desk: Desk) -> None:
    assert desk(*APPLY, m=OWNED + "tags: [promo 2026, keep]\n") == 0
    desk.box.tokens["sandbox"] = frozenset({"read_conversations"})
    assert desk.plan(m=OWNED + "tags: [promo 2027, keep]\n") == 3
    assert set(desk.gates()) == {"rename", "unknown"}


def test_a_name_that_the_old_one_had_before_is_asked_about_though_nothing_else_is_alike(desk: Desk) -> None:
    assert desk(*APPLY, m=OWNED + "tags: [gold, keep]\n") == 0
    assert desk(*APPLY, m=OWNED + "tags: [{name: zeta, renamed_from: gold}, keep]\n") == 0
    assert desk.plan(m=OWNED + "tags: [gold, keep]\n") == 2
    (note,) = (note for note in desk.saved()["notes"] if note["topic"] == "renamed")
    assert "tag 'zeta' had that name before" in note["message"]


def test_what_a_file_declares_that_was_not_given_is_not_what_something_new_was_called(desk: Desk) -> None:
    assert desk("apply", "one.yaml", "--auto-approve", one="tags: [promo 2026]\n") == 0
    assert desk("plan", "two.yaml", two="tags: [promo 2027]\n") == 0
    assert "looks like a rename" not in desk.out


def test_what_was_declared_before_it_was_held_back_is_nothing_new(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=OWNED + "tags: [beta one, beta two]\n" + people("beta one")) == 0
    drop(desk, "beta two")
    desk.seed(tags=["beta\u00a0two"])
    assert desk.plan(m=OWNED + "tags: [beta two]\n" + people("beta two")) == 2
    assert "delete" in {change["action"] for change in desk.saved()["changes"]}


# ---- what is live already, and new to us
def give_all(desk: Desk, tag: str) -> None:
    """Somebody gives a tag to everybody."""
    tag_id, store = desk.id("tag", name=tag), desk.box.ws.store
    for doc in list(store.table("contact").in_order()):
        store.put("contact", {**doc, "tags": {tag_id: [0, desk.box.ws.admin()["id"]]}})


def test_a_rename_is_asked_about_where_somebody_made_the_new_tag_by_hand(desk: Desk) -> None:
    crowd(desk, 8)
    assert desk(*APPLY, m=OWNED + "tags: [Beta, keep]\n" + people("Beta")) == 0
    give_all(desk, "Beta")
    desk.seed(tags=["Beta-2026"])
    assert desk.plan(m=OWNED + "tags: [Beta-2026, keep]\n" + people("Beta-2026")) == 3
    assert desk.gates() == ["rename"]
    assert "renamed_from" not in desk.out + desk.err
    assert desk(*APPLY) == 3
    assert "that name is live already" in desk.out + desk.err
    assert "write `merged_from: Beta` on the new one" in desk.out + desk.err
    assert "`{name: Beta, state: absent}`" in desk.out + desk.err
    assert count_members(desk, "Beta") == 8
    assert desk(*APPLY, "--approve", desk.word()) == 0
    assert live(desk, "tag", "name") == {"Beta-2026", "keep"}


def test_a_rename_is_asked_about_where_those_who_have_the_tag_made_by_hand_have_the_old_one(desk: Desk) -> None:
    """Their names have nothing in common."""
    crowd(desk)
    assert desk(*APPLY, m=OWNED + "tags: [gold, keep]\n" + people("gold")) == 0
    desk.seed(tags=["platinum"])
    assert desk.plan(m=OWNED + "tags: [platinum, keep]\n" + people("platinum")) == 3
    assert desk.gates() == ["rename"]


def test_a_tag_that_nobody_has_goes_beside_one_like_it_that_somebody_made_by_hand(desk: Desk) -> None:
    assert desk(*APPLY, m=OWNED + "tags: [promo-2026, keep]\n") == 0
    desk.seed(tags=["promo-2027"])
    assert desk(*APPLY, m=OWNED + "tags: [promo-2027, keep]\n") == 0
    assert live(desk, "tag", "name") == {"promo-2027", "keep"}


def test_of_two_tags_that_are_alike_and_were_declared_together_one_is_pruned_without_a_question(desk: Desk) -> None:
    crowd(desk)
    both = "- {external_id: '9', tags: [Beta-2026], missing: create}\n"
    assert desk(*APPLY, m=OWNED + "tags: [Beta, Beta-2026]\n" + people("Beta") + both) == 0
    assert desk(*APPLY, m=OWNED + "tags: [Beta-2026]\n" + people("Beta-2026") + both) == 0
    assert live(desk, "tag", "name") == {"Beta-2026"}


# ---- what was recorded after the old one had left the manifest
def test_a_rename_is_asked_about_where_a_plan_of_a_part_made_the_new_tag(desk: Desk) -> None:
    crowd(desk, 8)
    assert desk(*APPLY, m=OWNED + "tags: [Beta]\n" + people("Beta")) == 0
    give_all(desk, "Beta")
    assert desk(*APPLY, "--target", "tag/Beta-2026", m=OWNED + "tags: [Beta-2026]\n" + people("Beta-2026")) == 0
    assert desk.plan() == 3
    assert desk.gates() == ["rename"]


def test_a_rename_is_asked_about_where_prune_is_switched_on_later(desk: Desk) -> None:
    crowd(desk)
    assert desk(*APPLY, m=LINKS + "companies: [{company_id: '6', name: Blue Sun}]\n" + people("'6'", 3, "companies")) == 0
    rest = "companies: [{company_id: '006', name: Blue Sun}]\ncontacts: [{external_id: '0', companies: ['006']}]\n"
    for _ in range(2):
        assert desk(*APPLY, m=LINKS + rest) == 0
    assert desk.plan(m=OWNED + rest) == 3
    assert desk.gates() == ["rename"]


def test_a_rename_is_still_asked_about_after_the_rest_was_applied_under_hold(desk: Desk) -> None:
    """Then what somebody made by hand is recorded as found."""
    crowd(desk, 8)
    assert desk(*APPLY, m=HOLD + "tags: [Beta, keep]\n" + people("Beta")) == 0
    give_all(desk, "Beta")
    desk.seed(tags=["Beta-2026"])
    desk.write("m.yaml", HOLD + "tags: [Beta-2026, keep, more]\n" + people("Beta-2026"))
    for _ in range(2):
        assert desk(*APPLY) == 5
        assert count_members(desk, "Beta") == 8


def test_what_was_declared_again_together_with_what_is_like_it_is_pruned_without_a_question(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["keep"], "contacts": [{"external_id": str(n)} for n in range(4)]}, ledger=True)
    later = "- {external_id: '3', tags: [Beta-2026]}\n"
    alone = "tags: [Beta-2026]\n" + people("Beta-2026", 1) + later
    texts = ["tags: [Beta]\n" + people("Beta"), alone, "tags: [Beta, Beta-2026]\n" + people("Beta") + later, alone]
    for number, text in enumerate(texts):
        path = route.manifest(LINKS + text)
        if number == 3:
            # Somebody who is declared nowhere has it too.
            route.box.seed({"contacts": [{"external_id": "8", "tags": ["Beta"]}]})
        route.converge(path)
        route.clock.now += 60
    plan = route.document(route.manifest(OWNED + alone))
    assert changes(plan) == ["delete tag/Beta"]
    assert plan["refused"] == []


def test_what_left_the_manifest_is_recorded_once(desk: Desk) -> None:
    assert desk(*APPLY, m=LINKS + "tags: [Beta, keep]\n") == 0
    assert desk(*APPLY, m=LINKS + "tags: [keep]\n") == 0
    before = desk.records()
    assert desk(*APPLY, m=LINKS + "tags: [keep]\n") == 0
    assert desk.records() == before


def test_what_a_plan_of_a_part_does_not_touch_has_not_left_the_manifest(desk: Desk) -> None:
    assert desk(*APPLY, m=LINKS + "tags: [Beta, keep, {name: new, renamed_from: old}]\n") == 0
    before = desk.records()
    assert desk(*APPLY, "--target", "tag/more", m=LINKS + "tags: [Beta, keep, new, more]\n") == 0
    assert before.items() <= desk.records().items()
    assert not any(record.departure for record in desk.records().values())
