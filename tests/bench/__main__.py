"""All that is measured, in one table: `python -m tests.bench [PART…]`.

Nothing here is asserted; clocks are this machine's, and ratios of one run are the point. Call counts are exact, and tests assert them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

from tests.bench import calls, fleet, growth, limits, octo, processor, routes, serving, startup
from tests.bench.apart import Starter
from tests.bench.table import Bench, Part, head, line

PARTS: dict[str, Part] = {
    "calls": calls.rows,
    "limit": limits.rows,
    "plan": processor.rows,
    "growth": growth.rows,
    "octodns": octo.rows,
    "start": startup.rows,
    "sandbox": serving.rows,
    "route": routes.rows,
    "together": routes.rows_together,
    "lies": routes.rows_of_lies,
    "fleet": fleet.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure the parts that are named, or all of them.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="take each figure so often, and show the median; else 3")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into a file, too")
    parser.add_argument("--small", action="store_true", help="little of everything: whether the bench works")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    bench = Bench(asked.small, asked.repeats, Starter(forks=asked.small))
    print(head(), flush=True)
    figures = []
    for name in asked.parts or PARTS:
        for row in PARTS[name](bench):
            print(line(name, row), flush=True)
            figures.append({"part": name, **vars(row), "verdict": row.verdict})
    if asked.json:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cores": os.cpu_count()}
        result = {"machine": machine, "small": asked.small, "repeats": asked.repeats, "rows": figures}
        asked.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
