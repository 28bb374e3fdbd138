"""The server: imports the command line once, forks for every call, tells the caller the process's number and how it ended."""

from __future__ import annotations

import gc
import os
import pkgutil
import selectors
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

import reconciler
from reconciler import cli
from tests.desk.forkserver.wire import UNBUFFERED, Asked, heard

# What is imported when it is first needed, by us or by those whom we call.
LATER = ("psycopg", "requests", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite", "keyring.backends.null")

# How long a caller may take to say what he wants, in seconds: others wait meanwhile.
PATIENCE = 10.0


def imported() -> None:
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        import_module(module.name)
    for name in LATER:
        import_module(name)
    # What is there already is not looked through for garbage, and stays shared.
    gc.collect()
    gc.freeze()


@dataclass(eq=False)
class Child:
    """One process: its number, a descriptor that tells its end, and the line to who asked for it."""

    pid: int
    end: int
    line: socket.socket


class Server:
    """Serves until standard input ends, and returns in every child."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(0, selectors.EVENT_READ)
        self.children: set[Child] = set()

    def serve(self) -> bool:
        """Whether this is a child. No child outlives the server."""
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    if self._called():
                        return True
                elif key.fileobj == 0:
                    for child in list(self.children):
                        self._over(child, cut=True)
                    return False
                elif key.data in self.children:  # else both of its events came in one look
                    self._over(key.data, cut=key.fileobj is key.data.line)

    def _called(self) -> bool:
        line, _ = self.listener.accept()
        line.settimeout(PATIENCE)
        try:
            asked, streams = heard(line)
        except (OSError, ValueError):
            line.close()  # who called is gone
            return False
        pid = os.fork()
        if pid == 0:
            self._become(asked, streams, line)
            return True
        for stream in streams:
            os.close(stream)
        self._tell(line, pid)
        child = Child(pid, os.pidfd_open(pid), line)
        self.children.add(child)
        for one in (child.end, child.line):
            self.selector.register(one, selectors.EVENT_READ, child)
        return False

    def _over(self, child: Child, *, cut: bool) -> None:
        """A process ended, or nobody waits for it any more."""
        if cut:
            signal.pidfd_send_signal(child.end, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        self._tell(child.line, os.waitstatus_to_exitcode(status))
        self.children.remove(child)
        for one in (child.end, child.line):
            self.selector.unregister(one)
        os.close(child.end)
        child.line.close()

    @staticmethod
    def _tell(line: socket.socket, number: int) -> None:
        with suppress(OSError):  # nobody listens: the next look finds the line cut
            line.sendall(b"%d\n" % number)

    def _become(self, asked: Asked, streams: list[int], line: socket.socket) -> None:
        """As if Python had just been started here: nothing of the server stays open."""
        arguments, folder, environ = asked
        self.selector.close()
        self.listener.close()
        line.close()
        for child in self.children:
            os.close(child.end)
            child.line.close()
        for number, given in enumerate(streams):
            os.dup2(given, number)
            os.close(given)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv[1:] = arguments
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            assert isinstance(stream, TextIOWrapper)
            stream.reconfigure(line_buffering=stream.isatty() or stream is sys.stderr or UNBUFFERED in environ)


def main() -> None:
    imported()
    server = Server(Path(sys.argv[1]))
    print("ready", flush=True)
    if server.serve():
        cli.main()


if __name__ == "__main__":
    main()
