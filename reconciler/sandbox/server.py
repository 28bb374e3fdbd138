"""The sandbox on a real port: threads, keep-alive, one write per answer."""

from __future__ import annotations

import io
import json
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.headers import Headers
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from reconciler.sandbox.faults import ConnectionDropped

Application = Callable[..., list[bytes]]

# The names of this machine. A page in a browser whose own name was made to mean this machine uses that name instead.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST = 64 * 1024 * 1024  # body, in bytes


class Unacceptable(Exception):
    """A request that the server answers itself, with this status and sentence."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one piece
    disable_nagle_algorithm = True
    server: Server

    handle = BaseHTTPRequestHandler.handle  # one connection carries many requests

    def answer(self) -> None:
        try:
            body = self.server.app(self._environ(), self._start)
        except ConnectionDropped:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Unacceptable as error:
            # Nobody knows where its body ends, so nothing can follow it on this connection.
            self.close_connection = True
            body = self._refuse(error.status, "bad_request", error.message)
        except Exception:
            traceback.print_exc()
            body = self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "the sandbox failed")
        if self.command != "HEAD":
            self.wfile.writelines(body)
        # A fault can make a body shorter than its Content-Length; then nothing can follow it on this connection.
        if sum(map(len, body)) != self._promised:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> list[bytes]:
        body = json.dumps({"type": "error.list", "errors": [{"code": code, "message": message}]}).encode()
        self._start(f"{status.value} {status.phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _check_caller(self) -> None:
        """Serve programs on this machine only, never a page in somebody's browser. Raises Unacceptable."""
        host = self.headers.get("Host", "localhost")
        if _host_of(f"//{host}") not in LOOPBACK:
            raise Unacceptable(HTTPStatus.FORBIDDEN, "the sandbox is reached as 127.0.0.1 or localhost only")
        origin = self.headers.get("Origin")
        if origin is not None and _host_of(origin) not in LOOPBACK:
            raise Unacceptable(HTTPStatus.FORBIDDEN, "the sandbox serves no page of another origin")

    def _length(self) -> int:
        """How many bytes of body follow. Raises Unacceptable if the headers do not tell."""
        if self.headers.get("Transfer-Encoding"):
            raise Unacceptable(HTTPStatus.LENGTH_REQUIRED, "the sandbox takes a body with a Content-Length only")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Unacceptable(HTTPStatus.BAD_REQUEST, "Content-Length is not a number of bytes")
        if len(lengths[0]) > 12 or int(lengths[0]) > LARGEST:
            raise Unacceptable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the sandbox takes bodies of at most {LARGEST} bytes")
        return int(lengths[0])

    def _environ(self) -> dict[str, Any]:
        self._check_caller()
        body = self._body(self._length())
        exact = {"REQUEST_URI": self.path, "CONTENT_LENGTH": str(len(body)), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body)}
        return self.get_environ() | exact

    def _body(self, length: int) -> bytes:
        """The whole body. Raises ConnectionDropped if the caller goes away before its end."""
        with suppress(ConnectionError):
            content = self.rfile.read(length)
            if len(content) == length:
                return content
        raise ConnectionDropped(worked=False)

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        code, _, phrase = status.partition(" ")
        self._promised = int(Headers(headers)["Content-Length"] or 0)
        self.send_response_only(int(code), phrase)
        for header in headers:
            self.send_header(*header)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the sandbox keeps a record."""


def _host_of(url: str) -> str | None:
    """The host of a URL, without its port; None if it is no URL."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class Server(ThreadingMixIn, WSGIServer):
    """Serves an application from a thread of its own, from the start until it is closed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, app: Application, host: str, port: int) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)
        self.url = f"http://{host}:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        for connection in list(self._open):  # those that callers keep alive
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def serve(app: Application, host: str = "127.0.0.1", port: int = 0) -> Server:
    """Serve until the `with` block ends. Port 0 takes a free one. Raises OSError where the port is in use."""
    return Server(app, host, port)


def serve_forever(app: Application, host: str = "127.0.0.1", port: int = 0, *, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT. Returns the number of that signal; calls `ready` with the URL once the port answers."""
    signals: list[int] = []
    wake = threading.Event()

    def stop(signum: int, _: object) -> None:
        signals.append(signum)
        wake.set()

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        with serve(app, host, port) as server:
            ready(server.url)
            wake.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return signals[0]
