"""Git as a command: what it says, what it lacks, and that nothing waits for it for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from reconciler.git import GitFailed, NoGit, blobs, git, is_around

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "GIT_CONFIG_NOSYSTEM": "1"}


def answering(folder: Path, script: str) -> dict[str, str]:
    """Surroundings in which git is this shell script."""
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    return {**ENVIRON, "PATH": f"{folder}:{ENVIRON['PATH']}"}


def test_nobody_is_asked_and_git_speaks_english(tmp_path: Path) -> None:
    environ = answering(tmp_path, 'cat; echo "$1 $GIT_TERMINAL_PROMPT $LC_ALL"')
    assert git("status", environ={**environ, "LC_ALL": "de_DE", "GIT_TERMINAL_PROMPT": "1"}, stdin=b"in ") == b"in status 0 C\n"


def test_an_error_is_its_first_line_without_a_password(tmp_path: Path) -> None:
    environ = answering(tmp_path, 'echo "fatal: https://mal:reynolds@host/x fails" >&2; echo more >&2; exit 3')
    with pytest.raises(GitFailed, match="^https://host/x fails$") as failed:
        git("fetch", environ=environ)
    assert failed.value.message.endswith("more\n")


def test_what_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    environ = answering(tmp_path, f"(sleep 30; touch {tmp_path}/late) & sleep 30")
    began = time.monotonic()
    with pytest.raises(GitFailed, match="^timed out$"):
        git("fetch", environ=environ, within=0.2)
    assert time.monotonic() - began < 20


def test_without_git_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoGit, match="git cannot be started"):
        git("status", environ={"PATH": str(tmp_path)})


def test_blobs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    def run(*arguments: str, stdin: bytes = b"") -> bytes:
        return git("-C", str(tmp_path), *arguments, environ=ENVIRON, stdin=stdin)

    run("init", "--quiet")
    (tmp_path / "folder").mkdir()
    for name, content in {"a b": b"one\n", "empty": b"", "folder/bin": b"\0 7\n blob 3\n"}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to("a b")
    (tmp_path / "out").symlink_to("../elsewhere 9")
    (tmp_path / "lost").symlink_to("nothing")
    run("add", "--all")
    tree = run("write-tree").decode().strip()
    names = [f"{tree}:{name}" for name in ("folder/bin", "gone blob", "link", "out", "lost", "folder", "empty", "a b")]
    assert blobs(run, names, "--follow-symlinks") == [b"\0 7\n blob 3\n", None, b"one\n", None, None, None, b"", b"one\n"]
    assert blobs(run, []) == []


def test_git_is_asked_only_where_it_can_know_anything(tmp_path: Path) -> None:
    for name, how in {"work": (), "bare": ("--bare",)}.items():
        git("init", "--quiet", *how, str(tmp_path / name), environ=ENVIRON)
    (tmp_path / "work" / "below").mkdir()
    (tmp_path / "link").symlink_to("work/below")
    for name in ("work", "work/below", "bare", "link"):
        assert is_around(tmp_path / name, {})
    assert not is_around(tmp_path, {})
    assert is_around(tmp_path, {"GIT_DIR": "elsewhere"})
