"""The clock of the tests: time passes when a test moves it, and when somebody sleeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.ledger.homes.home import Waiting

START = 1_790_000_000.0


@dataclass
class Clock:
    """Seconds that nothing but a test and a sleep moves."""

    # In Unix seconds, where a date is made of it.
    now: float = START
    # How long each sleep was.
    sleeps: list[float] = field(default_factory=list)
    # What a sleep answers: whether a stop cut it short.
    is_stopped: bool = False

    def __call__(self) -> float:
        return self.now

    monotonic = __call__

    def sleep(self, seconds: float) -> bool:
        self.sleeps.append(seconds)
        self.now += max(0.0, seconds)
        return self.is_stopped

    def forward(self, seconds: float) -> None:
        self.now += seconds

    @property
    def total(self) -> float:
        """All seconds of all sleeps."""
        return sum(self.sleeps)

    def waiting(self, timeout: float = 0.0) -> Waiting:
        """To wait for a lock by this clock."""
        return Waiting(timeout, self.sleep, self, self)
