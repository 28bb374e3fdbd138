"""Progress: silent unless a terminal waits for longer than a second."""

from __future__ import annotations

import io
import re

import pytest

from reconciler.report.progress import Bar, Progress, progress
from tests.desk.clock import Clock


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


class GoneTty(Tty):
    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


def test_no_terminal_no_progress(clock: Clock) -> None:
    stream = io.StringIO()
    with progress(stream, clock=clock) as bar:
        clock.now = 5
        bar.advance(total=9, label="Reading")
        with bar.aside():
            pass
    assert stream.getvalue() == ""
    assert type(progress(None)) is Progress
    assert type(progress(Tty(), environ={"TERM": "dumb"})) is Progress


def test_quick_work_shows_nothing(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Reading", clock) as bar:
        clock.now = 0.9
        bar.advance(total=10)
    assert stream.getvalue() == ""


def test_what_is_counted_after_the_end_is_not_shown(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Reading", clock) as bar:
        clock.now = 2
        bar.advance()
    ended = stream.getvalue()
    clock.now = 4
    bar.reading("tags")
    with bar.aside():
        pass
    assert ended
    assert stream.getvalue() == ended


def test_long_work_shows_rate_and_time_left(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Reading [bold]\x1b[0m", clock) as bar:
        clock.now = 2
        bar.advance(50, total=150)
        assert "50 of 150, 25/s, 0:04 left" in stream.getvalue()
        assert r"[bold]\x1b[0m" in stream.getvalue()


def test_without_a_total_there_is_no_time_left(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Reading", clock) as bar:
        clock.now = 2
        bar.advance(3)
        assert "3 done, 1.5/s" in stream.getvalue()


def test_reading_says_what_and_of_how_many(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "reading", clock) as bar:
        clock.now = 2
        bar.reading("tags", 400, 400)
        bar.reading("contacts", 0, 20_000)
        clock.now = 4
        bar.reading("contacts", 3_000)
        assert "reading contacts" in stream.getvalue()
        assert "3,400 of 20,400, 850/s, 0:20 left" in stream.getvalue()
        # A list that says too little ends all the same.
        clock.now = 5
        bar.reading("contacts", 20_000)
        assert "23,400 of 23,400" in stream.getvalue()


def test_other_output_finds_an_empty_line(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Applying", clock) as bar:
        clock.now = 2
        bar.advance(total=9)
        with bar.aside():
            before = stream.getvalue()
        assert before.endswith("\x1b[2K")
        assert "Applying" in stream.getvalue()[len(before) :]
    assert re.findall(r"\x1b\[\?25[lh]", stream.getvalue())[-1] == "\x1b[?25h"


def test_it_is_drawn_ten_times_a_second_at_most(clock: Clock) -> None:
    stream = Tty()
    with Bar(stream, "Applying", clock) as bar:
        clock.now = 2
        bar.advance(total=10_000)
        drawn = stream.getvalue()
        for _ in range(1_000):
            bar.advance()
        assert stream.getvalue() == drawn


def test_a_terminal_that_has_gone_does_not_end_the_work(clock: Clock) -> None:
    with Bar(GoneTty(), "Applying", clock) as bar:
        for clock.now in (2, 3, 4):
            bar.advance(total=9)
    assert clock.now == 4, "the work went on to its end"
