"""The comparison: desired, live and recorded side by side, with what separates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.compare.diff import Difference
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Snapshot
from reconciler.core.model.recorded import BLANK, Recorded


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a plan is judged by: what is declared, live and remembered, and what separates them."""

    kinds: Sequence[Kind]
    manifest: Manifest
    live: Snapshot
    difference: Difference
    memory: Recorded = BLANK

    @property
    def refused_entries(self) -> frozenset[Address]:
        """The entries of which something is refused: they are not as declared, whatever is the same."""
        refusals = (*self.live.refusals, *self.difference.refusals)
        return frozenset(entry for refusal in refusals for entry in refusal.entries)
