"""A question: what was asked of a kind, in which ways that could be, how many calls each way takes, and which one was taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Way:
    """A way to read what is asked for."""

    # What it is called.
    word: str
    # How many calls it takes; None where nobody knows.
    calls: int | None
    # Whether it may take more.
    least: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked of one kind at once."""

    # The kind.
    kind: str
    # The identity by which it was asked; empty for all of a kind.
    by: str
    # How many things were asked for.
    number: int
    # The ways that there were.
    ways: tuple[Way, ...]
    # The one that was taken.
    taken: str
