"""The door: a body of Intercom's becomes a thing, and the links in it, only once all that is used of it has its shape. Pure."""

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
    shapes = kind.shapes
    for name, value in live.fields.items():
        # Everything may be nothing, and most of a thing is.
        if value is not None and (type(value) not in shapes[name] or (type(value) is tuple and not all(type(i) is str for i in value))):
            raise Misshapen(f"has {_word(value)} as its {name}")
    if kind.named_by and not live.fields[kind.named_by]:
        raise Misshapen(f"has no {kind.named_by}")
    return live


def links(kind: Kind, body: Body) -> Mapping[LinkName, tuple[frozenset[str], bool]]:
    """The links that a thing's own body shows: the ids of the other ends, and whether these are all. Raises Misshapen."""
    ends = {}
    for link in kind.links:
        try:
            items, whole = link.embedded(body)
            ends[link.name] = _keep_once(frozenset([read_id(item) for item in items])), whole
        except (KeyError, TypeError, ValueError, AttributeError):
            raise Misshapen(f"has {link.field} that cannot be read") from None
    return ends


@lru_cache(maxsize=4096)
def _keep_once(ids: frozenset[str]) -> frozenset[str]:
    """The same ends as one value: thousands of things have them."""
    return ids


def read_id(body: Any) -> str:
    """The id of an object. Raises Misshapen for what no id of Intercom's looks like."""
    if not isinstance(body, dict):
        raise Misshapen(f"is {_word(body)}, not an object")
    value = body.get("id")
    if type(value) is str and _ID.fullmatch(value):
        return value
    if type(value) not in (str, int) or not _ID.fullmatch(str(value)):
        raise Misshapen("has an id that is none of Intercom's")
    return str(value)


def _word(value: Any) -> str:
    return _WORDS.get(type(value), "a list")
