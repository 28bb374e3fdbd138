"""An app behind the client that answers what a test says, and a server on this machine that says any bytes."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import CallError
from reconciler.intercom.http.request import Reply, Request
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from tests.desk.clock import Clock

SECRET = "dG9rOmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDE="
TOKEN = Token(SECRET)
JSON = {"Content-Type": "application/json"}
HTML = "<html>" + "<p>secret page</p>" * 2400 + "</html>"

READ = Request("GET", "/contacts/1")
WRITE = Request("PUT", "/contacts/1", body={"name": "A"})
ONCE = Request("POST", "/contacts", body={"role": "lead"}, repeatable=False)


@dataclass(frozen=True)
class Said:
    """One answer of an app."""

    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class App:
    """Answers from a list, the last for ever; an exception in it stands for the network."""

    def __init__(self, *answers: Said | Exception) -> None:
        self.answers, self.seen = list(answers), list[WSGIEnvironment]()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        self.seen.append(environ)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        start(f"{answer.status} Any", list(answer.headers.items()))
        return [answer.content]


def client(app: App, clock: Clock | None = None, **options: Any) -> Client:
    clock = clock or Clock(0.0)
    return Client(
        "http://127.0.0.1:9", TOKEN, adapter=WsgiAdapter(app), sleep=clock.sleep, monotonic=clock.monotonic, rand=lambda: 1.0, **options
    )


def refusal(status: int, code: str = "", message: str = "") -> Said:
    return Said(status, {"type": "error.list", "request_id": "r-1", "errors": [{"code": code, "message": message}]})


def failure(app: App, request: Request = READ, clock: Clock | None = None) -> CallError:
    with pytest.raises(CallError) as failed:
        client(app, clock).send(request)
    assert SECRET not in "".join(traceback.format_exception(failed.value)) + repr(failed.value)
    assert "\n" not in str(failed.value)
    return failed.value


@contextmanager
def wire(*scripts: Callable[[socket.socket], None]) -> Iterator[str]:
    """A loopback server that plays one script per connection and then closes it; gives its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def play() -> None:
        for script in scripts:
            connection, _ = listener.accept()
            with connection:
                script(connection)

    player = threading.Thread(target=play)
    player.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        player.join(5)
        listener.close()


def says(answer: bytes, times: int = 1) -> Callable[[socket.socket], None]:
    def script(connection: socket.socket) -> None:
        for _ in range(times):
            heard = b""
            while b"\r\n\r\n" not in heard:
                heard += connection.recv(65536)
            connection.sendall(answer)

    return script


def over(url: str, request: Request, clock: Clock | None = None, **options: Any) -> Reply:
    clock = clock or Clock(0.0)
    with Client(url, TOKEN, sleep=clock.sleep, monotonic=clock.monotonic, environ={}, **options) as real:
        return real.send(request)


OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "42"}'
HALF = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"id": "4'
HALF_CHUNK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"'


# What is sent
