"""Workspaces as rows of CSV: a column for each key, `labels.plan` and `vars.BRAND` for those of a map."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from reconciler.core.model.written import quote
from reconciler.errors import Invalid, Mark, Problem
from reconciler.manifest.reader import BOM

_PLAIN = frozenset({"app_id", "region", "base_url"})
_MAPS = frozenset({"labels", "vars"})


def read_csv(data: bytes, file: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The line and the values of each row; an empty cell is not written. Raises Invalid for what is no such table."""
    try:
        lines = data.removeprefix(BOM).decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise Invalid([Problem(Mark(file), "is no UTF-8", "save it as UTF-8")]) from None
    rows = csv.reader(lines, strict=True)
    header = list[str]()
    try:
        for cells in rows:
            if not header:
                header = [cell.strip() for cell in cells]
                _check_header(header, Mark(file, rows.line_num))
            elif any(cells):
                if len(cells) > len(header):
                    raise Invalid([Problem(Mark(file, rows.line_num), "has more cells than the header", "quote what holds a comma")])
                yield rows.line_num, _place(header, cells)
    except csv.Error as error:
        raise Invalid([Problem(Mark(file, rows.line_num), f"is no CSV ({error})", "correct the line")]) from None
    if not header:
        raise Invalid([Problem(Mark(file), "is empty", "write a header, app_id,region, and a row for each workspace")])


def _check_header(header: list[str], mark: Mark) -> None:
    unknown = [name for name in header if name not in _PLAIN and not (name.partition(".")[0] in _MAPS and name.partition(".")[2])]
    problems = [
        Problem(mark, f"unknown column {quote(name)}", "known are app_id, region, base_url, labels.NAME, vars.NAME") for name in unknown
    ]
    problems += [Problem(mark, f"the column {quote(name)} stands twice", "keep one of them") for name in header if header.count(name) > 1]
    if "app_id" not in header:
        problems.append(Problem(mark, "there is no column app_id", "the first line names the columns: app_id,region"))
    if problems:
        raise Invalid(problems)


def _place(header: list[str], cells: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        block, dot, key = name.partition(".")
        if cell.strip() and dot:
            row.setdefault(block, {})[key] = cell.strip()
        elif cell.strip():
            row[name] = cell.strip()
    return row
