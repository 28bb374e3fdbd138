"""Live things and answers as people and programs read them: table, JSON, YAML, ids; a line at a time, harmless on any terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml

from reconciler.core.model.live import Live
from reconciler.report.json import in_ascii
from reconciler.report.signs import columns
from reconciler.report.terminal import COMMAND, clean

# How many rows decide on the width of the columns.
SAMPLE = 100
_UNSAFE = re.compile(f"\x7f|{COMMAND}")


def table(things: Iterable[Live]) -> Iterator[str]:
    """The key, the id, and what is set; as wide as the first rows need."""
    return columns(((thing.key, thing.id, ", ".join(_told(thing))) for thing in things), SAMPLE)


def _told(thing: Live) -> Iterator[str]:
    return (f"{name}: {_cell(value)}" for name, value in thing.fields.items() if value not in (None, "", {}, (), thing.key))


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=list)


def as_json(things: Iterable[Live]) -> Iterator[str]:
    """One array, a thing a line. It is opened once the first thing is known, so that a read that fails leaves nothing."""
    before = ""
    for thing in things:
        yield f"  {before}," if before else "["
        before = in_ascii(plain(thing))
    yield from (f"  {before}", "]") if before else ("[", "]")


def as_yaml(things: Iterable[Live]) -> Iterator[str]:
    """One list; an empty one is `[]`."""
    empty = True
    for thing in things:
        empty = False
        # Through JSON, so that tuples are lists.
        found = json.loads(json.dumps([plain(thing)], default=list))
        yield _UNSAFE.sub(_hex, yaml.dump(found, Dumper=_Plain, sort_keys=False, width=float("inf"))).rstrip("\n")
    if empty:
        yield "[]"


def ids(things: Iterable[Live]) -> Iterator[str]:
    """What Intercom calls them."""
    return (clean(thing.id) for thing in things)


FORMS: Mapping[str, Callable[[Iterable[Live]], Iterator[str]]] = {"table": table, "json": as_json, "yaml": as_yaml, "ids": ids}


def plain(thing: Live) -> dict[str, Any]:
    return {"id": thing.id, **thing.fields}


def _hex(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


class _Plain(yaml.SafeDumper):
    """YAML in ASCII, whose texts stay on their line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Texts with line breaks, or with what a CI runner obeys, go in double quotes, where escapes count."""
    style = '"' if "\n" in text or "::" in text or _UNSAFE.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _text)
