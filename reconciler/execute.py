"""Runs jobs: in waves, what is independent at the same time, what depends on a failure not at all; stops cleanly when asked to."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.core.model.address import Address
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.calls import Job
from reconciler.core.plan.order import Step
from reconciler.errors import Interrupted, unforeseen

Perform = Callable[[Job, Mapping[Address, str]], Sequence[Outcome]]


@dataclass
class _Run:
    """One execution on its way."""

    jobs: Sequence[Job]
    steps: Sequence[Step]
    ids: dict[Address, str]
    stopped: Callable[[], bool]
    done: dict[int, Outcome] = field(default_factory=dict)
    fatal: str = ""

    def halted(self) -> bool:
        return bool(self.fatal) or self.stopped()

    def note(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        for outcome in outcomes:
            self.done[outcome.step] = outcome
            if outcome.id and outcome.change.target is None:
                self.ids[outcome.change.address] = outcome.id
            if outcome.fatal:
                self.fatal = outcome.reason
        return outcomes

    def broken(self, job: Job) -> Mapping[int, str]:
        """The steps of a job that did not get what they need, each with the reason."""
        return {i: reason for i in job.covers if (reason := self._lacks(i))}

    def _lacks(self, step: int) -> str:
        needed = (self.done.get(n) for n in sorted(self.steps[step].needs))
        lost = next((o for o in needed if o and o.status in (Status.FAILED, Status.SKIPPED)), None)
        if lost is None:
            return ""
        return f"waits for {lost.change.action} of the {lost.change.address.kind} it needs, which was {lost.status}: {lost.reason}"

    def skip(self, reasons: Mapping[int, str]) -> Sequence[Outcome]:
        return self.note([Outcome(i, self.steps[i].change, Status.SKIPPED, reason) for i, reason in reasons.items()])


def execute(
    jobs: Sequence[Job],
    steps: Sequence[Step],
    perform: Perform,
    ids: Mapping[Address, str],
    workers: int = 8,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Yield what becomes of every step, as it happens. `perform` makes the calls of one job and never raises for a failed call.

    When `stopped` turns true, calls in flight end and no other starts; what was not started is yielded as skipped.
    """
    run = _Run(jobs, steps, dict(ids), stopped)
    waves: dict[int, list[Job]] = defaultdict(list)
    for job in jobs:
        waves[job.wave].append(job)
    with _threads(workers) as pool:
        for wave in sorted(waves):
            yield from _wave(run, waves[wave], perform, pool, workers)


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads for calls. Those under way are waited for, but for who asks a second time to stop."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    except Interrupted:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    except BaseException:
        pool.shutdown()
        raise
    pool.shutdown()


class _Queue:
    """The jobs of one wave: which are ready, and which become so when one ends."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        maker = {step: job for job in jobs for step in job.covers}
        self.ready: deque[Job] = deque()
        self.waiting: dict[int, int] = {}
        self.followers: dict[int, list[Job]] = defaultdict(list)
        for job in jobs:
            needed = {id(maker[n]) for n in job.needs if n in maker}
            self.waiting[id(job)] = len(needed)
            for maker_id in needed:
                self.followers[maker_id].append(job)
            if not needed:
                self.ready.append(job)

    def ended(self, job: Job) -> None:
        for follower in self.followers[id(job)]:
            self.waiting[id(follower)] -= 1
            if self.waiting[id(follower)] == 0:
                self.ready.append(follower)


def _wave(run: _Run, jobs: Sequence[Job], perform: Perform, pool: ThreadPoolExecutor, workers: int) -> Iterator[Outcome]:
    queue = _Queue(jobs)
    running: dict[Future[Sequence[Outcome]], Job] = {}
    while queue.ready or running:
        for job, reasons in _unstartable(run, queue.ready):
            yield from run.skip(reasons)
            queue.ended(job)
        while queue.ready and len(running) < workers and not _reasons_not_to(run, queue.ready[0]):
            job = queue.ready.popleft()
            broken = run.broken(job)
            yield from run.skip(broken)
            running[pool.submit(perform, job.without(broken), run.ids)] = job
        over = wait(running, return_when=FIRST_COMPLETED).done if running else ()
        for future in over:
            yield from run.note(_outcomes(run, running[future], future))
            queue.ended(running.pop(future))


def _outcomes(run: _Run, job: Job, future: Future[Sequence[Outcome]]) -> Sequence[Outcome]:
    """What became of a job. An error that nobody foresaw is an outcome too; what caused it may befall all others, so it is the last."""
    try:
        return future.result()
    except Interrupted:
        raise
    except Exception as error:
        why = unforeseen(error)
        return [Outcome(i, run.steps[i].change, Status.FAILED, why, fatal=True, lost=True) for i in job.covers]


def _unstartable(run: _Run, ready: deque[Job]) -> list[tuple[Job, Mapping[int, str]]]:
    """Jobs that will not be made, taken off the front of the queue, with the reason for each of their steps."""
    found = []
    while ready:
        reasons = _reasons_not_to(run, ready[0])
        if not reasons:
            break
        found.append((ready.popleft(), reasons))
    return found


def _reasons_not_to(run: _Run, job: Job) -> Mapping[int, str]:
    """Why no step of a job can be done; of one that can still be done in part, nothing."""
    broken = run.broken(job)
    if len(broken) == len(job.covers):
        return broken
    stopped = f"not started: {run.fatal}" if run.fatal else "not started: the run was stopped" if run.stopped() else ""
    return {i: broken.get(i, stopped) for i in job.covers} if stopped else {}
