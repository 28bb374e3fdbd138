"""The gate before the rate limit: what the answers say, and so whether one more call may go. It has no clock and no thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from random import random

from reconciler.errors import Usage
from reconciler.intercom.http.window import DOCUMENTED_LIMIT, WINDOW, Window, read_window

# Threads and programs do not begin a window at the same moment: the longest delay, as a part of the window.
JITTER = 0.05
# Times are in seconds. The shortest wait after a 429. Where it does not say when its window ends, each such wait is twice the one before.
FLOOR = 0.25
# The part by which a rate that was learned from 429s alone grows again, window by window: a quarter.
GROWTH = 4
# How long a probe may keep its window to itself before another call may try.
LEASE = 2.0
# How many calls are under way by Little's law: the rate times the time that a call takes, so much more that a late answer holds up nobody,
# and a few for calls of no time.
HEADROOM, SPARE = 1.5, 4
# The most calls under way.
WIDEST = 128
# The weight of one more answer in the mean of the times that calls take.
WEIGHT = 1 / 8
# What one good answer gives back of the width that refusals took, and what they leave of it at least.
REGAIN, LEAST = 1 / 32, 1 / 64
# A window whose end was seen to differ from the last one's by less than this was not measured: two clocks did.
SHORTEST = 2.0
# So many 429s in a row are believed, though all other answers say that there is room.
BELIEVED = 3


class Gate:
    """Admits a call while the window has room for it and for all that are under way, and while few enough are; one call alone tries each
    new window. `now` is the time in seconds, on a clock that is never set.

    A 429 that all other answers of its window contradict holds back its own call, and halves the width. The third in a row closes the
    gate, as does each one that nothing contradicts.
    """

    def __init__(self, share: float = 1.0, rand: Callable[[], float] = random, widest: int = WIDEST) -> None:
        if not 0 < share <= 1:
            raise Usage("the share of the rate limit must be above 0 and at most 1")
        self.share, self.limit = share, DOCUMENTED_LIMIT
        self._rand, self._widest = rand, widest
        self.inflight = 0
        self._tokens = self._first = self._mine = 0
        # How many calls a window was seen to take where a 429 did not say; None: no such 429 came.
        self._lesson: int | None = None
        # Good answers of this window, whether one of them said what is left, and whether a 429 did not.
        self._answers, self._says_room, self._has_refusal = 0, False, False
        self._reset, self._length = -1, WINDOW
        self._ends = self._began = self._jitter = self._free_from = 0.0
        self._over, self._is_closed = True, False
        # The mean of the times that calls take, before any: None.
        self._took: float | None = None
        # The part of the width that refusals left, how many were contradicted in a row, and the next wait after one that says no end.
        self._part, self._odd, self._pause = 1.0, 0, FLOOR

    @property
    def cap(self) -> int:
        """Calls of ours in one window."""
        most = max(1, int(self.limit * self.share))
        return most if self._lesson is None else min(most, self._lesson)

    @property
    def width(self) -> int:
        """How many calls may be under way: what keeps the window full at the time that calls take, and little more."""
        full = HEADROOM * self.cap / self._length * (self._took or 0.0) + SPARE
        return max(1, min(self._widest, int(full * self._part)))

    def admit(self, now: float) -> bool:
        """Whether one more call goes now; `answer` or `lose` must follow then."""
        if not self._over and now >= self._ends + self._jitter:
            self._over, self._is_closed = True, False
        if self._over:
            admits = now >= self._free_from
            self._free_from = now + LEASE if admits else self._free_from
        else:
            # Calls that were under way when the window began count as ours, and may be of the one before.
            ours = self._mine < self.cap or self.cap == self.limit
            admits = ours and self._tokens > self.inflight + self._others(now) and self.inflight < self.width
        if admits:
            self.inflight += 1
            self._mine += 1
        return admits

    def wait(self, now: float) -> float:
        """Seconds until one more call may go though no answer comes."""
        return max((self._free_from if self._over else self._ends + self._jitter) - now, 0.001)

    def lose(self) -> None:
        """A call is over, and no answer came."""
        self.inflight -= 1
        self._free_from = 0.0

    def answer(self, now: float, status: int, headers: Mapping[str, str], took: float) -> float:
        """A call was answered after `took` seconds. The answer is for how many seconds this one is held back before it is tried again."""
        self.lose()
        window = read_window(headers)
        if status == 429:
            return self._refuse(window, now)
        self._took = took if self._took is None else self._took + (took - self._took) * WEIGHT
        self._learn(window, now)
        self._answers += 1
        self._says_room = self._says_room or window is not None
        self._odd, self._part = 0, min(1.0, self._part + REGAIN)
        self._take_lesson()
        return 0.0

    def _refuse(self, window: Window | None, now: float) -> float:
        lasts = max(window.lasts, FLOOR) if window else FLOOR * 2**self._odd
        if self._is_late(window):
            return FLOOR
        if self._is_contradicted(window):
            self._odd += 1
            self._part = max(self._part / 2, LEAST)
            if self._odd < BELIEVED:
                return lasts
        self._close(window, now)
        return 0.0

    def _is_contradicted(self, window: Window | None) -> bool:
        """Whether the other answers of its window leave a 429 no reason: there is room for more than a tenth, and than are under way."""
        same = window is None or not self._is_next(window)
        return not self._over and self._says_room and same and self._tokens > max(self.limit / 10, self.inflight)

    def _is_next(self, window: Window) -> bool:
        return window.reset - self._reset >= max(self._length / 2, SHORTEST)

    def _is_late(self, window: Window | None) -> bool:
        """Whether an answer is of the window before."""
        return window is not None and not self._over and self._reset - window.reset >= max(self._length / 2, SHORTEST)

    def _close(self, window: Window | None, now: float) -> None:
        """Let nobody through until the window of a 429 is over."""
        if self._is_closed and window is None:
            return  # it was sent before the gate was closed
        if window is None:
            self._has_refusal = self._has_refusal or not self._over
            lasts, self._pause = self._pause, min(self._pause * 2, WINDOW)
        else:
            self.limit = window.limit
            lasts = max(window.lasts, FLOOR)
            if not (self._over or self._is_next(window)):
                lasts = max(min(lasts, self._ends - now), FLOOR)
        self._ends, self._tokens, self._odd = now + lasts, 0, 0
        self._over, self._is_closed = False, True
        self._take_lesson()

    def _take_lesson(self) -> None:
        """A window with a 429 that said nothing of its limit took as many calls as were answered otherwise, and no more."""
        if self._has_refusal and self._answers:
            self._lesson = self._answers

    def _try_more(self) -> None:
        """A window that was used up without such a 429 shows that the next one may take more: a quarter, so that no volley is refused."""
        if self._has_refusal:
            return
        self._pause = max(self._pause / 2, FLOOR)
        if self._lesson is not None and self._mine >= self._lesson:
            more = self._lesson + max(1, self._lesson // GROWTH)
            self._lesson = more if more < self.limit * self.share else None

    def _others(self, now: float) -> int:
        """Calls that other apps will make while one of ours is under way, by what they made in this window so far."""
        theirs = self._first - self._tokens - (self._mine - self.inflight)
        number = theirs / max(now - self._began, 0.2) * (self._took or 0.0)
        return ceil(min(max(number * HEADROOM, 0.0), self.limit / 5))

    def _learn(self, window: Window | None, now: float) -> None:
        if window is None:
            self._count(now)
            return
        self.limit = window.limit
        if self._over or self._is_next(window):
            self._open(window.remaining, now + window.lasts, window.reset, now)
        elif self._is_late(window):
            self._tokens -= 1
        else:
            self._tokens = min(self._tokens, window.remaining)
            # Date has whole seconds, so each answer overstates the time left by up to one; the least is the nearest.
            self._ends = min(self._ends, now + window.lasts)

    def _count(self, now: float) -> None:
        """An answer without usable headers: the last known limit stands."""
        if self._over:
            self._open(self.limit - 1, now + WINDOW, self._reset, now)
        else:
            self._tokens -= 1

    def _measure(self, reset: int, remaining: float) -> None:
        """How long windows are, by the ends of two. What is left of the first one stands for it, since its calls are lost with it."""
        gap = reset - self._reset
        if self._reset < 0:
            self._length = min(max(remaining, SHORTEST), WINDOW)
        elif gap >= SHORTEST:
            self._length = float(gap) if gap <= WINDOW else WINDOW

    def _open(self, tokens: int, ends: float, reset: int, now: float) -> None:
        self._measure(reset, ends - now)
        self._tokens, self._ends, self._reset = tokens, ends, reset
        self._first, self._began = tokens + 1, now
        self._try_more()
        self._answers, self._says_room, self._has_refusal = 0, False, False
        self._mine = self.inflight + 1
        self._jitter = self._rand() * JITTER * self._length
        self._over = self._is_closed = False
