"""The comparison: desired, live and recorded side by side, with what separates them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.compare.draft import Difference
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import BLANK, Recorded


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a plan is judged by."""

    # The kinds that it is about.
    kinds: Kinds
    # What is declared, with its values typed.
    manifest: Manifest
    # What is live, paired with that.
    live: Snapshot
    # What separates the two.
    difference: Difference
    # What the ledger holds.
    recorded: Recorded = BLANK
    # The approval that lets links go which somebody made anew since they became ours.
    touched: str = ""
    # What is ours and not declared here, as far as anybody looked.
    left: frozenset[Thing] = frozenset()
    # Who carries what goes out of use, by the kind of link, as far as anybody looked and could read it.
    carriers: Mapping[Thing, Mapping[LinkName, frozenset[str]]] = field(default_factory=dict)

    @property
    def refused_entries(self) -> frozenset[Address]:
        """The entries of which something is refused: they are not as declared, whatever is the same."""
        refusals = (*self.live.refusals, *self.difference.refusals)
        return frozenset(entry for refusal in refusals for entry in refusal.entries)


def claims_of(change: Change) -> list[tuple[Address, str, Any]]:
    """What a change asks of Intercom, as (address, path, value): its fields, or the link that is to be there or not."""
    if isinstance(change, LinkChange):
        return [(change.address, f"{change.link.field} {change.target}", change.action.value)]
    return [(change.address, field.path, field.after) for field in change.fields]


def as_declared(comparison: Comparison) -> Mapping[Address, str]:
    """The live ids of all that was found as it is declared, in every field and link."""
    open_ = {change.address for change in comparison.difference.changes} | {address for address, _ in comparison.difference.beside}
    open_ |= comparison.refused_entries
    return {a: i for a, i in comparison.live.pairs.items() if a not in open_ and not comparison.manifest.resources[a].is_gone}


def add_notes(comparison: Comparison, notes: Iterable[Note]) -> Comparison:
    """The comparison with more to know of it."""
    return replace(comparison, difference=replace(comparison.difference, notes=(*comparison.difference.notes, *notes)))
