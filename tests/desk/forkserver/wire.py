"""What goes between a caller and the server; as a script, the `reconciler` that shells start: it asks for a process and ends as that ends.

A script has nothing of ours on its path, and imports no more than it needs.
"""

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import IO

UNBUFFERED = "PYTHONUNBUFFERED"
_LENGTH = 8
Asked = tuple[list[str], str, dict[str, str]]  # arguments, folder, environment


class Line:
    """To one process of the server: hears its number, then how it ended. A process whose line is cut is killed."""

    def __init__(self, server: str, arguments: Sequence[str], folder: str, environ: Mapping[str, str], streams: Sequence[int]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(server)
        text = json.dumps([list(arguments), folder, dict(environ)]).encode()
        socket.send_fds(self._socket, [len(text).to_bytes(_LENGTH, "big")], list(streams))
        self._socket.sendall(text)
        self._told: IO[bytes] = self._socket.makefile("rb")
        self.pid = int(self._told.readline())

    def end(self, timeout: float | None = None) -> int:
        """Wait for the exit code, or for the signal's number below zero. Raises TimeoutError."""
        if not select.select([self._socket], [], [], timeout)[0]:
            raise TimeoutError(f"process {self.pid} has not ended")
        return int(self._told.readline())

    def close(self) -> None:
        self._told.close()
        self._socket.close()


def heard(connection: socket.socket) -> tuple[Asked, list[int]]:
    """What a caller asked for, and the streams that came with it. Raises OSError or ValueError where he is gone."""
    length, streams, _, _ = socket.recv_fds(connection, _LENGTH, 3)
    with connection.makefile("rb") as stream:
        arguments, folder, environ = json.loads(stream.read(int.from_bytes(length, "big")))
    return (arguments, folder, environ), streams


def _stand_in(server: str, arguments: Sequence[str]) -> None:
    line = Line(server, arguments, os.getcwd(), os.environ, (0, 1, 2))
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda number, _: os.kill(line.pid, number))
    code = line.end()
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    _stand_in(sys.argv[1], sys.argv[2:])
