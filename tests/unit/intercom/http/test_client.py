"""One call: what is sent, where it may go, and how many know of it."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Usage
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.host import REGIONS, authorities, proxies_for
from reconciler.intercom.http.request import Request, UnsafeSegment, path
from reconciler.intercom.http.wsgi import WsgiAdapter
from tests.unit.intercom.http.app import (
    OK,
    READ,
    SECRET,
    TOKEN,
    WRITE,
    App,
    Said,
    client,
    over,
    says,
    wire,
)


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
