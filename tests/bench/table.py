"""The one table: a row for each figure, with the target that it is held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.bench.apart import Starter


@dataclass(frozen=True)
class Row:
    """One figure."""

    # What is measured.
    what: str
    # Of how many.
    size: int
    # The figure; None where it cannot be measured here.
    figure: float | None
    # What it is counted in: "calls", "s", "MiB", "x the floor".
    unit: str
    # The most and the least that it may be; None: any.
    at_most: float | None = None
    at_least: float | None = None
    # What else there is to say.
    note: str = ""

    @property
    def verdict(self) -> str:
        """The target, and whether it is reached; empty where there is none."""
        if self.at_most is None and self.at_least is None:
            return ""
        target = f"<= {show(self.at_most)}" if self.at_most is not None else f">= {show(self.at_least or 0)}"
        if self.figure is None:
            return target
        return f"{target} {'ok' if self.reached else 'MISSED'}"

    @property
    def reached(self) -> bool:
        """Whether the figure is there and within its target."""
        least = -math.inf if self.at_least is None else self.at_least
        return self.figure is not None and least <= self.figure <= (math.inf if self.at_most is None else self.at_most)


@dataclass(frozen=True)
class Bench:
    """How it is measured."""

    # Whether everything is done once and small, in forked processes: that shows that the bench works, and nothing else.
    small: bool = False
    # How often each figure is taken; the median is shown.
    repeats: int = 3
    # How processes start.
    starter: Starter = field(default_factory=Starter)

    def sizes(self, whole: Sequence[int], small: Sequence[int] = (30,)) -> Sequence[int]:
        return small if self.small else whole

    def median(self, work: Callable[[], float]) -> float:
        return median(work() for _ in range(self.repeats))


Part = Callable[[Bench], Iterator[Row]]
COLUMNS = ("part", "what", "of", "figure", "target", "note")
_WIDTHS = (8, 58, 9, 22, 14, 0)


def show(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 100 or figure == int(figure) else f"{figure:.2f}"


def line(part: str, row: Row) -> str:
    figure = "not measured" if row.figure is None else f"{show(row.figure)} {row.unit}"
    return _aligned((part, row.what, f"{row.size:,}", figure, row.verdict, row.note))


def head() -> str:
    return _aligned(COLUMNS)


def _aligned(cells: Sequence[str]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """How something grows with n: the slope of log seconds on log n, by least squares; 1 is linear."""
    logs = [(math.log(n), math.log(max(seconds, 1e-9))) for n, seconds in points]
    x, y = (sum(column) / len(logs) for column in zip(*logs, strict=True))
    slope: float = sum((a - x) * (b - y) for a, b in logs) / sum((a - x) ** 2 for a, _ in logs)
    return slope
