"""Drift: how far live moved away from what was applied."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drift:
    """How far live moved away from what was applied, in changes that would put it right; `pending` are those that were never applied,
    `undeclared` things that nobody declares where the policy calls that drift. `recorded`: an apply is known to hold it against."""

    moved: int
    pending: int
    undeclared: int
    recorded: bool
    # Of how many entries nothing can be said, and whether that is so of all of them.
    refused: int = 0
    unproven: int = 0
    blind: bool = False

    @property
    def is_drift(self) -> bool:
        return bool(self.moved or self.undeclared)
