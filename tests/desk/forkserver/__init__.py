"""Processes of the command line without the second that it takes to start Python and import all of it.

A server imports it once and forks for every call; each is a process of its own, with its own arguments, folder, environment, streams, end.
Tests of how a process starts and ends, a story and the demo start real ones: `REAL`.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from tests import ROOT
from tests.desk.forkserver.wire import UNBUFFERED, Line

REAL = (sys.executable, "-c", "from reconciler.cli import main; main()")
TEST = "PYTEST_CURRENT_TEST"
HERE = Path(__file__).parent


def server() -> Path:
    """The socket of the server of this process, with which it ends."""
    return _server()[0]


def pid() -> int:
    """The number of that server, 0 where there is none yet."""
    return _server()[1].pid if _server.cache_info().currsize else 0


@cache
def _server() -> tuple[Path, subprocess.Popen[bytes]]:
    path = Path(tempfile.mkdtemp(prefix="forkserver-")) / "socket"
    command = [sys.executable, "-m", "tests.desk.forkserver.server", str(path)]
    environ = {name: value for name, value in os.environ.items() if name != UNBUFFERED}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdin=pipe, stdout=pipe, start_new_session=True)
    atexit.register(_ended, process, path)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return path, process


def _ended(process: subprocess.Popen[bytes], path: Path) -> None:
    try:
        process.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
    shutil.rmtree(path.parent)


@cache
def programs() -> Path:
    """A folder whose `reconciler` is such a process, for the PATH of a shell."""
    path = server().with_name("bin") / "reconciler"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\nexec '{sys.executable}' -IS '{HERE / 'standin.py'}' '{server()}' \"$@\"\n", encoding="utf-8")
    path.chmod(0o755)
    return path.parent


class Process:
    """A verb that is under way: of `subprocess.Popen` what the tests use, by the same names."""

    def __init__(self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], stdin: int = subprocess.DEVNULL) -> None:
        (out, outer), (err, errer) = os.pipe(), os.pipe()
        inner = os.open(os.devnull, os.O_RDONLY) if stdin == subprocess.DEVNULL else stdin
        self.stdout: IO[str] = os.fdopen(out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(err, encoding="utf-8")
        self.args = arguments
        self.returncode: int | None = None
        self._one_waits = threading.Lock()
        environ = {**environ, TEST: os.environ.get(TEST, "")}
        self._line = Line(str(server()), arguments, str(folder), environ, (inner, outer, errer))
        self.pid = self._line.pid
        for one in {inner, outer, errer} - {stdin}:
            os.close(one)

    def poll(self) -> int | None:
        with suppress(TimeoutError):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises TimeoutError."""
        if not self._one_waits.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError(f"process {self.pid} is waited for")
        try:
            if self.returncode is None:
                self.returncode = self._line.end(timeout)
            return self.returncode
        finally:
            self._one_waits.release()

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, signum)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """All that it says until its end. Raises TimeoutError; who is not done in time is killed."""
        watch = threading.Timer(timeout, self.kill)
        watch.start()
        with ThreadPoolExecutor(2) as pool:
            out, err = pool.map(lambda stream: stream.read(), (self.stdout, self.stderr))
        late = not watch.is_alive()
        watch.cancel()
        self.wait(timeout)
        for stream in (self.stdout, self.stderr):
            stream.close()
        self._line.close()
        if late:
            raise TimeoutError(f"{' '.join(self.args)} did not end in {timeout:g} s: {out}{err}")
        return out, err
