"""What a home of a ledger is: a database to work in, a lock, and a place for pre-images."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from reconciler.errors import Incomplete


class LockLost(Incomplete):
    """It can no longer be shown that this run holds the lock; no further write may be sent."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How long to wait for a lock, and by which clock."""

    # How long, in seconds.
    timeout: float
    # Waits for so many seconds.
    sleep: Callable[[float], object]
    # Seconds on a clock that is never set.
    monotonic: Callable[[], float]
    # The time of day, in Unix seconds.
    now: Callable[[], float]

    def aloud(self, say: Callable[[str], object]) -> Waiting:
        """The same, for people: `say` is told once that somebody else is waited for, and how long at most."""
        texts = [f"another run holds the lock of the ledger; waiting for it, {self.timeout:g} s at most"]

        def sleep(seconds: float) -> None:
            while texts:
                say(texts.pop())
            self.sleep(seconds)

        return replace(self, sleep=sleep)


class Lock(Protocol):
    """The right to write to one workspace, held until it is released or the holder dies. `taken_over`: a sentence where the last
    holder's time had run out."""

    taken_over: str

    def check(self) -> None:
        """Raises LockLost where it cannot be shown that the lock is still held."""

    def release(self) -> None:
        """Let it go; never raises."""


class Home(Protocol):
    """Where a ledger lives. `place` is what sentences call it; `at_once`: what is written is where the next run looks, else only what was
    published is; `shares_engine`: its engine is that of others too, and whoever shares it closes it."""

    place: str
    at_once: bool
    shares_engine: bool

    @property
    def ground(self) -> Path | None:
        """The folder that it belongs to, with all that is applied from there; None where it belongs to a repository, or is shared."""

    @property
    def is_shared(self) -> bool:
        """Whether several repositories can reach it."""

    def exists(self) -> bool:
        """Whether there is a ledger already."""

    def engine(self, *, create: bool) -> Engine:
        """The database to work in; `create` makes one where there is none. Raises LedgerUnusable."""

    def check_writable(self) -> None:
        """Raises LedgerUnusable where nothing could be written; nothing is."""

    def lock(self, app_id: str, who: str, waiting: Waiting) -> Lock:
        """Wait for the lock of a workspace and take it. Raises Locked, which names the holder, when the time is over.

        What was read before may be old: whoever holds the lock reads again.
        """

    def publish(self) -> None:
        """Make what was written last as far as others can see it."""

    def mark(self, run: str) -> None:
        """Remember, beside what may be restored from a copy, that a run has begun."""

    def remember(self, run: str) -> None:
        """Remember, beside what may be restored from a copy, that this run was the last one there when this machine looked; a machine
        that keeps nothing of ours stays so."""

    def read_mark(self) -> str:
        """The last run that this machine began or saw; empty where it remembers none."""

    def find_traces(self) -> str:
        """What shows that a ledger was there, where there is none; empty where nothing does."""

    def list_imaged_runs(self) -> Collection[str]:
        """The runs of which it holds a pre-image, where that is kept apart from the runs."""

    def put_preimage(self, run: str, preimage: str, stored: float) -> None:
        """Keep what a run is about to destroy, without personal values, and drop what is older than thirty days."""

    def drop_preimages(self, now: float) -> None:
        """Drop what was kept more than thirty days ago."""

    def read_preimage(self, run: str) -> str | None:
        """What was kept for a run, None where nothing is."""

    def close(self) -> None:
        """Let it go."""
