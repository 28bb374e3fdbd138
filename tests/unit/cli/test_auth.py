"""auth, as typed: tokens are taken in, used by every verb, shown by where they are and never by what they are, and let go."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import keyring.backends.null
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.connection import open_client
from reconciler.cli.options import Intercom
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests import ROOT
from tests.desk.desk import Desk
from tests.desk.driving import Ended
from tests.desk.soak import times

TOKEN = "dG9rOmFiY2RlZi1vZi1hLXRlc3Q="
NARROW = "dG9rOm5hcnJvdy1vZi1hLXRlc3Q="
SECRET = "6f1d-client-secret-0c2a"
APP = {"client_id": "c1", "client_secret": SECRET, "redirect_uris": ["https://a.example/back"]}
SCRIPT = [sys.executable, "-c", "from reconciler.cli import main; main()"]


class Ring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring has no types here
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"token": TOKEN, "tokens": {NARROW: ["read_users", "read_tags"]}}


@pytest.fixture
def desk(desk: Desk) -> Iterator[Desk]:
    """Nobody sits at it, and it has no token and no keyring."""
    desk.patch.setenv("XDG_CONFIG_HOME", str(desk.folder / "config"))
    desk.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    for name in ("INTERCOM_ACCESS_TOKEN", "INTERCOM_CLIENT_SECRET", "CI"):
        desk.patch.delenv(name, raising=False)
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.null.Keyring())  # type: ignore[no-untyped-call]  # keyring has no types here
    desk.box.seed({"tags": ["VIP"], "oauth_apps": [APP]})
    yield desk
    keyring.set_keyring(before)


def login(desk: Desk, token: str = TOKEN, *options: str) -> Ended:
    return desk.ends("auth", "login", *options, given=token + "\n")


def tokens(desk: Desk) -> Path:
    return desk.folder / "config/reconciler/tokens.json"


def surroundings(desk: Desk) -> dict[str, str]:
    """What a process of its own is given, and nothing else."""
    here = {"XDG_CONFIG_HOME": str(desk.folder / "config"), "INTERCOM_BASE_URL": desk.url, "PYTHONPATH": str(ROOT)}
    return here | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PATH": os.defpath, "HOME": str(desk.folder)}


def read_refusal(ended: Ended, code: int = 1) -> str:
    """What an error says: one sentence on stderr, without a token in it."""
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert not any(secret in ended.err for secret in (TOKEN, NARROW, SECRET))
    return ended.err.removeprefix("error: ").strip()


# ── login ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("given", [TOKEN, f"  {TOKEN}\r\n", f"\ufeff{TOKEN}\n\n"])
def test_a_token_from_standard_input_is_checked_kept_and_used_by_every_verb(desk: Desk, given: str) -> None:
    ended = desk.ends("auth", "login", given=given)
    where = f"the token is kept in the file {tokens(desk)}"
    assert (ended.code, ended.out) == (0, f"logged in to sandbox1 (Sandbox), region us, as Ciaran1 Lee; {where}\n")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tokens(desk).parent, tokens(desk))] == [0o700, 0o600]
    assert desk.ends("get", "tags").out == "NAME  ID\nVIP   101\n"
    Path("intercom.yaml").write_text("workspace: {app_id: sandbox1, region: us}\ntags: [VIP, new]\n")
    assert desk.ends("apply", "intercom.yaml", "--auto-approve").code == 0


def test_a_keyring_is_preferred_and_nothing_secret_is_left_in_a_file(desk: Desk) -> None:
    ring = Ring()
    keyring.set_keyring(ring)
    assert login(desk).out.endswith("the token is kept in the keyring\n")
    assert list(ring.held.values()) == [TOKEN]
    assert TOKEN not in tokens(desk).read_text()
    assert "token       keyring\n" in desk.ends("auth", "status").out
    assert desk.ends("get", "tags").code == 0
    assert desk.ends("auth", "logout").out == "removed the token of sandbox1 in us from the keyring\n"
    assert ring.held == {}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (f"Bearer {TOKEN}".encode(), 'starts with "Bearer"'),
        (f'"{TOKEN}"'.encode(), "has quotes"),
        (TOKEN.encode("utf-16"), "has blanks, control characters"),
        (b"\xff\xfe\x00binary", "has blanks, control characters"),
        (f"{TOKEN}\n{TOKEN}".encode(), "has blanks"),
    ],
)
def test_what_cannot_be_a_token_is_refused_before_anything_is_sent(desk: Desk, given: bytes, why: str) -> None:
    assert f"the token from standard input {why}" in read_refusal(desk.ends("auth", "login", given=given))
    assert desk.box.requests == []
    assert not tokens(desk).exists()


def test_a_token_is_never_an_argument_and_not_echoed(desk: Desk) -> None:
    assert "login takes no argument" in read_refusal(desk.ends("auth", "login", TOKEN), 64)
    for arguments in (["--token", TOKEN], [f"--token={TOKEN}"], ["--with-token", TOKEN]):
        ended = desk.ends("auth", "login", *arguments)
        assert (ended.code, TOKEN in ended.all) == (64, False)
    assert desk.box.requests == []


def test_a_second_login_replaces_the_first(desk: Desk) -> None:
    login(desk, NARROW)
    login(desk, TOKEN)
    assert list(json.loads(tokens(desk).read_text())["workspaces"]) == ["sandbox1"]
    assert NARROW not in tokens(desk).read_text()


def test_a_login_to_another_workspace_than_the_one_meant_keeps_nothing(desk: Desk) -> None:
    for options in (["--app-id", "other"], ["--region", "eu"]):
        text = read_refusal(login(desk, TOKEN, *options), 3)
        assert text.startswith("refused: workspace: the token is for sandbox1 in us, not for ")
        assert "use the token of that workspace" in text
    assert not tokens(desk).exists()


def test_the_local_workspace_needs_no_login(desk: Desk) -> None:
    assert "--sandbox needs no login" in read_refusal(login(desk, TOKEN, "--sandbox"), 64)


def test_a_place_that_cannot_be_written_is_one_sentence(desk: Desk) -> None:
    (desk.folder / "config").write_text("a file")
    assert "config" in read_refusal(login(desk))


def test_each_region_has_its_host() -> None:
    for region, host in ((None, "api.intercom.io"), ("us", "api.intercom.io"), ("eu", "api.eu.intercom.io"), ("au", "api.au.intercom.io")):
        with open_client(Intercom(None, False, "2.16"), None, region) as client:
            assert client.host == host


# ── tokens that do not work ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Bad:
    """A token that does not work, what the sandbox is told, and what people are told."""

    token: str
    says: str
    code: str = ""
    revoked: bool = False


BAD = {
    "wrong": Bad("dG9rOm5vLXN1Y2gtdG9rZW4tMDE=", "the token is not accepted: check that it was not revoked and belongs to this region"),
    "cut": Bad(TOKEN[:-1], "the token is not accepted: copy it again as a whole, tokens often end in ="),
    "revoked": Bad(TOKEN, "the token is not accepted: check that it was not revoked", revoked=True),
    "revoked, said": Bad(TOKEN, "the token was revoked: make a new one in Intercom's Developer Hub", code="token_revoked"),
    "expired": Bad(TOKEN, "the token has expired: make a new one in Intercom's Developer Hub", code="token_expired"),
    "blocked": Bad(TOKEN, "the token is blocked: make a new one in Intercom's Developer Hub", code="token_blocked"),
}


def spoil(desk: Desk, bad: Bad) -> None:
    if bad.revoked:
        desk.box.revoke(bad.token)
    if bad.code:
        desk.box.faults.add("GET", "/me", status=401, code=bad.code, times=None)


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_a_token_that_does_not_work_is_one_sentence_and_is_not_kept(desk: Desk, bad: Bad) -> None:
    spoil(desk, bad)
    assert bad.says in read_refusal(login(desk, bad.token))
    assert not tokens(desk).exists()


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_a_token_that_does_not_work_says_so_and_where_it_came_from_in_every_verb(desk: Desk, bad: Bad) -> None:
    spoil(desk, bad)
    Path("intercom.yaml").write_text("tags: [VIP]\n")
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", bad.token)
    for arguments in (["auth", "status"], ["get", "tags"], ["plan", "intercom.yaml"], ["apply", "intercom.yaml", "--auto-approve"]):
        text = read_refusal(desk.ends(*arguments))
        assert bad.says in text
        assert "it came from: environment (INTERCOM_ACCESS_TOKEN)" in text
    assert desk.box.writes == []


def test_a_stored_token_that_was_revoked_since_says_where_it_lies(desk: Desk) -> None:
    login(desk)
    desk.box.revoke(TOKEN)
    assert f"it came from: file {tokens(desk)}" in read_refusal(desk.ends("get", "tags"))


def test_a_missing_permission_is_named(desk: Desk) -> None:
    login(desk, NARROW)
    Path("intercom.yaml").write_text("companies: [{company_id: '6'}]\n")
    for arguments, scope in ((["get", "tags"], "read_tags"), (["plan", "intercom.yaml"], "read_users")):
        text = read_refusal(desk.ends(*arguments))
        assert f"403 forbidden: You do not have the required scope ({scope}) to access this resource" in text
        assert "give the token's app this permission and try again" in text


@pytest.mark.parametrize("pin", ["{app_id: other}", "{app_id: sandbox1, region: eu}"], ids=["wrong pin", "wrong region"])
def test_a_pin_of_another_workspace_is_listed_by_plan_and_refused_by_apply(desk: Desk, pin: str) -> None:
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", TOKEN)
    Path("m.yaml").write_text(f"workspace: {pin}\ntags: [new]\n")
    planned = desk.ends("plan", "m.yaml", "--detailed-exitcode", "-o", "plan.json", "--format", "json")
    gates = [refusal for refusal in json.loads(planned.out)["refused"] if refusal["gate"] == "workspace"]
    assert (planned.code, len(gates)) == (3, 1)
    assert "use the token of that workspace" in gates[0]["message"]
    assert [desk.ends("apply", path, "--auto-approve").code for path in ("m.yaml", "plan.json")] == [3, 3]
    assert "refused: workspace: the token is for sandbox1 in us" in read_refusal(desk.ends("get", "tags"), 3)
    assert desk.box.writes == []


# ── which token ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def two_workspaces(desk: Desk) -> None:
    for app_id, region in (("one", "us"), ("two", "eu")):
        desk.box.settings.change({"app_id": app_id, "region": region.upper()})
        login(desk)


def test_the_pin_says_which_of_several_stored_tokens_is_meant(desk: Desk) -> None:
    two_workspaces(desk)
    Path("m.yaml").write_text("workspace: {app_id: two, region: eu}\ntags: [VIP]\n")
    assert desk.ends("plan", "m.yaml", "--detailed-exitcode").code == 0
    assert desk.ends("get", "tags").code == 0  # the pin of this folder
    assert desk.ends("get", "tags", "--app-id", "two").code == 0
    text = read_refusal(desk.ends("get", "tags", "--app-id", "three"))
    assert text.startswith("no stored token is for workspace three (stored: one in us at ")
    assert "run `reconciler auth login` with the token that is meant" in text


def test_several_stored_tokens_and_no_pin_is_one_sentence(desk: Desk) -> None:
    two_workspaces(desk)
    Path("m.yaml").write_text("tags: [VIP]\n")
    desk.box.forget_requests()
    text = read_refusal(desk.ends("plan", "m.yaml"))
    assert text.startswith("tokens of several workspaces are stored (one in us at ")
    assert "say which is meant with `workspace:` in the manifest" in text
    assert desk.box.requests == []
    assert desk.ends("get", "tags", "--region", "eu").code == 0


def test_the_environment_beats_what_is_stored(desk: Desk) -> None:
    login(desk, NARROW)
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", TOKEN)
    assert desk.ends("get", "tags").code == 0
    assert "token       environment (INTERCOM_ACCESS_TOKEN)\n" in desk.ends("auth", "status").out
    assert "INTERCOM_ACCESS_TOKEN is set and is used instead" in login(desk).err
    tokens(desk).write_text("damaged")
    assert desk.ends("get", "tags").code == 0
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", "")
    assert "is not a file of stored tokens: remove it" in read_refusal(desk.ends("get", "tags"))


def test_a_stored_token_goes_to_no_other_address_than_the_one_it_was_given_to(desk: Desk) -> None:
    login(desk)
    with Sandbox(token=TOKEN) as other, serve(other) as server:
        text = read_refusal(desk.ends("get", "tags", "--base-url", server.url))
        assert other.requests == []
    assert text.startswith(f"no stored token is for {server.url} (stored: sandbox1 in us at {desk.url})")
    desk.patch.delenv("INTERCOM_BASE_URL")
    assert read_refusal(desk.ends("get", "tags")).startswith("no stored token is for Intercom itself")


def test_without_any_token_the_ways_to_get_one_are_named(desk: Desk) -> None:
    for arguments in (["auth", "status"], ["get", "tags"]):
        text = read_refusal(desk.ends(*arguments))
        assert text.startswith("no access token: set INTERCOM_ACCESS_TOKEN, run `reconciler auth login`, or use --sandbox")


# ── status and logout ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_status_shows_whose_token_it_is_where_it_lies_and_what_is_left(desk: Desk) -> None:
    login(desk)
    ended = desk.ends("auth", "status")
    shown = dict(line.split(maxsplit=1) for line in ended.out.replace("rate limit", "rate").splitlines())
    assert (ended.code, ended.err) == (0, "")
    assert shown.pop("warning").startswith("the token belongs to a person, so what it writes looks like theirs")
    assert re.fullmatch(r"\d+ of 1667 calls left in this window of ten seconds, for \d+ s", shown.pop("rate"))
    assert shown.pop("undo") == "local: on this machine"
    assert shown == {"workspace": "sandbox1 (Sandbox)", "region": "us", "admin": "Ciaran1 Lee", "token": f"file {tokens(desk)}"}


def test_status_without_rate_headers_says_so(desk: Desk) -> None:
    login(desk)
    desk.box.faults.add("GET", "/me", headers={"X-RateLimit-Remaining": None})
    assert "rate limit  not told\n" in desk.ends("auth", "status").out


def test_status_shows_every_stored_token_and_names_those_that_do_not_work(desk: Desk) -> None:
    two_workspaces(desk)
    assert desk.ends("auth", "status").out.count("token       file") == 2
    desk.box.faults.add("GET", "/me", status=401, code="token_expired")
    ended = desk.ends("auth", "status")
    assert (ended.code, ended.out.count("token       file")) == (1, 1)
    assert "the token has expired" in ended.err


def test_status_of_the_local_workspace(desk: Desk) -> None:
    assert "token       sandbox\n" in desk.ends("auth", "status", "--sandbox").out


def test_foreign_names_are_harmless(desk: Desk) -> None:
    admin = {"id": "814860", "name": "::error::x\r", "email": "a@b.example"}
    desk.box.seed({"app": {"name": "Evil\x1b[31m\nregion      eu"}, "admins": [admin]})
    for ended in (login(desk), desk.ends("auth", "status")):
        assert "\x1b" not in ended.out
        assert "\r" not in ended.out
        assert not re.search(r"^region +eu", ended.out, re.MULTILINE)


def test_logout_removes_one_or_all_and_says_what(desk: Desk) -> None:
    two_workspaces(desk)
    assert "no token of three is stored" in read_refusal(desk.ends("auth", "logout", "--app-id", "three"))
    assert desk.ends("auth", "logout", "--app-id", "one").out == f"removed the token of one in us from the file {tokens(desk)}\n"
    assert TOKEN in tokens(desk).read_text()
    desk.patch.setenv("INTERCOM_ACCESS_TOKEN", TOKEN)
    ended = desk.ends("auth", "logout")
    assert (ended.code, ended.out) == (0, f"removed the token of two in eu from the file {tokens(desk)}\n")
    assert "INTERCOM_ACCESS_TOKEN is set and goes on being used" in ended.err
    assert TOKEN not in tokens(desk).read_text()
    ended = desk.ends("auth", "logout")
    assert (ended.code, ended.out, ended.err.splitlines()[0]) == (0, "", "no token is stored")


# ── OAuth ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def browse(url: str) -> str:
    """Where the browser of somebody who allows the app ends."""
    asked = urlsplit(url)
    connection = HTTPConnection(asked.netloc, timeout=60)
    connection.request("GET", f"{asked.path}?{asked.query}")
    location = connection.getresponse().headers["Location"]
    connection.close()
    return str(location)


class Flow:
    """`auth login --client-id` as a process of its own, with somebody who reads the address it prints."""

    def __init__(self, desk: Desk, *options: str) -> None:
        environ = surroundings(desk) | {"INTERCOM_CLIENT_SECRET": SECRET}
        arguments = [*SCRIPT, "auth", "login", "--client-id", "c1", *options]
        self.process = subprocess.Popen(
            arguments, cwd=desk.folder, env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stderr
        self.said = ""
        while not (match := re.search(r"^http\S+$", self.said, re.MULTILINE)):
            line = self.process.stderr.readline()
            assert line, self.said
            self.said += line
        self.url = match[0]

    def paste(self, address: str) -> Ended:
        out, err = self.process.communicate(address + "\n", timeout=60)
        return Ended(self.process.returncode, out, self.said + err)


def test_oauth_from_the_printed_address_to_a_token_that_every_verb_uses(desk: Desk) -> None:
    flow = Flow(desk, "--redirect-uri", "https://a.example/back")
    assert flow.url.startswith(f"{desk.url}/oauth?client_id=c1&state=")
    if (cmdline := Path(f"/proc/{flow.process.pid}/cmdline")).exists():
        assert SECRET.encode() not in cmdline.read_bytes()
    ended = flow.paste(browse(flow.url))
    assert (ended.code, ended.out.startswith("logged in to sandbox1 (Sandbox), region us, as Ciaran1 Lee; ")) == (0, True)
    (token,) = [kept["token"] for kept in json.loads(tokens(desk).read_text())["workspaces"].values()]
    assert not any(secret in ended.all for secret in (SECRET, token))
    assert desk.ends("get", "tags").code == 0
    desk.box.revoke(token)
    assert "the token is not accepted" in read_refusal(desk.ends("get", "tags"))


def oauth(desk: Desk, pasted: str, *options: str, secret: str = SECRET) -> Ended:
    desk.patch.setenv("INTERCOM_CLIENT_SECRET", secret)
    ended = desk.ends("auth", "login", "--client-id", "c1", *options, given=pasted)
    desk.patch.delenv("INTERCOM_CLIENT_SECRET")
    # The address to open comes before the error.
    return replace(ended, err="error: " + ended.err.rpartition("error: ")[2])


@pytest.mark.parametrize(
    ("pasted", "why"),
    [
        ("https://a.example/back?code=abc&state=wrong\n", "its state is another"),
        ("https://a.example/back?error=access_denied\n", "Intercom gave no access (access_denied)"),
        ("https://a.example/back\n", "holds no code"),
        ("\n\n", "holds no code"),
        ("", "holds no code"),
    ],
)
def test_a_pasted_address_that_is_of_no_use_is_one_sentence(desk: Desk, pasted: str, why: str) -> None:
    assert why in read_refusal(oauth(desk, pasted))
    assert desk.box.requests == []
    assert not tokens(desk).exists()


def test_a_code_that_intercom_does_not_take_is_one_sentence(desk: Desk) -> None:
    flow = Flow(desk)
    address = re.sub("code=[^&]*", "code=c2FpZA%3D%3D", browse(flow.url))
    ended = flow.paste(address)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("error: Intercom does not take this code with this client id and secret (401)")
    assert [r.body for r in desk.box.requests if r.path == "/auth/eagle/token"][0]["code"] == "c2FpZA=="
    assert not tokens(desk).exists()


def test_oauth_options_that_cannot_work_are_wrong_usage(desk: Desk) -> None:
    assert "must start with https://" in read_refusal(oauth(desk, "", "--redirect-uri", "http://127.0.0.1:8000/back"), 64)
    assert "give --client-id with it" in read_refusal(desk.ends("auth", "login", "--redirect-uri", "https://a.example"), 64)
    assert "set INTERCOM_CLIENT_SECRET" in read_refusal(desk.ends("auth", "login", "--client-id", "c1"), 64)
    assert "the client secret from INTERCOM_CLIENT_SECRET has quotes" in read_refusal(oauth(desk, "", secret=f'"{SECRET}"'))
    assert desk.box.requests == []


def test_intercoms_own_address_is_opened_without_a_base_url(desk: Desk) -> None:
    desk.patch.delenv("INTERCOM_BASE_URL")
    desk.patch.setenv("INTERCOM_CLIENT_SECRET", SECRET)
    assert "\nhttps://app.intercom.com/oauth?client_id=c1&state=" in desk.ends("auth", "login", "--client-id", "c1").err


# ── a terminal ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def type_keys(desk: Desk, keys: list[str], *arguments: str) -> Ended:
    """A verb on a terminal where somebody types, "" for the address that the browser ends at; gives what the terminal showed."""
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(desk.folder)
        os.execve(SCRIPT[0], [*SCRIPT, *arguments], surroundings(desk) | {"TERM": "xterm"})
    shown = ""
    try:
        while part := os.read(screen, 4096).decode():
            shown += part
            if keys and shown.rstrip(" ").endswith(":") and not shown.endswith("\n"):
                time.sleep(0.1)  # echo is off by now
                key = keys.pop(0)
                os.write(screen, (key or browse(re.findall(r"http\S+", shown)[0]) + "\n").encode())
    except OSError:
        pass  # how a terminal says that the other side has gone
    os.close(screen)
    return Ended(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown, "")


def test_what_is_typed_at_a_prompt_is_not_shown(desk: Desk) -> None:
    ended = type_keys(desk, [f"{TOKEN}\n"], "auth", "login")
    assert (ended.code, "logged in to sandbox1" in ended.out, TOKEN in ended.out) == (0, True, False)
    assert TOKEN in tokens(desk).read_text()


def test_init_asks_for_a_token_where_there_is_none_and_keeps_it(desk: Desk) -> None:
    ended = type_keys(desk, [f"{TOKEN}\n", "tags\n", "none\n"], "init", "--ledger", "none")
    assert (ended.code, TOKEN in ended.out) == (0, False), ended.out
    assert "no access token" in ended.out
    assert "logged in to sandbox1" in ended.out
    assert TOKEN in tokens(desk).read_text()


def test_the_client_secret_is_asked_for_without_showing_it(desk: Desk) -> None:
    ended = type_keys(desk, [f"{SECRET}\n", ""], "auth", "login", "--client-id", "c1")
    assert (ended.code, "logged in to sandbox1" in ended.out, SECRET in ended.out) == (0, True, False)


def test_nothing_typed_and_ctrl_c_end_in_one_sentence(desk: Desk) -> None:
    assert "the token from the prompt is empty" in type_keys(desk, ["\n"], "auth", "login").out
    ended = type_keys(desk, ["\x03"], "auth", "login")
    assert (ended.code, "error: interrupted" in ended.out) == (130, True)


# ── secrets stay secret ────────────────────────────────────────────────────────────────────────────────────────────────────
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60).filter(
    lambda text: text[0] not in "\"'`" and text[-1] not in "\"'`" and not text.lower().startswith("bearer")
)
ECHOES: list[dict[str, Any]] = [
    {"status": 401, "message": "no {}"},
    {"status": 403, "code": "forbidden", "message": "{}"},
    {"status": 400, "code": "{}", "message": "x"},
    {"status": 200, "body": "{}", "headers": {"Content-Type": "{}"}},
    {"status": 404, "message": "{}", "headers": {"X-Request-Id": "{}", "Link": "<{}>"}},
    {"status": 302, "headers": {"Location": "http://{}/"}},
    {"status": 200, "body": '{{"type":"error.list","errors":[{{"code":"x","message":"{}"}}]}}'},
]
VERBS = (
    ["auth", "login"],
    ["auth", "status"],
    ["get", "tags"],
    ["api", "GET", "/tags", "-i"],
    ["plan", "m.yaml", "-o", "plan.json", "--report", "markdown=plan.md"],
    ["apply", "m.yaml", "--auto-approve"],
    ["auth", "logout"],
)


def put_secret(fault: dict[str, Any], secret: str) -> dict[str, Any]:
    """The fault with the secret in it."""
    spoken = json.dumps(secret)[1:-1]
    rule = {key: value.format(secret) if isinstance(value, str) else value for key, value in fault.items()}
    rule["headers"] = {name: value.format(secret) for name, value in fault.get("headers", {}).items()}
    return rule | ({"body": fault["body"].format(spoken).encode()} if "body" in fault else {})


@settings(max_examples=times(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS, fault=st.sampled_from([None, *ECHOES]), path=st.sampled_from(["/me", "/tags"]), kept=st.booleans())
def test_no_verb_shows_a_token_whatever_intercom_answers(
    desk: Desk, secret: str, fault: dict[str, Any] | None, path: str, kept: bool
) -> None:
    keyring.set_keyring(Ring())
    desk.patch.delenv("INTERCOM_ACCESS_TOKEN", raising=False)
    desk.box.tokens[secret] = frozenset()
    Path("m.yaml").write_text("tags: [VIP, another]\n")
    if kept:
        login(desk, secret)
    else:
        desk.patch.setenv("INTERCOM_ACCESS_TOKEN", secret)
    if fault:
        desk.box.faults.add(None, path, times=None, **put_secret(fault, secret))
    verbs = VERBS if not fault or fault["status"] != 200 else VERBS[1:3]  # a strange 200 is asked for again, after a pause
    for verb in verbs:
        assert secret not in desk.ends(*verb, given=secret).all, verb
    desk.box.faults.clear()
    written = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert [path.name for path in written if secret.encode() in path.read_bytes()] == []


def test_a_verb_that_needs_no_keyring_does_not_load_one(desk: Desk) -> None:
    code = "import sys; from reconciler.cli.running import run; from reconciler.cli import cli; run(cli, ['get', 'tags'])"
    code += "; print('keyring' in sys.modules)"
    environ = surroundings(desk) | {"INTERCOM_ACCESS_TOKEN": TOKEN}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=desk.folder, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.endswith("False\n")
