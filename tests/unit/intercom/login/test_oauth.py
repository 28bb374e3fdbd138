"""OAuth for the customer's own app, against the sandbox's other side."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import IntercomError, Usage
from reconciler.intercom import me
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.wsgi import WsgiAdapter
from reconciler.intercom.login import oauth
from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock

SECRET = "6f1d-client-secret-0c2a"
APP = {"client_id": "c1", "client_secret": SECRET, "redirect_uris": ["https://a.example/back"]}


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(now=Clock()) as made:
        made.seed({"oauth_apps": [APP]})
        yield made


def client(box: Sandbox, token: Token | None = None) -> Client:
    return Client("http://127.0.0.1", token, adapter=WsgiAdapter(box), sleep=lambda seconds: False)


def ended_at(box: Sandbox, url: str) -> str:
    """Where the browser of somebody who allows the app ends."""
    return Caller(box, token=None)("GET", f"/oauth?{urlsplit(url).query}").headers["Location"]


# ── the authorize address ──────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_authorize_address_names_app_state_and_redirect_and_no_scope() -> None:
    url = urlsplit(oauth.authorize_url("c 1", "s&t", "https://a.example/back?x=1"))
    assert (url.scheme, url.netloc, url.path) == ("https", "app.intercom.com", "/oauth")
    assert parse_qs(url.query) == {"client_id": ["c 1"], "state": ["s&t"], "redirect_uri": ["https://a.example/back?x=1"]}
    assert oauth.authorize_url("c1", "s", at="http://127.0.0.1:1/oauth") == "http://127.0.0.1:1/oauth?client_id=c1&state=s"


def test_two_logins_have_two_states() -> None:
    states = {oauth.new_state() for _ in range(100)}
    assert len(states) == 100
    assert min(map(len, states)) >= 32


@pytest.mark.parametrize("uri", ["http://a.example", "a.example/back", "https://", "myapp://back", "https://[", ""])
def test_only_https_redirect_addresses_are_registered(uri: str) -> None:
    with pytest.raises(Usage, match="--redirect-uri"):
        oauth.check_redirect(uri)
    assert oauth.check_redirect("https://a.example/back?x=1") == "https://a.example/back?x=1"


# ── the pasted address ─────────────────────────────────────────────────────────────────────────────────────────────────────
QUERIES = ["code={}&state=s", "state=s&code={}", "x=1&code={}&state=s#_=_"]


@given(st.binary(min_size=1, max_size=40), st.booleans(), st.sampled_from(QUERIES))
def test_a_code_is_kept_whole_however_the_browser_wrote_it(raw: bytes, escaped: bool, query: str) -> None:
    code = base64.b64encode(raw).decode()  # has + and / inside, and = at its end
    assert oauth.code_of("https://a.example/back?" + query.format(quote(code, safe="") if escaped else code), "s") == code


@pytest.mark.parametrize("frame", ["{}\n", "  {}  ", '"{}"', "<{}>", "\ufeff{}\r\n"])
def test_what_pasting_puts_around_an_address_does_not_count(frame: str) -> None:
    assert oauth.code_of(frame.format("https://a.example/back?code=ab==&state=s"), "s") == "ab=="


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("https://a.example/back?code=abc&state=other", "its state is another"),
        ("https://a.example/back?code=abc", "its state is another"),
        ("https://a.example/back?code=abc&state=%C3%A9%ff", "its state is another"),
        ("https://a.example/back?error=access_denied&state=s", r"gave no access \(access_denied\)"),
        ("https://a.example/back?error=%1b[31m%0Aevil", r"gave no access \(\[31m evil\)"),
        ("https://a.example/back?state=s", "holds no code"),
        ("https://a.example/back?code=&state=s", "holds no code"),
        ("abc", "holds no code"),
        ("", "holds no code"),
    ],
)
def test_an_address_that_is_not_of_this_login_is_one_sentence(address: str, why: str) -> None:
    with pytest.raises(oauth.NotGranted, match=why) as refused:
        oauth.code_of(address, "s")
    assert "log in again" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 1
    assert "abc" not in str(refused.value)


# ── the exchange ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def ask_for_code(box: Sandbox, redirect_uri: str | None = None) -> str:
    return oauth.code_of(ended_at(box, oauth.authorize_url("c1", "s", redirect_uri)), "s")


@pytest.mark.parametrize("redirect_uri", [None, "https://a.example/back"])
def test_a_code_becomes_a_token_that_intercom_takes(box: Sandbox, redirect_uri: str | None) -> None:
    with client(box) as anonymous:
        token = oauth.exchange(anonymous, "c1", Token(SECRET), ask_for_code(box, redirect_uri))
    with client(box, token) as mine:
        assert me.ask(mine).here.app_id == "sandbox1"
    sent = next(record for record in box.requests if record.path == oauth.EXCHANGE)
    assert "authorization" not in {name.lower() for name in sent.headers}


def refusal(box: Sandbox, code: str, secret: str = SECRET, client_id: str = "c1") -> str:
    with client(box) as anonymous, pytest.raises(IntercomError) as refused:
        oauth.exchange(anonymous, client_id, Token(secret), code)
    assert refused.value.exit_code == 1
    return str(refused.value)


def test_a_code_that_is_used_up_or_old_and_a_wrong_secret_are_one_sentence_each(box: Sandbox) -> None:
    used = ask_for_code(box)
    with client(box) as anonymous:
        oauth.exchange(anonymous, "c1", Token(SECRET), used)
    old = ask_for_code(box)
    for text in (refusal(box, used), refusal(box, ask_for_code(box), "another-secret"), refusal(box, ask_for_code(box), client_id="c2")):
        assert text.startswith("Intercom does not take this code with this client id and secret (401): check both, and log in again")
    assert isinstance(box.ws._now, Clock)
    box.ws._now.forward(301)
    assert "about five minutes" in refusal(box, old)


ECHO = f"you sent {SECRET}"
FAULTS: list[dict[str, Any]] = [
    {"status": 400, "code": SECRET, "message": ECHO},
    {"status": 401, "message": ECHO},
    {"status": 403, "code": "forbidden", "message": ECHO},
    {"status": 500, "message": ECHO, "times": None},
    {"status": 200, "body": ECHO.encode(), "headers": {"Content-Type": SECRET}, "times": None},
    {"status": 200, "body": f'{{"type":"error.list","errors":[{{"message":"{ECHO}"}}]}}'.encode(), "times": None},
    {"status": 200, "body": b'{"token_type":"Bearer"}'},
    {"status": 200, "body": b'{"access_token":"two words"}'},
    {"status": 302, "headers": {"Location": f"https://{SECRET}.example/"}},
    {"status": 401, "message": "x", "headers": {"X-Request-Id": SECRET}},
    {"drop": "after"},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_no_answer_makes_the_secret_or_the_code_visible(box: Sandbox, fault: dict[str, Any]) -> None:
    code = ask_for_code(box)
    box.faults.add("POST", oauth.EXCHANGE, **fault)
    text = refusal(box, code)
    assert SECRET not in text
    assert code not in text
    assert "\n" not in text
