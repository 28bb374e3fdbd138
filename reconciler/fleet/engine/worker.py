"""A worker: runs the jobs of the queue, on any number of machines, and looks now and then after those whose worker is gone."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from sqlalchemy import text

from reconciler.errors import Locked, ReconcilerError, Usage
from reconciler.fleet.engine.procrastinate import APPLY, DRIFT, NIGHTLY, STALE, SWEEP, SWEEP_PRIORITY, WORKSPACE, queue_of
from reconciler.fleet.job import Host, JobStop, run_job
from reconciler.fleet.opening import load_fleet, renew
from reconciler.fleet.rollout import begin_nightly, list_in, list_open, move_on, put_off, reclaim
from reconciler.fleet.states import State
from reconciler.ledger.homes.postgres import PostgresHome
from reconciler.ledger.tables import alone

# How long a workspace waits whose turn has not come, because another run has it or its wave has enough under way, and a job that failed
# because the store could not be reached: its workspace is queued still. In seconds.
AGAIN = 2
# How long a worker waits before it connects again, in seconds.
RECONNECT = 1.0
# How often it looks for jobs whose time has come, or whose lock is free: nobody tells it of these. In seconds.
FETCH_EVERY = 1.0
# How often a worker looks whether it is to stop, in seconds.
LOOK_EVERY = 0.2
# A job holds its workspace and the lock of its ledger by one connection, and asks by another.
PER_JOB = 2
# What a worker has beside that: the pool of the queue, its listeners, and the transactions of rollouts.
BESIDE = 10

# A worker says with every connection of its queue, and before that with one of its pool, how many it may want.
_NAME = text("SELECT set_config('application_name', :name, false)")
_ROOM = text("""
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
      (SELECT coalesce(sum(split_part(name, ' ', 4)::int), 0) FROM (
        SELECT DISTINCT application_name AS name FROM pg_stat_activity
        WHERE application_name LIKE 'reconciler worker % %' AND application_name <> :name) AS workers)
