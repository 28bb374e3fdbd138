"""The gate follows the headers, waits by the reply's own Date, and never longer than a window."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Usage
from reconciler.intercom.http.limiter import DOCUMENTED_LIMIT, JITTER, WINDOW, Limiter, NotAdmitted

EPOCH = 1_800_000_000


@dataclass
class Clock:
    """One thread's time: sleeping moves it."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    stopped: bool = False

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return self.stopped

    @property
    def total(self) -> float:
        return sum(self.slept)


class SharedClock:
    """Time for threads: it moves to the next waking when all of them sleep."""

    def __init__(self, threads: int) -> None:
        self.now, self.awake = 0.0, threads
        self.turn = threading.Condition()
        self.wakings: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self.turn:
            waking = self.now + max(seconds, 1e-6)
            self.wakings.append(waking)
            self._rest()
            self.turn.wait_for(lambda: self.now >= waking)

    def leave(self) -> None:
        with self.turn:
            self._rest()

    def _rest(self) -> None:
        self.awake -= 1
        if self.awake == 0 and self.wakings:
            self.now = min(self.wakings)
            due = [waking for waking in self.wakings if waking <= self.now]
            self.wakings = [waking for waking in self.wakings if waking > self.now]
            self.awake = len(due)
            self.turn.notify_all()


class Meter:
    """A fixed window of ten seconds, of which other apps take the part `stolen` within its first second."""

    def __init__(self, limit: int, stolen: float, offset: float = 3.7) -> None:
        self.limit, self.stolen, self.offset = limit, stolen, offset
        self.window, self.ours, self.refused, self.most = -1, 0, 0, 0
        self.lock = threading.Lock()

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        with self.lock:
            clock = EPOCH + self.offset + now
            window = int(clock // WINDOW)
            if window != self.window:
                self.window, self.ours = window, 0
            others = int(self.limit * self.stolen * min(1.0, clock % WINDOW))
            fits = self.ours + others < self.limit
            self.ours += fits
            self.refused += not fits
            self.most = max(self.most, self.ours)
            left = max(self.limit - self.ours - others, 0)
            return 200 if fits else 429, headers(self.limit, left, int((window + 1) * WINDOW), int(clock))


def headers(limit: object, remaining: object, reset: object, date: float | None = EPOCH) -> dict[str, str]:
    said = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": str(reset)}
    return said if date is None else said | {"Date": formatdate(date, usegmt=True)}


def limiter(clock: Clock, share: float = 1.0) -> Limiter:
    return Limiter(share, clock.monotonic, clock.sleep, rand=lambda: 1.0)


def answered(gate: Limiter, status: int = 200, said: Mapping[str, str] | None = None, patience: float = 300.0) -> None:
    gate.enter(patience)
    gate.leave(status, said or {})


def race(meter: Meter, calls: int, threads: int, share: float = 1.0) -> float:
    """Makes so many calls against the meter, refused ones again; the seconds it took."""
    clock, todo, lock = SharedClock(threads), list(range(calls)), threading.Lock()
    gate = Limiter(share, clock.monotonic, clock.sleep)

    def one() -> int:
        gate.enter()
        clock.sleep(0.04)
        status, said = meter.take(clock.now)
        clock.sleep(0.04)
        gate.leave(status, said, took=0.08)
        return status

    def work() -> None:
        while True:
            with lock:
                if not todo:
                    break
                todo.pop()
            while one() == 429:
                pass
        clock.leave()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    return clock.now


def test_600_calls_of_16_threads_meet_no_refusal_while_others_take_40_percent() -> None:
    meter = Meter(limit=100, stolen=0.4)
    took = race(meter, calls=600, threads=16)
    assert meter.refused <= 12, "2 %, while they take their part in the same second as we ours"
    assert 75 < took < 115, "60 of 100 calls in each window of 10 s are ours: 100 s at best"


class Mute(Meter):
    """A meter whose answers say nothing of their limit, as a proxy's."""

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        return super().take(now)[0], {}


@pytest.mark.parametrize("limit", [7, 30, 100])
def test_a_refusal_without_headers_teaches_the_rate_that_the_next_windows_stay_near(limit: int) -> None:
    meter = Mute(limit=limit, stolen=0.0)
    race(meter, calls=limit * 12, threads=8)
    assert meter.most <= limit
    # The first window is found out with all threads; after that a window is tried with a quarter more, and no volley comes.
    assert meter.refused <= 8 + 12 * max(3, limit // 6)


def test_a_refusal_by_a_proxy_counts_though_intercoms_own_headers_allow_more() -> None:
    clock = Clock()
    gate = limiter(clock)
    for _ in range(20):
        answered(gate, said=headers(1667, 1600, EPOCH + 10))
    answered(gate, 429, {})
    assert gate.cap == 20
    answered(gate, said=headers(1667, 1666, EPOCH + 20, date=EPOCH + 10))
    assert gate.cap == 20, "a window that was not used up proves nothing"


def test_a_rate_that_was_learned_from_refusals_grows_again() -> None:
    clock = Clock()
    gate = limiter(clock)
    for _ in range(8):
        answered(gate)
    answered(gate, 429)
    caps = []
    for _ in range(60):
        for _ in range(gate.cap):
            answered(gate)
        caps.append(gate.cap)
    assert caps[:3] == [8, 10, 12]
    assert caps[-1] == DOCUMENTED_LIMIT


def test_8_threads_use_a_window_that_is_all_theirs() -> None:
    meter = Meter(limit=100, stolen=0.0)
    took = race(meter, calls=600, threads=8)
    assert meter.refused == 0
    assert 45 < took < 65, "six windows, of which the first and the last are not waited for"


def test_a_share_leaves_the_rest_of_each_window_to_others() -> None:
    meter = Meter(limit=100, stolen=0.0)
    race(meter, calls=100, threads=8, share=0.25)
    assert (meter.refused, meter.most) == (0, 25)


def test_a_share_still_moves_where_others_take_more_than_theirs() -> None:
    meter = Meter(limit=100, stolen=0.8)
    assert race(meter, calls=60, threads=4, share=0.5) < 60
    assert meter.refused <= 6


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_is_a_part_of_the_whole(share: float) -> None:
    with pytest.raises(Usage, match="above 0 and at most 1"):
        Limiter(share)


def test_the_first_call_goes_alone_and_the_others_wait_for_its_answer() -> None:
    clock = Clock()
    gate = limiter(clock)
    gate.enter()
    with pytest.raises(NotAdmitted):
        gate.enter(patience=1.0)
    gate.leave(200, headers(10, 9, EPOCH + 10))
    gate.enter()
    gate.enter()


def test_calls_under_way_count_against_what_remains() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 2, EPOCH + 10))
    gate.enter()
    gate.enter()
    with pytest.raises(NotAdmitted):
        gate.enter(patience=5.0)


