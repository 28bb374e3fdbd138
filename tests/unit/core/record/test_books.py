"""What outcomes say of changes."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.model.change import Action, FieldChange, LinkChange, ThingChange
from reconciler.core.model.live import Live
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.record.books import bind, read_instead
from tests.unit.ledger.changes import HOBAN, MARK, VIP, an_attach

UPDATE = ThingChange(Action.UPDATE, HOBAN, MARK, "c-1", (FieldChange("name", "Wash", "Hoban"),))


def test_a_link_gets_the_ids_that_became_known_and_keeps_those_it_had() -> None:
    link = an_attach()
    assert isinstance(link, LinkChange)
    bound = bind(replace(link, id=None), {HOBAN: "c-9", VIP: "t-9"})
    assert isinstance(bound, LinkChange)
    assert (bound.id, bound.target_id) == ("c-9", "t-1")
    assert bind(UPDATE, {HOBAN: "c-9"}) is UPDATE


def test_what_a_reply_shows_instead_is_its_own_value_or_the_one_before() -> None:
    outcome = Outcome(0, UPDATE, Status.INEFFECTIVE, fields=("name",))
    assert read_instead(outcome, "name", again=False) == ("Wash",)
    shown = replace(outcome, seen=Live("contact", "c-1", "hoban", {"name": "W."}))
    assert read_instead(shown, "name", again=False) == ("W.",)


def test_of_a_link_that_is_not_shown_only_a_second_time_says_more() -> None:
    outcome = Outcome(0, an_attach(), Status.INEFFECTIVE)
    assert [list(read_instead(outcome, "tags", again=again)) for again in (False, True)] == [[], [None]]
