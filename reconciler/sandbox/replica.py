"""A sandbox that holds what was read of another workspace: filled from that one's own answers, in memory.

It knows only what it was told. What an answer to a write would rest on and was not read is told by `list_needs`; what nobody can read
stands in `readings.UNSEEN`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from reconciler.sandbox.absorb import Absorber, Exchange, name_call
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.call import Call, Reply
from reconciler.sandbox.needs import Calls, assume, list_needs
from reconciler.sandbox.store import Doc

# From here on things that are made here get their ids, so that they are nobody's who was not read.
FIRST_NEW = 900_000_000


class Replica(Sandbox):
    """A sandbox with what was read of another workspace."""

    def __init__(self, **how: Any) -> None:
        """`how` is that of a sandbox without a file."""
        super().__init__(None, **how)
        self._absorber = Absorber(self)
        self._counted: dict[str, Exchange] = {}
        self._surplus: dict[str, int] = {}
        with self.ws.store.transaction():
            for counter in ("contact", "company", "tag", "attribute", "plan"):
                self.ws.store.skip_to(counter, FIRST_NEW)

    def take(self, exchange: Exchange) -> None:
        """Take in what an answer shows. Answers may come in any order, from any thread."""
        with self.ws.store.transaction():
            self._absorber.take(exchange.method, exchange.path, exchange)
            if exchange.counts_more:
                self._counted[exchange.key] = exchange

    def settle(self) -> None:
        """All was read: what is counted there and was not shown is counted here too."""
        with self.ws.store.transaction():
            self._absorber.settle()
        for name, exchange in self._counted.items():
            own = self._own_count(exchange)
            if own is not None and own < exchange.answer["total_count"]:
                self._surplus[name] = exchange.answer["total_count"] - own
        self.forget_requests()
        self.ws.rested.clear()

    def _own_count(self, exchange: Exchange) -> int | None:
        raw = b"" if exchange.body is None else json.dumps(exchange.body).encode()
        headers = {"authorization": f"Bearer {self.token}"}
        reply = self._work(Call(exchange.method, exchange.path, dict(exchange.query), headers, raw, ""))
        count = json.loads(reply.body).get("total_count") if reply.status == 200 else None
        return count if isinstance(count, int) else None

    def _work(self, call: Call) -> Reply:
        reply = super()._work(call)
        if not self._surplus or reply.status != 200:
            return reply
        more = self._surplus.get(name_call(call.method, call.path, call.query, call.recorded_body()), 0)
        return _count_more(reply, more) if more else reply

    def list_needs(self, calls: Calls) -> Iterator[Exchange]:
        """What is to be read before these calls can be judged, and was not: each as an exchange without an answer. A call is its method,
        its path and its body."""
        return list_needs(self._absorber, calls)

    def assume(self, calls: Calls) -> None:
        """What these calls need and nobody may read is as they need it."""
        with self.ws.store.transaction():
            assume(self._absorber, calls)

    def put_archived(self, contacts: Iterable[Doc]) -> None:
        """People who are taken to be in the archive, where nobody can see them."""
        with self.ws.store.transaction():
            for contact in contacts:
                self._absorber.put_archived(contact)

    def fork(self, now: Callable[[], float]) -> Replica:
        """The same at this moment; what is done to one of them is not done to the other."""
        other = Replica(now=now, token=self.token)
        other.tokens, other._surplus = dict(self.tokens), dict(self._surplus)
        other.settings.change(vars(self.settings))
        other.ws.store = self.ws.store.copy()
        other._absorber = Absorber(other)
        return other


def _count_more(reply: Reply, more: int) -> Reply:
    """The same list, which says that there are so many more."""
    body = json.loads(reply.body)
    body["total_count"] += more
    pages = body.get("pages")
    if isinstance(pages, dict) and pages.get("per_page"):
        pages["total_pages"] = -(-body["total_count"] // pages["per_page"])
    return Reply.json(reply.status, body, reply.headers)