def test_the_wait_is_what_the_replys_own_date_leaves_of_the_window() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 0, EPOCH + 10, date=EPOCH + 6))
    gate.enter()
    assert clock.total == pytest.approx(4 + JITTER)


def test_without_a_date_the_wait_is_one_window() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 0, EPOCH + 10, date=None))
    gate.enter()
    assert clock.total == pytest.approx(WINDOW + JITTER)


def test_the_later_answers_of_a_window_make_its_end_more_exact() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 9, EPOCH + 10, date=EPOCH + 6))
    clock.now += 0.1
    answered(gate, said=headers(10, 0, EPOCH + 10, date=EPOCH + 7))
    gate.enter()
    assert clock.total == pytest.approx(3 + JITTER)


def test_an_answer_that_comes_late_from_the_window_before_opens_nothing() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 2, EPOCH + 20, date=EPOCH + 11))
    gate.enter()
    gate.enter()
    gate.leave(200, headers(10, 9, EPOCH + 10, date=EPOCH + 9))
    with pytest.raises(NotAdmitted):
        gate.enter(patience=1.0)


def test_a_limit_that_changes_is_followed() -> None:
    gate = limiter(Clock())
    assert (gate.limit, gate.cap) == (DOCUMENTED_LIMIT, DOCUMENTED_LIMIT)
    answered(gate, said=headers(167, 166, EPOCH + 10))
    assert (gate.limit, gate.cap) == (167, 167)


