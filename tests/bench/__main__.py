"""How the route grows: `python -m tests.bench` prints a table. Nothing here is asserted; times are this machine's, ratios are the point."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import cases, remembered
from tests.bench.cases import Measured
from tests.properties.fuzz import lied_to, prepare, runs

CASES = cases.CASES | remembered.CASES
LIES = 2_000
COLUMNS = ("what", "size", "seconds", "per 1000", "calls", "peak MB")


def measured_apart(name: str, size: int) -> Measured:
    """One case in a process of its own, so that its peak of memory is its own."""
    command = [sys.executable, "-m", "tests.bench", "--case", name, "--size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout))


def row(name: str, size: int, cost: Measured) -> tuple[str, ...]:
    calls = "" if cost.calls is None else str(cost.calls)
    return name, f"{size:,}", f"{cost.seconds:.2f}", f"{cost.seconds * 1e6 / size:.1f} ms", calls, f"{cost.peak:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=sorted(CASES))
    parser.add_argument("--size", type=int)
    asked = parser.parse_args()
    if asked.case and asked.size:
        print(json.dumps(vars(CASES[asked.case].measure(asked.size))))
        return
    print(" | ".join(COLUMNS))
    for name, case in CASES.items():
        if asked.case in (None, name):
            before: Measured | None = None
            for size in case.sizes:
                cost = measured_apart(name, size)
                grown = f"  (x{cost.seconds / before.seconds:.1f} for ten times as much)" if before and before.seconds else ""
                print(" | ".join(row(name, size, cost)) + grown + (f"  ({cost.note})" if cost.note else ""), flush=True)
                before = cost
    if asked.case is None:
        lies()


def lies() -> None:
    """Two thousand answers that lie, one in each apply: how many ended otherwise than an honest one lets them."""
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for n, (ledger, seeds) in enumerate(runs(LIES)):
            world = prepare(Path(folder) / str(n), ledger=ledger)
            wrong += sum(bool(lied_to(world, seed)) for seed in seeds)
    print(f"answers that lie: {LIES:,} runs, {wrong} wrong", flush=True)


if __name__ == "__main__":
    main()
