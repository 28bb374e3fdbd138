"""A stage: a private copy of what was read of a workspace, behind the same client, with a clock of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.core.model.address import Address
from reconciler.core.model.change import Change
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.intercom.http.request import Reply, Request
    from reconciler.ledger.ledger import Ledger
    from reconciler.sandbox.replica import Replica


class Clock:
    """Time that passes with each call, as fast as the limit lets calls go, and when somebody waits."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += max(seconds, 0.0)
        return False


def name_route(box: Replica, method: str, path: str) -> str:
    """A call as its route: `GET /contacts/{id}`."""
    match = box.routes.find(method, path)
    return f"{method} {match[0].path if match else path}"


@contextmanager
def hear(session: Session, box: Replica) -> Iterator[Counter[str]]:
    """While this lasts, all that the session reads goes into the copy, and nothing can be written; the answer counts the calls by route.
    An answer that the copy cannot read is raised as BadAnswer."""
    from reconciler.intercom.routes import bad
    from reconciler.sandbox.absorb import Exchange

    calls, lock, client = Counter[str](), threading.Lock(), session.client

    def take(request: Request, reply: Reply) -> None:
        link = next((value for name, value in reply.headers.items() if name.lower() == "link"), "")
        try:
            box.take(Exchange(request.method, request.path, request.query, request.body, reply.status, reply.body, link))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise bad(client, request, "the answer holds something that is none of its things; nothing can be rehearsed on it") from None
        with lock:
            calls[name_route(box, request.method, request.path)] += 1

    before, client.hear, client.read_only = (client.hear, client.read_only), take, True
    try:
        yield calls
    finally:
        client.hear, client.read_only = before


@dataclass
class Stage:
    """A copy that is played on."""

    # The copy.
    box: Replica
    # Its ledger, in memory too; None where an apply would have none.
    ledger: Ledger | None
    # The time there.
    clock: Clock
    # How long one call takes at the limit, in seconds.
    pace: float
    # After this write, and before its answer, the copy and its ledger are kept as a kill would leave them; 0: never.
    kill_at: int = 0
    # What the changes under way are about.
    current: list[Address] = field(default_factory=list)
    # Whether a call was made for them.
    called: bool = False
    # What those changes are about whose answers rested on what is not established, by reading.
    rested: dict[str, dict[Address, None]] = field(default_factory=dict)
    # Writes so far.
    writes: int = 0
    # What a kill would leave.
    left_by_kill: Stage | None = None

    def start(self, change: Change) -> None:
        """A change is about to be carried out."""
        if self.called:
            self.current, self.called = [], False
        self.current.append(change.address)

    def end(self) -> None:
        """All changes are carried out: what is asked from now on is for none of them."""
        self.current, self.called = [], False

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Answer one call."""
        self.box.ws.rested.clear()
        answer = self.box(environ, start_response)
        self.called, exchange = True, self.box.recorded[-1]
        self.clock.sleep(self.pace)
        for reading in self.box.ws.rested if self.current else ():
            self.rested.setdefault(reading, {}).update(dict.fromkeys(self.current))
        if exchange.method != "GET" and not self.box.routes.reads(exchange.method, exchange.path):
            self.writes += 1
            if self.writes == self.kill_at:
                self.left_by_kill = self._fork()
        return answer

    def _fork(self) -> Stage:
        clock = Clock(self.clock.now)
        box = self.box.fork(clock)
        return Stage(box, self.ledger.copy(clock) if self.ledger else None, clock, self.pace)

    def calls_since(self, mark: int) -> Counter[str]:
        """The calls after the first ones, by route."""
        return Counter(name_route(self.box, exchange.method, exchange.path) for exchange in self.box.recorded[mark:])

    @contextmanager
    def open(self, live: Session) -> Iterator[Session]:
        """A session like the live one, one call at a time."""
        from reconciler.intercom.http.client import Client
        from reconciler.intercom.http.token import Token
        from reconciler.intercom.http.wsgi import WsgiAdapter

        how: dict[str, Any] = {"version": live.client.version, "workers": 1, "sleep": self.clock.sleep, "rand": lambda: 0.0}
        with Client(
            "http://127.0.0.1", Token(self.box.token), adapter=WsgiAdapter(self), monotonic=self.clock, now=self.clock, **how
        ) as client:
            client.known = live.client.known
            yield replace(live, client=client, ledger=self.ledger, memory=None, now=self.clock, sleep=self.clock.sleep)
