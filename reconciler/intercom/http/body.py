"""The body of an answer: a JSON object of a size that fits into memory."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set
from functools import cache
from typing import Any, cast

from pydantic_core import from_json
from typing_extensions import TypedDict

from reconciler.intercom.http.request import Json, Parse

# The most values in one. A contact has some hundred values, and a page 150 contacts.
VALUES = 2_000_000
# What anybody looks at beside the things in a list.
_ABOUT = frozenset({"type", "errors", "request_id", "pages", "total_count", "has_more"})


def is_crowded(content: bytes) -> bool:
    """Whether an answer holds more values than fit into memory: sixty million small ones in little text take gigabytes."""
    # Before each value stands a comma, or what opens its object or list; the shortest takes two bytes with it.
    return len(content) > 2 * VALUES and sum(map(content.count, (b",", b"{", b"["))) > VALUES


def parse_object(content: bytes) -> dict[str, Json] | None:
    """The JSON object in an answer, None where it is none."""
    try:
        # The same few hundred keys stand in thousands of things.
        body = from_json(content, cache_strings="keys")
    except ValueError:
        # It takes no halves of surrogate pairs, which Python's own reader does.
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return None
    return body if isinstance(body, dict) else None


@cache
def parser_of(items: Sequence[str], keys: Set[str]) -> Parse:
    """What reads a list with these keys of its things alone: a contact shows a hundred values, of which a dozen are used, and to make the
    others takes longer than all that becomes of these. `items` are the keys that may hold the list. What is no such list is read whole."""
    import msgspec

    # No checker of types follows a dictionary that is typed while it runs.
    typed_dict, list_type = cast(Any, TypedDict), cast(Any, list)
    thing = typed_dict("Thing", dict.fromkeys(keys, Any), total=False)
    decoder = msgspec.json.Decoder(typed_dict("List", dict.fromkeys(_ABOUT, Any) | dict.fromkeys(items, list_type[thing]), total=False))

    def parse(content: bytes) -> dict[str, Json] | None:
        try:
            # The decoder takes bytes that are no UTF-8 in what it passes over.
            if not content.isascii():
                content.decode()
            body: dict[str, Json] = decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return parse_object(content)
        return body

    return parse
