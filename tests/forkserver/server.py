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
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

import reconciler
from reconciler import cli
from tests.forkserver.wire import UNBUFFERED, Asked, heard

# What is imported when it is first needed, by us or by those whom we call.
LATER = ("psycopg", "requests", "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite", "keyring.backends.null")


def imported() -> None:
    for module in pkgutil.walk_packages(reconciler.__path__, "reconciler."):
        import_module(module.name)
    for name in LATER:
        import_module(name)
    # What is there already is not looked through for garbage, and stays shared.
    gc.collect()
    gc.freeze()


class Server:
    """Serves until standard input ends, and returns in every child."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ, "caller")
        self.selector.register(0, selectors.EVENT_READ, "end")
        self.children: dict[int, tuple[int, socket.socket]] = {}  # by file descriptor of the process

    def serve(self) -> bool:
        """Whether this is a child."""
        while True:
            for key, _ in self.selector.select():
                match key.data:
                    case "end":
                        return False
                    case "caller":
                        if self._called():
                            return True
                    case child:
                        self._over(child, cut=key.fd != child)

    def _called(self) -> bool:
        connection, _ = self.listener.accept()
        asked, streams = heard(connection)
        pid = os.fork()
        if pid == 0:
            self._become(asked, streams, connection)
            return True
        for stream in streams:
            os.close(stream)
        connection.sendall(b"%d\n" % pid)
        child = os.pidfd_open(pid)
        self.children[child] = pid, connection
        for one in (child, connection):
            self.selector.register(one, selectors.EVENT_READ, child)
        return False

    def _over(self, child: int, *, cut: bool) -> None:
        """A process ended, or nobody waits for it any more."""
        if child not in self.children:
            return  # both in one look
        pid, connection = self.children.pop(child)
        if cut:
            signal.pidfd_send_signal(child, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        for one in (child, connection):
            self.selector.unregister(one)
        os.close(child)
        if not cut:
            with suppress(BrokenPipeError):
                connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        connection.close()

    def _become(self, asked: Asked, streams: list[int], connection: socket.socket) -> None:
        """As if Python had just been started here: nothing of the server stays open."""
        arguments, folder, environ = asked
        self.selector.close()
        self.listener.close()
        connection.close()
        for child, (_, other) in self.children.items():
            os.close(child)
            other.close()
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
