"""Touched: links that are ours and that somebody else made anew stay, until people agree that they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.since import Ends, Made, find_owned_detaches, is_later
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import show_address
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.times import format_time
from reconciler.core.plan.gates import Approval, count_affected, fingerprint, list_standing


class Subject(NamedTuple):
    """A change as a saved plan names it."""

    # What is done.
    action: str
    # The thing, or the source of a link, as it is shown.
    address: str
    # The other end of a link; None for a thing.
    target: str | None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What people agreed to."""

    # The approvals that count.
    approvals: Sequence[Approval] = ()
    # The changes of a plan that they saw.
    planned: Set[Subject] = frozenset()


def links_to_ask(comparison: Comparison, agreed: Agreed) -> list[LinkChange]:
    """The links that would go because they are ours, of which nobody agreed yet that they go."""
    app_id = comparison.live.workspace.app_id
    return [
        c for c in find_owned_detaches(comparison.manifest, comparison.difference.changes) if subject_of(c, app_id) not in agreed.planned
    ]


def spare_touched(
    comparison: Comparison, asked: Sequence[LinkChange], made: Mapping[Ends, Made], gap: bool, agreed: Agreed, by: Callable[[str, str], str]
) -> Comparison:
    """The comparison without the links that were made after they were recorded: these stay, and are told, until somebody agrees.

    `made` is when links were made, as far as Intercom says, `gap` whether the ledger lacks runs, `by` says who made a link to a kind.
    """
    later = [change for change in asked if is_later(comparison.recorded, change, made, gap)]
    if not later:
        return comparison
    word = str(Approval(fingerprint(later, comparison.live), count_affected(comparison.kinds, later).number))
    comparison = replace(comparison, touched=word)
    if not list_standing([Refusal("touched since", "", word)], agreed.approvals):
        return comparison
    difference, stays = comparison.difference, frozenset(later)
    notes = [Note("touched since", _explain(change, comparison.live, made, by, word), change.address, change.mark) for change in later]
    beside = {(change.address, f"{change.link.field} {change.target}") for change in later}
    kept = tuple(change for change in difference.changes if change not in stays)
    difference = replace(difference, changes=kept, notes=(*difference.notes, *notes), beside=difference.beside | beside)
    return replace(comparison, difference=difference)


def subject_of(change: Change, app_id: str) -> Subject:
    """A change as a saved plan names it: its action and its ends as they are shown."""
    return Subject(
        change.action.value, show_address(change.address, app_id), show_address(change.target, app_id) if change.target else None
    )


def _explain(change: LinkChange, live: Snapshot, made: Mapping[Ends, Made], by: Callable[[str, str], str], word: str) -> str:
    """Why a link stays, and what takes it away."""
    making = made.get((change.id or "", change.target_id or ""))
    link = f"the link to {show_address(change.target, live.workspace.app_id)} is ours"
    if making:
        happened = "was made, or only attached again," if live.facts.attached_again == "moves" else "was made"
        why = f"{happened}{by(change.target.kind, making.who)} at {format_time(making.at)}, after it became ours"
    else:
        why = "the ledger lacks runs, so somebody else may have made it since"
    return f"{link}, and {why}: it stays; `--approve {word}` takes it away, and so does the next apply after `reconciler adopt`"
