"""What the ledger says of a change after its run."""

from __future__ import annotations

import pytest

from reconciler.core.model.past import Done
from reconciler.core.undo.facts import Effect, judge_effect


@pytest.mark.parametrize(
    ("action", "outcome", "met", "effect"),
    [
        ("create", "applied", False, Effect.DONE),
        ("update", "ineffective", False, Effect.DONE),
        ("create", "applied", True, Effect.MET),
        ("create", "unanswered", False, Effect.LOST),
        ("delete", "failed", False, Effect.NOT),
        # Both take several calls, of which the first may have been done.
        ("update", "failed", False, Effect.LOST),
        ("unarchive", "failed", False, Effect.LOST),
        ("attach", "skipped", False, Effect.NOT),
        ("attach", "not started", False, Effect.NOT),
    ],
)
def test_what_became_of_a_change_is_read_from_its_row(action: str, outcome: str, met: bool, effect: Effect) -> None:
    assert judge_effect(Done(action, "tag/vip", None, outcome, met=met)) is effect
