"""What the call of a test started ends with it where it fails: a test that was cut off in a wait leaves no process behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

from tests.desk import forkserver


def children(pid: int) -> set[int]:
    """The processes that a process started and that are still there."""
    with suppress(FileNotFoundError, ProcessLookupError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return {int(child) for task in tasks for child in (task / "children").read_text().split()}
    return set()


def started() -> set[int]:
    """The processes of this process and of its fork server, but not the server itself, which serves all tests."""
    server = forkserver.pid()
    return (children(os.getpid()) | (children(server) if server else set())) - {server}


def end(pid: int) -> None:
    """Kill a process and all that it started."""
    below = children(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for child in below:
        end(child)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    before, limit = started(), signal.getsignal(signal.SIGALRM)

    def end_all() -> None:
        for pid in started() - before:
            end(pid)

    def late(signum: int, frame: FrameType | None) -> None:
        # First of all: `with Popen(...)` waits for the process on the way out too.
        end_all()
        assert callable(limit)
        limit(signum, frame)

    # pytest-timeout ends a test in the handler of this signal, and takes its own away afterwards.
    if callable(limit):
        signal.signal(signal.SIGALRM, late)
    try:
        return (yield)
    except BaseException:
        end_all()
        raise
