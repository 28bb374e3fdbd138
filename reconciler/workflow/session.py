"""A session: one connection to one workspace, and the plan with its two sides."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.core.kind import Kind
from reconciler.core.plan import Plan
from reconciler.core.resource import Manifest, Snapshot, Workspace
from reconciler.kinds import KINDS

if TYPE_CHECKING:
    from reconciler.intercom.http import Client
    from reconciler.ledger import Ledger


Tick = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """One connection to one workspace, and the memory of it."""

    client: Client
    here: Workspace
    admin: str
    window: int | None
    ledger: Ledger | None = None
    kinds: Sequence[Kind] = KINDS
    now: Callable[[], float] = time.time
    tick: Tick = lambda what: None


@dataclass(frozen=True)
class Planned:
    """A plan with the two sides that it came from."""

    plan: Plan
    manifest: Manifest
    live: Snapshot


def connect(client: Client, ledger: Ledger | None = None, **rest: Any) -> Session:
    """Ask the token who it is. Raises IntercomError if it is not accepted."""
    from reconciler.intercom.observe import identify

    here, admin, _ = identify(client)
    # What it admits, less what --rate-share leaves to others: a plan's seconds are counted by that.
    return Session(client, here, admin, client.limiter.cap, ledger, **rest)


def watched(session: Session, tick: Tick) -> Session:
    """The same session, telling of every read."""
    return replace(session, tick=tick)
