"""Who runs a rollout: this process, or the workers, for whom it waits; and a worker itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from reconciler.errors import Usage
from reconciler.fleet.engine.local import LocalEngine, drive
from reconciler.fleet.job import Host
from reconciler.fleet.states import Phase


def work(host: Host, jobs: int, queues: Sequence[str], stop: threading.Event, say: Callable[[str], object]) -> None:
    """Run what is queued until `stop` is set. Raises Usage for a fleet without a queue."""
    if isinstance(host.engine, LocalEngine):
        raise Usage("engine: local has no workers: its verbs run the workspaces themselves; write engine: postgresql for workers")
    from reconciler.fleet.engine.worker import run_worker

    run_worker(host, jobs, queues, stop, say)


def run_to_end(
    host: Host, rollout: str, stop: threading.Event, tell: Callable[[int], object], say: Callable[[str], object], jobs: int
) -> Phase:
    """Run a rollout, or wait for those who do, until it has ended, was stopped, or waits for people. `tell` is told how many more
    workspaces have ended, `say` what whoever waits should know. Raises Locked where another process runs it."""
    if isinstance(host.engine, LocalEngine):
        return drive(host, rollout, stop, tell, jobs, say)
    from reconciler.fleet.engine.procrastinate import watch

    return watch(host, rollout, stop, tell, say)
