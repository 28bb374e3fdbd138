"""Drift: how far live moved away from what was applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.core.compare.cause import gravest
from reconciler.core.compare.comparison import Comparison, claims_of
from reconciler.core.compare.ignored import HIDDEN, ignore_known
from reconciler.core.compare.trail import Subject, Trail
from reconciler.core.model.change import DRIFTED, Action, Cause, Change, LinkChange, ThingChange
from reconciler.core.model.note import Note

# The topic of notes on what was never applied.
PENDING = "not applied yet"


@dataclass(frozen=True, slots=True)
class Drift:
    """How far live moved away from what was applied."""

    # Changes that would put it right.
    moved: int
    # Changes that were never applied.
    pending: int
    # Things that nobody declares, where the policy calls that drift.
    undeclared: int
    # Whether an apply or an adoption is known to hold it against.
    recorded: bool
    # How many entries were refused, so that nothing can be said of them.
    refused: int = 0
    # Of how many nobody can say what became of what was sent.
    unproven: int = 0
    # Whether nothing can be said of any entry.
    blind: bool = False
    # How many places are drift that the policy knows.
    ignored: int = 0
    # How each change came to be needed.
    trails: Mapping[Subject, Trail] = field(default_factory=dict)

    @property
    def is_drift(self) -> bool:
        return bool(self.moved or self.undeclared)


def keep_drift(comparison: Comparison, now: float) -> Comparison:
    """Only what live moved away from, without what the policy knows, `now` being in Unix seconds."""
    return ignore_known(_keep_moved(comparison), now)


def _keep_moved(comparison: Comparison) -> Comparison:
    """Only what live moved away from: what somebody changed there, of each change the fields that were. What was never applied is noted.

    Where nothing was ever applied or adopted there is nothing to hold live against but the manifest: every difference is unrecorded.
    """
    if not comparison.recorded.has_base:
        changes = tuple(_mark_unrecorded(change) for change in comparison.difference.changes)
        return replace(comparison, difference=replace(comparison.difference, changes=changes))
    moves, notes, beside = list[Change](), list(comparison.difference.notes), set(comparison.difference.beside)
    for change in comparison.difference.changes:
        fields = tuple(field for field in change.fields if field.cause in DRIFTED)
        partly = isinstance(change, ThingChange) and fields and change.action in (Action.UPDATE, Action.RENAME)
        if partly and isinstance(change, ThingChange):
            moves.append(replace(change, fields=fields))
        elif change.cause in DRIFTED:
            moves.append(change)
        if change.cause not in DRIFTED or (partly and fields != change.fields):
            notes.append(_note_pending(change))
            beside.update(claim[:2] for claim in claims_of(change) if claim[1] not in {field.path for field in fields})
    difference = replace(comparison.difference, changes=tuple(moves), notes=tuple(notes), beside=frozenset(beside))
    return replace(comparison, difference=difference)


def _mark_unrecorded(change: Change) -> Change:
    if isinstance(change, LinkChange):
        return replace(change, cause=Cause.UNRECORDED)
    fields = tuple(replace(field, cause=Cause.UNRECORDED) for field in change.fields)
    return replace(change, cause=Cause.UNRECORDED, fields=fields)


def _note_pending(change: Change) -> Note:
    """A note on a change that no apply made yet."""
    pending = [field for field in change.fields if field.cause not in DRIFTED]
    about = f" {change.target}" if change.target else f" {', '.join(field.path for field in pending)}" if pending else ""
    cause = gravest(field.cause for field in pending if field.cause) if pending else change.cause
    return Note(PENDING, f"{change.action}{about} ({cause})", change.address, change.mark)


def is_drift(comparison: Comparison, note: Note) -> bool:
    """Whether a note says of something undeclared, which the policy calls drift."""
    if note.topic != "undeclared" or note.address is None:
        return False
    return comparison.manifest.policy.on_undeclared(comparison.kinds[note.address.kind].section) == "drift"


def measure_drift(comparison: Comparison) -> Drift:
    """How far live moved, as `moved` left it."""
    topics = Counter(note.topic for note in comparison.difference.notes)
    number_undeclared = sum(is_drift(comparison, note) for note in comparison.difference.notes)
    elsewhere = topics["moved"] + sum(note.topic == "moved" for note in comparison.live.notes)
    # Who was applied and is gone for good is no change, and moved all the same.
    has_base = comparison.recorded.has_base
    refused = () if has_base else comparison.refused_entries
    missing = (address for address in comparison.difference.missing if address not in refused)
    number_lost = sum(not has_base or comparison.recorded.at(address) is not None for address in missing)
    return Drift(
        moved=len(comparison.difference.changes) + elsewhere + number_lost,
        pending=topics[PENDING],
        undeclared=number_undeclared,
        recorded=has_base,
        ignored=topics[HIDDEN],
    )
