"""Each of the nineteen actions that people know of Intercom, and the two ways to connect: the lines of docs/actions.md, carried out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from reconciler.intercom.login import oauth
from reconciler.sandbox.app import Sandbox
from tests import ROOT
from tests.desk.calling import Caller
from tests.desk.desk import Desk

PAGE = ROOT / "docs/actions.md"

TOKEN = "dG9rOjEyMw=="
LOGGED_IN = "logged in to sandbox1 (Sandbox), region us, as Ciaran1 Lee; the token is kept in the file "
BACK = "https://example.com/intercom"
SEED: dict[str, Any] = {
    "tags": ["vip", "Beta"],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "Starter"}],
    "contacts": [
        {"external_id": "25", "name": "Wash", "phone": "+15550107", "email": "wash@serenity.example", "tags": ["vip"], "companies": ["6"]},
        {"external_id": "26", "name": "Zoe", "email": "zoe@bluesun.example"},
        {"external_id": "31", "name": "Book", "archived": True},
    ],
    "oauth_apps": [{"client_id": "7ab0c", "client_secret": "s3cret", "redirect_uris": [BACK]}],
}


# ---- the workspace, asked directly
@dataclass
class Live:
    """What the sandbox holds, past our own client."""

    box: Sandbox
    call: Caller

    @property
    def tags(self) -> set[str]:
        return {tag["name"] for tag in self.call.ok("GET", "/tags")["data"]}

    def company(self, company_id: str) -> Any:
        answered = self.call("GET", f"/companies?company_id={company_id}")
        return answered.json if answered.status == 200 else None

    def contact(self, external_id: str) -> Any:
        answered = self.call("GET", f"/contacts/find_by_external_id/{external_id}")
        return answered.json if answered.status == 200 else None

    def created_again(self, external_id: str) -> str:
        """What Intercom says to somebody who makes a contact of this external_id: nothing, where none has it."""
        answered = self.call("POST", "/contacts", {"external_id": external_id})
        return "" if answered.status == 200 else answered.message

    def tagged(self, external_id: str) -> set[str]:
        names = {tag["id"]: tag["name"] for tag in self.call.ok("GET", "/tags")["data"]}
        return {names[tag["id"]] for tag in self.contact(external_id)["tags"]["data"]}

    def employers(self, external_id: str) -> set[str]:
        answer = self.call.ok("GET", f"/contacts/{self.contact(external_id)['id']}/companies")
        return {company["company_id"] for company in answer["data"]}


def _keys(out: str) -> set[str]:
    """The first column of a listing, below its head."""
    return {line.split()[0] for line in out.splitlines()[1:]}


@dataclass(frozen=True)
class Action:
    """The call to Intercom that makes an action, and how the workspace (or what was printed) is afterwards."""

    route: str
    done: Callable[[Live, str], bool]


ACTIONS = {
    "create a contact": Action("POST /contacts", lambda live, out: live.contact("40")["name"] == "River Tam"),
    "update a contact": Action(
        "PUT /contacts/{id}", lambda live, out: (live.contact("25")["name"], live.contact("25")["phone"]) == ("Hoban Washburne", None)
    ),
    "archive a contact": Action("POST /contacts/{id}/archive", lambda live, out: "archived" in live.created_again("25")),
    "unarchive a contact": Action("POST /contacts/{id}/unarchive", lambda live, out: live.contact("31")["name"] == "Book"),
    "delete a contact": Action("DELETE /contacts/{id}", lambda live, out: not live.contact("25") and not live.created_again("25")),
    "search contacts": Action("POST /contacts/search", lambda live, out: _keys(out) == {"25"}),
    "create a company": Action("POST /companies", lambda live, out: live.company("7")["name"] == "Heart of Gold"),
    "update a company": Action(
        "PUT /companies/{id}", lambda live, out: (live.company("6")["plan"]["name"], live.company("6")["size"]) == ("Enterprise", 85)
    ),
    "delete a company": Action("DELETE /companies/{id}", lambda live, out: live.company("6") is None),
    "list companies": Action("POST /companies/list", lambda live, out: _keys(out) == {"6"}),
    "create a tag": Action("POST /tags", lambda live, out: live.tags == {"vip", "Beta", "trial"}),
    "update a tag": Action("POST /tags", lambda live, out: live.tags == {"vip", "beta-2026"}),
    "delete a tag": Action("DELETE /tags/{id}", lambda live, out: live.tags == {"Beta"}),
    "list tags": Action("GET /tags", lambda live, out: _keys(out) == {"vip", "Beta"}),
    "attach a tag": Action("POST /contacts/{id}/tags", lambda live, out: live.tagged("26") == {"vip"}),
    "detach a tag": Action("DELETE /contacts/{id}/tags/{id}", lambda live, out: live.tagged("25") == set()),
    "attach a company": Action("POST /contacts/{id}/companies", lambda live, out: live.employers("26") == {"6"}),
    "detach a company": Action("DELETE /contacts/{id}/companies/{id}", lambda live, out: live.employers("25") == set()),
    "make a raw request": Action("POST /tags", lambda live, out: live.tags == {"vip", "Beta", "trial"} and '"name": "trial"' in out),
}
CONNECTIONS = {
    "connect with an access token": Action("GET /me", lambda live, out: out.startswith(LOGGED_IN)),
    "connect by OAuth 2.0": Action("POST /auth/eagle/token", lambda live, out: out.startswith(LOGGED_IN)),
}

# ---- the table of docs/actions.md


def rows() -> dict[str, list[str]]:
    """The table of actions: what each is, and the pieces of code beside it."""
    table = re.search(r"^\| action \|.*\n\| --- \|.*\n((?:\|.*\n)+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert table, "docs/actions.md has no table of actions"
    cells = [line.strip("|\n ").split(" | ", 1) for line in table[1].splitlines()]
    return {action: re.findall(r"`([^`]+)`", how) for action, how in cells}


def test_the_table_has_the_nineteen_actions_and_both_connections() -> None:
    assert len(ACTIONS) == 19
    assert list(rows()) == [*ACTIONS, *CONNECTIONS]


# ---- each row
@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"token": TOKEN}


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.patch.setenv("XDG_CONFIG_HOME", str(desk.folder / "config"))
    desk.box.seed(SEED)
    return desk


def printed(desk: Desk, line: str, given: str) -> str:
    """What a command prints, as the page writes it; what is typed or piped into it comes from here."""
    command, _, piped = line.partition(" < ")
    name, *arguments = shlex.split(command)
    assert name == "reconciler"
    assert not piped or given, f"nothing to read from {piped}"
    ended = desk.ends(*arguments, given=given)
    assert ended.code == 0, ended.err
    return ended.out


def applied(desk: Desk, manifests: list[str]) -> str:
    """The manifest lines, applied; a second plan finds nothing to do."""
    for number, text in enumerate(manifests):
        desk.write(f"intercom/{number}.yaml", text)
    assert desk("apply", "intercom/", "--auto-approve") == 0, desk.err
    out = desk.out
    assert desk("plan", "intercom/", "--detailed-exitcode") == 0, desk.out
    return out


def _made(box: Sandbox) -> list[str]:
    """The calls that reached the sandbox, ids left out."""
    calls = [f"{call.method} {call.path.partition('?')[0]}" for call in box.requests]
    return [re.sub(r"/(?:[0-9a-f]{24}|\d+)(?=/|$)", "/{id}", call) for call in calls]


@pytest.mark.parametrize("action", rows())
def test_a_row_does_what_it_says(action: str, desk: Desk) -> None:
    expected = {**ACTIONS, **CONNECTIONS}[action]
    code = rows()[action]
    desk.box.forget_requests()
    if not code[0].startswith("reconciler "):
        out = applied(desk, code)
    elif action in CONNECTIONS:
        desk.patch.delenv("INTERCOM_ACCESS_TOKEN")
        out = printed(desk, code[0], _pasted(desk) if "--client-id" in code[0] else TOKEN)
        assert desk("get", "tags") == 0, "the token that was kept is used"
    else:
        out = printed(desk, code[0], "")
    assert expected.route in _made(desk.box)
    assert expected.done(Live(desk.box, Caller(desk.box, TOKEN)), out)


def _pasted(desk: Desk) -> str:
    """The address that the browser of somebody who allows the app ends at."""
    desk.patch.setenv("INTERCOM_CLIENT_SECRET", "s3cret")
    desk.patch.setattr(oauth, "new_state", lambda: "a-state")
    asked = urlencode({"client_id": "7ab0c", "state": "a-state", "redirect_uri": BACK})
    connection = HTTPConnection(urlsplit(desk.url).netloc)
    connection.request("GET", f"/oauth?{asked}")
    location = connection.getresponse().headers["Location"]
    connection.close()
    assert location.startswith(BACK)
    return location
