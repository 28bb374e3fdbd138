"""A worker that tests kill and freeze: it notes what it begins and ends, finds out fast that another is gone, and dies where it is told to.

As a program it imports all of that once, and forks for every line of JSON that it reads, of which it prints the number of the process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

import psycopg
import sqlalchemy.dialects.postgresql.psycopg

from reconciler.cli.running import Stop, stoppable
from reconciler.fleet import job
from reconciler.fleet.advance import Engine
from reconciler.fleet.engine import worker
from reconciler.fleet.job import Host
from reconciler.fleet.opening import load_fleet, open_host
from reconciler.fleet.rollout import Claim, list_open, move_on, reclaim
from reconciler.fleet.states import Phase
from reconciler.fleet.store import Store
from reconciler.ledger.dialects import postgres

# What is imported when it is first needed, and here before anything is forked.
LATER = (psycopg, sqlalchemy.dialects.postgresql.psycopg, postgres)

# Seconds between two heartbeats, and after how many without one a worker counts as gone.
HEARTBEAT, STALE = 0.3, 1.0
LOG = "intervals"


def run(jobs: int, dies: int, stale: float) -> None:
    """Work until told to stop; `dies`: between the result of the so-manieth workspace and what follows from it; `stale`: after how many
    seconds without a heartbeat another counts as gone."""
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    work, settled = job._run, 0

    def note(what: str, app_id: str = "-") -> None:
        os.write(log, f"{what} {app_id} {os.getpid()} {time.monotonic()}\n".encode())

    def noted(host: Host, claimed: Claim, *more: Any) -> None:
        note("begins", claimed.app_id)
        work(host, claimed, *more)
        note("ends", claimed.app_id)

    def go_on(store: Store, engine: Engine, rollout: str) -> Phase:
        nonlocal settled
        settled += 1
        if settled == dies:
            os._exit(9)
        return move_on(store, engine, rollout)

    def sweep(*how: Any) -> Any:
        note("sweeps")
        return list_open(*how)

    def take_back(*how: Any) -> Sequence[str]:
        taken = reclaim(*how)
        for app_id in taken:
            note("reclaims", app_id)
        return taken

    vars(job).update(_run=noted, move_on=go_on)
    vars(worker).update(list_open=sweep, reclaim=take_back)
    pace = worker.Pace(HEARTBEAT, stale, "* * * * * *")
    with open_host(load_fleet("fleet.yaml"), "worker") as host, stoppable(Stop()) as stop:
        worker.run_worker(host, jobs, ["apply", "drift"], stop, lambda line: None, pace)


def begin(folder: str, environ: dict[str, str], jobs: int, dies: int, stale: float) -> int:
    """Fork one, and give its number."""
    if pid := os.fork():
        return pid
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        os.dup2(os.open("worker.err", os.O_WRONLY | os.O_APPEND | os.O_CREAT), 2)
        run(jobs, dies, stale)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


if __name__ == "__main__":
    # Nobody waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        print(begin(**json.loads(line)), flush=True)
