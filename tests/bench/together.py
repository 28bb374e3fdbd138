"""Two processes at a time that apply at the same moment, on every home that several machines can share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.desk import postgres
from tests.processes.rounds import Tally, arena


@contextmanager
def cluster(programs: Path, **settings: str) -> Iterator[postgres.Cluster]:
    """A PostgreSQL of its own with such settings, gone afterwards."""
    # The path of a socket has at most 107 bytes: man 7 unix.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        with postgres._started(programs, folder, **settings) as server:
            assert server.stdin
            yield postgres._reached(server, folder)
            server.stdin.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_postgres(rounds: int) -> Tally | str:
    """What became of so many rounds, or why there are none."""
    programs = postgres._programs()
    if programs is None:
        return "PostgreSQL is not installed"
    with cluster(programs) as server:
        return _played(rounds, server.database())


def on_git(rounds: int) -> Tally | str:
    """The same on a bare remote."""
    return _played(rounds) if shutil.which("git") else "git is not installed"


def _played(rounds: int, database: str = "") -> Tally:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        here = stack.enter_context(arena(folder, database))
        for _ in range(rounds):
            here.round()
        here.check_ledger()
        return here.tally
