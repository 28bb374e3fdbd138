"""Finding: what a look at the surroundings of a run shows, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How something stands."""

    OK = "ok"
    # Good to know; nothing must be done.
    NOTE = "note"
    # A run would fail, or do something else than expected.
    MEND = "mend"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    # What was looked at, in one word.
    topic: str
    # How grave it is.
    state: State
    # How it stands.
    message: str
    # What to do now; empty where nothing is to be done.
    now: str = ""
