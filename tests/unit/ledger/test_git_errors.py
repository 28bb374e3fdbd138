"""What git and its remotes say, in one sentence each without an address or a password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.homes.git import LEDGER, GitHome
from reconciler.ledger.homes.remote import Remote
from tests.desk.clock import Clock
from tests.desk.repositories import a_home, around, git
from tests.unit.ledger.changes import APP
from tests.unit.ledger.shared import WASH, Opened


def sentence(home: GitHome) -> str:
    with pytest.raises(LedgerUnusable) as said:
        home.exists()
    return str(said.value).partition("cannot be used: ")[2]


def test_a_machine_without_git_is_one_sentence(clone: Path, tmp_path: Path) -> None:
    assert sentence(a_home(clone, PATH=str(tmp_path))) == "git is not installed; install git 2.29 or newer, and run again"


def test_a_folder_that_is_no_repository_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {name: value for name, value in around(tmp_path).items() if name != "GIT_DIR"}
    assert sentence(GitHome("origin", environ)).startswith("there is no git repository here; run it inside a clone")


@pytest.mark.parametrize("name", ["upstream", "--upload-pack=touch", "http://wash:secret@127.0.0.1/x", "wash:secret"])
def test_a_remote_that_is_not_configured_is_one_sentence(clone: Path, name: str) -> None:
    said = sentence(a_home(clone, remote=name))
    assert said.startswith("this repository has no remote of ")
    assert "secret" not in said + a_home(clone, remote=name).place


def test_a_remote_that_cannot_be_reached_is_one_sentence_without_its_address(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", "http://wash:secret@127.0.0.1:9/x.git")
    assert sentence(a_home(clone)) == "the remote origin cannot be reached; see to the network and to `git remote -v`, and run again"


@pytest.mark.parametrize("folder", ["pipeline-403", "it's permission denied"])
def test_the_name_of_a_folder_is_no_reason_of_git(clone: Path, tmp_path: Path, folder: str) -> None:
    git(clone, "remote", "set-url", "origin", str(tmp_path / folder / "x.git"))
    assert sentence(a_home(clone)).startswith("the remote origin cannot be reached")
    with pytest.raises(LedgerUnusable, match="the remote origin cannot be reached"):
        Remote("origin", around(clone), "there", str(clone)).check_push(LEDGER)


class _Door(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(int(self.path.split("/")[1]))

    def log_message(self, *told: object) -> None:
        """Nothing is told."""


@pytest.fixture
def door(clone: Path) -> Iterator[Callable[[int], str]]:
    """What is said of a remote that answers everything with a status."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Door) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def read_sentence(status: int) -> str:
            git(clone, "remote", "set-url", "origin", f"http://wash:secret@127.0.0.1:{server.server_port}/{status}/x.git")
            return sentence(a_home(clone))

        yield read_sentence
        server.shutdown()


@pytest.mark.parametrize("status", [401, 403])
def test_a_remote_that_lets_nobody_in_is_one_sentence_without_the_password(door: Callable[[int], str], status: int) -> None:
    said = door(status)
    assert said.startswith("the remote origin does not let this user in; see to its credentials")
    assert "secret" not in said


def test_whatever_else_git_says_shows_no_address(door: Callable[[int], str]) -> None:
    said = door(200)
    assert said.startswith("git ls-remote answered: fatal: origin ")
    assert "127.0.0.1" not in said


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("echo no >&2", "no "),
        ("true", ""),
        ("echo 'GL: no member of team, see https://wash:secret@host.example/x' >&2; echo '  and sign it'",
         "GL: no member of team, see origin and sign it "),
        ("printf 'word %.0s' $(seq 500)", "word " * 100),
    ],
)  # fmt: skip
def test_a_push_that_a_rule_of_the_server_declines_shows_its_own_words(
    remote: Path, opened: Opened, clock: Clock, hook: str, said: str
) -> None:
    (remote / "hooks").mkdir(exist_ok=True)
    (remote / "hooks" / "pre-receive").write_text(f"#!/bin/sh\n{hook}\nexit 1\n")
    (remote / "hooks" / "pre-receive").chmod(0o755)
    with pytest.raises(LedgerUnusable) as refused:
        opened().home.lock(APP, WASH, clock.waiting())
    rule = f"{said}(pre-receive hook declined)" if said else "pre-receive hook declined"
    assert f"cannot be used: the remote origin declined the push: {rule}; see to what it asks for" in str(refused.value)
    assert "secret" not in str(refused.value)


US = "reconciler <reconciler@localhost>"


@pytest.mark.parametrize(
    ("environ", "configured", "author", "committer"),
    [
        ({}, {}, US, US),
        ({"GIT_AUTHOR_NAME": "Zoe", "GIT_AUTHOR_EMAIL": "z@s.example"}, {}, "Zoe <z@s.example>", "Zoe <z@s.example>"),
        ({}, {"user.name": "Wash", "user.email": "w@s.example"}, "Wash <w@s.example>", "Wash <w@s.example>"),
        ({"GIT_COMMITTER_EMAIL": "bot@s.example", "GIT_AUTHOR_NAME": " "}, {"user.name": "Wash"}, "Wash <reconciler@localhost>",
         "Wash <bot@s.example>"),
        ({"GIT_AUTHOR_NAME": "Zoe"}, {"user.name": "Wash", "author.email": "z@s.example"}, "Zoe <z@s.example>",
         "Wash <reconciler@localhost>"),
    ],
)  # fmt: skip
def test_who_commits_is_whom_git_is_told_of(
    remote: Path, clone: Path, clock: Clock, environ: dict[str, str], configured: dict[str, str], author: str, committer: str
) -> None:
    for name, value in configured.items():
        git(clone, "config", name, value)
    a_home(clone, **environ).lock(APP, WASH, clock.waiting()).release()
    assert git(remote, "log", "-1", "--format=%an <%ae>|%cn <%ce>", LEDGER).strip() == f"{author}|{committer}"
