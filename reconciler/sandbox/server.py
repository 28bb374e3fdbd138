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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from reconciler.sandbox.faults import ConnectionDropped

Application = Callable[..., list[bytes]]

# What a page in a browser would reach us by, after its own name was made to mean this machine, is none of these.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# Bodies beyond this are more than a sandbox is asked to take, in bytes.
LARGEST = 64 * 1024 * 1024


class Unfit(Exception):
    """A request that no part of the sandbox should see: the status and the sentence to answer with."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave in one piece
    disable_nagle_algorithm = True
    server: _Server

    def answer(self) -> None:
        try:
            body = self.server.app(self._environ(), self._start)
        except ConnectionDropped:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        except Unfit as unfit:
            # Where its body ends is not known, so nothing can follow it on this connection.
            self.close_connection = True
            body = self._refuse(unfit.status, "bad_request", unfit.message)
        except Exception:
            traceback.print_exc()
            body = self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "server_error", "the sandbox failed")
        if self.command != "HEAD":
            self.wfile.writelines(body)
        # A body shorter than its Content-Length is a fault that was asked for; the connection cannot go on after it.
        if sum(map(len, body)) != self._promised:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> list[bytes]:
        body = json.dumps({"type": "error.list", "errors": [{"code": code, "message": message}]}).encode()
        self._start(f"{status.value} {status.phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _check_caller(self) -> None:
        """Only programs on this machine are served, never a page that somebody has open in a browser. Raises Unfit."""
        host = self.headers.get("Host", "localhost")
        if _host_of(f"//{host}") not in LOOPBACK:
            raise Unfit(HTTPStatus.FORBIDDEN, "the sandbox is reached as 127.0.0.1 or localhost only")
        origin = self.headers.get("Origin")
        if origin is not None and _host_of(origin) not in LOOPBACK:
            raise Unfit(HTTPStatus.FORBIDDEN, "the sandbox serves no page of another origin")

    def _length(self) -> int:
        """How many bytes of body follow. Raises Unfit where that cannot be known."""
        if self.headers.get("Transfer-Encoding"):
            raise Unfit(HTTPStatus.LENGTH_REQUIRED, "the sandbox takes a body with a Content-Length only")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise Unfit(HTTPStatus.BAD_REQUEST, "Content-Length is not a number of bytes")
        if len(lengths[0]) > 12 or int(lengths[0]) > LARGEST:
            raise Unfit(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the sandbox takes bodies of at most {LARGEST} bytes")
        return int(lengths[0])

    def _environ(self) -> dict[str, Any]:
        self._check_caller()
        path, _, query = self.path.partition("?")
        length = self._length()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "REQUEST_URI": self.path,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self._body(length)),
        }
        return environ | {"HTTP_" + name.upper().replace("-", "_"): value for name, value in self.headers.items()}

    def _body(self, length: int) -> bytes:
        """The whole body: of a caller that died in the middle of sending, nothing is carried out."""
        try:
            content = self.rfile.read(length)
        except ConnectionError:
            raise ConnectionDropped(worked=False) from None
        if len(content) < length:
            raise ConnectionDropped(worked=False)
        return content

    def _start(self, status: str, headers: list[tuple[str, str]]) -> None:
        code, _, phrase = status.partition(" ")
        self._promised = 0
        self.send_response_only(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
            if name.lower() == "content-length":
                self._promised = int(value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: what came in is recorded by the sandbox itself."""


def _host_of(url: str) -> str | None:
    """The host of a URL, without its port; None where it is none."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, app: Application, host: str, port: int) -> None:
        self.app = app
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no trouble of ours."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End the connections that callers keep alive."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class Serving:
    """A server in a thread of its own."""

    def __init__(self, app: Application, host: str, port: int) -> None:
        self._server = _Server(app, host, port)
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(app: Application, host: str = "127.0.0.1", port: int = 0) -> Serving:
    return Serving(app, host, port)


def serve_forever(app: Application, host: str = "127.0.0.1", port: int = 0, *, ready: Callable[[str], None]) -> int:
    """Serve until SIGTERM or SIGINT and return that signal's number; `ready` is called with the URL once the port answers."""
    stopped: list[int] = []
    wake = threading.Event()

    def stop(signum: int, _: object) -> None:
        stopped.append(signum)
        wake.set()

    before = {signum: signal.signal(signum, stop) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        with serve(app, host, port) as serving:
            ready(serving.url)
            wake.wait()
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
    return stopped[0]
