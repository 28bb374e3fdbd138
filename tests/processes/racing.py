"""An apply as the command line does it, in a thread: a client and a ledger of its own, a look first, then the lock, then the calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from reconciler.core.model.desired import Manifest
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.approvals import refuse
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.core.plan.work import Proposal
from reconciler.errors import Incomplete, ReconcilerError
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from reconciler.ledger.ledger import Ledger
from reconciler.manifest.read import read_manifest
from reconciler.sandbox.app import Sandbox
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import propose
from reconciler.workflow.recall import hold_lock
from reconciler.workflow.session import Session, connect

# How long one waits for the other before it counts as hung, in seconds.
PATIENCE = 20.0
AT_ONCE = ("--auto-approve", "--lock-timeout", "0")
Opens = Callable[[bool], Ledger | None]


@dataclass
class Ended:
    """How an apply ended: the exit code, the sentence of what stopped it, and what became of every change until then."""

    code: int = 0
    said: str = ""
    outcomes: list[Outcome] = field(default_factory=list)


@dataclass
class Side:
    """One who applies, as often as he is told to. `opens` opens his ledger, and makes one if told to; it stays open, for a statement costs
    more to build than to run. `sleep` is what he does while he waits for its lock."""

    who: str
    box: Sandbox
    opens: Opens
    stack: ExitStack
    timeout: float = 0.0
    sleep: Callable[[float], object] = time.sleep
    now: Callable[[], float] = time.time
    ledger: Ledger | None = None

    @cached_property
    def client(self) -> Client:
        return self.stack.enter_context(Client("http://127.0.0.1", Token(self.box.token), adapter=WsgiAdapter(self.box)))

    def session(self, *, writes: bool) -> Session:
        if self.ledger is None and (opened := self.opens(writes)):
            self.ledger = self.stack.enter_context(opened)
        return replace(connect(self.client, self.ledger), now=self.now, sleep=self.sleep, who=self.who)

    def planned(self, manifest: Manifest) -> Proposal:
        return propose(self.session(writes=False), manifest)

    def apply(self, manifest: Manifest, ready: Callable[[], object] = lambda: None) -> Ended:
        """Plan, say that it is `ready`, then take the lock and carry it out."""
        ended = Ended()
        try:
            planned = self.planned(manifest)
            refuse(planned.plan.refusals)
            ready()
            session = self.session(writes=True)
            with hold_lock(session, self.timeout):
                plan = write_saved(session.kinds, planned.plan, "in memory", Enclosure(as_declared=planned.as_declared))
                work = prepare(session, plan, manifest)
                for outcome in carry_out(session, work, threading.Event()):
                    ended.outcomes.append(outcome)
        except ReconcilerError as error:
            return Ended(error.exit_code, str(error), ended.outcomes)
        ended.code = 0 if all(outcome.status == Status.APPLIED for outcome in ended.outcomes) else Incomplete.exit_code
        return ended


def read(folder: Path, name: str, text: str) -> Manifest:
    """A manifest as it stands in a file now; what is written there later does not change it."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_manifest([str(path)])


def race(sides: tuple[Side, Side], manifests: tuple[Manifest, Manifest], timeout: float, *, held: bool) -> tuple[Ended, Ended]:
    """Both start at the same moment, and both have looked before one of them takes the lock.

    `held`: whoever is first does not get an answer to his first write before the other one met his lock.
    """
    start, looked, met = threading.Barrier(2, timeout=PATIENCE), threading.Barrier(2, timeout=PATIENCE), threading.Event()
    if held:
        for method in ("POST", "PUT", "DELETE"):
            sides[0].box.faults.add(method, "^(?!.*(search|list|scroll))", run=lambda: met.wait(PATIENCE))

    def waits(seconds: float) -> None:
        met.set()
        time.sleep(min(seconds, 0.002))

    def one(side: Side, manifest: Manifest) -> Ended:
        side.sleep, side.timeout = waits, timeout
        start.wait(PATIENCE)
        try:
            return side.apply(manifest, looked.wait)
        finally:
            met.set()

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(one, sides, manifests))
    sides[0].box.faults.clear()
    return ends[0], ends[1]
