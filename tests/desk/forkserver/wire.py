"""What goes between a caller and the server."""

from __future__ import annotations

import marshal
import select
import socket
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
        text = marshal.dumps((list(arguments), folder, dict(environ)))
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
        text = stream.read(size := int.from_bytes(length, "big"))
    if not size or len(text) != size:
        raise ValueError("the caller is gone")
    arguments, folder, environ = marshal.loads(text)
    return (arguments, folder, environ), streams
