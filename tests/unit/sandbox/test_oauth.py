"""The OAuth endpoints (Intercom developer hub, setting up OAuth)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock

APP = {
    "client_id": "c1",
    "client_secret": "s1",
    "redirect_uris": ["https://a.example/back", "https://b.example/back?x=1", "http://c.example"],
}


@pytest.fixture
def browser(clock: Clock) -> Iterator[Caller]:
    with Sandbox(now=clock) as box:
        box.seed({"oauth_apps": [APP]})
        yield Caller(box, token=None)


def code_for(browser: Caller) -> str:
    answered = browser("GET", "/oauth?client_id=c1&state=xyz")
    return parse_qs(urlsplit(answered.headers["Location"]).query)["code"][0]


def test_the_browser_is_sent_back_with_code_and_state(browser: Caller) -> None:
    answered = browser("GET", "/oauth?client_id=c1&state=xyz")
    target = urlsplit(answered.headers["Location"])
    assert (answered.status, target.netloc, parse_qs(target.query)["state"]) == (302, "a.example", ["xyz"])
    assert parse_qs(target.query)["code"][0].endswith("=")
    second = browser("GET", "/oauth?client_id=c1&redirect_uri=" + quote("https://b.example/back?x=1", safe=""))
    assert second.headers["Location"].startswith("https://b.example/back?x=1&code=")


@pytest.mark.parametrize(
    "query", ["client_id=c2", "client_id=c1&redirect_uri=https://evil.example", "client_id=c1&redirect_uri=http://c.example"]
)
def test_an_unregistered_address_gets_a_page_and_no_code(browser: Caller, query: str) -> None:
    answered = browser("GET", f"/oauth?{query}")
    assert (answered.status, "Location" in answered.headers) == (400, False)
    assert answered.headers["Content-Type"].startswith("text/html")


def test_a_code_is_exchanged_once_for_a_token_that_works(browser: Caller) -> None:
    code = code_for(browser)
    granted = browser.ok("POST", "/auth/eagle/token", {"client_id": "c1", "client_secret": "s1", "code": code})
    assert set(granted) == {"token_type", "token", "access_token"}
    assert granted["token"] == granted["access_token"]
    mine = Caller(browser.box, token=granted["token"])
    assert mine("GET", "/me").status == 200
    again = browser("POST", "/auth/eagle/token", {"client_id": "c1", "client_secret": "s1", "code": code})
    assert (again.status, again.message) == (401, "Unauthorized Code")
    assert (mine("POST", "/auth/uninstall").status, mine("GET", "/me").status) == (200, 401)


def test_a_form_is_taken_as_well(browser: Caller) -> None:
    form = urlencode({"client_id": "c1", "client_secret": "s1", "code": code_for(browser)}).encode()
    assert browser("POST", "/auth/eagle/token", form, content_type="application/x-www-form-urlencoded").status == 200


def test_an_old_code_or_a_wrong_secret_is_401(browser: Caller, clock: Clock) -> None:
    code = code_for(browser)
    wrong = browser("POST", "/auth/eagle/token", {"client_id": "c1", "client_secret": "x", "code": code})
    clock.forward(301)
    late = browser("POST", "/auth/eagle/token", {"client_id": "c1", "client_secret": "s1", "code": code})
    assert [wrong.status, late.status] == [401, 401]