ABSURD: list[dict[str, str]] = [
    {},
    headers(0, 1, EPOCH + 10),
    headers(-5, 1, EPOCH + 10),
    headers("many", 1, EPOCH + 10),
    headers("", "", ""),
    headers("٣", "٣", "٣"),
    headers("9" * 5000, 1, EPOCH + 10),
    headers(100, -1, EPOCH + 10),
    headers(100, 101, EPOCH + 10),
    headers(100, "nan", EPOCH + 10),
    headers(100, 5, EPOCH + 10.5),
    headers(100, 5, (EPOCH + 10) * 1000),
    headers(100, 5, EPOCH + 86_400),
    headers(100, 5, EPOCH - 86_400),
    headers(100, 0, 0),
    headers(100, 0, EPOCH + 10, date=0),
    {"X-RateLimit-Limit": "100"},
    {"X-RateLimit-Remaining": "0"},
]


@pytest.mark.parametrize("said", ABSURD)
def test_missing_and_absurd_headers_leave_the_last_known_rate(said: dict[str, str]) -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(100, 99, EPOCH + 10))
    for _ in range(50):
        answered(gate, said=said)
    assert gate.limit == 100
    assert clock.slept == []
    for _ in range(49):
        answered(gate, said=said)
    answered(gate, said=said)
    assert clock.total == pytest.approx(WINDOW + JITTER)


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 99999999999 99:99:99 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_no_date_header_does_harm(date: str) -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 0, EPOCH + 10, date=None) | {"Date": date})
    gate.enter()
    assert clock.total <= WINDOW + JITTER + 0.1


@pytest.mark.parametrize("said", ABSURD)
def test_a_refusal_is_believed_whatever_its_headers_say(said: dict[str, str]) -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, 429, said)
    gate.enter()
    assert 0 < clock.total <= WINDOW + JITTER + 0.1


def test_a_refusal_whose_window_is_over_is_not_followed_at_once() -> None:
    clock = Clock()
    gate = Limiter(1.0, clock.monotonic, clock.sleep, rand=lambda: 0.0)
    answered(gate, 429, headers(10, 0, EPOCH))
    gate.enter()
    assert clock.total >= 0.25


numbers = st.one_of(st.integers(-5, 200), st.integers(EPOCH - 100, EPOCH + 100), st.text(max_size=4))


@given(st.lists(st.tuples(st.sampled_from([200, 429, 500, None]), numbers, numbers, numbers, st.integers(-90, 90)), max_size=12))
def test_no_wait_is_below_zero_or_above_one_window(answers: list[tuple[int | None, object, object, object, int]]) -> None:
    clock = Clock()
    gate = limiter(clock)
    for status, limit, remaining, reset, date in answers:
        before = clock.now
        gate.enter()
        gate.leave(status, headers(limit, remaining, reset, EPOCH + date))
        assert clock.now - before <= WINDOW + JITTER + 0.1
    assert all(seconds >= 0 for seconds in clock.slept)


def test_a_call_that_gets_no_turn_ends_in_a_stated_time() -> None:
    clock = Clock()
    gate = limiter(clock)
    answered(gate, said=headers(10, 0, EPOCH + 10))
    with pytest.raises(NotAdmitted, match="still limited after waiting 7 s"):
        gate.enter(patience=7.0)
    assert clock.total == pytest.approx(7.0)


def test_a_stop_ends_the_wait() -> None:
    clock = Clock(stopped=True)
    gate = limiter(clock)
    answered(gate, said=headers(10, 0, EPOCH + 10))
    with pytest.raises(NotAdmitted, match="stopped while waiting for the rate limit"):
        gate.enter()


def test_a_probe_without_an_answer_hands_on_its_turn() -> None:
    clock = Clock()
    gate = limiter(clock)
    gate.enter()
    gate.leave()
    gate.enter()
    assert clock.slept == []
    gate.enter()
    assert clock.total == pytest.approx(2.0, abs=0.1), "a probe that takes long holds the others for a while only"
