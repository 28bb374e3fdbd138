"""Edits of lists, CSV and JSON Lines: the names of one thing in their rows; all else stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from reconciler.core.model.written import quote
from reconciler.errors import Usage

# A cell and what ends it. A carriage return alone ends nothing.
_CELL = re.compile(r'("(?:[^"]|"")*"|(?:[^,\r\n]|\r(?!\n))*)(,|\r?\n|\Z)')
# A sign of JSON between keys and values, with the blanks around it.
_SIGNS = {sign: re.compile(rf"[ \t\r]*{sign}[ \t\r]*") for sign in ("{", ":", ",")}
_DECODER = json.JSONDecoder()

# Whether a column of this name holds names of things.
IsNames = Callable[[str], bool]
# `id`, or "" for a name; what is written; whether that is to be absent → what stands there instead, None where it goes.
Becomes = Callable[[str, str, bool], str | None]


def edit_rows(path: str, text: str, is_names: IsNames, end: str, becomes: Becomes) -> tuple[str, int]:
    """The text of a list where names are other ones, and in how many places; `end` is the key of a name in an item that is a map.

    What is no CSV or JSON stays as it is: who reads it says so."""
    if path.lower().endswith(".csv"):
        return _edit_csv(text, is_names, becomes)
    return _edit_json(text, is_names, end, becomes)


def _edit_csv(text: str, is_names: IsNames, becomes: Becomes) -> tuple[str, int]:
    parts, header, column, below, number = list[str](), list[bool](), 0, False, 0
    for cell, ending in _CELL.findall(text):
        hits = 0
        if not below:
            header.append(is_names(_unquote(cell)))
        elif column < len(header) and header[column]:
            cell, hits = _edit_cell(cell, becomes)
        parts += [cell, ending]
        number += hits
        column, below = (column + 1, below) if ending == "," else (0, True)
    return "".join(parts), number


def _unquote(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _edit_cell(cell: str, becomes: Becomes) -> tuple[str, int]:
    names = [(name, name.strip()) for name in _unquote(cell).split(";")]
    cells = [becomes("", bare, False) for _, bare in names]
    number = sum(new != bare for new, (_, bare) in zip(cells, names, strict=True))
    if not number:
        return cell, 0
    there = {bare.casefold() for new, (_, bare) in zip(cells, names, strict=True) if new == bare}
    rest = []
    for new, (name, bare) in zip(cells, names, strict=True):
        if new == bare:
            rest.append(name)
        elif new is not None and ";" in new:
            raise Usage(
                f"{quote(new)} cannot stand in a cell of CSV, where ; parts names; choose another name, or make the list JSON Lines"
            )
        elif new is not None and new.casefold() not in there:
            there.add(new.casefold())
            rest.append(name.replace(bare, new))
    text = ";".join(rest)
    quotes = cell.startswith('"') or set(text) & set('",')
    return '"' + text.replace('"', '""') + '"' if quotes else text, number


def _edit_json(text: str, is_names: IsNames, end: str, becomes: Becomes) -> tuple[str, int]:
    lines, number = text.split("\n"), 0
    for at, line in enumerate(lines):
        for key, start, behind in reversed(list(_values(line))):
            items, hits = _edit_items(_DECODER.raw_decode(line, start)[0], end, becomes) if is_names(key) else ([], 0)
            if hits:
                apart = (", " if ", " in line else ",", ": " if ": " in line else ":")
                escapes = "\\u" in line[start:behind]
                line = f"{line[:start]}{json.dumps(items, ensure_ascii=escapes, separators=apart)}{line[behind:]}"
                number += hits
        lines[at] = line
    return "\n".join(lines), number


def _values(line: str) -> Iterator[tuple[str, int, int]]:
    """The keys of a JSON object, and where the value of each begins and ends; none behind what is no JSON."""
    try:
        sign = _SIGNS["{"].match(line)
        while sign:
            key, at = _DECODER.raw_decode(line, sign.end())
            if not (colon := _SIGNS[":"].match(line, at)):
                return
            _, behind = _DECODER.raw_decode(line, colon.end())
            yield str(key), colon.end(), behind
            sign = _SIGNS[","].match(line, behind)
    except (ValueError, RecursionError):
        return


def _edit_items(items: Any, end: str, becomes: Becomes) -> tuple[Any, int]:
    """The items of a list where names are other ones, each once, and how many they are. A list with a fraction stays: 1.10 would become
    1.1."""
    plain = isinstance(items, list) and not any(isinstance(item, float) for item in items)
    pairs = [(item, *_name_of(item, end)) for item in items] if plain else []
    new_items = [becomes("id" if by == "id" else "", name, _is_absent(item)) for item, by, name in pairs]
    there = {name.casefold() for new, (item, _, name) in zip(new_items, pairs, strict=True) if new == name and not _is_absent(item)}
    rest: list[Any] = []
    for new, (item, by, name) in zip(new_items, pairs, strict=True):
        if new == name:
            rest.append(item)
        elif new is not None and new.casefold() not in there:
            there.add(new.casefold())
            rest.append({**item, by: new} if by == end else new)
    return rest, sum(new != name for new, (_, _, name) in zip(new_items, pairs, strict=True))


def _name_of(item: Any, end: str) -> tuple[str, str]:
    """The key that has the name in an item that is a map, and the name; "" for one that has none."""
    by = next((key for key in ("id", end) if key in item), "") if isinstance(item, dict) else ""
    name = item[by] if by else item
    return by, name if isinstance(name, str) else ""


def _is_absent(item: Any) -> bool:
    return isinstance(item, dict) and item.get("state") == "absent"
