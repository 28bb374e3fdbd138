"""Why a plan may not be applied: a value with the gate that says so, and the entries that it concerns."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.core.address import Address
from reconciler.core.change import Change


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan is refused, or a part of it."""

    # The reason's short name, as `limits.deletes`.
    gate: str
    # What is wrong and what to do now, in one sentence.
    message: str
    # What a person may add to the command line to go on; None where only another plan helps.
    approve: str | None = None
    # The changes that this gate stops, and that an approval lets pass.
    changes: tuple[Change, ...] = ()
    # The entries that this is about: they and what depends on them are refused. Empty: the whole plan is.
    entries: tuple[Address, ...] = ()
    # Whom the plan leaves out, where that is what is refused: an approval is for exactly these.
    left_out: tuple[Address, ...] = ()

    def __str__(self) -> str:
        return f"{self.gate}: {self.message}"

    @property
    def entry_wide(self) -> bool:
        """Whether the rest of the plan could be applied without what this is about."""
        return bool(self.entries)
