"""The gate follows the headers, waits by the reply's own Date, and never longer than a window."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from email.utils import formatdate
from heapq import heappop, heappush
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Usage
from reconciler.intercom.http.gate import BELIEVED, FLOOR, JITTER, WIDEST, Gate
from reconciler.intercom.http.limiter import NO_HEADERS, Limiter, NotAdmitted
from reconciler.intercom.http.window import DOCUMENTED_LIMIT, WINDOW
from tests.desk.clock import Clock

EPOCH = 1_800_000_000

# An answer: its status, and its headers. 0: a call that was held back comes again.
Coming = tuple[int, dict[str, str]]


class Meter:
    """A fixed window, by default of ten seconds, of which other apps take the part `stolen` within its first second."""

    def __init__(self, limit: int, stolen: float, offset: float = 3.7, length: float = WINDOW) -> None:
        self.limit, self.stolen, self.offset, self.length = limit, stolen, offset, length
        self.window, self.ours, self.refused, self.most = -1, 0, 0, 0

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        clock = EPOCH + self.offset + now
        window = int(clock // self.length)
        if window != self.window:
            self.window, self.ours = window, 0
        others = int(self.limit * self.stolen * min(1.0, clock % self.length))
        fits = self.ours + others < self.limit
        self.ours += fits
        self.refused += not fits
        self.most = max(self.most, self.ours)
        left = max(self.limit - self.ours - others, 0)
        return 200 if fits else 429, headers(self.limit, left, int((window + 1) * self.length), int(clock))


def headers(limit: object, remaining: object, reset: object, date: float | None = EPOCH) -> dict[str, str]:
    said = {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining), "X-RateLimit-Reset": str(reset)}
    return said if date is None else said | {"Date": formatdate(date, usegmt=True)}


def limiter(clock: Clock, share: float = 1.0) -> Limiter:
    return Limiter(share, clock.monotonic, lambda turn, seconds: clock.sleep(seconds), rand=lambda: 1.0)


def answer(gate: Limiter, status: int = 200, said: Mapping[str, str] | None = None, patience: float = 300.0) -> None:
    gate.enter(patience)
    gate.leave(status, said or {})


def race(meter: Meter, calls: int, share: float = 1.0, latency: float = 0.08) -> float:
    """Makes so many calls against the meter, refused ones again; the seconds it took. Nobody waits: the time goes on to what comes next."""
    gate, now, ready, turns = Gate(share, Random(0).random), 0.0, calls, count()
    # What comes: when, which of several at the same time, and whether it is a call that arrives, or what an answer says.
    events: list[tuple[float, int, Coming | None]] = []
    while ready or events:
        while ready and gate.admit(now):
            ready -= 1
            heappush(events, (now + latency / 2, next(turns), None))
        due = now + gate.wait(now)
        if ready and not (events and events[0][0] <= due):
            now = due
            continue
        now, _, coming = heappop(events)
        if coming is None:
            heappush(events, (now + latency / 2, next(turns), meter.take(now)))
        elif coming[0] == 0:
            ready += 1
        else:
            hold = gate.answer(now, *coming, latency)
            if coming[0] == 429:
                heappush(events, (now + hold, next(turns), (0, {})))
    return now


def test_600_calls_meet_no_refusal_while_others_take_40_percent() -> None:
    meter = Meter(limit=100, stolen=0.4)
    took = race(meter, calls=600)
    assert meter.refused <= 12, "2 %, while they take their part in the same second as we ours"
    assert 75 < took < 115, "60 of 100 calls in each window of 10 s are ours: 100 s at best"


FAR = [0.02, 0.05, 0.2, 0.4]


@pytest.mark.parametrize("latency", FAR)
def test_a_window_is_kept_full_however_far_intercom_is(latency: float) -> None:
    meter = Meter(limit=200, stolen=0.0, offset=0.0, length=2.0)
    took = race(meter, calls=1500, latency=latency)
    assert meter.refused == 0
    assert took < 1.1 * (14 + latency), "seven windows have to be waited for"


@pytest.mark.parametrize("latency", FAR)
def test_few_calls_of_one_who_is_far_away_are_refused_while_others_take_40_percent(latency: float) -> None:
    meter = Meter(limit=200, stolen=0.4, offset=0.0, length=2.0)
    took = race(meter, calls=1500, latency=latency)
    assert meter.refused < 15
    assert took < 1.2 * (24 + latency)


class Odd(Meter):
    """A meter that refuses seven calls of a hundred though there is room."""

    dice = Random(1)

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        status, said = super().take(now)
        return (429 if self.dice.random() < 0.07 else status), said


@pytest.mark.parametrize("latency", FAR)
def test_refusals_that_all_else_contradicts_do_not_stop_the_others(latency: float) -> None:
    took = race(Odd(limit=200, stolen=0.0, offset=0.0, length=2.0), calls=1500, latency=latency)
    assert took < 3 * (14 + latency)


def gate_with(took: float, limit: int = 1667, share: float = 1.0) -> Gate:
    """One whose calls take so long, in its second window of ten seconds, with all of it left."""
    gate = Gate(share, lambda: 0.0)
    for now in (10, 20):
        assert gate.admit(now)
        gate.answer(now, 200, headers(limit, limit - 1, EPOCH + now, EPOCH + now - 10), took)
    return gate


@pytest.mark.parametrize(("took", "width"), [(0.0, 4), (0.02, 9), (0.05, 16), (0.2, 54), (0.4, 104), (60.0, WIDEST)])
def test_as_many_calls_are_under_way_as_keep_the_window_full_and_few_more(took: float, width: int) -> None:
    gate = gate_with(took)
    assert gate.width == width <= max(1.5 * gate.cap / WINDOW * took + 4, 4)
    assert sum(gate.admit(20.1) for _ in range(500)) == width
    gate.answer(20.2, 200, {}, took)
    assert [gate.admit(20.2), gate.admit(20.2)] == [True, False]


def test_a_share_and_a_limit_that_changes_narrow_the_width() -> None:
    assert gate_with(0.4, share=0.25).width == 28
    gate = gate_with(0.4)
    gate.admit(21.0)
    gate.answer(21.0, 200, headers(167, 100, EPOCH + 20, EPOCH + 11), 0.4)
    assert gate.width == 14


def refuse(gate: Gate, now: float, said: Mapping[str, str] | None = None) -> float:
    """For how long a call that is refused is held back."""
    assert gate.admit(now)
    return gate.answer(now, 429, said or {}, 0.01)


def test_a_refusal_that_all_else_contradicts_holds_back_its_own_call_and_halves_the_width() -> None:
    gate = gate_with(0.2)
    assert refuse(gate, 21.0, headers(1667, 0, EPOCH + 20, EPOCH + 11)) == 9
    assert gate.width == 27
    assert gate.admit(21.0)
    for _ in range(40):
        gate.admit(21.5)
        gate.answer(21.5, 200, {}, 0.2)
    assert gate.width == 54, "good answers give it back"


def test_the_third_in_a_row_closes_the_gate_until_its_reset_and_one_probe_opens_it() -> None:
    gate, said = gate_with(0.2), headers(1667, 1500, EPOCH + 20, EPOCH + 11)
    holds = [refuse(gate, 21.0, said) for _ in range(BELIEVED)]
    assert holds == [9, 9, 0]
    assert not gate.admit(29.9)
    assert gate.wait(29.9) == pytest.approx(0.1)
    assert [gate.admit(30.0), gate.admit(30.0)] == [True, False]
    gate.answer(30.2, 200, headers(1667, 1666, EPOCH + 30, EPOCH + 20), 0.2)
    assert gate.admit(30.2)


@pytest.mark.parametrize("left", [166, 2])
def test_a_refusal_where_little_is_left_is_believed_at_once(left: int) -> None:
    gate = gate_with(0.2)
    assert gate.admit(20.1)
    assert gate.admit(20.1)
    gate.answer(20.3, 200, headers(1667, left, EPOCH + 20, EPOCH + 10), 0.2)
    assert gate.answer(20.3, 429, headers(1667, 0, EPOCH + 20, EPOCH + 10), 0.2) == 0
    assert not gate.admit(29.0)


def test_refusals_that_say_no_end_and_nothing_contradicts_are_waited_for_twice_as_long_each_time() -> None:
    gate, now, waits = Gate(1.0, lambda: 0.0), 0.0, []
    for _ in range(7):
        refuse(gate, now)
        waits.append(gate.wait(now))
        now += waits[-1]
    assert waits == [FLOOR, 0.5, 1.0, 2.0, 4.0, 8.0, WINDOW]


def test_refusals_of_calls_that_were_under_way_when_the_gate_closed_say_nothing_new() -> None:
    gate = Gate(1.0, lambda: 0.0)
    assert gate.admit(0.0)
    assert gate.admit(3.0), "a probe that takes long holds the others for a while only"
    gate.answer(3.1, 429, {}, 0.1)
    gate.answer(3.2, 429, {}, 3.2)
    assert gate.wait(3.2) == pytest.approx(FLOOR - 0.1)


def test_an_answer_wakes_one_who_waits_and_he_the_next() -> None:
    gate, through = Limiter(), list[int]()
    gate.enter()

    def wait(n: int) -> None:
        gate.enter()
        through.append(n)
        gate.leave(200, headers(100, 90, EPOCH + 10), 0.001)

    waiting = [threading.Thread(target=wait, args=(n,), daemon=True) for n in range(8)]
    for thread in waiting:
        thread.start()
    gate.leave(200, headers(100, 99, EPOCH + 10), 0.001)
    for thread in waiting:
        thread.join(60)
    assert sorted(through) == list(range(8))


def test_a_stop_ends_the_waiting_of_all() -> None:
    stop, ends = threading.Event(), list[bool]()

    def rest(turn: threading.Condition, seconds: float) -> object:
        if not stop.is_set():
            turn.wait(min(seconds, 0.01))
        return stop.is_set()

    gate = Limiter(rest=rest)
    gate.enter()
    gate.leave(200, headers(10, 0, EPOCH + 10))

    def wait() -> None:
        try:
            gate.enter()
        except NotAdmitted as shut:
            ends.append(shut.stopped)

    waiting = [threading.Thread(target=wait, daemon=True) for _ in range(8)]
    for thread in waiting:
        thread.start()
    stop.set()
    for thread in waiting:
        thread.join(60)
    assert ends == [True] * 8


def test_a_call_that_is_held_back_leaves_room_for_another() -> None:
    gate = Limiter()
    before = gate.room()
    assert gate.hold(9.0, lambda seconds: (seconds, gate.room())) == (9.0, before + 1)
    assert gate.room() == before


class Mute(Meter):
    """A meter whose answers say nothing of their limit, as a proxy's."""

    def take(self, now: float) -> tuple[int, dict[str, str]]:
        return super().take(now)[0], {}


