"""What one answer says of the rate limit: the window that it was counted in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from functools import lru_cache

# Intercom meters in windows of ten seconds, limit / 6 per window, and documents 10,000 calls a minute for an app
# (developers.intercom.com, "Rate limiting"). Both are per window, in seconds and in calls.
WINDOW = 10.0
DOCUMENTED_LIMIT = 1666
# How far Reset and Date may disagree and still be taken for two clocks that differ, in seconds.
SKEW = 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """What one answer says about the window that it was counted in."""

    # Calls that the window takes.
    limit: int
    # Calls that it still takes.
    remaining: int
    # When it ends, in Unix seconds by Intercom's clock.
    reset: int
    # Seconds until it ends, by the answer's own Date.
    lasts: float


def read_window(headers: Mapping[str, str]) -> Window | None:
    """The headers as numbers; None when one is missing or absurd, for then none of them can be trusted."""
    limit, remaining, reset = (whole(headers.get(f"X-RateLimit-{name}")) for name in ("Limit", "Remaining", "Reset"))
    if not limit or remaining is None or reset is None or remaining > limit:
        return None
    date = seconds(headers.get("Date"))
    lasts = WINDOW if date is None else reset - date
    if not -SKEW <= lasts <= WINDOW + SKEW:
        return None
    return Window(limit, remaining, reset, min(max(lasts, 0.0), WINDOW))


def whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) else None


@lru_cache(100)
def seconds(date: str | None) -> float | None:
    """An HTTP date as Unix seconds. Answers of one second have the same."""
    try:
        parts = parsedate_tz(date or "")
        return float(mktime_tz(parts)) if parts else None
    except (ValueError, OverflowError, TypeError):
        return None
