"""The manifest as another revision of the repository has it, read through git without touching the work tree."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from reconciler.core.model.repository import Repository, address_of
from reconciler.errors import ReconcilerError
from reconciler.git import FETCHING, GitFailed, NoGit, blobs, git, is_around
from reconciler.manifest.layers import BASE, Layers, paths_with_overlays
from reconciler.manifest.reader import read_far
from reconciler.manifest.source import SUFFIXES, Source, Unopened, path_beside


def at_revision(paths: Sequence[str], ref: str, layers: Layers = BASE) -> Source:
    """The manifest files that the paths mean at the merge base of HEAD and a ref.

    Raises ReconcilerError when git does not know the ref or the history is too shallow.
    """
    if ref.startswith("-"):
        raise ReconcilerError(f"--base {ref}: that is no revision")
    base = _merge_base(ref)
    contents = {f"{ref}:{name}": content for name, content in _contents(base, _names(base, list(paths_with_overlays(paths, layers)), ref))}

    def open_list(manifest: str, name: str) -> tuple[str, BinaryIO]:
        path = path_beside(manifest.removeprefix(f"{ref}:"), name)
        for _, content in _contents(base, [path]):
            return f"{ref}:{path}", BytesIO(content)
        raise Unopened(f"{ref}:{path}: there is no such file", "commit it with the file that names it")

    return Source(list(contents), lambda name: read_far(contents[name], name), open_list)


def head() -> str:
    """The commit that is checked out in this folder; empty where there is none, or no git."""
    return _ask(Path(), "rev-parse", "HEAD")


def repository(folder: Path) -> Repository:
    """Which repository a folder lies in, as far as git says; all is empty where there is none, or git does not answer."""
    return Repository(origin(folder), _first(folder))


def commit_of(paths: Sequence[str]) -> tuple[str, str, bool]:
    """The commit that is checked out where the first path lies, its author by name alone, and whether the paths hold what is not in it.

    All is empty where there is none, or no git.
    """
    folder = next((Path(path) if os.path.isdir(path) else Path(path).parent for path in paths), None)
    lines = _ask(folder, "show", "-s", "--no-show-signature", "--format=%H%n%an", "HEAD") if folder else ""
    if not folder or not lines:
        return "", "", False
    commit, _, author = lines.partition("\n")
    return commit[:12], author, bool(_ask(folder, "status", "--porcelain", "--", *map(os.path.abspath, paths)))


def origin(folder: Path) -> str:
    """The name of a repository by its remote: `host/path`, however that is reached; empty where there is none, or no git."""
    remotes = dict(re.findall(r"^(\S+)\t(.*) \(fetch\)", _ask(folder, "remote", "--verbose"), re.MULTILINE))
    only = next(iter(remotes.values())) if len(remotes) == 1 else ""
    return address_of(remotes.get("origin", only))


def _first(folder: Path) -> str:
    """The oldest commit without a parent; a shallow clone does not have it."""
    if _ask(folder, "rev-parse", "--is-shallow-repository") != "false":
        return ""
    return _ask(folder, "rev-list", "--max-parents=0", "HEAD").rpartition("\n")[2]


def _ask(folder: Path, *arguments: str) -> str:
    """The answer of git in a folder; empty where it fails, or there is no git."""
    try:
        if not is_around(folder, os.environ):
            return ""
        return git("-C", str(folder), *arguments, environ=os.environ).decode("utf-8", "replace").strip()
    except (GitFailed, FileNotFoundError):
        return ""


def _names(base: str, paths: Sequence[str], ref: str) -> list[str]:
    """The manifest files that the paths mean there, each once; hidden ones are passed over inside a folder, not where a path names them."""
    names: dict[str, None] = {}
    for path in paths:
        inside = posixpath.normpath(os.path.relpath(os.path.abspath(path)).replace(os.sep, "/"))
        try:
            output = _git("ls-tree", "-r", "-z", "--name-only", base, "--", inside)
        except GitFailed as failed:
            raise ReconcilerError(f"--base {ref}: git cannot list {path} there: {failed}") from None
        for name in filter(None, output.decode("utf-8", "surrogateescape").split("\0")):
            below = posixpath.relpath(name, inside)
            if name.lower().endswith(SUFFIXES) and (name == inside or not _is_hidden(below)):
                names[name] = None
    return list(names)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _contents(base: str, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Each file there with its content; links are followed, and one that leads out of the repository has none."""
    names = [name for name in names if "\n" not in name]
    contents = blobs(_git, [f"{base}:./{name}" for name in names], "--follow-symlinks")
    yield from ((name, content) for name, content in zip(names, contents, strict=True) if content is not None)


def _merge_base(ref: str) -> str:
    try:
        _git("rev-parse", "--git-dir")
    except GitFailed as failed:
        raise ReconcilerError(f"--base {ref}: git cannot be used here: {failed}") from None
    try:
        return _git("merge-base", "HEAD", ref).decode().strip()
    except GitFailed:
        pass
    try:
        _git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    except GitFailed:
        now = f"fetch it first (git fetch origin {ref.removeprefix('origin/')})"
        raise ReconcilerError(f"--base {ref}: git does not know it here; {now}") from None
    text = "has no common commit with HEAD in this clone; fetch more history (git fetch --unshallow, or fetch-depth: 0 in the checkout)"
    raise ReconcilerError(f"--base {ref}: {text}")


def _git(*arguments: str, stdin: bytes = b"") -> bytes:
    """What git says of the repository around us; a clone without all objects brings them first. Raises ReconcilerError without git."""
    try:
        return git(*arguments, environ=os.environ, stdin=stdin, within=FETCHING)
    except NoGit:
        raise ReconcilerError("--base needs git, and there is none here") from None
