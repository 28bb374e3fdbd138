"""The bench works: each part of it, once and small. What it measures then says nothing, and nothing of that is asserted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import ROOT
from tests.bench.__main__ import PARTS
from tests.bench.apart import Starter
from tests.bench.table import Bench, Row, exponent, show

# What these play is played by tests of its own.
ELSEWHERE = {"together", "lies"}
# What is fetched is not fetched here.
FETCHED = {"octodns": 1}


@pytest.mark.parametrize("part", sorted(PARTS.keys() - ELSEWHERE))
def test_a_part_works(part: str) -> None:
    rows = list(PARTS[part](Bench(small=True, starter=Starter(forks=True))))
    assert rows
    assert sum(row.figure is None for row in rows) == FETCHED.get(part, 0)


def test_a_function_is_called_in_a_process_that_is_started() -> None:
    assert Starter().call(show, 1234.5) == "1,234"


def test_a_process_that_fails_ends_the_bench_with_what_it_said() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        Starter(forks=True).run(["-c", "raise SystemExit(print('no such thing') or 3)"], ROOT)


def test_a_target_is_missed_by_what_is_beyond_it_and_by_what_is_not_there() -> None:
    most, least = Row("w", 1, None, "s", at_most=2.0), Row("w", 1, None, "s", at_least=2.0)
    assert [replace(row, figure=figure).reached for row in (most, least) for figure in (1.0, 2.0, 3.0, None)] == [
        *(True, True, False, False),
        *(False, True, True, False),
    ]


def test_an_exponent_is_the_slope_of_the_logs() -> None:
    assert exponent([(n, n**1.5) for n in (10, 100, 1000)]) == pytest.approx(1.5)
