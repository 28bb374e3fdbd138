"""Tokens come from where the fleet says, once for each workspace of a process, and stand in no message."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError
from reconciler.fleet.entries import TokenEntry
from reconciler.fleet.fleet import Workspace
from reconciler.fleet.tokens import NoToken, Tokens, run_command
from reconciler.intercom.http.token import Token
from reconciler.intercom.login.store import StoredToken, TokenStore
from reconciler.workflow.planfile import write_whole

ONE, OTHER = Workspace("aaa1"), Workspace("bbb2", base_url="http://127.0.0.1:9/")


def test_a_variable_is_named_by_the_app_id_and_no_other_is_looked_at(tmp_path: Path) -> None:
    given = Tokens(TokenEntry(env="TOKEN_{app_id}"), {"TOKEN_aaa1": " secret-one\n", "INTERCOM_ACCESS_TOKEN": "trap"}, str(tmp_path))
    assert given.of(ONE) == Token("secret-one")
    with pytest.raises(NoToken, match="the variable TOKEN_bbb2 holds no token"):
        given.of(OTHER)


def test_a_command_is_run_once_for_each_workspace_until_its_token_is_dropped(tmp_path: Path) -> None:
    script = "import sys; open('calls', 'a').write(sys.argv[1] + '\\n'); print('secret-of-' + sys.argv[1])"
    given = Tokens(TokenEntry(command=(sys.executable, "-c", script, "{app_id}")), {}, str(tmp_path))
    assert [given.of(ONE).value for _ in range(3)] == ["secret-of-aaa1"] * 3
    given.drop(ONE)
    given.of(ONE)
    assert (tmp_path / "calls").read_text() == "aaa1\naaa1\n"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("import sys; print('secret'); print('secret', file=sys.stderr); sys.exit(3)", "ended with 3"),
        ("print('secret' * 20000)", "printed more than 65,536 bytes"),
        ("print('secret\\xe9')", "printed for aaa1 what no token has"),
        ("print('secret secret')", "has blanks"),
        ("print()", "is empty"),
    ],
)
def test_what_goes_wrong_with_a_command_is_said_without_what_it_printed(tmp_path: Path, script: str, says: str) -> None:
    given = Tokens(TokenEntry(command=(sys.executable, "-c", script)), {}, str(tmp_path))
    with pytest.raises(ReconcilerError, match=says) as caught:
        given.of(ONE)
    assert "secret" not in str(caught.value)


def test_a_command_that_is_not_there_or_takes_too_long_ends(tmp_path: Path) -> None:
    with pytest.raises(NoToken, match="cannot be run: No such file"):
        run_command(["./nowhere"], "token:", 10, str(tmp_path))
    began = time.monotonic()
    with pytest.raises(NoToken, match="took more than"):
        run_command(["sh", "-c", "sleep 60 & wait"], "token:", 10, str(tmp_path), patience=0.2)
    assert time.monotonic() - began < 20


def test_a_command_whose_child_holds_the_output_open_elsewhere_is_not_waited_for(tmp_path: Path) -> None:
    child = "if not os.fork(): os.setsid(); open('pid', 'w').write(str(os.getpid())); time.sleep(20); open('ended', 'w')"
    script = f"import os, time\n{child}\nwhile not os.path.exists('pid') or not os.path.getsize('pid'): time.sleep(0.01)"
    with pytest.raises(NoToken, match="took more than"):
        run_command([sys.executable, "-c", script], "token:", 10, str(tmp_path), patience=1)
    assert not (tmp_path / "ended").exists()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_command_does_not_outlive_an_interruption(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_command(["sh", "-c", "echo $$ > pid; exec sleep 20"], "workspaces:", 10, str(tmp_path))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # Nobody may have looked at it since it was killed.
    with suppress(ChildProcessError):
        assert os.waitstatus_to_exitcode(os.waitpid(int((tmp_path / "pid").read_text()), 0)[1]) == -signal.SIGKILL


def test_what_login_stored_is_used_for_the_address_that_it_was_given_to(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "reconciler", write_whole, keyring=lambda: None)
    store.put(StoredToken("aaa1", "us"), Token("secret-one"))
    store.put(StoredToken("bbb2", "us", "http://127.0.0.1:9"), Token("secret-two"))
    given = Tokens(TokenEntry(keyring=True), {"XDG_CONFIG_HOME": str(tmp_path)}, str(tmp_path))
    assert (given.of(ONE), given.of(OTHER)) == (Token("secret-one"), Token("secret-two"))
    elsewhere = Workspace("ccc3", base_url="http://127.0.0.1:9/")
    for workspace, options in [
        (Workspace("bbb2", "eu"), "--region eu --app-id bbb2`"),
        (elsewhere, "--region us --app-id ccc3 --base-url http://127.0.0.1:9`"),
    ]:
        with pytest.raises(NoToken) as caught:
            Tokens(TokenEntry(keyring=True), {"XDG_CONFIG_HOME": str(tmp_path)}, str(tmp_path)).of(workspace)
        assert str(caught.value) == f"no token of {workspace.app_id} is stored; run `reconciler auth login {options}"
