"""An inventory as people and programs read it: text, CSV, JSON, HTML."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from reconciler.core.compare.inventory import Inventory, Row, Standing
from reconciler.core.compare.retiring import Retiring, describe_held
from reconciler.core.model.change import Use
from reconciler.core.model.privacy import hide, show_name
from reconciler.core.model.times import format_time
from reconciler.core.model.written import show_blanks
from reconciler.report.json import deep
from reconciler.report.signs import columns
from reconciler.report.terminal import clean, reveal

# What a spreadsheet takes for the beginning of a formula, in whatever width the sign is written
# (https://owasp.org/www-community/attacks/CSV_Injection), and what a runner takes for that of a workflow command.
_FORMULA = re.compile(r"\s*[=+\-@|%＝＋－＠]|[\t\r\n]|\s*::")
# More columns, where only what is due to go is asked for.
_DUE = {True: ("due since", "held by"), False: ()}
_DEAD = {True: "yes", None: "perhaps", False: ""}


def render(inventory: Inventory, form: str, head: str = "") -> str:
    """An inventory in one of the `FORMS`, without e-mails."""
    return FORMS[form](_mask(inventory), head)


def _mask(inventory: Inventory) -> Inventory:
    """The same, with names as they may be shown."""

    def name(text: str) -> str:
        return show_name(inventory.kind.name, text, inventory.app_id)

    rows = [replace(row, name=name(row.name), alike=[*map(name, row.alike)]) for row in inventory.rows]
    return replace(inventory, rows=rows, admins=hide(dict(inventory.admins), False))


def text(inventory: Inventory, _: str) -> str:
    """A line a thing, below the names of the columns, and last how many there are of each sort."""
    header = [inventory.kind.name, "id", *_places(inventory), "last applied", "amiss"]
    rows = (
        [reveal(show_blanks(row.name)), row.id, *map(_number, _uses(inventory, row)), _last_applied(inventory, row), _amiss(row)]
        for row in inventory.rows
    )
    return "\n".join([*columns([header, *rows]), "", summary(inventory), ""])


def summary(inventory: Inventory) -> str:
    """How many things there are of each sort."""
    sums = [f"{number:,} {word}" for word, number in inventory.sums.items()]
    number = len(inventory.rows)
    return f"{number:,} {inventory.kind.name if number == 1 else inventory.kind.section}{': ' if sums else ''}{', '.join(sums)}"


def table(inventory: Inventory, _: str) -> str:
    """CSV in UTF-8 that a spreadsheet can open: no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    least = [f"{count.where} (at least)" if count.least else count.where for count in inventory.kind.uses.counts]
    last = ("last applied", "by", "dead", "like", *_DUE[inventory.due])
    writer.writerow([inventory.kind.name, "id", "manifest", "declared at", *least, *last])
    for row in inventory.rows:
        numbers = [use.number if use else None for use in _uses(inventory, row)]
        counts = ["" if number is None else str(number) for number in numbers]
        document = _document(inventory, row)
        cells = [document["last_applied"] or "", document["last_applied_by"] or "", _DEAD[row.dead], ", ".join(row.alike)]
        due = [str(document["due"]["since"] or ""), ", ".join(document["due"]["held_by"])] if "due" in document else []
        writer.writerow(map(_cell, [row.name, row.id, row.standing.value, str(row.mark or ""), *counts, *cells, *due]))
    return out.getvalue()


def _cell(value: str) -> str:
    """A text as a cell: on one line, and with an apostrophe before what would be a formula."""
    return "'" + clean(value) if _FORMULA.match(value) else clean(value)


def as_json(inventory: Inventory, _: str) -> str:
    """One object, with every thing."""
    uncounted = list(inventory.kind.uses.uncounted)
    things = [_document(inventory, row) for row in inventory.rows]
    document = {"format_version": "1.0", "app_id": inventory.app_id, "summary": dict(inventory.sums), "not_counted": uncounted}
    return deep(document | {inventory.kind.section: things})


def _document(inventory: Inventory, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "id": row.id or None,
        "manifest": row.standing.value or None,
        "source": {"file": row.mark.file, "line": row.mark.line} if row.mark else None,
        "uses": [{"where": use.where, "number": use.number, "at_least": use.least} for use in row.uses],
        "last_applied": _moment(row),
        "last_applied_by": inventory.admins.get(row.last.by) if row.last else None,
        "dead": row.dead,
        "like": list(row.alike),
    } | ({"due": _describe_due(row.retiring)} if row.retiring else {})


def _describe_due(retiring: Retiring) -> dict[str, Any]:
    """Since when something is due to go, and who people say still uses it."""
    since = None if retiring.since is None else format_time(retiring.since)
    return {"since": since, "held_by": hide(list(retiring.resource.used_by), False), "message": retiring.text}


def page(inventory: Inventory, head: str) -> str:
    """One self-contained page; `head` says when it was made, and of what."""
    from reconciler.report import html

    words: Mapping[str, Any] = {
        "visible": show_blanks,
        "number": _number,
        "uses": _uses,
        "seen": _last_applied,
        "amiss": _amiss,
        "places": _places,
    }
    return html.page("inventory.html", "plan.css", **words).render(inventory=inventory, head=head, summary=summary(inventory))


def _places(inventory: Inventory) -> Sequence[str]:
    return [count.where for count in inventory.kind.uses.counts]


def _uses(inventory: Inventory, row: Row) -> Sequence[Use | None]:
    """How often it is used in each place; nothing for what is not live."""
    by_place = {use.where: use for use in row.uses}
    return [by_place.get(place) for place in _places(inventory)]


def _number(use: Use | None) -> str:
    if use is None:
        return "-"
    return "?" if use.number is None else f"{use.number:,}{'+' if use.least else ''}"


def _last_applied(inventory: Inventory, row: Row) -> str:
    """The day on which it was seen applied last, and by whom."""
    admin = inventory.admins.get(row.last.by, "") if row.last else ""
    return f"{(_moment(row) or '')[:10]}{' by ' if admin else ''}{admin}"


def _moment(row: Row) -> str | None:
    try:
        return datetime.fromtimestamp(row.last.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if row.last else None
    except (OverflowError, ValueError, OSError):  # what stands there may be no time
        return None


def _amiss(row: Row) -> str:
    return "; ".join(_remarks(row))


def _remarks(row: Row) -> Iterator[str]:
    if row.standing not in (Standing.DECLARED, Standing.UNKNOWN):
        yield row.standing.value
    if row.retiring:
        yield f"{row.retiring.text}{f'; {hide(describe_held(row.retiring), False)}' if row.retiring.is_held else ''}"
    if row.dead is not False:
        yield "dead" if row.dead else "perhaps dead"
    if row.alike:
        yield f"like {', '.join(map(show_blanks, row.alike))}"


FORMS: Mapping[str, Callable[[Inventory, str], str]] = MappingProxyType({"text": text, "csv": table, "json": as_json, "html": page})
