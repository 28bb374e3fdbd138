"""The job of one workspace: its token and manifest, a plan, and where that is meant its apply; what became of it is kept in any case."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from reconciler.api.connection import Connection
from reconciler.api.functions import apply, drift, plan
from reconciler.api.results import AppliedInPart, Planned
from reconciler.core.model.desired import Manifest
from reconciler.core.model.privacy import hide
from reconciler.errors import Locked, ReconcilerError, Refused, Stale, origin
from reconciler.fleet.advance import Engine
from reconciler.fleet.fleet import Fleet, Workspace
from reconciler.fleet.manifests import Manifests
from reconciler.fleet.rollout import Claim, claim, move_on, needs_people, settle
from reconciler.fleet.shape import shape_of
from reconciler.fleet.states import Result, State, Verb, state_of
from reconciler.fleet.store import Store
from reconciler.fleet.tokens import Tokens
from reconciler.ledger.databases import Databases
from reconciler.ledger.homes.home import Lock, LockLost

# So often a plan that went stale is made anew in one job.
ANEW = 3


@dataclass(frozen=True)
class Host:
    """What runs the jobs of a fleet in one process; its threads share it."""

    # The fleet as its file says it now.
    fleet: Fleet
    # Its rollouts.
    store: Store
    # What starts jobs.
    engine: Engine
    # The tokens and the manifests of its workspaces.
    tokens: Tokens
    manifests: Manifests  # as they are in this process
    # Who asks, for ledgers and for whoever waits for a lock.
    who: str
    # The key of a ledger in PostgreSQL.
    ledger_key: str = field(default="", repr=False)
    # Where proxies and TLS authorities are named.
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    # The repository of the manifests by its remote, and its commit; empty where nobody says.
    repository: str = ""
    revision: str = ""  # as `Connection` has it
    # How long a job waits for the lock of a ledger, in seconds: others can go on meanwhile, and it is tried again later.
    lock_timeout: float = 5.0
    # Seconds on a clock that is never set, and what waits; None: until the time is over or it is stopped.
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None  # for tests
    # What the ledgers of its workspaces share; whoever made it closes it.
    databases: Databases | None = None
    # Told of the calls that each look made, by their methods; from any thread.
    count: Callable[[Mapping[str, int]], object] = lambda calls: None

    def workspace(self, app_id: str) -> Workspace | None:
        """A workspace of the fleet; None where it is no longer in it."""
        return self._by_id.get(app_id)

    @cached_property
    def _by_id(self) -> Mapping[str, Workspace]:
        return {one.app_id: one for one in self.fleet.workspaces}

    def connection(self, workspace: Workspace, lock: Lock) -> Connection:
        """One workspace and its ledger, whose lock goes with that of the workspace. Raises NoToken, BadToken."""
        return Connection(
            self.tokens.of(workspace).value,
            self.store.folder_of(workspace.app_id),
            ledger=self.store.address if self.store.is_server else "",
            ledger_key=self.ledger_key if self.store.is_server else "",
            databases=self.databases.beside(lock) if self.databases else None,
            app_id=workspace.app_id,
            region=workspace.region,
            base_url=workspace.base_url,
            lock_timeout=self.lock_timeout,
            who=self.who,
            repository=self.repository,
            revision=self.revision,
            environ=self.environ,
            now=self.store.now,
            monotonic=self.monotonic,
            sleep=self.sleep,
        )


class JobStop(threading.Event):
    """Ends one job. A job sets its own where it fails in the middle, so no two may share one."""

    # Whether people, or a signal, want the job to end; and the number of that signal, 0 for people.
    is_wanted = False
    signum = 0  # for the ledger

    def want(self, signum: int = 0) -> None:
        """End the job: no further call starts, and those under way end."""
        self.is_wanted, self.signum = True, signum
        self.set()


def run_job(host: Host, rollout: str, app_id: str, stop: JobStop) -> Claim | None:
    """Run one workspace of a rollout, if its turn has come and nobody else does, and advance the rollout. None where it was not run.

    Raises ReconcilerError where the store cannot be used.
    """
    try:
        with host.store.hold("workspace", app_id, host.who) as lock:
            claimed = claim(host.store, rollout, app_id, host.who)
            if claimed is None:
                return None
            _run(host, claimed, lock, stop)
    except Locked:
        # Another run has this workspace: it is looked at again by whoever asked.
        return None
    move_on(host.store, host.engine, rollout)
    return claimed


def _run(host: Host, claimed: Claim, lock: Lock, stop: JobStop) -> None:
    """Run what was claimed. However it ends, that is kept: a thread that is ended from outside leaves the workspace as it was queued. Who
    lost the lock has nothing to say: the workspace is taken back, as from a worker that died."""
    result = Result(State.QUEUED)
    try:
        result = _work(host, claimed, lock, stop)
    finally:
        with suppress(LockLost):
            lock.check()
            settle(host.store, host.engine, claimed, result)


def _work(host: Host, claimed: Claim, lock: Lock, stop: JobStop) -> Result:
    """What became of it, whatever that is."""
    workspace, seen = host.workspace(claimed.app_id), _Seen()
    if workspace is None:
        return Result(State.FAILED, 65, "is no longer in the fleet; put it back, or begin another rollout")
    try:
        return _carry_out(host, claimed, host.manifests.of(workspace), host.connection(workspace, lock), stop, seen)
    except AppliedInPart as error:
        calls = sum(error.applied.calls.values())
        result = replace(seen.result, state=State.FAILED, exit=error.exit_code, reason=str(hide(str(error), False)), calls=calls)
    except ReconcilerError as error:
        # It may be for its token: a process that lives on asks for it again.
        host.tokens.drop(workspace)
        result = replace(seen.result, state=state_of(error.exit_code), exit=error.exit_code, reason=str(hide(_why(error), False)))
    except Exception as error:
        result = replace(seen.result, state=State.FAILED, exit=1, reason=f"something unforeseen ({origin(error)}); please report this")
    if stop.is_wanted and result.state == State.FAILED:
        # It was interrupted: what was done is in the ledger, and it is run again when the rollout goes on.
        return Result(State.QUEUED, reason="interrupted")
    return replace(result, later=result.exit == Locked.exit_code)


@dataclass
class _Seen:
    """What is known of a workspace before its job ends."""

    result: Result = field(default_factory=lambda: Result(State.RUNNING))  # its plan, once there is one


def _why(error: ReconcilerError) -> str:
    """What an error says; a refusal as a plan has it."""
    return "\n".join(error.reasons) if isinstance(error, Refused) else str(error)


def _carry_out(host: Host, claimed: Claim, manifest: Manifest, connection: Connection, stop: JobStop, seen: _Seen) -> Result:
    """Plan, and apply where that is meant and allowed. A plan that went stale in between is made anew. Raises what these raise."""
    for left in reversed(range(ANEW)):
        look = drift if claimed.verb in (Verb.DRIFT, Verb.FIX) else plan
        planned = look(manifest, connection, stop=stop)
        host.count(planned.calls)
        seen.result = _describe(planned)
        if not claimed.verb.writes or seen.result.state == State.REFUSED:
            return seen.result
        if needs_people(claimed, seen.result.shape or ""):
            return replace(seen.result, state=State.HELD if claimed.asks else State.STALE, exit=None if claimed.asks else Stale.exit_code)
        try:
            applied = apply(planned, connection, stop=stop)
        except Stale:
            if not left:
                raise
            continue
        return replace(seen.result, state=State.DONE, exit=0, calls=sum(applied.calls.values()))
    raise AssertionError("the last try ends in one way or the other")


def _describe(planned: Planned) -> Result:
    """A plan as what is kept of it."""
    document = planned.document
    # What `policy: {refused_entries: hold}` leaves out does not stop the rest.
    held = document.get("held", False) and "drift" not in document
    code = planned.exit_code
    state = State.DONE if held else state_of(code)
    people = document.get("people")
    return Result(
        state,
        code,
        "\n".join(planned.refusals) if state == State.REFUSED else "",
        shape_of(document),
        len(planned.changes),
        people["losing"] if people else 0,
        document["cost"]["calls"],
        document,
    )