@pytest.mark.parametrize("limit", [7, 30, 100])
def test_a_refusal_without_headers_teaches_the_rate_that_the_next_windows_stay_near(limit: int) -> None:
    meter = Mute(limit=limit, stolen=0.0)
    race(meter, calls=limit * 12)
    assert meter.most <= limit
    # The first window is found out with all threads; after that a window is tried with a quarter more, and no volley comes.
    assert meter.refused <= 8 + 12 * max(3, limit // 6)


def test_a_refusal_by_a_proxy_counts_though_intercoms_own_headers_allow_more() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    for _ in range(20):
        answer(gate, said=headers(1667, 1600, EPOCH + 10))
    for _ in range(BELIEVED):
        answer(gate, 429, {})
    assert gate.cap == 20
    answer(gate, said=headers(1667, 1666, EPOCH + 20, date=EPOCH + 10))
    assert gate.cap == 20, "a window that was not used up proves nothing"


def test_a_rate_that_was_learned_from_refusals_grows_again() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    for _ in range(8):
        answer(gate)
    answer(gate, 429)
    caps = []
    for _ in range(60):
        for _ in range(gate.cap):
            answer(gate)
        caps.append(gate.cap)
    assert caps[:3] == [8, 10, 12]
    assert caps[-1] == DOCUMENTED_LIMIT


def test_a_window_that_is_all_ours_is_used() -> None:
    meter = Meter(limit=100, stolen=0.0)
    took = race(meter, calls=600)
    assert meter.refused == 0
    assert 45 < took < 65, "six windows, of which the first and the last are not waited for"


def test_a_share_leaves_the_rest_of_each_window_to_others() -> None:
    meter = Meter(limit=100, stolen=0.0)
    race(meter, calls=100, share=0.25)
    assert (meter.refused, meter.most) == (0, 25)


def test_a_share_still_moves_where_others_take_more_than_theirs() -> None:
    meter = Meter(limit=100, stolen=0.8)
    assert race(meter, calls=60, share=0.5) < 60
    assert meter.refused <= 6


@pytest.mark.parametrize("share", [0, -0.1, 1.01, float("nan")])
def test_a_share_is_a_part_of_the_whole(share: float) -> None:
    with pytest.raises(Usage, match="above 0 and at most 1"):
        Limiter(share)


def test_the_first_call_goes_alone_and_the_others_wait_for_its_answer() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    gate.enter()
    with pytest.raises(NotAdmitted):
        gate.enter(patience=1.0)
    gate.leave(200, headers(10, 9, EPOCH + 10))
    gate.enter()
    gate.enter()


def test_calls_under_way_count_against_what_remains() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 2, EPOCH + 10))
    gate.enter()
    gate.enter()
    with pytest.raises(NotAdmitted):
        gate.enter(patience=5.0)