""")


@dataclass(frozen=True)
class Pace:
    """How fast a worker finds out that another is gone."""

    # How often it says that it is alive, and after how long without that it counts as gone; in seconds.
    heartbeat: float = 5.0
    stale: float = STALE  # three heartbeats
    # When it looks after the rollouts: as cron says it, with seconds last.
    sweep: str = "* * * * * */5"


def run_worker(
    host: Host, jobs: int, queues: Sequence[str], stop: threading.Event, say: Callable[[str], object], pace: Pace = Pace()
) -> None:
    """Run so many jobs at the same time until `stop` is set; then those under way end, or are put back. A server that goes away is
    waited for. Raises Usage where the server has too few connections, ReconcilerError where it cannot be used at the start."""
    # What it would say are tracebacks; what became of a job stands in the tables.
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    worker = _Worker(host, jobs, queues, stop, say, pace)
    worker.check_connections()
    say(f"working for {host.fleet.name}: {jobs} at the same time")
    while True:
        with suppress(ConnectorException, OSError):
            asyncio.run(worker.serve())
        if stop.wait(RECONNECT):
            return
        say("the connection to the store was lost; it is tried again")


class _Worker:
    """One process."""

    def __init__(
        self, host: Host, jobs: int, queues: Sequence[str], stop: threading.Event, say: Callable[[str], object], pace: Pace
    ) -> None:
        self._hosts, self._jobs, self._stop, self._say, self._pace = _Hosts(host, say), jobs, stop, say, pace
        self._fleet, self._store, self._engine = host.fleet, host.store, host.engine
        self._home = PostgresHome(host.store.address)
        self._under_way = set[JobStop]()
        self._queues = [queue_of(host.fleet, queue) for queue in queues]
        self._connections = PER_JOB * jobs + BESIDE
        # Two machines may have processes of the same number.
        self._name = f"reconciler worker {token_hex(4)} {self._connections}"

    def check_connections(self) -> None:
        """Raises Usage where all workers together may want more connections than the server has."""
        with self._store.writing() as connection:
            # Of two that start at the same time, the second sees the first.
            alone(connection)
            connection.execute(_NAME, {"name": self._name})
            most, others = connection.execute(_ROOM, {"name": self._name}).one()
        if self._connections + others > most:
            has = f"the server of the store allows {most}" + (f", of which other workers may want {others}" if others else "")
            what = f"--jobs {self._jobs} may want {self._connections} connections, and {has}"
            raise Usage(f"{what}; give fewer --jobs, or raise its max_connections")

    async def serve(self) -> None:
        """Work until told to stop, or until a connection is lost. Raises what the queue raises where it cannot be reached."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(self._jobs + 2, thread_name_prefix="fleet"))
        app = self._app()
        async with app.open_async():
            how: dict[str, Any] = {
                "install_signal_handlers": False,
                "delete_jobs": "always",
                "fetch_job_polling_interval": FETCH_EVERY,
                "update_heartbeat_interval": self._pace.heartbeat,
                "stalled_worker_timeout": self._pace.stale,
            }
            sweeps = [queue_of(self._fleet, SWEEP)]
            workers = [
                asyncio.create_task(app.run_worker_async(queues=self._queues, concurrency=self._jobs, **how)),
                asyncio.create_task(app.run_worker_async(queues=sweeps, concurrency=1, **how)),
            ]
            while not self._stop.is_set() and not any(one.done() for one in workers):
                await asyncio.sleep(LOOK_EVERY)
            for stop in list(self._under_way):
                stop.want(getattr(self._stop, "signum", 0))
            for one in workers:
                one.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _app(self) -> App:
        conninfo, settings = self._home.connection_settings()
        settings["application_name"] = self._name
        app = App(connector=PsycopgConnector(conninfo=conninfo, kwargs=settings, min_size=1, max_size=5))
        again = RetryStrategy(wait=AGAIN)

        @app.task(name=WORKSPACE, retry=again)
        def _workspace(rollout: str, app_id: str) -> None:
            self._run(rollout, app_id)

        mine = queue_of(self._fleet, SWEEP)

        @app.periodic(cron=self._pace.sweep, periodic_id=self._fleet.name)
        @app.task(name=SWEEP, queue=mine, priority=SWEEP_PRIORITY)
        async def _sweep(timestamp: int) -> None:
            await self._sweep(app)

        if self._fleet.nightly:
            hour, minute = self._fleet.nightly.split(":")

            @app.periodic(cron=f"{int(minute)} {int(hour)} * * *", periodic_id=self._fleet.name)
            @app.task(name=NIGHTLY, queue=mine, retry=again)
            def _nightly(timestamp: int) -> None:
                self._nightly(timestamp)

        return app

    def _nightly(self, since: float) -> None:
        """Begin the look for drift of a night, over the workspaces that the fleet has by now."""
        host = self._hosts.read_anew()
        if rollout := begin_nightly(host.store, host.engine, host.fleet, since):
            self._say(f"{rollout}  {DRIFT} of the night")

    def _run(self, rollout: str, app_id: str) -> None:
        """Run a workspace; where its turn has not come, see to it that it is looked at again."""
        stop = JobStop()
        self._under_way.add(stop)
        try:
            # Who is to stop begins nothing any more.
            claimed = None if self._stop.is_set() else run_job(self._hosts.current(app_id), rollout, app_id, stop)
        finally:
            self._under_way.discard(stop)
        if claimed:
            self._say(f"{rollout}  {app_id}  {claimed.verb}")
        else:
            put_off(self._store, self._engine, rollout, app_id, self._store.now() + AGAIN)

    async def _sweep(self, app: App) -> None:
        """Start again what a worker left that is gone, and advance every rollout: time alone may have begun a wave."""
        manager = app.job_manager
        for job in await self._list_jobs(app, stalled=True):
            if job.task_name == NIGHTLY or (job.task_name == WORKSPACE and await asyncio.to_thread(self._is_queued, job)):
                await manager.retry_job(job)
            else:
                await manager.finish_job(job, Status.FAILED, delete_job=True)
        for rollout in await asyncio.to_thread(list_open, self._store, self._fleet):
            if orphans := await asyncio.to_thread(self._reclaim, rollout):
                for job in await self._list_jobs(app, stalled=False):
                    if job.task_kwargs.get("rollout") == rollout and job.task_kwargs.get("app_id") in orphans:
                        await manager.finish_job(job, Status.FAILED, delete_job=True)
            await asyncio.to_thread(move_on, self._store, self._engine, rollout)

    async def _list_jobs(self, app: App, *, stalled: bool) -> list[Job]:
        """The jobs of this fleet that run, or those of them whose worker is gone."""
        jobs: list[Job] = []
        for queue in (APPLY, DRIFT, SWEEP):
            named = queue_of(self._fleet, queue)
            if stalled:
                jobs += await app.job_manager.get_stalled_jobs(queue=named, seconds_since_heartbeat=self._pace.stale)
            else:
                jobs += await app.job_manager.list_jobs_async(queue=named, status=Status.DOING.value)
        return jobs

    def _is_queued(self, job: Job) -> bool:
        rollout, app_id = str(job.task_kwargs.get("rollout")), str(job.task_kwargs.get("app_id"))
        return app_id in list_in(self._store, rollout, State.QUEUED)

    def _reclaim(self, rollout: str) -> frozenset[str]:
        """Take back the workspaces of a rollout that nobody runs any more, and give them: whoever runs one holds its fence."""
        orphans = list[str]()
        for app_id in list_in(self._store, rollout, State.RUNNING):
            try:
                with self._store.hold("workspace", app_id, self._hosts.current().who):
                    # Another worker may have done so meanwhile.
                    orphans += reclaim(self._store, self._engine, rollout, [app_id])
            except Locked:
                continue
        return frozenset(orphans)


class _Hosts:
    """The host of this process, with its files as they are now: who pulls new ones starts no worker anew. Threads may ask."""

    def __init__(self, host: Host, say: Callable[[str], object]) -> None:
        self._host, self._say, self._lock = host, say, threading.Lock()
        self._seen = _stamps(host)

    def current(self, app_id: str = "") -> Host:
        """The host, which knows the workspace if the list of today does: a list may come from a command, or lie anywhere."""
        with self._lock:
            if _stamps(self._host) != self._seen or (app_id and self._host.workspace(app_id) is None):
                self._renew()
            return self._host

    def read_anew(self) -> Host:
        """The host with its files and its list as they are now."""
        with self._lock:
            self._renew()
            return self._host

    def _renew(self) -> None:
        try:
            self._host = renew(self._host, load_fleet(self._host.fleet.file))
        except ReconcilerError as error:
            # They may be half written; the rows that are queued were planned with what is read already, or are planned again.
            self._say(f"{error}; the files as they were before are used")
        self._seen = _stamps(self._host)


def _stamps(host: Host) -> Mapping[str, tuple[int, int] | None]:
    """What tells whether a file of the fleet, or a folder with such files, was changed."""
    files = {host.fleet.file, *host.manifests.files()}
    return {path: _stamp(path) for path in (*files, *(os.path.dirname(file) for file in files))}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
