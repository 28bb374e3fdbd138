"""A stand-in for a host of git repositories: git itself behind HTTP, for those who show a token that may read or write."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class Hub:
    """The repositories of a folder; `rights` says of each token whether it may `read` or `write`."""

    folder: Path
    url: str = ""
    rights: dict[str, str] = field(default_factory=dict)


@cache
def _backend() -> Path:
    process = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True, timeout=60)
    return Path(process.stdout.strip()) / "git-http-backend"


@contextmanager
def hub(folder: Path) -> Iterator[Hub]:
    """The host on a port of its own."""
    this = Hub(folder)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            right = this.rights.get(_token(self.headers.get("Authorization", "")))
            if right is None:
                self._say(401, b"", {"WWW-Authenticate": "Basic"})
            elif right != "write" and "git-receive-pack" in self.path:
                self._say(403, b"")
            else:
                self._say(*_asked(self, this.folder, body))

        do_GET = do_POST = answer

        def _say(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    this.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield this
    finally:
        server.shutdown()
        server.server_close()


def _token(header: str) -> str:
    return base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]


def _asked(request: BaseHTTPRequestHandler, folder: Path, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    """What git says: git-scm.com/docs/git-http-backend."""
    path, _, query = request.path.partition("?")
    asked = {
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": request.command,
        "REMOTE_USER": "somebody",
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, **asked}
    output = subprocess.run([_backend()], env=env, input=body, capture_output=True, check=True, timeout=60).stdout
    head, _, content = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return int(headers.pop("Status", "200").split()[0]), content, headers
