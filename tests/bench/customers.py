"""The workspaces of any number of customers, each with a contact or two, on one port: what a fleet of the bench works on.

python -m tests.bench.customers MILLISECONDS prints its address. Each answer takes so long, beside what it takes anyway.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from reconciler.sandbox import Sandbox, serve


class Customers:
    """Each workspace is made when it is asked for first."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._lock = seconds, threading.Lock()
        self._boxes: dict[str, Sandbox] = {}

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> list[bytes]:
        """The workspace that the first part of the path names answers."""
        time.sleep(self._seconds)
        _, app_id, rest = str(environ["REQUEST_URI"]).split("/", 2)
        box = self._box(app_id)
        # What it remembers of calls is not needed.
        box.forget_requests()
        return box({**environ, "REQUEST_URI": f"/{rest}", "PATH_INFO": f"/{rest.partition('?')[0]}"}, start_response)

    def _box(self, app_id: str) -> Sandbox:
        with self._lock:
            if app_id not in self._boxes:
                box = self._boxes[app_id] = Sandbox(token=f"token-of-{app_id}", app_id=app_id)
                box.seed({"contacts": [{"external_id": "1"}]})
            return self._boxes[app_id]


def main() -> None:
    with serve(Customers(float(sys.argv[1]) / 1000)) as server:
        print(server.url, flush=True)
        # Whoever started it holds the other end.
        sys.stdin.read()


if __name__ == "__main__":
    main()
