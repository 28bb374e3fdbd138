"""What is tried again, how long, and what is said of calls that fail on the way."""

from __future__ import annotations

import socket
import ssl
import threading
import traceback

import pytest
import requests
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import BadAnswer, CallError, HttpError, NoAnswer, account_of
from reconciler.intercom.http.request import Request
from reconciler.intercom.http.wsgi import WsgiAdapter
from tests.desk.clock import Clock
from tests.unit.intercom.http.app import (
    HALF,
    HALF_CHUNK,
    HTML,
    JSON,
    OK,
    ONCE,
    READ,
    SECRET,
    TOKEN,
    WRITE,
    App,
    Said,
    client,
    failure,
    over,
    refusal,
    says,
    wire,
)

PASSING = [Said(500), Said(502, HTML.encode()), Said(503), Said(504), Said(408), Said(524), ConnectionResetError(), TimeoutError()]


@pytest.mark.parametrize("request_", [READ, WRITE])
@pytest.mark.parametrize("trouble", PASSING)
def test_what_may_pass_is_tried_again(request_: Request, trouble: Said | Exception) -> None:
    app, clock = App(trouble, trouble, Said(body={"id": "1"})), Clock(0.0)
    assert client(app, clock).send(request_).body == {"id": "1"}
    assert clock.sleeps == [0.5, 1.0]


@pytest.mark.parametrize("trouble", [Said(500), Said(503), Said(408), ConnectionResetError(), TimeoutError(), Said(200, b"{")])
def test_what_must_not_happen_twice_is_not_sent_again(trouble: Said | Exception) -> None:
    app = App(trouble, Said())
    assert failure(app, ONCE).maybe_done
    assert len(app.seen) == 1


@pytest.mark.parametrize("request_", [READ, WRITE, ONCE])
@pytest.mark.parametrize("trouble", [ConnectionRefusedError(), Said(429)])
def test_what_never_arrived_is_always_sent_again(request_: Request, trouble: Said | Exception) -> None:
    app = App(trouble, trouble, Said(body={"id": "1"}))
    assert client(app).send(request_).body == {"id": "1"}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
def test_a_refusal_is_final(status: int) -> None:
    app = App(refusal(status, "some_code", "Some message"), Said())
    failed = failure(app, WRITE)
    assert isinstance(failed, HttpError)
    assert (failed.status, failed.code, failed.message, failed.request_id) == (status, "some_code", "Some message", "r-1")
    assert (failed.method, failed.path, failed.maybe_done) == ("PUT", "/contacts/1", False)
    assert len(app.seen) == 1


def test_pauses_grow_and_end() -> None:
    clock = Clock(0.0)
    failed = failure(App(Said(503)), WRITE, clock)
    assert clock.sleeps == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert str(failed) == "PUT 127.0.0.1:9/contacts/1: 503 Service Unavailable"
    assert failed.maybe_done


def test_pauses_are_spread() -> None:
    clock = Clock(0.0)
    calm = Client("http://127.0.0.1", TOKEN, adapter=WsgiAdapter(App(Said(503))), sleep=clock.sleep, rand=lambda: 0.0)
    with pytest.raises(HttpError):
        calm.send(READ)
    assert clock.sleeps[:2] == [0.25, 0.5]


def test_a_refusal_after_a_dropped_try_says_that_it_may_have_been_carried_out() -> None:
    failed = failure(App(ConnectionResetError(), refusal(404, "not_found", "Tag not found")), Request("DELETE", "/tags/1"))
    assert isinstance(failed, HttpError)
    assert (failed.status, failed.maybe_done) == (404, True)


def test_429_for_ever_ends_in_a_stated_time() -> None:
    clock = Clock(0.0)
    failed = failure(App(Said(429)), ONCE, clock)
    assert isinstance(failed, NoAnswer)
    assert 300 < clock.now < 312
    assert str(failed).startswith("POST 127.0.0.1:9/contacts: still limited after waiting 30")
    assert not failed.maybe_done


def test_429_for_ever_says_meanwhile_what_is_waited_for_and_until_when_once_a_minute() -> None:
    clock, notices = Clock(0.0), list[str]()
    with pytest.raises(NoAnswer):
        client(App(Said(429)), clock, now=lambda: 36_000 + clock.now, notice=notices.append).send(ONCE)
    assert notices[0] == "127.0.0.1:9: every answer of the last window was 429, the rate limit; waiting until 10:05:00 UTC"
    assert len(notices) == 5
    assert {text.partition("until ")[2] for text in notices} == {"10:05:00 UTC"}


def test_one_429_is_no_news() -> None:
    notices = list[str]()
    client(App(Said(429), Said(200, {"type": "user"})), notice=notices.append).send(READ)
    assert notices == []


