"""A compiled condition as a filter of things that were read: for those that Intercom's search does not know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from reconciler.core.search.query import OPERATORS, Calendar, Fields, Query

# Gives the value of a field, by its name; None where it is not set.
Read = Callable[[str], Any]
_NUMBERS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, ">": gt, "<=": le, ">=": ge, "=": eq, "!=": ne}
_PARTS: dict[str, Callable[[str, str], bool]] = {"~": str.__contains__, "^": str.startswith, "$": str.endswith}
_NEGATIVE = {"!=": "=", "NIN": "IN", "!~": "~"}


def holds(query: Query, fields: Fields, calendar: Calendar, read: Read) -> bool:
    """Whether a thing fulfils what `compile_query` made of a condition, as Intercom's search would have it: a text is compared letter by
    letter, a part of one in any case, a time by its day; what is not set is equal to nothing but null."""
    if query["operator"] in ("AND", "OR"):
        return (all if query["operator"] == "AND" else any)(holds(part, fields, calendar, read) for part in query["value"])
    operator, value_wanted, value = query["operator"], query["value"], read(query["field"])
    if (positive := _NEGATIVE.get(operator)) and OPERATORS[fields[query["field"]].type] != _TIME:
        return not _is_so(positive, value_wanted, value, fields[query["field"]].type, calendar)
    return _is_so(operator, value_wanted, value, fields[query["field"]].type, calendar)


_TIME = OPERATORS["date"]


def _is_so(operator: str, value_wanted: Any, value: Any, data_type: str, calendar: Calendar) -> bool:
    value = None if value == "" else value
    if value_wanted is None or value is None:
        return operator in ("=", "IN") and value_wanted is None and value is None
    if OPERATORS[data_type] == _TIME:
        days = [datetime.fromtimestamp(int(at), calendar.zone).date() for at in (value, value_wanted)]
        return _NUMBERS[operator](*days)
    if operator in _PARTS:
        return any(_PARTS[operator](text.lower(), str(value_wanted).lower()) for text in _texts(value))
    if operator == "IN" or data_type in ("string", "options", "list"):
        wanted_ones = value_wanted if operator == "IN" else [value_wanted]
        return any(one in wanted_ones for one in (_texts(value) if data_type in ("string", "options", "list") else [value]))
    return _NUMBERS[operator](value, value_wanted)


def _texts(value: Any) -> Sequence[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
