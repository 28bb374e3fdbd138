"""A session: one connection to one workspace, and the plan with its two sides."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.core.model.facts import UNKNOWN, Facts
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Workspace
from reconciler.core.model.repository import Checkout
from reconciler.core.plan.plan import Context
from reconciler.kinds import KINDS

if TYPE_CHECKING:
    from reconciler.intercom.http.client import Client
    from reconciler.intercom.memory import Memory
    from reconciler.intercom.routes import Tick
    from reconciler.ledger.homes.images import Images
    from reconciler.ledger.ledger import Ledger


@dataclass(frozen=True)
class Session:
    """One connection to one workspace, and its ledger."""

    # What makes the calls.
    client: Client
    # The workspace.
    here: Workspace
    # Who the token belongs to.
    admin: str
    # What Intercom calls that one; empty where it does not say.
    admin_id: str
    # How many calls the rate limit admits in a window; None where it did not say.
    window: int | None
    # The ledger; None where there is none.
    ledger: Ledger | None = None
    # Where pre-images go when there is no ledger.
    images: Images | None = None
    # All kinds.
    kinds: Kinds = KINDS
    # What is known of Intercom itself.
    facts: Facts = UNKNOWN
    # The file of the private keys that open what was encrypted for undo; empty where none is given.
    key_file: str = ""
    # What was opened with them so far, by what was encrypted.
    opened: dict[str, str] = field(default_factory=dict)
    # The time of day, in Unix seconds.
    now: Callable[[], float] = time.time
    # Waits for so many seconds.
    sleep: Callable[[float], object] = time.sleep
    # The person and the machine that asks.
    who: str = ""
    # Where the manifest lies; None: as git says of the working directory.
    checkout: Checkout | None = None
    # What this command saw so far, where it looks twice.
    memory: Memory | None = None
    # Told of every read.
    tick: Tick = lambda what, done=1, more=0: None

    @property
    def keepers(self) -> list[Images]:
        """Where pre-images are kept: with the ledger, and where one that cannot be used leaves them. Without any ledger nowhere."""
        return [images for images in (self.ledger.images if self.ledger else None, self.images) if images]

    @property
    def context(self) -> Context:
        """What a plan that is made now depends on, beside what is compared."""
        snapshot = self.memory.strong_reads if self.memory and not self.memory.loose else None
        return Context(self.now(), self.client.version, Counter(self.client.sent), bool(self.keepers), snapshot)

    @property
    def runs(self) -> tuple[int, int]:
        """How many runs of the workspace the ledger holds, and how many of these have ended."""
        return self.ledger.count_runs(self.here.app_id) if self.ledger else (0, 0)


def connect(client: Client, ledger: Ledger | None = None) -> Session:
    """Ask the token who it is. Raises IntercomError if it is not accepted."""
    from reconciler.intercom import me

    answer = me.ask(client)
    # What it admits, less what --rate-share leaves to others: a plan's seconds are counted by that.
    return Session(client, answer.here, answer.admin, answer.admin_id, client.limiter.cap, ledger)


def by_their_clock(session: Session) -> float:
    """The time by Intercom's clock, in Unix seconds, as its answers said it last; by ours where none did."""
    return session.now() if session.client.served is None else session.client.served


def watch(session: Session, tick: Tick) -> Session:
    """The same session, telling of every read."""
    return replace(session, tick=tick)
