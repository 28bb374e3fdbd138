"""Connections whose answers end: the head and the whole of each come within a time, and the head within a size."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# Far more than any head needs, those of `100 Continue` included, which http.client skips without counting them.
HEAD = 256 * 1024
# The whole answer may take so many times as long as its head, which has the time of one read.
WHOLE = 2


class Endless(http.client.HTTPException):
    """An answer that came in too slowly, or whose head has no end."""


class _Bounded(io.RawIOBase):
    """The bytes of one answer. `sock` has the time that one read may take."""

    def __init__(self, sock: socket.socket) -> None:
        self.patience = sock.gettimeout() or 60.0
        self._sock, self._raw = sock, sock.makefile("rb", buffering=0)
        self._began, self._size, self._in_head = time.monotonic(), 0, True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._in_head and self._size > HEAD:
            raise Endless("the answer begins with a head that has no end")
        self._sock.settimeout(max(min(self._time_left(), self.patience), 0.001))
        try:
            read = self._raw.readinto(buffer)
        except TimeoutError:
            if self._size and self._time_left() <= 0:
                raise self._late() from None
            raise
        self._size += read or 0
        if read and self._time_left() <= 0:
            raise self._late()
        return read

    def _time_left(self) -> float:
        return self._began + self._allowance - time.monotonic()

    @property
    def _allowance(self) -> float:
        return self.patience * (1 if self._in_head else WHOLE)

    def _late(self) -> Endless:
        return Endless(f"the answer was still coming in after {self._allowance:g} s")

    def head_is_read(self) -> None:
        self._in_head = False

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """http.client's response, which reads through bounds."""

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self._bounded = _Bounded(sock)
        self.fp = io.BufferedReader(self._bounded)

    def begin(self) -> None:
        super().begin()
        self._bounded.head_is_read()


class _Plain(HTTPConnection):
    response_class = _Response


class _Secure(HTTPSConnection):
    response_class = _Response


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class BoundedAdapter(HTTPAdapter):
    """requests' adapter over such connections, through a proxy too."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
        return manager


def endless(error: BaseException) -> str:
    """What an Endless says that a library's error holds somewhere inside; "" where there is none."""
    for inner in (error.__cause__, error.__context__, *error.args):
        if isinstance(inner, Endless):
            return str(inner)
        if isinstance(inner, BaseException) and (text := endless(inner)):
            return text
    return ""
