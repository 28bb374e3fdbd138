"""Git repositories that tests make, of a user who has configured nothing."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest

from reconciler.ledger.homes.git import LEDGER, GitHome
from reconciler.ledger.ledger import Ledger

KEY = "0f" * 32
PLAIN_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
_NOBODY = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "RECONCILER_LEDGER_KEY": KEY}
# Who commits the same twice makes one commit.
_NOBODY |= {"GIT_AUTHOR_DATE": "1767225600 +0000", "GIT_COMMITTER_DATE": "1767225600 +0000"}
_SOMEBODY = ("-c", "user.name=Wash", "-c", "user.email=wash@serenity.example", "-c", "init.defaultBranch=main")
_COMMITS = """commit refs/heads/main
committer Wash <wash@serenity.example> 1767225600 +0000
data 4
tags
M 100644 inline reconciler.yaml
data 9
tags: []

commit refs/heads/main
committer Wash <wash@serenity.example> 1767225601 +0000
data 4
tags
M 100644 inline reconciler.yaml
data 12
tags: [vip]

"""


def git(folder: Path, *arguments: str) -> str:
    """What a command of git says in a folder."""
    command = ["git", *_SOMEBODY, *arguments]
    return subprocess.run(command, cwd=folder, env=_NOBODY, check=True, capture_output=True, text=True, timeout=60).stdout


def around(clone: Path, **more: str) -> Mapping[str, str]:
    """The environment of a process that works in a clone."""
    inside = clone / ".git"
    return _NOBODY | {"GIT_DIR": str(inside if inside.exists() else clone)} | more


def a_remote(folder: Path) -> Path:
    """A bare repository with two commits."""
    git(folder, "init", "--quiet", "--bare", "remote.git")
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=folder / "remote.git", env=_NOBODY, check=True, input=_COMMITS, text=True, timeout=60
    )
    return folder / "remote.git"


@cache
def _template() -> Path:
    """A remote and its clone, made once a process; without git the test is skipped."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = Path(tempfile.mkdtemp(prefix="repositories-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for made in (remote := a_remote(folder), a_clone(remote, "clone")):
        git(made, "config", "core.fsync", "none")
        git(made, "config", "receive.autogc", "false")
    return folder


def a_copy(folder: Path) -> Path:
    """A remote and its clone, as `a_remote` and `a_clone` make them and much faster; the answer is the clone."""
    shutil.copytree(_template(), folder, dirs_exist_ok=True, symlinks=True)
    config = folder / "clone" / ".git" / "config"
    config.write_text(config.read_text().replace(str(_template()), str(folder)))
    return folder / "clone"


def a_clone(remote: Path, name: str, *options: str) -> Path:
    """A clone beside the remote."""
    git(remote.parent, "clone", "--quiet", *options, f"file://{remote}", name)
    return remote.parent / name


def a_home(clone: Path, remote: str = "origin", **more: str) -> GitHome:
    """A home whose lease is renewed when a test says so."""
    return GitHome(remote, around(clone, **more), waits=lambda ended, _: ended.wait(3600))


def a_ledger(home: GitHome, clock: Callable[[], float]) -> Ledger:
    return Ledger(home, home.engine(create=True), bytes.fromhex(KEY), clock)


def log(remote: Path) -> list[str]:
    """The messages of the ledger's commits, newest first."""
    return git(remote, "log", "--format=%s", LEDGER).splitlines()
