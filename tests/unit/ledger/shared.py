"""Ledgers in a ref of a git remote, as several processes open them."""

from __future__ import annotations

from collections.abc import Callable

from reconciler.core.model.address import Address
from reconciler.ledger.homes.git import GitLock
from reconciler.ledger.ledger import Ledger
from tests.desk.clock import Clock
from tests.unit.ledger.changes import APP, HOBAN, write

WASH, ZOE = "wash on serenity", "zoe on serenity"


Opened = Callable[..., Ledger]


def make_ledger(opened: Opened, clock: Clock, address: Address = HOBAN, id: str = "c-1") -> Ledger:
    """A ledger that has written one thing under its lock, and let it go."""
    ledger = opened()
    with ledger.lock(APP, WASH, clock.waiting()):
        write(ledger, address, id)
    return ledger


def tick(ledger: Ledger) -> None:
    """What the thread of a lock does every ten seconds."""
    assert isinstance(ledger._held, GitLock)
    ledger._held.tick()
