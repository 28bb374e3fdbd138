"""The bench works: each part of it, once and small. What it measures then says nothing, and nothing of that is asserted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests import ROOT
from tests.bench.__main__ import PARTS
from tests.bench.apart import Starter
from tests.bench.page import PAGE, read, written
from tests.bench.table import Bench, Row, exponent, show

# What these play is played by tests of its own.
ELSEWHERE = {"together", "lies"}
# What is fetched is not fetched here.
FETCHED = {"octodns": 1}


@pytest.mark.parametrize("part", sorted(PARTS.keys() - ELSEWHERE))
def test_a_part_works(part: str) -> None:
    rows = list(PARTS[part](Bench(small=True, repeats=1, starter=Starter(forks=True))))
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


def test_the_page_shows_what_holds_on_any_machine_and_its_goal(tmp_path: Path) -> None:
    rows = [
        Row("plan, calls", 2_000, 20, "calls", at_most=60),
        Row("load", 1_000, 0.5, "CPU s"),
        Row("octoDNS", 20, None, "x octoDNS", at_least=7),
        Row("contacts over records", 20, 6.5, "x octoDNS", at_least=7),
    ]
    result = {"repeats": 1, "rows": [{"part": "p", **vars(row), "verdict": ""} for row in rows]}
    (file := tmp_path / "bench.json").write_text(json.dumps(result))
    text = PAGE.read_text(encoding="utf-8")
    page = written(text, read([file]))
    assert [line for line in page.splitlines() if line.startswith("| ")] == [
        "| what | of | figure | goal |",
        "| --- | --- | --- | --- |",
        "| plan, calls | 2,000 | 20 calls | at most 60 |",
        "| contacts over records, one run | 20 | 6.50 x octoDNS | at least 7 MISSED |",
    ]
    assert page.partition(head := "## Figures")[0] == text.partition(head)[0]


def test_an_exponent_is_the_slope_of_the_logs() -> None:
    assert exponent([(n, n**1.5) for n in (10, 100, 1000)]) == pytest.approx(1.5)
