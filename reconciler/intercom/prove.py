"""The proof of a write is its reply: it says which thing was written, and another one than the one meant is a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reconciler.core.model.address import Address
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.record import Thing

Ids = Mapping[Address, str]


class Another(Exception):
    """A write hit another thing than the one meant, or would."""

    def __init__(self, reason: str, *, sent: bool = True, lost: bool = False, astray: bool = False) -> None:
        # `sent`: the call was sent; `lost`: it may have made the thing that was meant too; `astray`: it went by a name.
        self.reason, self.sent, self.lost, self.astray = reason, sent, lost, astray
        super().__init__(reason)


class Bearers:
    """Which address each live id belongs to: the ids that were live when the run began, and those of what it makes."""

    def __init__(self, live_ids: Ids) -> None:
        self._live_ids = live_ids
        self._lock = threading.Lock()
        self._before: dict[Thing, Address] = {}
        self._made: dict[Thing, Address] = {}

    def knew(self, kind: str, live_id: str) -> Address | None:
        """Whose id it was when the run began."""
        with self._lock:
            # Turned round once, and only where somebody asks: there may be a million.
            if not self._before:
                self._before.update(((address.kind, before), address) for address, before in self._live_ids.items())
            return self._before.get((kind, live_id))

    def address_of(self, kind: str, live_id: str) -> Address | None:
        """Whose id it is by now."""
        return self.knew(kind, live_id) or self._made.get((kind, live_id))

    def takes(self, address: Address, live_id: str) -> bool:
        """Whether an id is free for an address, to which it belongs from now on."""
        if self.knew(address.kind, live_id) not in (None, address):
            return False
        with self._lock:
            return self._made.setdefault((address.kind, live_id), address) == address


class Names:
    """What the names mean by which calls go.

    The first call of each name goes alone. No other is sent until its reply has shown which thing Intercom takes the name for, and none
    once that was another thing than the one meant.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Address, threading.Lock] = {}
        self._right: set[Address] = set()
        self._wrong: dict[Address, str] = {}

    @contextmanager
    def turn(self, name: Address | None) -> Iterator[None]:
        """Wait for the right to send a call that goes by a name. Raises Another where the name means another thing."""
        if name is None or name in self._right:
            yield
            return
        with self._lock:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            if name in self._wrong:
                raise Another(f"not sent: {self._wrong[name]}", sent=False)
            if name not in self._right:
                yield
                return
        yield

    def set_right(self, name: Address) -> None:
        """A call by this name hit the thing that was meant."""
        self._right.add(name)

    def set_wrong(self, name: Address, why: str) -> None:
        """A call by this name hit another thing: no other is sent."""
        self._wrong[name] = why


def describe(kind: Kind, here: Live) -> str:
    """A thing as people find it again, without anybody's name or e-mail."""
    name = f', "{here.key}"' if kind.named_by and not kind.person else ""
    return f"{kind.name} (id {here.id}{name})"
