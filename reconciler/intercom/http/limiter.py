"""Intercom's rate limit: a gate that follows the headers of the answers and is shared by all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from random import random
from types import MappingProxyType

from reconciler.errors import IntercomError
from reconciler.intercom.http.gate import WIDEST, Gate

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

# Gives up the lock of a condition until it is notified, or for so many seconds, and says True where the run was stopped.
Rest = Callable[[threading.Condition, float], object]


def rest(turn: threading.Condition, seconds: float) -> None:
    """As long as the world's clock says; nobody stops it."""
    turn.wait(seconds)


class NotAdmitted(IntercomError):
    """The gate stayed closed: for too long, or until the run was stopped."""

    def __init__(self, waited: float, stopped: bool) -> None:
        self.waited, self.stopped = waited, stopped
        super().__init__(waited, stopped)

    def __str__(self) -> str:
        if self.stopped:
            return "stopped while waiting for the rate limit"
        return f"still limited after waiting {self.waited:.0f} s"


class Limiter:
    """Lets threads through a gate. Of those that wait one keeps the time, and whoever goes through wakes the next."""

    def __init__(
        self,
        share: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        rest: Rest = rest,
        rand: Callable[[], float] = random,
        widest: int = WIDEST,
    ) -> None:
        self._gate, self._monotonic, self._rest = Gate(share, rand, widest), monotonic, rest
        self._turn = threading.Condition()
        # Whether one of those that wait keeps the time, and how many calls are held back.
        self._has_keeper, self._waiting = False, 0
        self._progress = monotonic()

    @property
    def limit(self) -> int:
        """Calls in one window, of all apps."""
        return self._gate.limit

    @property
    def cap(self) -> int:
        """Calls of ours in one window."""
        return self._gate.cap

    @property
    def inflight(self) -> int:
        """Calls that are under way."""
        return self._gate.inflight

    def room(self) -> int:
        """How many threads can be of use: one for each call that may be under way, and for each that is held back."""
        return self._gate.width + self._waiting

    def enter(self, patience: float = 300.0) -> None:
        """Wait until one more call may go; `leave` must follow. Raises NotAdmitted when nothing came through for `patience` seconds."""
        with self._turn:
            began = self._monotonic()
            try:
                while not self._gate.admit(now := self._monotonic()):
                    seconds = max(began, self._progress) + patience - now
                    if seconds <= 0:
                        raise NotAdmitted(now - began, stopped=False)
                    if self._wait(min(self._gate.wait(now), seconds)):
                        raise NotAdmitted(now - began, stopped=True)
            finally:
                self._turn.notify()

    def leave(self, status: int | None = None, headers: Mapping[str, str] = NO_HEADERS, took: float = 0.0) -> float:
        """One call is over, after `took` seconds; `status` is None when no answer came. Returns for how many seconds a 429 holds back this
        call alone: `hold` it that long."""
        with self._turn:
            self._turn.notify()
            now = self._monotonic()
            if status is None:
                self._gate.lose()
                return 0.0
            if status != 429:
                self._progress = now
            return self._gate.answer(now, status, headers, took)

    def hold(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Hold one call back, without a place among those under way; what `sleep` says."""
        with self._turn:
            self._waiting += 1
        try:
            return sleep(seconds)
        finally:
            with self._turn:
                self._waiting -= 1

    def _wait(self, seconds: float) -> object:
        """Until somebody wakes this thread, or the time comes; whether the run was stopped."""
        if self._has_keeper:
            self._turn.wait()
            return False
        self._has_keeper = True
        try:
            return self._rest(self._turn, seconds)
        finally:
            self._has_keeper = False
