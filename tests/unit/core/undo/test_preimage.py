"""What a run takes away, told from its changes alone."""

from __future__ import annotations

import pytest

from reconciler.core.model.change import LOSING, Action, Change, FieldChange, ThingChange
from reconciler.core.undo.preimage import destroys, list_deletions
from tests.unit.ledger.changes import HOBAN, MARK, VIP, a_change, an_attach


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (a_change(name="Hoban"), False),
        (an_attach(), False),
        (ThingChange(Action.UPDATE, HOBAN, MARK, "c-1", (FieldChange("name", None, "Hoban"),)), False),
        (ThingChange(Action.UPDATE, HOBAN, MARK, "c-1", (FieldChange("name", "", "Hoban"),)), True),
        (ThingChange(Action.UPDATE, HOBAN, MARK, "c-1", (FieldChange("score", 0, None),)), True),
        (ThingChange(Action.RENAME, VIP, MARK, "t-1", (FieldChange("name", "VIP", "vip"),)), True),
        (an_attach(action=Action.DETACH), True),
        (a_change(Action.ARCHIVE, id="c-1"), True),
        (a_change(Action.DELETE, VIP, "t-1"), True),
    ],
)
def test_a_link_a_thing_or_a_value_that_goes_is_lost(change: Change, lost: bool) -> None:
    assert destroys([change]) is lost
    assert destroys([an_attach(), change]) is lost
    assert not destroys([])


def test_only_deletions_take_what_others_carry() -> None:
    changes = [a_change(action, VIP, "t-1") for action in Action if action not in (Action.ATTACH, Action.DETACH)]
    assert [change.action for change in list_deletions([*changes, an_attach(action=Action.DETACH)])] == [Action.DELETE]
    assert {Action.DELETE} < LOSING
