"""The manifest as another revision of the repository has it, read through git without touching the work tree."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from reconciler.errors import Invalid, Problem, ReconcilerError
from reconciler.manifest.files import SUFFIXES
from reconciler.manifest.reader import Document, read


def documents(paths: Sequence[str], ref: str) -> list[Document]:
    """The manifest files that the paths mean at the merge base of HEAD and a ref.

    Raises ReconcilerError when git does not know the ref or the history is too shallow, Invalid when a file there cannot be read.
    """
    if ref.startswith("-"):
        raise ReconcilerError(f"--base {ref}: that is no revision")
    base = _merge_base(ref)
    names = _git("ls-tree", "-r", "-z", "--name-only", base, "--", *paths).decode("utf-8", "surrogateescape").split("\0")
    found = [name for name in names if name.endswith(SUFFIXES) and not _hidden(name)]
    read_files: list[Document] = []
    problems: list[Problem] = []
    for name in found:
        try:
            read_files.append(read(_git("cat-file", "blob", f"{base}:./{name}"), f"{ref}:{name}"))
        except Invalid as invalid:
            problems += invalid.problems
    if problems:
        raise Invalid(problems)
    return read_files


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def _merge_base(ref: str) -> str:
    try:
        return _git("merge-base", "HEAD", ref).decode().strip()
    except _GitFailed:
        pass
    try:
        _git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    except _GitFailed:
        now = f"fetch it first (git fetch origin {ref.removeprefix('origin/')})"
        raise ReconcilerError(f"--base {ref}: git does not know it here; {now}") from None
    text = "has no common commit with HEAD in this clone; fetch more history (git fetch --unshallow, or fetch-depth: 0 in the checkout)"
    raise ReconcilerError(f"--base {ref}: {text}")


class _GitFailed(Exception):
    """Git answered with an error."""


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
    except OSError:
        raise ReconcilerError("--base needs git, and there is none here") from None
    if done.returncode:
        raise _GitFailed(done.stderr.decode("utf-8", "replace"))
    return done.stdout

