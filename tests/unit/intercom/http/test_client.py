"""One call: what is sent, what is sent again, and what people read when it fails."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NameResolutionError

from reconciler.errors import Usage
from reconciler.intercom.http import client as http
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import BadAnswer, CallError, HttpError, NoAnswer, account_of
from reconciler.intercom.http.host import REGIONS, authorities, proxies_for
from reconciler.intercom.http.request import Reply, Request, UnsafeSegment, path
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from tests.desk.soak import times

SECRET = "dG9rOmFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDE="
TOKEN = Token(SECRET)
JSON = {"Content-Type": "application/json"}
HTML = "<html>" + "<p>secret page</p>" * 2400 + "</html>"

READ = Request("GET", "/contacts/1")
WRITE = Request("PUT", "/contacts/1", body={"name": "A"})
ONCE = Request("POST", "/contacts", body={"role": "lead"}, repeatable=False)


@dataclass
class Clock:
    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    stopped: bool = False

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return self.stopped


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
    clock = clock or Clock()
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
    clock = clock or Clock()
    with Client(url, TOKEN, sleep=clock.sleep, monotonic=clock.monotonic, environ={}, **options) as real:
        return real.send(request)


OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"id": "42"}'
HALF = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"id": "4'
HALF_CHUNK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"'


# What is sent
def test_a_call_carries_the_token_the_version_and_who_we_are() -> None:
    app = App(Said(body={"id": "42"}))
    reply = client(app).send(Request("PUT", "/tags/1", (("a b", "c&d=é"),), {"name": "é"}))
    sent = app.seen[0]
    assert reply.body == {"id": "42"}
    assert sent["HTTP_AUTHORIZATION"] == f"Bearer {SECRET}"
    assert sent["HTTP_INTERCOM_VERSION"] == "2.16"
    assert sent["HTTP_ACCEPT"] == sent["CONTENT_TYPE"] == "application/json"
    assert sent["HTTP_USER_AGENT"].startswith("reconciler/")
    assert sent["REQUEST_URI"] == "/tags/1?a%20b=c%26d%3D%C3%A9"
    assert json.loads(sent["wsgi.input"].read()) == {"name": "é"}


def test_without_a_token_none_is_sent() -> None:
    app = App(Said())
    Client("http://127.0.0.1", None, adapter=WsgiAdapter(app)).send(Request("POST", "/auth/eagle/token", body={"code": "c"}))
    assert "HTTP_AUTHORIZATION" not in app.seen[0]


@pytest.mark.parametrize(
    "key", ["patients/42", "50%", "a%2Fb", "q?x=1#f", "été 1", "a+b", "a b", "...", "a:b@c;d,e", "\0\n", "%2e%2e", "~"]
)
def test_a_value_is_one_segment_of_the_path_and_arrives_as_it_was(key: str) -> None:
    app = App(Said())
    client(app).send(Request("GET", path("/contacts/{id}/tags", id=key)))
    segments = app.seen[0]["REQUEST_URI"].split("/")
    assert [unquote(part) for part in segments] == ["", "contacts", key, "tags"]


@given(st.text(min_size=1))
def test_any_value_arrives_as_it_was_or_is_refused(key: str) -> None:
    app = App(Said())
    try:
        client(app).send(Request("GET", path("/contacts/find_by_external_id/{id}", id=key)))
    except UnsafeSegment:
        assert key in (".", "..") or any("\ud800" <= char <= "\udfff" for char in key)
    else:
        assert [unquote(part) for part in app.seen[0]["REQUEST_URI"].split("/")][3:] == [key]


def test_a_real_connection_keeps_the_path_too() -> None:
    heard: list[bytes] = []

    def script(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(OK)

    with wire(script) as url:
        over(url, Request("GET", path("/contacts/{id}", id="%2e/..é"), (("q", "a+b"),)))
    assert heard[0].startswith(b"GET /contacts/%252e%2F..%C3%A9?q=a%2Bb HTTP/1.1\r\n")


@pytest.mark.parametrize("value", ["", ".", "..", "\ud800"])
def test_a_value_that_cannot_be_a_segment_is_refused(value: str) -> None:
    with pytest.raises(UnsafeSegment, match="cannot stand in a URL"):
        path("/contacts/{id}", id=value)


def test_a_query_value_that_is_no_text_is_refused() -> None:
    with pytest.raises(UnsafeSegment):
        client(App(Said())).send(Request("GET", "/companies", (("company_id", "\ud800"),)))


@pytest.mark.parametrize("wrong", ["", "contacts", "//evil.example/x", "/a//b", "/contacts/", "/a/..", "/a/%2e%2E/b", "/./a"])
def test_a_raw_path_with_segments_that_vanish_is_refused(wrong: str) -> None:
    with pytest.raises(UnsafeSegment):
        Request("GET", wrong)


@pytest.mark.parametrize("wrong", ["/a?b", "/a#b", "/a b", "/é", "/50%", "/a\r\nX: 1", "/a\\b"])
def test_a_raw_path_that_would_lead_elsewhere_is_refused(wrong: str) -> None:
    with pytest.raises(UnsafeSegment):
        Request("GET", wrong)


def test_what_reads_is_known_by_method_and_path_or_said() -> None:
    assert Request("GET", "/tags").reads_only
    assert Request("POST", "/contacts/search").reads_only
    assert Request("POST", "/companies/list").reads_only
    assert not Request("POST", "/tags").reads_only
    assert not Request("GET", "/tags", read=False).reads_only
    assert Request("POST", "/odd", read=True, repeatable=False).may_repeat


def test_tries_are_counted_by_method() -> None:
    app = App(Said(503), Said())
    calls = client(app)
    calls.send(READ)
    calls.send(WRITE)
    assert calls.sent == {"GET": 2, "PUT": 1}


def test_one_connection_serves_call_after_call() -> None:
    with wire(says(OK, times=5)) as url, Client(url, TOKEN, environ={}) as real:
        assert [real.send(READ).body["id"] for _ in range(5)] == ["42"] * 5


def test_8_threads_share_one_client() -> None:
    app, numbers = App(Said(body={"id": "1"})), range(25)
    calls = Client("http://127.0.0.1", TOKEN, adapter=WsgiAdapter(app))
    threads = [threading.Thread(target=lambda: [calls.send(READ) for _ in numbers]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert calls.sent["GET"] == len(app.seen) == 200


# The address
@pytest.mark.parametrize(
    "url", [*REGIONS.values(), "https://proxy.example:8443/intercom/", "http://localhost:8080", "http://127.0.0.2", "http://[::1]:80/"]
)
def test_https_and_this_machine_are_allowed(url: str) -> None:
    with Client(url, TOKEN, environ={}) as allowed:
        assert allowed.host


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://api.intercom.io", "must be https"),
        ("http://127.0.0.1.evil.example", "must be https"),
        ("http://localhost.evil.example", "must be https"),
        ("ftp://127.0.0.1", "must be https"),
        (f"https://user:{SECRET}@api.intercom.io", "must not hold a user"),
        (f"https://{SECRET}@api.intercom.io", "must not hold a user"),
        ("https://api.intercom.io@evil.example", "must not hold a user"),
        ("https://api.intercom.io?x=1", "plain path"),
        ("https://api.intercom.io/a/../b", "plain path"),
        ("https://api.intercom.io:port", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://api.intercom.io\\evil.example", "scheme and a host"),
        ("https://", "scheme and a host"),
        ("api.intercom.io", "scheme and a host"),
        ("", "scheme and a host"),
        ("https://api.intercom.io\r\nx", "scheme and a host"),
    ],
)
def test_another_address_is_wrong_usage(url: str, why: str) -> None:
    with pytest.raises(Usage, match=why) as refused:
        Client(url, TOKEN, environ={})
    assert SECRET not in "".join(traceback.format_exception(refused.value))


def test_a_path_of_the_address_stands_before_that_of_the_call() -> None:
    app = App(Said())
    Client("https://proxy.example/intercom/", TOKEN, adapter=WsgiAdapter(app)).send(READ)
    assert app.seen[0]["REQUEST_URI"] == "/intercom/contacts/1"


@pytest.mark.parametrize(
    ("environ", "proxies"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, {"https": "http://p:1"}),
        ({"ALL_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"HTTP_PROXY": "http://p:1"}, {}),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x.example, intercom.io"}, {}),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "evil-intercom.example"}, {"https": "http://p:1"}),
    ],
)
def test_proxies_come_from_the_environment(environ: dict[str, str], proxies: dict[str, str]) -> None:
    assert proxies_for(REGIONS["us"], environ) == proxies


def test_authorities_come_from_the_environment(tmp_path: Path) -> None:
    assert authorities({}) is True
    assert authorities({"SSL_CERT_FILE": str(tmp_path)}) == str(tmp_path)
    with pytest.raises(Usage, match="REQUESTS_CA_BUNDLE names no file"):
        authorities({"REQUESTS_CA_BUNDLE": str(tmp_path / "none")})


def test_a_version_is_no_header() -> None:
    with pytest.raises(Usage, match="looks like"):
        client(App(Said()), version="2.16\r\nX: 1")


# What is sent again
PASSING = [Said(500), Said(502, HTML.encode()), Said(503), Said(504), Said(408), Said(524), ConnectionResetError(), TimeoutError()]


@pytest.mark.parametrize("request_", [READ, WRITE])
@pytest.mark.parametrize("trouble", PASSING)
def test_what_may_pass_is_tried_again(request_: Request, trouble: Said | Exception) -> None:
    app, clock = App(trouble, trouble, Said(body={"id": "1"})), Clock()
    assert client(app, clock).send(request_).body == {"id": "1"}
    assert clock.slept == [0.5, 1.0]


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
    clock = Clock()
    failed = failure(App(Said(503)), WRITE, clock)
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert str(failed) == "PUT 127.0.0.1:9/contacts/1: 503 Service Unavailable"
    assert failed.maybe_done


def test_pauses_are_spread() -> None:
    clock = Clock()
    calm = Client("http://127.0.0.1", TOKEN, adapter=WsgiAdapter(App(Said(503))), sleep=clock.sleep, rand=lambda: 0.0)
    with pytest.raises(HttpError):
        calm.send(READ)
    assert clock.slept[:2] == [0.25, 0.5]


def test_a_refusal_after_a_dropped_try_says_that_it_may_have_been_carried_out() -> None:
    failed = failure(App(ConnectionResetError(), refusal(404, "not_found", "Tag not found")), Request("DELETE", "/tags/1"))
    assert isinstance(failed, HttpError)
    assert (failed.status, failed.maybe_done) == (404, True)


def test_429_for_ever_ends_in_a_stated_time() -> None:
    clock = Clock()
    failed = failure(App(Said(429)), ONCE, clock)
    assert isinstance(failed, NoAnswer)
    assert 300 < clock.now < 312
    assert str(failed).startswith("POST 127.0.0.1:9/contacts: still limited after waiting 30")
    assert not failed.maybe_done


def test_429_for_ever_says_meanwhile_what_is_waited_for_and_until_when_once_a_minute() -> None:
    clock, notices = Clock(), list[str]()
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
    app, clock = App(trouble), Clock(stopped=True)
    failure(app, WRITE, clock)
    assert (len(app.seen), len(clock.slept)) == (1, 1)


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
    clock = Clock()
    calls = client(App(*([Said(headers=said)] * 9 + odd) * 5), clock)
    windows = [calls.send(READ).window for _ in range(55)]
    assert windows[0] is not None
    assert (windows[0].limit, windows[9], calls.limiter.limit, clock.slept) == (167, None, 167, [])


# Over a real wire
def test_a_refused_connection_was_not_carried_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    clock = Clock()
    with pytest.raises(NoAnswer) as failed:
        over(f"http://127.0.0.1:{port}", ONCE, clock)
    assert str(failed.value) == f"POST 127.0.0.1:{port}/contacts: no connection; see to the network, or to the address"
    assert not failed.value.maybe_done
    assert len(clock.slept) == 5


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


def unnamed() -> requests.ConnectionError:
    reason = NameResolutionError("secret", HTTPConnection("secret"), socket.gaierror())
    return requests.ConnectionError(MaxRetryError(HTTPConnectionPool("secret"), "/", reason))


@pytest.mark.parametrize(
    ("error", "why", "cure"),
    [
        (unnamed(), "the host cannot be found", "pause"),
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
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (Said(200, HTML.encode(), {"Content-Type": "text/html"}), "200 with text/html where a JSON object was expected"),
        (Said(200, b"", {}), "200 with nothing where a JSON object was expected"),
        (Said(204, b"", {}), "204 with nothing where a JSON object was expected"),
        (Said(200, b'{"data": ['), "200 with application/json where a JSON object was expected"),
        (Said(200, []), "where a JSON object was expected"),
        (Said(200, None), "where a JSON object was expected"),
        (Said(200, b"[" * 100_000), "where a JSON object was expected"),
        (Said(200, b'{"n": ' + b"9" * 5000 + b"}"), "where a JSON object was expected"),
        (Said(200, b"\xff\xfe\xfd"), "where a JSON object was expected"),
        (Said(200, b"no gzip", JSON | {"Content-Encoding": "gzip"}), "the answer broke off in the middle"),
        (Said(200, refusal(200, "server_error", "Oops\x1b[31m").body), "200 with an error inside: server_error: Oops [31m"),
    ],
)
def test_a_read_without_a_json_object_is_repeated_and_then_no_answer(said: Said, why: str) -> None:
    app = App(said)
    failed = failure(app)
    assert isinstance(failed, BadAnswer)
    assert str(failed).startswith("GET 127.0.0.1:9/contacts/1: ")
    assert str(failed).endswith(why)
    assert len(app.seen) == 3
    assert client(App(said, said, Said(body={"id": "1"}))).send(READ).body == {"id": "1"}


def test_a_delete_may_answer_nothing() -> None:
    assert client(App(Said(200, b"", {}))).send(Request("DELETE", "/tags/1")) == Reply(200, {})


@pytest.mark.parametrize("location", ["https://evil.example/login", "http://[bad", "/elsewhere", ""])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, location: str) -> None:
    app = App(Said(status, {}, {"Location": location}))
    failed = failure(app)
    assert isinstance(failed, BadAnswer)
    assert f"({status}), which is not followed" in str(failed)
    assert ("evil.example" in str(failed)) == ("evil" in location)
    assert len(app.seen) == 1


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    bomb = gzip.compress(bytes(http.LARGEST + 1), compresslevel=1)
    app = App(Said(200, bomb, JSON | {"Content-Encoding": "gzip"}))
    assert str(failure(app)).endswith("the answer is larger than 64 MB")
    assert len(app.seen) == 1


def test_gzip_is_undone() -> None:
    assert client(App(Said(200, gzip.compress(b'{"id": "1"}'), JSON | {"Content-Encoding": "gzip"}))).send(READ).body == {"id": "1"}


# What people read
def test_an_error_is_one_sentence_of_intercoms_words() -> None:
    failed = failure(App(refusal(404, "not_found", "User Not Found")))
    assert str(failed) == "GET 127.0.0.1:9/contacts/1: 404 not_found: User Not Found (request r-1)"


def test_a_page_of_html_is_never_shown() -> None:
    failed = failure(App(Said(502, HTML.encode(), {"Content-Type": "text/html"})), WRITE)
    assert str(failed) == "PUT 127.0.0.1:9/contacts/1: 502 Bad Gateway"


def test_a_long_or_dangerous_message_is_shown_short_and_tame() -> None:
    failed = failure(App(refusal(400, "bad", "\x1b[2J\r\n::error::" + "x" * 5000)))
    assert len(str(failed)) < 400
    assert "\x1b" not in str(failed)


def test_half_a_token_is_suspected() -> None:
    app = App(refusal(401, "unauthorized", "Access Token Invalid"))
    with pytest.raises(HttpError, match=r"401 unauthorized: Access Token Invalid; .* tokens often end in = \(request r-1\)"):
        Client("http://127.0.0.1", Token(SECRET[:-1]), adapter=WsgiAdapter(app)).send(READ)


def test_a_whole_token_that_is_refused_may_be_of_another_region() -> None:
    failed = failure(App(refusal(401, "unauthorized", "Access Token Invalid")))
    assert "revoked" in str(failed)
    assert "region" in str(failed)


def test_a_missing_scope_is_named() -> None:
    scope = "You do not have the required scope (write_tags) to access this resource"
    assert "(write_tags)" in str(failure(App(refusal(403, "forbidden", scope))))


def test_where_a_merged_contact_went_is_kept() -> None:
    said = Said(410, refusal(410, "contact_merged", "Merged").body, JSON | {"Link": '</contacts/9>; rel="canonical"'})
    failed = failure(App(said))
    assert isinstance(failed, HttpError)
    assert failed.link == '</contacts/9>; rel="canonical"'


@pytest.mark.parametrize("body", [{}, [], {"errors": None}, {"errors": []}, {"errors": ["x"]}, {"errors": [{"code": 7, "message": None}]}])
def test_an_error_of_another_shape_keeps_its_status(body: object) -> None:
    assert str(failure(App(Said(400, body)))).endswith(": 400 Bad Request")
    assert str(failure(App(Said(499, body)))).endswith(": 499 without a reason")


echoes = st.sampled_from([f"token {SECRET}", SECRET, f"{SECRET}\n" * 3])
answers = st.one_of(
    st.sampled_from([ConnectionResetError(f"Bearer {SECRET}"), ConnectionRefusedError(SECRET), TimeoutError(SECRET)]),
    st.builds(refusal, st.sampled_from([200, 302, 400, 401, 403, 404, 500]), echoes, echoes),
    st.builds(Said, st.sampled_from([200, 502]), echoes.map(str.encode), st.just({"Content-Type": "text/html", "X-Request-Id": SECRET})),
    st.just(Said(302, {}, {"Location": f"https://{SECRET.lower().strip('=')}.example/{SECRET}"})),
)


@settings(max_examples=times(60))
@given(answers, st.sampled_from([READ, WRITE, ONCE]))
def test_no_error_shows_the_token_even_if_it_was_echoed(answer: Said | Exception, request_: Request) -> None:
    assert SECRET not in str(failure(App(answer), request_))


# The app in place of a network
def test_an_app_under_the_adapter_sees_what_a_server_would() -> None:
    app = App(Said())
    client(app).send(Request("GET", path("/contacts/{id}", id="é/a%2Fb"), (("q", "x y"),)))
    sent = app.seen[0]
    assert sent["PATH_INFO"].encode("latin-1").decode() == "/contacts/é/a%2Fb"
    assert sent["REQUEST_URI"] == "/contacts/%C3%A9%2Fa%252Fb?q=x%20y"
    assert (sent["QUERY_STRING"], sent["HTTP_HOST"]) == ("q=x%20y", "127.0.0.1:9")
    assert (sent["SERVER_NAME"], sent["SERVER_PORT"]) == ("127.0.0.1", "9")


def test_the_adapter_serves_any_session() -> None:
    with requests.Session() as session:
        session.mount("http://here", WsgiAdapter(App(Said(body={"id": "1"}))))
        assert session.post("http://here/tags", json={"name": "a"}).json() == {"id": "1"}


def test_a_fault_of_the_app_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        client(App(ZeroDivisionError())).send(READ)
