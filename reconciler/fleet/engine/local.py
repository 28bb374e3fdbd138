"""The local engine: a pool of threads in this process. The queued rows are its queue, so there is nothing to start or stop beside them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from sqlalchemy import Connection, select

from reconciler.fleet.job import Host, JobStop, run_job
from reconciler.fleet.rollout import Claim, halt, list_ready, move_on, reclaim
from reconciler.fleet.states import Phase, describe_wait
from reconciler.fleet.tables import ROLLOUTS

# How many workspaces are run at the same time, unless a wave says less.
JOBS = 8
# How long the loop waits for a job to end, or for time to pass, before it looks again, in seconds.
LOOK_EVERY = 0.5


class LocalEngine:
    """Rows that are queued are run by `drive`."""

    def start(self, connection: Connection, rollout: str, app_ids: Sequence[str], *, writes: bool, later: float = 0.0) -> None:
        """They are queued, and that is all."""

    def stop(self, connection: Connection, rollout: str) -> None:
        """They are no longer queued, and that is all."""


def drive(
    host: Host,
    rollout: str,
    stop: threading.Event,
    tell: Callable[[int], object],
    jobs: int = JOBS,
    say: Callable[[str], object] = lambda text: None,
) -> Phase:
    """Run the workspaces of a rollout until it has ended, was stopped, or waits for people. Who sets `stop` stops it, once what is under
    way has ended; `say` is told until when it waits. Raises Locked where another process drives it."""
    with host.store.hold("rollout", rollout, host.who):
        reclaim(host.store, host.engine, rollout)
        pool = ThreadPoolExecutor(jobs, thread_name_prefix="fleet")
        try:
            phase = _Driver(host, rollout, stop, tell, jobs, pool).run(say)
        except BaseException:
            # Who interrupts a second time waits for nobody.
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        return phase


class _Driver:
    """The loop of one rollout."""

    def __init__(
        self, host: Host, rollout: str, stop: threading.Event, tell: Callable[[int], object], jobs: int, pool: ThreadPoolExecutor
    ) -> None:
        self.host, self.rollout, self.stop, self.tell, self.jobs, self.pool = host, rollout, stop, tell, jobs, pool
        self.under_way: dict[Future[Claim | None], tuple[str, JobStop]] = {}

    def run(self, say: Callable[[str], object]) -> Phase:
        said = None
        while not self.stop.is_set():
            phase, until = self._look()
            if until not in (None, said):
                say(f"waits {describe_wait(until)}")
                said = until
            if phase == Phase.RUNNING:
                until = self._fill()
            elif not self.under_way and (until is None or phase != Phase.WAITING):
                return phase
            self._wait(until)
        for _, stop in self.under_way.values():
            stop.want(getattr(self.stop, "signum", 0))
        while self.under_way:
            self._wait(None)
        halt(self.host.store, self.host.engine, self.host.fleet, self.rollout, "interrupted")
        return Phase.STOPPED

    def _look(self) -> tuple[Phase, float | None]:
        """How far the rollout is, and when a wait ends. A job that ended has advanced it; where none is under way, time may have."""
        phase = None
        if not self.under_way:
            # What is running by its row lost its lock: nobody else drives this rollout.
            reclaim(self.host.store, self.host.engine, self.rollout)
            phase = move_on(self.host.store, self.host.engine, self.rollout)
        with self.host.store.reading() as connection:
            row = connection.execute(select(ROLLOUTS.c.phase, ROLLOUTS.c.until).where(ROLLOUTS.c.id == self.rollout)).one()
        return phase or Phase(row.phase), row.until

    def _fill(self) -> float | None:
        """Begin as many as there is room for; when the next may be tried again."""
        room = self.jobs - len(self.under_way)
        if room <= 0:
            return None
        ready, until = list_ready(self.host.store, self.rollout, self.jobs)
        begun = {app_id for app_id, _ in self.under_way.values()}
        for app_id in [one for one in ready if one not in begun][:room]:
            stop = JobStop()
            self.under_way[self.pool.submit(run_job, self.host, self.rollout, app_id, stop)] = app_id, stop
        return until

    def _wait(self, until: float | None) -> None:
        """Wait for a job to end, or for time to pass."""
        if not self.under_way:
            left = LOOK_EVERY if until is None else until - self.host.store.now()
            self.stop.wait(max(0.01, min(LOOK_EVERY, left)))
            return
        ended, _ = wait(self.under_way, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
        idle = 0
        for future in ended:
            del self.under_way[future]
            if future.result():
                self.tell(1)
            else:
                idle += 1
        if idle and idle == len(ended):
            # Another process has these workspaces.
            self.stop.wait(LOOK_EVERY)
