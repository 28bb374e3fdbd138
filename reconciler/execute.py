"""Runs jobs: in waves, what is independent at the same time, what depends on a failure not at all; stops cleanly when asked to."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from reconciler.core.model.address import Address
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.calls import Job
from reconciler.core.plan.order import Step
from reconciler.errors import Interrupted, unforeseen

# So many jobs are under way at the same time, at most.
MOST = 256

Perform = Callable[[Job, Mapping[Address, str]], Sequence[Outcome]]


@dataclass
class _Run:
    """One execution on its way."""

    # The plan's steps; jobs cover them by their positions.
    steps: Sequence[Step]
    # The ids of all that is live, and of what this run makes.
    ids: dict[Address, str]
    # Whether somebody asked to stop.
    stopped: Callable[[], bool]
    # What became of the steps so far, by their positions.
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    # Why no other call can succeed, "" while one can.
    fatal: str = ""

    def note(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Remember what became of some steps."""
        for outcome in outcomes:
            self.outcomes[outcome.step] = outcome
            if outcome.id and outcome.change.target is None:
                self.ids[outcome.change.address] = outcome.id
            if outcome.fatal:
                self.fatal = outcome.reason
        return outcomes

    def skip(self, reasons: Mapping[int, str]) -> Sequence[Outcome]:
        """Leave out steps, each for a reason."""
        return self.note([Outcome(i, self.steps[i].change, Status.SKIPPED, reason) for i, reason in reasons.items()])

    def find_broken(self, job: Job) -> Mapping[int, str]:
        """The steps of a job that did not get what they need, each with the reason."""
        return {i: reason for i in job.covers if (reason := self._explain_lack(i))}

    def _explain_lack(self, step: int) -> str:
        needs = (self.outcomes.get(n) for n in sorted(self.steps[step].needs))
        cause = next((o for o in needs if o and o.status in (Status.FAILED, Status.SKIPPED)), None)
        if cause is None:
            return ""
        return f"waits for {cause.change.action} of the {cause.change.address.kind} it needs, which was {cause.status}: {cause.reason}"

    def find_obstacles(self, job: Job) -> Mapping[int, str]:
        """Why no step of a job can be done; of one that can still be done in part, nothing."""
        obstacles = self.find_broken(job)
        if len(obstacles) == len(job.covers):
            return obstacles
        end = f"not started: {self.fatal}" if self.fatal else "not started: the run was stopped" if self.stopped() else ""
        return {i: obstacles.get(i, end) for i in job.covers} if end else {}


def execute(
    jobs: Sequence[Job],
    steps: Sequence[Step],
    perform: Perform,
    ids: Mapping[Address, str],
    room: Callable[[], int],
    stop: threading.Event,
) -> Generator[Outcome]:
    """Yield what becomes of every step, as it happens. `perform` makes the calls of one job and never raises for a failed call.

    `room` says how many jobs may be under way now; it may change.

    When `stop` is set, calls in flight end and no other starts; what was not started is yielded as skipped. It is set too where whoever
    takes the outcomes ends: what waits is not waited for.
    """
    run = _Run(steps, dict(ids), stop.is_set)
    waves: dict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        waves[job.wave].append(job)
    under_way = _UnderWay(perform)
    with _threads(stop, under_way) as pool:
        for wave in sorted(waves):
            yield from _run_wave(run, waves[wave], under_way.perform, pool, room)


class _UnderWay:
    """The jobs that threads have begun. An interrupt while a pool starts a thread hides that thread from the pool; here it is known."""

    def __init__(self, perform: Perform) -> None:
        self._perform, self._count, self._closed, self._ended = perform, 0, False, threading.Condition()

    def perform(self, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """Do a job, but for one that would begin after the end: nobody takes its outcomes."""
        with self._ended:
            if self._closed:
                return ()
            self._count += 1
        try:
            return self._perform(job, ids)
        finally:
            with self._ended:
                self._count -= 1
                self._ended.notify_all()

    def close(self) -> None:
        """No other job begins; those that have begun are waited for."""
        with self._ended:
            self._closed = True
            self._ended.wait_for(lambda: not self._count)


@contextmanager
def _threads(stop: threading.Event, under_way: _UnderWay) -> Iterator[ThreadPoolExecutor]:
    """Threads for calls. Those under way are waited for, but for who asks a second time to stop."""
    # As many as there are jobs under way: others are not started.
    pool = ThreadPoolExecutor(MOST)
    try:
        yield pool
    except Interrupted:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    except BaseException:
        stop.set()
        under_way.close()
        pool.shutdown()
        raise
    pool.shutdown()


def _run_wave(run: _Run, jobs: Sequence[Job], perform: Perform, pool: ThreadPoolExecutor, room: Callable[[], int]) -> Iterator[Outcome]:
    makers = {step: n for n, job in enumerate(jobs) for step in job.covers}
    order = TopologicalSorter({n: {makers[step] for step in job.needs if step in makers} for n, job in enumerate(jobs)})
    order.prepare()
    ready: deque[int] = deque()
    running: dict[Future[Sequence[Outcome]], int] = {}
    while order.is_active():
        ready.extend(order.get_ready())
        if ready and (reasons := run.find_obstacles(jobs[ready[0]])):
            yield from run.skip(reasons)
            order.done(ready.popleft())
        elif ready and len(running) < min(room(), MOST):
            n = ready.popleft()
            obstacles = run.find_broken(jobs[n])
            yield from run.skip(obstacles)
            running[pool.submit(perform, jobs[n].without(obstacles), run.ids)] = n
        else:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield from run.note(_take_outcomes(run, jobs[running[future]], future))
                order.done(running.pop(future))


def _take_outcomes(run: _Run, job: Job, future: Future[Sequence[Outcome]]) -> Sequence[Outcome]:
    """What became of a job. An error that nobody foresaw is an outcome too; what caused it may befall all others, so it is the last."""
    try:
        return future.result()
    except Interrupted:
        raise
    except Exception as error:
        why = unforeseen(error)
        return [Outcome(i, run.steps[i].change, Status.FAILED, why, fatal=True, lost=True) for i in job.covers]
