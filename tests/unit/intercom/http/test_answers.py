"""Answers: what counts as one, and what an error of Intercom says."""

from __future__ import annotations

import gzip

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.intercom.http import client as http
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import BadAnswer, HttpError
from reconciler.intercom.http.request import Reply, Request, path
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from tests.desk.soak import times
from tests.unit.intercom.http.app import (
    HTML,
    JSON,
    ONCE,
    READ,
    SECRET,
    WRITE,
    App,
    Said,
    client,
    failure,
    refusal,
)


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


@pytest.mark.parametrize("status", [200, 400])
def test_an_error_tells_nobody_by_name_neither_in_its_code_nor_in_its_message(status: int) -> None:
    caller = client(App(refusal(status, "taken by Zoe Alleyne", "ask Zoe Alleyne")))
    caller.known.take(["Zoe Alleyne"])
    with pytest.raises((BadAnswer, HttpError)) as told:
        caller.send(READ)
    assert "taken by ***: ask ***" in str(told.value)


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
