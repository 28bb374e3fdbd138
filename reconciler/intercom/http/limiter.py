"""Intercom's rate limit: a gate that follows the headers of the answers and is shared by all threads."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from math import ceil
from random import random
from types import MappingProxyType

from reconciler.errors import IntercomError, Usage

# Intercom meters in windows of ten seconds, limit / 6 per window, and documents 10,000 calls a minute for an app
# (developers.intercom.com, "Rate limiting"). Both are per window, in seconds and in calls.
WINDOW = 10.0
DOCUMENTED_LIMIT = 1666
# All times below are seconds. Threads and programs do not begin a window at the same moment: the longest delay.
JITTER = 0.5
# A 429 whose window is over by its own headers: never ask again at once.
FLOOR = 0.25
# How long to wait where an answer may open the gate at any time.
TICK = 0.02
# The part by which a rate that was learned from 429s alone grows again, window by window: a quarter.
GROWTH = 4
# How long a probe may keep its window to itself before another call may try.
LEASE = 2.0
# How far Reset and Date may disagree and still be taken for two clocks that differ.
SKEW = 60.0

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class NotAdmitted(IntercomError):
    """The gate stayed closed: for too long, or until the run was stopped."""

    def __init__(self, waited: float, stopped: bool) -> None:
        self.waited, self.stopped = waited, stopped
        super().__init__(waited, stopped)

    def __str__(self) -> str:
        if self.stopped:
            return "stopped while waiting for the rate limit"
        return f"still limited after waiting {self.waited:.0f} s"


@dataclass(frozen=True, slots=True)
class Window:
    """What one answer says about the window that it was counted in."""

    # Calls that the window takes.
    limit: int
    # Calls that it still takes.
    remaining: int
    # When it ends, in Unix seconds by Intercom's clock.
    reset: int
    # Seconds until it ends, by the answer's own Date.
    lasts: float


def read_window(headers: Mapping[str, str]) -> Window | None:
    """The headers as numbers; None when one is missing or absurd, for then none of them can be trusted."""
    limit, remaining, reset = (whole(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset"))
    if not limit or remaining is None or reset is None or remaining > limit:
        return None
    date = seconds(headers.get("Date"))
    lasts = WINDOW if date is None else reset - date
    if not -SKEW <= lasts <= WINDOW + SKEW:
        return None
    return Window(limit, remaining, reset, min(max(lasts, 0.0), WINDOW))


def whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) else None


def seconds(date: str | None) -> float | None:
    """An HTTP date as Unix seconds."""
    try:
        parts = parsedate_tz(date or "")
        return float(mktime_tz(parts)) if parts else None
    except (ValueError, OverflowError, TypeError):
        return None


class Limiter:
    """Admits a call while the window has room for it and for all that are under way; one call alone tries each new window.

    `share` is the part of each window that may be used. `sleep` says True when the wait was cut short by a stop.
    """

    def __init__(
        self,
        share: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        rand: Callable[[], float] = random,
    ) -> None:
        if not 0 < share <= 1:
            raise Usage("the share of the rate limit must be above 0 and at most 1")
        self.share, self.limit = share, DOCUMENTED_LIMIT
        self._monotonic, self._sleep, self._rand = monotonic, sleep, rand
        self._lock = threading.Lock()
        self._tokens = self._first = self._mine = self._inflight = 0
        # How many calls a window was seen to take where a 429 did not say; None: no such 429 came.
        self._lesson: int | None = None
        self._served, self._refused = 0, False
        self._reset = -1
        self._ends = self._opened = self._jitter = self._probed = self._took = 0.0
        self._over = True
        self._progress = monotonic()

    @property
    def cap(self) -> int:
        """Calls of ours in one window."""
        allowed = max(1, int(self.limit * self.share))
        return allowed if self._lesson is None else min(allowed, self._lesson)

    def enter(self, patience: float = 300.0) -> None:
        """Wait until one more call may go; `leave` must follow. Raises NotAdmitted when nothing came through for `patience` seconds."""
        began = self._monotonic()
        while True:
            with self._lock:
                now = self._monotonic()
                if self._admits(now):
                    return
                left = max(began, self._progress) + patience - now
                wait = self._wait(now)
            if left <= 0:
                raise NotAdmitted(now - began, stopped=False)
            if self._sleep(min(wait, left)):
                raise NotAdmitted(now - began, stopped=True)

    def leave(self, status: int | None = None, headers: Mapping[str, str] = NO_HEADERS, took: float = 0.0) -> None:
        """One call is over, after `took` seconds; `status` is None when no answer came."""
        with self._lock:
            now = self._monotonic()
            self._inflight -= 1
            self._probed = 0.0
            if status is None:
                return
            self._took = took
            said = read_window(headers)
            self._learn(said, now)
            if status == 429:
                self._tokens, self._ends = 0, max(self._ends, now + FLOOR)
                self._refused = self._refused or said is None
            else:
                self._progress = now
                self._served += 1
            self._take_lesson()

    def _take_lesson(self) -> None:
        """A window with a 429 that said nothing of its limit took as many calls as were answered otherwise, and no more."""
        if self._refused and self._served:
            self._lesson = self._served

    def _try_more(self) -> None:
        """A window that was used up without such a 429 shows that the next one may take more: a quarter, so that no volley is refused."""
        if self._lesson is not None and not self._refused and self._mine >= self._lesson:
            more = self._lesson + max(1, self._lesson // GROWTH)
            self._lesson = more if more < self.limit * self.share else None

    def _admits(self, now: float) -> bool:
        self._over = self._over or now >= self._ends + self._jitter
        if self._over:
            admits = now >= self._probed
            self._probed = now + LEASE if admits else self._probed
        else:
            admits = self._tokens > self._inflight + self._others(now) and self._mine < self.cap
        if admits:
            self._inflight += 1
            self._mine += 1
        return admits

    def _others(self, now: float) -> int:
        """Calls that other apps will make while one of ours is under way, by what they made in this window so far."""
        theirs = self._first - self._tokens - (self._mine - self._inflight)
        expected = theirs / max(now - self._opened, 0.2) * self._took
        return ceil(min(max(expected, 0.0), self.limit / 10))

    def _wait(self, now: float) -> float:
        if self._inflight or self._over:
            return TICK  # an answer may open the gate at any time
        return max(self._ends + self._jitter - now, TICK)

    def _learn(self, said: Window | None, now: float) -> None:
        if said is None:
            self._count(now)
            return
        self.limit = said.limit
        turned = said.reset - self._reset
        if self._over or turned >= WINDOW / 2:
            self._open(said.remaining, now + said.lasts, said.reset, now)
        elif turned > -WINDOW / 2:
            self._tokens = min(self._tokens, said.remaining)
            # Date has whole seconds, so each answer overstates the time left by up to one; the least is the nearest.
            self._ends = min(self._ends, now + said.lasts)
        else:
            self._tokens -= 1  # an answer of the window before came late

    def _count(self, now: float) -> None:
        """An answer without usable headers: the last known limit stands."""
        if self._over:
            self._open(self.limit - 1, now + WINDOW, self._reset, now)
        else:
            self._tokens -= 1

    def _open(self, tokens: int, ends: float, reset: int, now: float) -> None:
        self._tokens, self._ends, self._reset = tokens, ends, reset
        self._first, self._opened = tokens + 1, now
        self._try_more()
        self._served, self._refused = 0, False
        self._mine = self._inflight + 1
        self._jitter = self._rand() * JITTER
        self._over = False
