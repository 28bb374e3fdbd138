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
# A field, or "" for the one that names a thing, and what is written → what stands there instead; None where it goes.
Becomes = Callable[[str, str], str | None]


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
            header.append(is_names(_unquoted(cell)))
        elif column < len(header) and header[column]:
            cell, hits = _edit_cell(cell, becomes)
        parts += [cell, ending]
        number += hits
        column, below = (column + 1, below) if ending == "," else (0, True)
    return "".join(parts), number


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') else cell


def _edit_cell(cell: str, becomes: Becomes) -> tuple[str, int]:
    names = [(name, name.strip()) for name in _unquoted(cell).split(";")]
    told = [becomes("", bare) for _, bare in names]
    number = sum(new != bare for new, (_, bare) in zip(told, names, strict=True))
    if not number:
        return cell, 0
    if parted := next((new for new, (_, bare) in zip(told, names, strict=True) if new not in (None, bare) and ";" in new), None):
        raise Usage(f"{quote(parted)} cannot stand in a cell of CSV, where ; parts names; choose another name, or make the list JSON Lines")
    text = ";".join(name.replace(bare, new) for new, (name, bare) in zip(told, names, strict=True) if new is not None)
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
    """The items of a list where names are other ones, and how many they are. A list with a fraction stays: 1.10 would become 1.1."""
    told, number = [], 0
    for item in items if isinstance(items, list) and not any(isinstance(item, float) for item in items) else ():
        field = "" if not isinstance(item, dict) else "id" if "id" in item else end
        bare = item[field] if field and field in item else item
        new = becomes("id" if field == "id" else "", bare) if isinstance(bare, str) else bare
        number += new != bare
        if new is not None:
            told.append({**item, field: new} if field and field in item else new)
    return told, number
