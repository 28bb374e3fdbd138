"""How the whole route grows in one process, with the sandbox inside; two processes at a time on one ledger; and answers that lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench import cases, remembered
from tests.bench.cases import Measured
from tests.bench.table import Bench, Row
from tests.properties.fuzz import lied_to, prepare, runs

CASES = cases.CASES | cases.TOGETHER | remembered.CASES
LIES = 2_000


def measure(name: str, size: int) -> dict[str, Any]:
    return vars(CASES[name].measure(size))


def rows(bench: Bench) -> Iterator[Row]:
    """Wall-clock seconds, for they wait for nothing."""
    for name, case in (cases.CASES | remembered.CASES).items():
        yield from _grow(bench, name, bench.sizes(case.sizes, (4,)))


def rows_together(bench: Bench) -> Iterator[Row]:
    """Two real processes are more than a bench that is only tried may take."""
    for name, case in cases.TOGETHER.items():
        yield from _grow(bench, name, bench.sizes(case.sizes, ()))


def _grow(bench: Bench, name: str, sizes: Sequence[int]) -> Iterator[Row]:
    before = 0.0
    for size in sizes:
        costs = [Measured(**bench.starter.call(measure, name, size)) for _ in range(bench.repeats)]
        cost = sorted(costs, key=lambda cost: cost.seconds)[len(costs) // 2]
        calls = "" if cost.calls is None else f"{cost.calls:,} calls"
        more = f"x{cost.seconds / before:.1f} for ten times as many" if before else ""
        yield Row(name, size, cost.seconds, "s", note="; ".join(filter(None, (calls, f"{cost.peak:.0f} MiB", more, cost.note))))
        before = cost.seconds


def rows_of_lies(bench: Bench) -> Iterator[Row]:
    """Answers that lie, one in each apply: how many ended otherwise than an honest one lets them."""
    (number,) = bench.sizes([LIES])
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for n, (ledger, seeds) in enumerate(runs(number)):
            world = prepare(Path(folder) / str(n), ledger=ledger)
            wrong += sum(bool(lied_to(world, seed)) for seed in seeds)
    yield Row("answers that lie", number, wrong, "wrong ends", 0)
