"""Times: what is written becomes Unix seconds, or is refused with a sentence; and seconds as people read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.core.model.written import describe, is_null, quote_visibly

_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(?:[Tt]|[ \t]+)(?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:(?<=:[0-9]{2}:[0-9]{2})[.,][0-9]+)?"
    r"[ \t]*(?P<zone>[Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_UNIX = re.compile(r"([-+]?[0-9]{1,300})(\.[0-9]*)?")
# As Unix seconds this is the year 5138, as milliseconds 1973.
_MILLISECONDS = 10**11
_HOW = "write a time like 2014-03-11T09:49:18Z, or Unix seconds"


def _offset(zone: str | None) -> int:
    """`+02:00` in seconds."""
    if zone in (None, "Z", "z"):
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or "0")
    if hours > 23 or minutes > 59:
        raise ValueError(f"the offset {zone} is not one")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _from_iso(match: re.Match[str]) -> int:
    try:
        local = datetime.fromisoformat(f"{match['date']}T{match['clock'] or '00:00'}").replace(tzinfo=UTC)
        # The offset is taken off as seconds: a datetime could leave the years 1 to 9999.
        return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - _offset(match["zone"])
    except ValueError as error:
        raise ValueError(f"{quote_visibly(match[0])} is no time ({error}); {_HOW}") from None


def _compact_date(text: str) -> str | None:
    """20140311 as a date; None if it is none. As Unix seconds all of these lie in the year 1970."""
    if len(text) != 8 or text[:2] not in ("19", "20"):
        return None
    try:
        return datetime.strptime(text, "%Y%m%d").date().isoformat()
    except ValueError:
        return None


def _from_seconds(text: str, seconds: int) -> int:
    """Unix seconds, `text` perhaps with a fraction. Raises ValueError for what may mean something else."""
    if abs(seconds) >= _MILLISECONDS:
        raise ValueError(f"{text} looks like milliseconds; {_HOW}")
    if text.startswith("-") and text.strip("-0."):
        raise ValueError(f"{text} is a negative number of seconds; write the date itself, or null for no time")
    if date := _compact_date(text):
        raise ValueError(f"{text} can be a date or Unix seconds; write {date} if the date is meant")
    return seconds


def parse_time(value: Any) -> int:
    """A time as Unix seconds: UTC where no offset stands; fractions of a second are cut off. Raises ValueError for anything else."""
    if is_null(value):
        raise ValueError(f"is empty; {_HOW}")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"is {describe(value)}; {_HOW}")
    text = str(value)
    if match := _ISO.fullmatch(text):
        return _from_iso(match)
    if match := _UNIX.fullmatch(text):
        return _from_seconds(text, int(match[1]))
    raise ValueError(f"{describe(value)} is no time; {_HOW}")


_PERIOD = re.compile(r"([1-9][0-9]{0,3})d")
DAY = 86_400
PERIOD = f"^{_PERIOD.pattern}$"
"""A period as it is written, as a regular expression."""


def parse_period(value: Any) -> int:
    """A period in seconds, written as a number of days: `90d`. Raises ValueError for anything else."""
    match = _PERIOD.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        problem = "is empty" if is_null(value) else f"{describe(value)} is no period"
        raise ValueError(f"{problem}; write a number of days, as in 90d")
    return int(match[1]) * DAY


def format_time(value: Any) -> Any:
    """Unix seconds as ISO 8601 in UTC; anything else comes back as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=int(value))).isoformat() + "Z"
    except (OverflowError, ValueError):
        return value
