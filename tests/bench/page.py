"""The ratios that stand in `docs/speed.md`, written anew from what the bench measured: `python -m tests.bench.page FILE…`."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import ROOT
from tests.bench.table import Row, show

PAGE = ROOT / "docs" / "speed.md"
# What says something on another machine too, by how its unit begins; seconds do not.
RATIOS = ("calls", "x ", "%", "exponent", "MiB", "a CPU second", "CPU ms beyond")
TABLE = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- end of bench -->)", re.DOTALL)


def table(rows: Iterable[Row]) -> str:
    """A table of the ratios among these rows."""
    lines = ["| what | of | figure | goal |", "| --- | --- | --- | --- |"]
    for row in rows:
        if row.figure is not None and row.unit.startswith(RATIOS):
            goal = row.verdict.replace("<=", "at most").replace(">=", "at least").partition(" ok")[0]
            lines.append(f"| {row.what} | {row.size:,} | {show(row.figure)} {row.unit} | {goal} |")
    return "\n".join(["", *lines, "", ""])


def written(page: str, rows: Iterable[Row]) -> str:
    """The page with its table made of these rows."""
    return TABLE.sub(lambda _: table(rows), page)


def read(files: Iterable[Path]) -> list[Row]:
    """The rows that the bench wrote, the later ones in place of earlier ones of the same name and size."""
    rows: dict[tuple[str, str, int], Row] = {}
    for file in files:
        result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        for figure in result["rows"]:
            row = Row(**{name: value for name, value in figure.items() if name not in ("part", "verdict")})
            once = result["repeats"] == 1 and row.unit != "calls"
            rows[figure["part"], row.what, row.size] = replace(row, what=f"{row.what}, one run") if once else row
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.page", description="Write the table of docs/speed.md anew.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what `python -m tests.bench --json FILE` wrote")
    asked = parser.parse_args()
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), read(asked.files)), encoding="utf-8")


if __name__ == "__main__":
    main()
