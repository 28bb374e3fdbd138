"""Git as a command: it asks nobody, ends in time, and goes on at Ctrl-C, which asks us to stop in an orderly way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

# Seconds that a command may take; one that brings much over a slow line, more.
PATIENCE = 30.0
FETCHING = 300.0

_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_SETTINGS = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class GitFailed(Exception):
    """Git answered with an error, or not in time."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # All that it wrote to standard error, passwords in URLs too.
        self.message = message

    def __str__(self) -> str:
        return _LOGIN.sub("", self.message.partition("\n")[0].removeprefix("fatal: "))


class NoGit(GitFailed):
    """There is no git on this machine that can be started."""


class Runs(Protocol):
    """How one of git's commands is run: its output, or an error."""

    def __call__(self, *arguments: str, stdin: bytes = b"") -> bytes: ...


def git(*arguments: str, environ: Mapping[str, str], stdin: bytes = b"", within: float = PATIENCE, folder: str | None = None) -> bytes:
    """What git writes to standard output, in a folder or where this process works. `within` are seconds. Raises GitFailed, NoGit."""
    pipe = subprocess.PIPE
    try:
        # In a session of its own Ctrl-C does not kill a push.
        process = subprocess.Popen(
            ["git", *arguments], stdin=pipe, stdout=pipe, stderr=pipe, env={**environ, **_SETTINGS}, cwd=folder, start_new_session=True
        )
    except OSError as error:
        raise NoGit(f"git cannot be started: {error.strerror}") from None
    with process:
        try:
            output, errors = process.communicate(stdin, within)
        except BaseException as error:
            # What it started, such as ssh, holds the pipes open.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise GitFailed("timed out") from None
    if process.returncode:
        raise GitFailed(errors.decode("utf-8", "replace"))
    return output


def is_around(folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether a folder can lie in a repository, by what is on the disk: where it cannot, git need not be asked."""
    here = Path(os.path.realpath(folder))
    # A bare one has no .git.
    return "GIT_DIR" in environ or any(os.path.exists(above / name) for above in (here, *here.parents) for name in (".git", "HEAD"))


def blobs(run: Runs, names: Sequence[str], *options: str) -> list[bytes | None]:
    """What lies in the blobs of these names, in their order; None where a name means no blob."""
    lines = "".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
    return list(_contents(run("cat-file", "--batch", *options, stdin=lines), len(names))) if names else []


def _contents(answer: bytes, number: int) -> Iterator[bytes | None]:
    """The answer of `cat-file --batch`: a head, which ends with type and size, then the content; without a size there is none."""
    start = 0
    for _ in range(number):
        end = answer.index(b"\n", start)
        *_, type, size = answer[start:end].split(b" ")
        start = end + 1
        if not size.isdigit():
            yield None
            continue
        # Where a link leads that leads to no blob is a content too.
        yield answer[start : start + int(size)] if type == b"blob" else None
        start += int(size) + 1
