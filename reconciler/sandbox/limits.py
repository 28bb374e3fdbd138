"""The rate limit: a number of calls per window of ten seconds (developers.intercom.com, rate limiting)."""

from __future__ import annotations

import threading

from reconciler.sandbox.request import Refusal
from reconciler.sandbox.workspace import Workspace

WINDOW = 10
DOCUMENTED = 1667  # 10,000 calls a minute


class Limits:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window, self._used = 0, 0

    def spend(self, ws: Workspace) -> dict[str, str]:
        """Count one call; the headers to send, or a refusal that carries them."""
        limit = ws.settings.rate_limit
        with self._lock:
            window = ws.clock() // WINDOW
            if window != self._window:
                self._window, self._used = window, 0
            self._used += 1
            used = self._used
        headers = self._headers(limit, used, window)
        if limit is not None and used > limit:
            raise Refusal(429, "rate_limit_exceeded", f"Exceeded rate limit of {limit} in {WINDOW}_seconds", headers)
        return headers

    @staticmethod
    def _headers(limit: int | None, used: int, window: int) -> dict[str, str]:
        # Without a limit of its own the sandbox never refuses, and never tells a caller that little is left.
        left = DOCUMENTED - used % (DOCUMENTED // 2) if limit is None else max(limit - used, 0)
        shown = DOCUMENTED if limit is None else limit
        reset = (window + 1) * WINDOW
        return {"X-RateLimit-Limit": str(shown), "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(reset)}

    def reset(self) -> None:
        with self._lock:
            self._window, self._used = 0, 0
