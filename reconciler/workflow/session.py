"""A session: one connection to one workspace, and the plan with its two sides."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.doubt import Doubts
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Snapshot, Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.calls import Job
from reconciler.core.plan.gates import Approval
from reconciler.core.plan.plan import Plan
from reconciler.core.record.restorer import Ownership
from reconciler.kinds import KINDS

if TYPE_CHECKING:
    from reconciler.intercom.http.client import Client
    from reconciler.ledger.homes.images import Images
    from reconciler.ledger.ledger import Ledger


Tick = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """One connection to one workspace, and the memory of it. `who` is the person and the machine that asks, `images` where pre-images
    go when there is no ledger."""

    client: Client
    here: Workspace
    admin: str
    window: int | None
    ledger: Ledger | None = None
    images: Images | None = None
    kinds: Sequence[Kind] = KINDS
    now: Callable[[], float] = time.time
    sleep: Callable[[float], object] = time.sleep
    who: str = ""
    tick: Tick = lambda what: None


@dataclass(frozen=True)
class Proposal:
    """A plan with what it came from. `found`: the live ids of all that is as it is declared; `doubts`: what the ledger is wrong about."""

    plan: Plan
    case: Comparison
    found: Mapping[Address, str] = field(default_factory=dict)
    doubts: Doubts = Doubts()

    @property
    def manifest(self) -> Manifest:
        return self.case.manifest

    @property
    def live(self) -> Snapshot:
        return self.case.live


@dataclass(frozen=True)
class Work:
    """What is about to be carried out: steps in order with their jobs, and creates that were planned and cannot be made now.

    `whole` is the manifest of which the plan may touch a part, `digest` the plan's own. `ownership` is what an undo brings back that
    was ours. `approved` is what people approved of it.
    """

    planned: Proposal
    jobs: tuple[Job, ...]
    whole: Manifest
    unmade: tuple[str, ...] = ()
    digest: str = ""
    ids: Mapping[Address, str] = field(default_factory=dict)
    ownership: Ownership | None = None
    approved: tuple[Approval, ...] = ()
    # Why entries are left out of it, where the policy lets the rest pass.
    refused: tuple[Refusal, ...] = ()
    # What stays unproven or undone beside it, and what only waits.
    unproven: tuple[Note, ...] = ()
    waiting: tuple[Note, ...] = ()


def connect(client: Client, ledger: Ledger | None = None, **rest: Any) -> Session:
    """Ask the token who it is. Raises IntercomError if it is not accepted."""
    from reconciler.intercom.observe import identify

    here, admin, _ = identify(client)
    # What it admits, less what --rate-share leaves to others: a plan's seconds are counted by that.
    return Session(client, here, admin, client.limiter.cap, ledger, **rest)


def by_their_clock(session: Session) -> float:
    """What time it is for Intercom, which says when it was that somebody did something; else for us."""
    return session.now() if session.client.served is None else session.client.served


def watched(session: Session, tick: Tick) -> Session:
    """The same session, telling of every read."""
    return replace(session, tick=tick)
