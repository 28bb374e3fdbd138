"""The engine for many machines: the queue is Procrastinate's, in the same schema as the tables, and `fleet worker` runs its jobs.

Nothing here depends on a queue that works: who runs a workspace is decided by `claim` and the fence, and what is to happen by `advance`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from procrastinate import App, SyncPsycopgConnector
from procrastinate.jobs import Job
from sqlalchemy import Connection, func, inspect, select, text

from reconciler.fleet.fleet import Fleet
from reconciler.fleet.job import Host
from reconciler.fleet.rollout import halt, move_on
from reconciler.fleet.states import TRIES, Phase, State, describe_wait
from reconciler.fleet.tables import ROLLOUTS, RUNS
from reconciler.ledger.homes.postgres import OURS
from reconciler.ledger.tables import alone

# The task of a workspace, the one that looks after the rollouts, and the one that begins a look for drift.
WORKSPACE, SWEEP, NIGHTLY = "workspace", "sweep", "nightly"
# The queues that people name.
APPLY, DRIFT = "apply", "drift"
# What is written goes first, and what looks after the rollouts before that. Within a queue, what a worker left that died goes first.
_PRIORITY = {APPLY: 10, DRIFT: 0}
_ORPHANED = 1
SWEEP_PRIORITY = 100
# A worker without a heartbeat for so many seconds is gone.
STALE = 15.0
# How often who waits for a rollout looks, and after how long without a worker that is said; in seconds.
LOOK_EVERY, PATIENCE = 0.5, 5.0

_PATH = text(f"SET LOCAL search_path TO {OURS}")
_LIVE = text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => :stale)")


def queue_of(fleet: Fleet, queue: str) -> str:
    """The name of a queue of this fleet: a database may have several fleets."""
    return f"{fleet.name}/{queue}"


class QueueEngine:
    """Puts jobs beside the rows. Its own tables are made where they are missing."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        # It is never opened: jobs are put there by the connection that writes the rows.
        self._app = App(connector=SyncPsycopgConnector())

    def prepare(self, connection: Connection) -> None:
        """Make the tables of the queue where they are missing."""
        if not _has_tables(connection):
            alone(connection)
            if not _has_tables(connection):
                connection.execute(_PATH)
                _raw(connection).execute(self._app.schema_manager.get_schema())

    def start(self, connection: Connection, rollout: str, app_ids: Sequence[str], *, writes: bool, later: float = 0.0) -> None:
        """Put a job there for each of these workspaces."""
        queue, when = APPLY if writes else DRIFT, datetime.fromtimestamp(later, UTC) if later else None
        orphans = _read_orphans(connection, rollout)
        jobs = [
            Job(
                queue=queue_of(self._fleet, queue),
                priority=_PRIORITY[queue] + _ORPHANED * (app_id in orphans),
                # Before the last try one after the other, so that what kills a worker takes no innocent with it three times.
                lock=queue_of(self._fleet, "suspect" if orphans.get(app_id, 0) >= TRIES - 1 else app_id),
                queueing_lock=None,
                task_name=WORKSPACE,
                task_kwargs={"rollout": rollout, "app_id": app_id},
                scheduled_at=when,
            )
            for app_id in app_ids
        ]
        connection.execute(_PATH)
        self._app.job_manager.batch_defer_jobs(jobs, connection=_raw(connection))

    def stop(self, connection: Connection, rollout: str) -> None:
        """A job whose row is not queued ends as soon as its turn comes."""


def _has_tables(connection: Connection) -> bool:
    # `to_regclass` would not do: a server remembers within a transaction that a name led nowhere.
    return inspect(connection).has_table("procrastinate_jobs", schema=OURS)


def _read_orphans(connection: Connection, rollout: str) -> Mapping[str, int]:
    """The workspaces that are queued because their worker died, and how often they were begun."""
    mine = (RUNS.c.rollout == rollout) & (RUNS.c.state == State.QUEUED) & (RUNS.c.worker != "")
    return {row.app_id: row.turn for row in connection.execute(select(RUNS.c.app_id, RUNS.c.turn).where(mine))}


def count_workers(connection: Connection) -> int:
    """How many workers are alive in this database."""
    connection.execute(_PATH)
    return connection.scalar(_LIVE, {"stale": STALE}) or 0


def _raw(connection: Connection) -> Any:
    """The driver's connection, within the same transaction."""
    return connection.connection.driver_connection


@dataclass(frozen=True)
class _Moment:
    """How far a rollout is, as one look shows it."""

    # Where it stands.
    phase: Phase
    # Until when it waits; None where it does not, or waits for people.
    until: float | None
    # How many of its workspaces run, and how many have ended.
    running: int
    ended: int  # in any way
    # How many workers are alive.
    workers: int

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return not self.running and (self.phase in (Phase.DONE, Phase.STOPPED) or (self.phase == Phase.WAITING and self.until is None))


def watch(host: Host, rollout: str, stop: threading.Event, tell: Callable[[int], object], say: Callable[[str], object]) -> Phase:
    """Wait until a rollout has ended, was stopped, or waits for people; workers run it.

    Who sets `stop` stops it, once what is under way has ended. `tell` is told how many more workspaces have ended, and `say` a sentence
    where no worker is alive, or where it waits for its time.
    """
    ended, busy, warned, said = 0, host.store.now(), False, None
    while True:
        if stop.is_set():
            halt(host.store, host.engine, host.fleet, rollout, "interrupted")
        moment = _look(host, rollout)
        tell(moment.ended - ended)
        if moment.is_over:
            return moment.phase
        if moment.until not in (None, said):
            say(f"waits {describe_wait(moment.until)}")
            said = moment.until
        if moment.workers or moment.ended != ended:
            busy = host.store.now()
        elif not warned and host.store.now() - busy > PATIENCE:
            say("no worker is alive; start one: reconciler fleet worker")
            warned = True
        ended = moment.ended
        time.sleep(LOOK_EVERY)


def _look(host: Host, rollout: str) -> _Moment:
    phase = move_on(host.store, host.engine, rollout)
    with host.store.reading() as connection:
        until = connection.scalar(select(ROLLOUTS.c.until).where(ROLLOUTS.c.id == rollout))
        counts = select(RUNS.c.state, func.count()).where(RUNS.c.rollout == rollout).group_by(RUNS.c.state)
        states = Counter[str]({state: number for state, number in connection.execute(counts)})
        workers = count_workers(connection)
    ended = states.total() - states[State.HELD] - states[State.QUEUED] - states[State.RUNNING]
    return _Moment(phase, until, states[State.RUNNING], ended, workers)