def test_the_wait_is_what_the_replys_own_date_leaves_of_the_window() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 0, EPOCH + 10, date=EPOCH + 6))
    gate.enter()
    assert clock.total == pytest.approx(4 + JITTER * 4)


def test_without_a_date_the_wait_is_one_window() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 0, EPOCH + 10, date=None))
    gate.enter()
    assert clock.total == pytest.approx(WINDOW * (1 + JITTER))


def test_the_later_answers_of_a_window_make_its_end_more_exact() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 9, EPOCH + 10, date=EPOCH + 6))
    clock.now += 0.1
    answer(gate, said=headers(10, 0, EPOCH + 10, date=EPOCH + 7))
    gate.enter()
    assert clock.total == pytest.approx(3 + JITTER * 4)


def test_an_answer_that_comes_late_from_the_window_before_opens_nothing() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 2, EPOCH + 20, date=EPOCH + 11))
    gate.enter()
    gate.enter()
    gate.leave(200, headers(10, 9, EPOCH + 10, date=EPOCH + 9))
    with pytest.raises(NotAdmitted):
        gate.enter(patience=1.0)


def test_a_limit_that_changes_is_followed() -> None:
    gate = limiter(Clock(1000.0))
    assert (gate.limit, gate.cap) == (DOCUMENTED_LIMIT, DOCUMENTED_LIMIT)
    answer(gate, said=headers(167, 166, EPOCH + 10))
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
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(100, 99, EPOCH + 10))
    for _ in range(50):
        answer(gate, said=said)
    assert gate.limit == 100
    assert clock.sleeps == []
    for _ in range(49):
        answer(gate, said=said)
    answer(gate, said=said)
    assert clock.total == pytest.approx(WINDOW * (1 + JITTER))


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 99999999999 99:99:99 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
def test_no_date_header_does_harm(date: str) -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 0, EPOCH + 10, date=None) | {"Date": date})
    gate.enter()
    assert clock.total <= WINDOW * (1 + JITTER) + 0.1


