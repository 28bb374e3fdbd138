"""The door: a body from Intercom becomes a thing and its links only after every part that we use was checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from reconciler.core.model.address import LinkName
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.route import Body

# Contacts, companies and segments: 24 hex digits; tags, admins and the like: numbers (recorded examples, API 2.16).
_ID = re.compile(r"[0-9a-f]{24}|[0-9]{1,20}")
_WORDS = {str: "a text", int: "a number", float: "a number", bool: "true or false", type(None): "nothing", dict: "an object"}


class Misshapen(ValueError):
    """A body that cannot be what was asked for, and why."""


def thing(kind: Kind, body: Any) -> Live:
    """A thing of a kind. Raises Misshapen."""
    if not isinstance(body, dict):
        raise Misshapen(f"is {_word(body)}, not an object")
    read_id(body)
    try:
        live = kind.decode(body)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Misshapen("has parts that cannot be read") from None
    types = tuple(map(type, live.fields.values()))
    if types not in kind.seen_types:
        _check_types(kind, live)
        # What a list holds is looked at each time.
        if tuple not in types:
            kind.seen_types.add(types)
    if kind.named_by and not live.fields[kind.named_by]:
        raise Misshapen(f"has no {kind.named_by}")
    return live


def _check_types(kind: Kind, live: Live) -> None:
    """Raises Misshapen where a value is of a type that its field cannot have."""
    for name, value in live.fields.items():
        if type(value) not in kind.shapes[name] or (type(value) is tuple and not all(type(i) is str for i in value)):
            raise Misshapen(f"has {_word(value)} as its {name}")


def links(kind: Kind, body: Body) -> Mapping[LinkName, tuple[frozenset[str], bool]]:
    """The links that a thing's own body shows: the ids of the other ends, and whether these are all. Raises Misshapen."""
    ends = {}
    for link in kind.links:
        try:
            items, whole = link.read_embedded(body)
            ends[link.name] = _read_ends(*[item["id"] for item in items]), whole
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Misshapen(f"has {link.field} that cannot be read") from None
    return ends


# To a cache 1 is True unless types count.
@lru_cache(maxsize=4096, typed=True)
def _read_ends(*ids: Any) -> frozenset[str]:
    """The ends with these ids, as one value: thousands of things have the same. Raises Misshapen."""
    return frozenset(map(_check_id, ids))


def read_id(body: Any) -> str:
    """The id of an object. Raises Misshapen where it does not look like an id of Intercom's."""
    if not isinstance(body, dict):
        raise Misshapen(f"is {_word(body)}, not an object")
    return _check_id(body.get("id"))


def _check_id(value: Any) -> str:
    if type(value) is str and _ID.fullmatch(value):
        return value
    if type(value) not in (str, int) or not _ID.fullmatch(str(value)):
        raise Misshapen("has an id that is none of Intercom's")
    return str(value)


def _word(value: Any) -> str:
    return _WORDS.get(type(value), "a list")