@pytest.mark.parametrize("trouble", [Said(429), Said(503), ConnectionRefusedError()])
def test_a_stop_ends_the_waiting(trouble: Said | Exception) -> None:
    app, clock = App(trouble), Clock(0.0, is_stopped=True)
    failure(app, WRITE, clock)
    assert (len(app.seen), len(clock.sleeps)) == (1, 1)


def test_the_waiting_of_a_client_ends_with_its_own_stop() -> None:
    calls = Client("http://127.0.0.1", TOKEN, adapter=WsgiAdapter(App(Said(503))))
    calls.stop.set()
    with pytest.raises(HttpError):
        calls.send(READ)
    assert calls.sent["GET"] == 1


def test_every_tenth_answer_without_headers_changes_nothing() -> None:
    said = JSON | {"X-RateLimit-Limit": "167", "X-RateLimit-Remaining": "100", "X-RateLimit-Reset": "1800000009"}
    said["Date"] = "Fri, 15 Jan 2027 08:00:00 GMT"
    odd = [Said(), Said(headers=JSON | {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "1"})]
    clock = Clock(0.0)
    calls = client(App(*([Said(headers=said)] * 9 + odd) * 5), clock)
    windows = [calls.send(READ).window for _ in range(55)]
    assert windows[0] is not None
    assert (windows[0].limit, windows[9], calls.limiter.limit, clock.sleeps) == (167, None, 167, [])


# Over a real wire
def test_a_refused_connection_was_not_carried_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = Clock(0.0)
    with pytest.raises(NoAnswer) as failed:
        over(f"http://127.0.0.1:{port}", ONCE, clock)
    assert str(failed.value) == f"POST 127.0.0.1:{port}/contacts: no connection; see to the network, or to the address"
    assert not failed.value.maybe_done
    assert len(clock.sleeps) == 5


def test_a_connection_dropped_after_sending_may_have_been() -> None:
    with wire(says(b"")) as url, pytest.raises(NoAnswer) as failed:
        over(url, ONCE)
    assert str(failed.value).endswith("/contacts: the connection broke; it may have been carried out")
    assert SECRET not in "".join(traceback.format_exception(failed.value))


def test_a_dropped_connection_is_made_again_for_what_may_repeat() -> None:
    with wire(says(b""), says(OK)) as url:
        assert over(url, WRITE).body == {"id": "42"}


def test_no_answer_in_time_may_have_been_carried_out() -> None:
    done = threading.Event()

    def silence(connection: socket.socket) -> None:
        connection.recv(65536)
        done.wait(5)

    with wire(silence) as url:
        with pytest.raises(NoAnswer, match=r"no answer within 0.05 s; it may have been carried out"):
            over(url, ONCE, timeouts=(1.0, 0.05))
        done.set()


@pytest.mark.parametrize("half", [HALF, HALF_CHUNK])
def test_half_an_answer_is_read_again_and_then_given_up(half: bytes) -> None:
    with wire(says(half), says(OK)) as url:
        assert over(url, READ).body == {"id": "42"}
    with wire(*[says(half)] * 3) as url, pytest.raises(BadAnswer, match="the answer broke off in the middle"):
        over(url, READ)


def test_half_an_error_is_still_that_error() -> None:
    with wire(says(HALF.replace(b"200 OK", b"404 Not Found"))) as url, pytest.raises(HttpError, match="404 Not Found"):
        over(url, READ)


def test_what_is_no_http_is_no_answer() -> None:
    with wire(*[says(b"SSH-2.0-OpenSSH_9.6\r\n")] * 6) as url, pytest.raises(CallError):
        over(url, READ)


def test_tls_that_is_none_is_a_broken_connection() -> None:
    with wire(*[lambda connection: connection.sendall(OK)] * 6) as url, pytest.raises(NoAnswer, match="the connection broke"):
        over(url.replace("http:", "https:"), READ)


def nameless_error() -> requests.ConnectionError:
    reason = NameResolutionError("secret", HTTPConnection("secret"), socket.gaierror())
    return requests.ConnectionError(MaxRetryError(HTTPConnectionPool("secret"), "/", reason))


@pytest.mark.parametrize(
    ("error", "why", "cure"),
    [
        (nameless_error(), "the host cannot be found", "pause"),
        (requests.exceptions.ProxyError("http://user:secret@p"), "the proxy gives no connection", "pause"),
        (requests.exceptions.InvalidURL("secret"), "the request cannot be sent (is the proxy's address right?)", "nothing"),
        (
            requests.exceptions.SSLError(ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] secret")),
            "its TLS certificate is not trusted (REQUESTS_CA_BUNDLE may name an authority)",
            "nothing",
        ),
    ],
)
def test_what_the_network_can_do_is_told_in_our_words(error: Exception, why: str, cure: str) -> None:
    assert account_of(error, (10, 60)) == (why, False, cure)


# What is no answer
