"""Touched: links that are ours, but that somebody else made again, stay until people agree that they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import NamedTuple

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.since import Attachment, Ends, find_owned_detaches, is_doubted, is_later
from reconciler.core.model.change import Change, LinkChange
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
class Agreement:
    """What people agreed to."""

    # The approvals that count.
    approvals: Sequence[Approval] = ()
    # The changes of a plan that they saw.
    planned: Set[Subject] = frozenset()


def links_to_ask(comparison: Comparison, agreement: Agreement) -> list[LinkChange]:
    """The links that would go because they are ours, as far as nobody has agreed to that yet."""
    app_id = comparison.live.workspace.app_id
    return [
        c for c in find_owned_detaches(comparison.manifest, comparison.difference.changes) if subject_of(c, app_id) not in agreement.planned
    ]


def spare_touched(
    comparison: Comparison,
    links: Sequence[LinkChange],
    attachments: Mapping[Ends, Attachment],
    gap: float,
    agreement: Agreement,
    by: Callable[[str, str], str],
) -> Comparison:
    """The comparison without the links that were made after they were recorded: these stay, and a note names them, until somebody agrees.

    `attachments` say when links were made, where Intercom tells, `gap` when the ledger was seen last to lack runs, `by` says who made a
    link to a kind.
    """
    later = [change for change in links if is_later(comparison.recorded, change, attachments, gap)]
    if not later:
        return comparison
    word = str(Approval(fingerprint(later, comparison.live), count_affected(comparison.kinds, later).number))
    comparison = replace(comparison, touched=word)
    if not list_standing([Refusal("touched since", "", word)], agreement.approvals):
        return comparison
    difference, stays = comparison.difference, frozenset(later)
    notes = [Note("touched since", _explain(change, comparison, attachments, by, word), change.address, change.mark) for change in later]
    beside = {(change.address, f"{change.link.field} {change.target}") for change in later}
    changes = tuple(change for change in difference.changes if change not in stays)
    difference = replace(difference, changes=changes, notes=(*difference.notes, *notes), beside=difference.beside | beside)
    return replace(comparison, difference=difference)


def subject_of(change: Change, app_id: str) -> Subject:
    """A change as a saved plan names it: its action and its ends as they are shown."""
    return Subject(
        change.action.value, show_address(change.address, app_id), show_address(change.target, app_id) if change.target else None
    )


def _explain(
    change: LinkChange, comparison: Comparison, attachments: Mapping[Ends, Attachment], by: Callable[[str, str], str], word: str
) -> str:
    """Why a link stays, and what takes it away."""
    attachment, live = attachments.get((change.id or "", change.target_id or "")), comparison.live
    target = show_address(change.target, live.workspace.app_id)
    link = f"the link to {target} is ours"
    if is_doubted(comparison.recorded, change):
        link = f"the link to {target} was ours in a ledger that lacks what came after"
        why = "nobody can say whether it still is"
    elif attachment:
        verb = "was made, or only attached again," if live.facts.attached_again == "moves" else "was made"
        why = f"{verb}{by(change.target.kind, attachment.by)} at {format_time(attachment.at)}, after it became ours"
    else:
        why = "the ledger lacks runs, so somebody else may have made it since"
    return f"{link}, and {why}: it stays; `--approve {word}` takes it away, and so does the next apply after `reconciler adopt`"
