"""The sandbox on a real port: threads, keep-alive, one write per answer."""

from __future__ import annotations

import io
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

from reconciler.sandbox.faults import ConnectionDropped

Application = Callable[..., list[bytes]]


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
        except Exception:
            traceback.print_exc()
            body = [b'{"type":"error.list","errors":[{"code":"server_error","message":"the sandbox failed"}]}']
            self._start("500 Internal Server Error", [("Content-Type", "application/json"), ("Content-Length", str(len(body[0])))])
        if self.command != "HEAD":
            self.wfile.writelines(body)
        # A body shorter than its Content-Length is a fault that was asked for; the connection cannot go on after it.
        if sum(map(len, body)) != self._promised:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = answer

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
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
