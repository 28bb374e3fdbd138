"""The proof of a write is its reply: it says which thing was written, and another one than the one meant is a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from reconciler.core.model.address import Address
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.recorded import Thing

Ids = Mapping[Address, str]


class Another(Exception):
    """A write hit another thing than the one meant, or would. `sent`: it was sent; `lost`: it may have made the one meant too."""

    def __init__(self, reason: str, *, sent: bool = True, lost: bool = False) -> None:
        self.reason, self.sent, self.lost = reason, sent, lost
        super().__init__(reason)


class Bearers:
    """Which address each live id belongs to: those known when the run began, and those of what it makes."""

    def __init__(self, known: Ids) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._before: dict[Thing, Address] = {}
        self._made: dict[Thing, Address] = {}

    def knew(self, kind: str, live_id: str) -> Address | None:
        """Whose id it was when the run began."""
        with self._lock:
            # Turned round once, and only where somebody asks: there may be a million.
            if not self._before:
                self._before.update(((address.kind, known_id), address) for address, known_id in self._known.items())
            return self._before.get((kind, live_id))

    def takes(self, address: Address, live_id: str) -> bool:
        """Whether an id is free for an address, to which it belongs from now on."""
        if self.knew(address.kind, live_id) not in (None, address):
            return False
        with self._lock:
            return self._made.setdefault((address.kind, live_id), address) == address


class Names:
    """What calls that go by a name were seen to mean. The first of each name goes alone: until its reply has shown which thing Intercom
    takes the name for, no other is sent, and none is after one that hit another thing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Address, threading.Lock] = {}
        self._sure: set[Address] = set()
        self._wrong: dict[Address, str] = {}

    @contextmanager
    def turn(self, name: Address | None) -> Iterator[None]:
        """Wait for the right to send a call that goes by a name. Raises Another where the name means another thing."""
        if name is None or name in self._sure:
            yield
            return
        with self._lock:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            if name in self._wrong:
                raise Another(f"not sent: {self._wrong[name]}", sent=False)
            if name not in self._sure:
                yield
                return
        yield

    def sure(self, name: Address) -> None:
        self._sure.add(name)

    def wrong(self, name: Address, why: str) -> None:
        self._wrong[name] = why


def called(kind: Kind, here: Live) -> str:
    """A thing that was hit, as people find it again; nobody's name or e-mail."""
    name = f', "{here.key}"' if kind.named_by and not kind.person else ""
    return f"{kind.name} (id {here.id}{name})"
