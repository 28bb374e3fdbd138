"""The rate limit: so many calls in a window of ten seconds (developers.intercom.com, rate limiting)."""

from __future__ import annotations

from reconciler.sandbox.request import Refusal
from reconciler.sandbox.workspace import Workspace

WINDOW = 10  # seconds
DOCUMENTED = 1667  # 10,000 calls a minute


class Limits:
    """Counts the calls of one window after the other."""

    def __init__(self) -> None:
        self._window, self._used = 0, 0

    def spend(self, ws: Workspace) -> dict[str, str | None]:
        """Count one call, under the lock of the store. Returns the headers to send; raises Refusal, with the headers, beyond the limit."""
        limit = ws.settings.rate_limit
        window = ws.clock() // WINDOW
        calls = self._used + 1 if window == self._window else 1
        self._window, self._used = window, calls
        # Without a limit of its own the sandbox never refuses a call, and never says that few are left.
        remaining = DOCUMENTED - calls % (DOCUMENTED // 2) if limit is None else max(limit - calls, 0)
        numbers = {"Limit": limit or DOCUMENTED, "Remaining": remaining, "Reset": (window + 1) * WINDOW}
        headers: dict[str, str | None] = {f"X-RateLimit-{name}": str(number) for name, number in numbers.items()}
        if limit is not None and calls > limit:
            raise Refusal(429, "rate_limit_exceeded", f"Exceeded rate limit of {limit} in {WINDOW}_seconds", headers)
        return headers
