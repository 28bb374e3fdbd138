"""A sandbox as a test or `/_sandbox/` handles it: its data, settings, tokens, faults, endpoints and records."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from reconciler.sandbox import seed
from reconciler.sandbox.api import oauth
from reconciler.sandbox.call import Recorded
from reconciler.sandbox.faults import Faults
from reconciler.sandbox.limits import Limits
from reconciler.sandbox.request import Request
from reconciler.sandbox.routes import TABLE, Answer, Route, Routes
from reconciler.sandbox.workspace import Settings, Workspace


class Box:
    """What one sandbox holds. `data` is the file behind it; without one it lives in memory."""

    def __init__(
        self,
        data: Path | None = None,
        *,
        now: Callable[[], float] = time.time,
        token: str = "sandbox",
        tokens: Mapping[str, Iterable[str]] | None = None,
        **settings: Any,
    ) -> None:
        """`now` gives seconds since 1970. `tokens` has for each token the scopes that it lacks; `token` is valid too.

        Raises ValueError for an unknown setting, Unusable for a file that cannot hold a sandbox.
        """
        self.settings = Settings()
        self.settings.change(settings)
        self.token = token
        self.tokens = {name: frozenset(missing) for name, missing in ({token: ()} | dict(tokens or {})).items()}
        self.ws = Workspace(data, now, self.settings)
        self.faults = Faults()
        self.limits = Limits()
        self.routes = Routes(TABLE)
        self.recorded: list[Recorded] = []
        self.refusals = itertools.count(1)  # for their request ids
        with self.ws.store.transaction():
            self.ws.prepare()

    @property
    def requests(self) -> list[Recorded]:
        return list(self.recorded)

    @property
    def writes(self) -> list[Recorded]:
        """The requests that are neither a GET nor a POST that only reads."""
        return [record for record in self.recorded if record.method != "GET" and not self.routes.reads(record.method, record.path)]

    def forget_requests(self) -> None:
        self.recorded.clear()

    def seed(self, mapping: Mapping[str, Any]) -> None:
        """Add live things. Raises ValueError at the first mistake."""
        with self.ws.store.transaction():
            seed.sow(self.ws, mapping)

    def reset(self) -> None:
        """Drop data, faults, records and the spent limit. Settings, tokens and endpoints stay."""
        self.faults.clear()
        self.forget_requests()
        self.limits = Limits()
        with self.ws.store.transaction():
            self.ws.store.clear()
            self.ws.forget()
            self.ws.prepare()

    def close(self) -> None:
        self.ws.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def revoke(self, token: str) -> None:
        with self.ws.store.transaction():
            oauth.revoke(self.ws, token)

    def route(self, method: str, path: str, handler: Callable[[Request], Answer], **fields: Any) -> None:
        """Add an endpoint; `fields` are the further ones of its Route."""
        self.routes.append(Route(method, path, handler, **fields))
