"""Live things and answers as people and programs read them: table, JSON, CSV, ids; a line at a time, harmless on any terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model.change import Use
from reconciler.core.model.live import Live
from reconciler.core.model.paths import live_value
from reconciler.report.json import in_ascii
from reconciler.report.signs import columns
from reconciler.report.terminal import clean, guard

# How many rows decide on the width of the columns.
SAMPLE = 100


@dataclass(frozen=True, slots=True)
class Shape:
    """What is shown of things of one kind."""

    # The field that names each.
    name: str
    # The paths of its fields, where each is a column.
    paths: Sequence[str] = ()
    # Whether it has more than a name.
    more: bool = True
    # Where it can be used, if that was counted.
    places: Sequence[str] = ()
    # How often each thing, by its id, is used in each of these places.
    uses: Mapping[str, Sequence[Use]] = field(default_factory=dict)


def table(things: Iterable[Live], shape: Shape) -> Iterator[str]:
    """The key, the id, how often it is used, and what is set; as wide as the first rows need. Without things there is no head."""
    head = [title.upper() for title in (shape.name, "id", *shape.places, *(["fields"] if shape.more else []))]
    rows = (
        [thing.key, thing.id, *map(_use_cell, shape.uses.get(thing.id, ())), ", ".join(_field_cells(thing))][: len(head)]
        for thing in things
    )
    return columns(_with_head(head, rows), SAMPLE)


def _with_head(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Rows below their head, which comes once the first is known, so that a read that fails leaves nothing."""
    for number, row in enumerate(rows):
        if not number:
            yield head
        yield row


def _use_cell(use: Use) -> str:
    return "?" if use.number is None else f"{use.number:,}{'+' if use.least else ''}"


def _field_cells(thing: Live) -> Iterator[str]:
    return (f"{name}: {_cell(value)}" for name, value in thing.fields.items() if value not in (None, "", {}, (), thing.key))


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=list)


def as_json(things: Iterable[Live], shape: Shape) -> Iterator[str]:
    """One array, a thing a line. It is opened once the first thing is known, so that a read that fails leaves nothing."""
    before = ""
    for thing in things:
        yield f"  {before}," if before else "["
        before = in_ascii({"id": thing.id, **thing.fields, **_counts(shape.uses.get(thing.id))})
    yield from (f"  {before}", "]") if before else ("[", "]")


def _counts(uses: Sequence[Use] | None) -> dict[str, Any]:
    if uses is None:
        return {}
    return {"uses": {use.where: use.number for use in uses}, "at_least": [use.where for use in uses if use.least]}


def as_csv(things: Iterable[Live], shape: Shape) -> Iterator[str]:
    """A column for the id, each field and each count, as a list of the manifest has them; a thing a line."""
    head = [_join(["id", *shape.paths, *shape.places])]
    for thing in things:
        yield from head
        head = []
        counts = ["" if use.number is None else str(use.number) for use in shape.uses.get(thing.id, ())]
        yield _join([thing.id, *(_plain(live_value(thing, path)) for path in shape.paths), *counts])
    yield from head


def _plain(value: Any) -> str:
    return "" if value in (None, (), {}) else _cell(value)


def _join(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(map(clean, cells))
    return guard(line.getvalue())


def ids(things: Iterable[Live], shape: Shape) -> Iterator[str]:
    """What Intercom calls them."""
    return (clean(thing.id) for thing in things)


FORMS: Mapping[str, Callable[[Iterable[Live], Shape], Iterator[str]]] = {"table": table, "json": as_json, "csv": as_csv, "ids": ids}