@pytest.mark.parametrize("said", ABSURD)
def test_a_refusal_is_believed_whatever_its_headers_say(said: dict[str, str]) -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, 429, said)
    gate.enter()
    assert 0 < clock.total <= WINDOW * (1 + JITTER) + 0.1


def test_a_refusal_whose_window_is_over_is_not_followed_at_once() -> None:
    clock = Clock(1000.0)
    gate = Limiter(1.0, clock.monotonic, lambda turn, seconds: clock.sleep(seconds), rand=lambda: 0.0)
    answer(gate, 429, headers(10, 0, EPOCH))
    gate.enter()
    assert clock.total >= 0.25


numbers = st.one_of(st.integers(-5, 200), st.integers(EPOCH - 100, EPOCH + 100), st.text(max_size=4))


@given(st.lists(st.tuples(st.sampled_from([200, 429, 500, None]), numbers, numbers, numbers, st.integers(-90, 90)), max_size=12))
def test_no_wait_is_below_zero_or_above_one_window(answers: list[tuple[int | None, object, object, object, int]]) -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    for status, limit, remaining, reset, date in answers:
        before = clock.now
        gate.enter()
        gate.leave(status, headers(limit, remaining, reset, EPOCH + date))
        assert clock.now - before <= WINDOW * (1 + JITTER) + 0.1
    assert all(seconds >= 0 for seconds in clock.sleeps)


def test_a_call_that_gets_no_turn_ends_in_a_stated_time() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    answer(gate, said=headers(10, 0, EPOCH + 10))
    with pytest.raises(NotAdmitted, match="still limited after waiting 7 s"):
        gate.enter(patience=7.0)
    assert clock.total == pytest.approx(7.0)


def test_a_stop_ends_the_wait() -> None:
    clock = Clock(1000.0, is_stopped=True)
    gate = limiter(clock)
    answer(gate, said=headers(10, 0, EPOCH + 10))
    with pytest.raises(NotAdmitted, match="stopped while waiting for the rate limit"):
        gate.enter()


def test_a_probe_without_an_answer_hands_on_its_turn() -> None:
    clock = Clock(1000.0)
    gate = limiter(clock)
    gate.enter()
    gate.leave()
    gate.enter()
    assert clock.sleeps == []
    gate.enter()
    assert clock.total == pytest.approx(2.0, abs=0.1), "a probe that takes long holds the others for a while only"


def answered(gate: Gate, now: float, *statuses: int, headers: Mapping[str, str] = NO_HEADERS) -> Gate:
    """The gate after calls that were answered so at once."""
    for status in statuses:
        assert gate.admit(now)
        gate.answer(now, status, headers, 0.1)
    return gate


def test_a_refusal_of_the_first_call_of_a_window_teaches_nothing_of_the_one_before() -> None:
    gate = answered(answered(Gate(rand=lambda: 0.0), 0.0, 200), 11.0, 429)
    assert gate.cap == gate.limit


def test_what_a_refusal_taught_is_no_more_than_the_limit_that_an_answer_says() -> None:
    gate = answered(Gate(rand=lambda: 0.0), 0.0, *[200] * 5, 429)
    assert gate.cap == 5
    said = {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1000000010"}
    assert answered(gate, 30.0, 200, headers=said).cap == 2
