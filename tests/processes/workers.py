"""The workers of a fleet in tests, and what their log says."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT
from tests.desk.soak import SOAKS
from tests.processes.worker import LOG, STALE

# How long anything may take, in seconds.
PATIENCE = 800.0 if SOAKS else 100.0


@dataclass(frozen=True)
class Worker:
    """A worker by the number of its process."""

    pid: int

    @property
    def lives(self) -> bool:
        with suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return True
        return False

    def signal(self, signum: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)


class Nest:
    """Where workers come from: a process that has imported all they need."""

    def __init__(self) -> None:
        self._one = threading.Lock()
        command = [sys.executable, "-m", "tests.processes.worker"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, folder: Path, jobs: int, dies: int, stale: float) -> Worker:
        how = {"folder": str(folder), "environ": dict(os.environ), "jobs": jobs, "dies": dies, "stale": stale}
        with self._one:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(f"{json.dumps(how)}\n")
            self._process.stdin.flush()
            return Worker(int(self._process.stdout.readline()))

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE)


class Workers:
    """The workers of a test."""

    def __init__(self, folder: Path, nest: Nest, stack: ExitStack) -> None:
        self._folder, self._nest, self._stack = folder, nest, stack
        self.all: list[Worker] = []

    def start(self, jobs: int = 2, *, dies: int = 0, stale: float = STALE) -> Worker:
        """Start one; `dies`: between the result of its so-manieth workspace and what follows from it; `stale`: after how many seconds
        without a heartbeat it takes another for gone."""
        worker = self._nest.start(self._folder, jobs, dies, stale)
        self._stack.callback(wait_until, lambda: not worker.lives, "a worker has ended")
        self._stack.callback(worker.kill)
        self.all.append(worker)
        return worker

    def kill(self) -> None:
        """Kill all that live, as the machine would."""
        for worker in self.all:
            worker.kill()

    def keep(self, number: int, jobs: int = 2) -> None:
        """See to it that so many live, whoever kills them, as a supervisor would."""
        ended = threading.Event()

        def supervise() -> None:
            while not ended.wait(0.05):
                for _ in range(number - sum(worker.lives for worker in self.all)):
                    self.start(jobs)

        thread = threading.Thread(target=supervise)
        thread.start()
        self._stack.callback(thread.join, PATIENCE)
        self._stack.callback(ended.set)


@dataclass(frozen=True)
class Line:
    """What a worker noted."""

    # begins, ends, sweeps or reclaims.
    what: str
    # The workspace that it begins, ends or takes back.
    app_id: str
    # The process.
    pid: int
    # Seconds on the clock of this machine.
    at: float


def read_log(folder: Path) -> list[Line]:
    """What all workers noted, in the order in which it happened."""
    cells = (line.split() for line in (folder / LOG).read_text().splitlines()) if (folder / LOG).exists() else ()
    return [Line(what, app_id, int(pid), float(at)) for what, app_id, pid, at in cells]


def spans(folder: Path) -> dict[str, list[tuple[Line, Line | None]]]:
    """When each workspace was begun and ended; one who was killed has noted no end."""
    lines, made = read_log(folder), dict[str, list[tuple[Line, Line | None]]]()
    for at, line in enumerate(lines):
        if line.what == "begins":
            # The next that the same worker noted of the same workspace.
            after = (one for one in lines[at + 1 :] if (one.app_id, one.pid) == (line.app_id, line.pid))
            end = next(after, None)
            made.setdefault(line.app_id, []).append((line, end if end and end.what == "ends" else None))
    return made


def overlaps(folder: Path) -> list[str]:
    """The workspaces that two workers had at the same time."""
    pairs = ((app_id, *pair) for app_id, one in spans(folder).items() for pair in itertools.pairwise(one))
    return [app_id for app_id, (_, end), (begin, _) in pairs if end and end.at > begin.at]


def orphans(folder: Path) -> list[tuple[Line, Line]]:
    """The workspaces whose worker died: when it had begun them, and when they were begun again."""
    return [(one[at][0], one[at + 1][0]) for one in spans(folder).values() for at in range(len(one) - 1) if one[at][1] is None]


def wait_until(holds: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, f"waited too long until {what}"
        time.sleep(0.02)
