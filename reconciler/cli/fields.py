"""The fields of a raw call, written as for `gh api`: `key=value`, `key[sub]=value`, `key[]=value`, `key[][sub]=value`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from reconciler.errors import Usage

Tree = dict[str, Any]
_WORDS = {"true": True, "false": False, "null": None}
_KEY = re.compile(r"[^\[\]=]+(\[[^\[\]=]*\])*")


def read_fields(raw: Iterable[str], values: Iterable[str]) -> Tree:
    """All fields as one tree: those of -f are texts, those of -F become what they look like. Raises Usage."""
    tree: Tree = {}
    for option, written in (*(("-f", field) for field in raw), *(("-F", field) for field in values)):
        key, equals, value = written.partition("=")
        if not _KEY.fullmatch(key) or "[][]" in key:
            raise Usage(f"{option} {key}: write KEY=VALUE, KEY[SUB]=VALUE or KEY[]=VALUE")
        if not equals and not key.endswith("[]"):
            raise Usage(f"{option} {key}: a value is missing, as in {key}=VALUE")
        _put(tree, option, key, ([_parse_value(value) if option == "-F" else value] if equals else []))
    return tree


def _parse_value(text: str) -> Any:
    """true, false, null and whole numbers as such; @FILE is the text in a file, @- standard input; the rest is text."""
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(r"[-+]?[0-9]{1,300}", text):
        return int(text)
    return _contents(text[1:]) if text.startswith("@") else text


def _contents(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"-F @{path}: cannot be read ({getattr(error, 'strerror', None) or 'it is no text'})") from None


def _put(tree: Tree, option: str, key: str, values: list[Any]) -> None:
    """Hang the value (or none, for an empty array) where the key says."""
    *way, last = re.findall(r"([^\[\]]+)\]?(\[\])?", key)
    place, following = tree, [name for name, _ in (*way, last)][1:]
    for (name, array), sub in zip(way, following, strict=True):
        place = _item(_child(place, option, key, name, list), sub) if array else _child(place, option, key, name, dict)
    name, array = last
    if array:
        _child(place, option, key, name, list).extend(values)
    elif name in place:
        raise Usage(f"{option} {key}: is given twice")
    else:
        place[name] = values[0]


def _child(place: Tree, option: str, key: str, name: str, shape: type) -> Any:
    child = place.setdefault(name, shape())
    if not isinstance(child, shape):
        raise Usage(f"{option} {key}: another field gave {name} another shape")
    return child


def _item(items: list[Any], sub: str) -> Tree:
    """The object in an array that a field belongs to: the last one, or a new one where that has the field already."""
    last = items[-1] if items else None
    if not isinstance(last, dict) or (sub in last and not isinstance(last[sub], list)):
        items.append(last := {})
    return last


def as_query(tree: Tree) -> list[tuple[str, str]]:
    """Fields as query parameters, nested ones as `key[sub]` and `key[]`."""
    return [pair for name, value in tree.items() for pair in _pairs(name, value)]


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for sub, item in value.items():
            yield from _pairs(f"{name}[{sub}]", item)
    elif isinstance(value, list):
        for item in value:
            yield from _pairs(f"{name}[]", item)
    else:
        yield name, _show_value(value)


def _show_value(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
