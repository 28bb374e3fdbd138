"""The body of an answer: a JSON object of a size that fits into memory."""

from __future__ import annotations

import json

from pydantic_core import from_json

from reconciler.intercom.http.request import Json

# The most values in one. A contact has some hundred values, and a page 150 contacts.
VALUES = 2_000_000


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
