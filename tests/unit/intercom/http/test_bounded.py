"""An answer ends: in its head, its body, its time and the number of its values."""

from __future__ import annotations

import gzip
import itertools
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

from reconciler.intercom.http.body import VALUES
from reconciler.intercom.http.errors import BadAnswer, CallError, NoAnswer
from tests.unit.intercom.http.app import JSON, ONCE, READ, App, Said, client, failure, over, says, wire

START = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Script = Callable[[socket.socket], None]


def drips(start: bytes, parts: Iterable[bytes]) -> Script:
    """An answer that begins well, and of which a little comes now and then, for ever."""

    def script(connection: socket.socket) -> None:
        says(start)(connection)
        connection.settimeout(0.01)
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
                with suppress(TimeoutError):
                    if connection.recv(1) == b"":
                        return

    return script


def flood(start: bytes, part: bytes) -> Script:
    """An answer that begins well, and goes on as fast as it can."""

    def script(connection: socket.socket) -> None:
        with suppress(OSError):
            says(start)(connection)
            while True:
                connection.sendall(part)

    return script


def bytes_of(text: bytes) -> Iterator[bytes]:
    return (bytes([byte]) for byte in itertools.cycle(text))


ENDLESS: dict[str, tuple[Script, type[CallError], str]] = {
    "a header": (drips(START + b"X-A: ", bytes_of(b"a")), NoAnswer, "still coming in after 0.2 s"),
    "headers": (drips(START, itertools.repeat(b"X-A: a\r\n")), NoAnswer, "still coming in after 0.2 s"),
    "a status line": (drips(b"HTTP/1.1 2", bytes_of(b"0")), NoAnswer, "still coming in after 0.2 s"),
    "100 Continue, slowly": (drips(b"", itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n")), NoAnswer, "still coming in after 0.2 s"),
    "100 Continue": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), NoAnswer, "a head that has no end"),
    "a body": (drips(START + b"Content-Length: 9999\r\n\r\n", bytes_of(b" ")), BadAnswer, "still coming in after 0.4 s"),
    "chunks": (drips(START + b"Transfer-Encoding: chunked\r\n\r\n", bytes_of(b"1\r\n \r\n")), BadAnswer, "still coming in after 0.4 s"),
    "a body to the end": (drips(START + b"\r\n", bytes_of(b" ")), BadAnswer, "still coming in after 0.4 s"),
}


@pytest.mark.parametrize(("script", "error", "why"), ENDLESS.values(), ids=ENDLESS)
def test_an_answer_that_never_ends_is_ended(script: Script, error: type[CallError], why: str) -> None:
    with wire(script) as url, pytest.raises(error, match=why):
        over(url, READ, timeouts=(1.0, 0.2))


def test_a_write_whose_answer_never_ends_may_have_been_carried_out() -> None:
    with wire(drips(START, itertools.repeat(b"X-A: a\r\n"))) as url, pytest.raises(NoAnswer) as failed:
        over(url, ONCE, timeouts=(1.0, 0.2))
    assert failed.value.maybe_done


@pytest.mark.parametrize("value", [b"{}", b"[]", b"0", b'{"a":0}'])
def test_an_answer_of_more_values_than_can_be_kept_is_not_read(value: bytes) -> None:
    body = b'{"type":"list","data":[' + (value + b",") * VALUES + b"0]}"
    app = App(Said(200, gzip.compress(body, compresslevel=1), JSON | {"Content-Encoding": "gzip"}))
    assert str(failure(app)).endswith("the answer holds more than 2,000,000 values")
    assert len(app.seen) == 1
    assert "holds more" not in str(failure(App(Said(404, body))))


def test_a_long_text_is_no_crowd() -> None:
    text = "a" * 3 * VALUES
    assert client(App(Said(body={"id": text}))).send(READ).body == {"id": text}
