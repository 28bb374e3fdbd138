"""A remote of the git repository around us: what its refs hold, and compare-and-swap on them; no work tree, index or branch is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from reconciler.core.model.repository import address_of
from reconciler.git import FETCHING, PATIENCE, GitFailed, NoGit, blobs, git
from reconciler.ledger.errors import LedgerUnusable

# No hook, no signature and no housekeeping of the user's runs.
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "fetch.prune": "false",
    "fetch.pruneTags": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
}
# Who commits where neither the environment nor git's configuration says it.
_NOBODY = {"name": "reconciler", "email": "reconciler@localhost"}
_URL = re.compile(r"\w[\w+.-]*://[^\s'\"]+")
# A path as git names it, between quotes or after a push; the name of a folder gives no reason.
_PATH = re.compile(r"(?<!\w)'[^\n]*?'(?!\w)|^To .*$", re.MULTILINE)


def shows_nothing(name: str) -> bool:
    """Whether what stands where a remote's name belongs may be shown: a URL, with a password perhaps, may not."""
    return re.fullmatch(r"[\w./-]+", name) is not None


class Tree(NamedTuple):
    """What a ref holds."""

    # Its commit; None where there is no such ref.
    tip: str | None
    # Its files: path and blob.
    files: Mapping[str, str]


_NONE = Tree(None, {})


class Remote:
    """A remote by its name in the configuration of the repository around a folder, or around this process; `place` is what an error calls
    the ledger in it. URLs are never shown."""

    def __init__(self, name: str, environ: Mapping[str, str], place: str, folder: str | None = None) -> None:
        self.name, self.environ, self.place, self._folder = name, environ, place, folder
        self._trees: dict[str, Tree] = {}

    @cached_property
    def elsewhere(self) -> bool:
        """Whether it is another repository than the one that this is a clone of. Raises LedgerUnusable where there is no repository."""
        remotes = self._git("remote").decode("utf-8", "replace").split()
        if self.name == "origin" or remotes == [self.name]:
            return False
        if not {self.name, "origin"} <= set(remotes):
            return True
        urls = [self._git("remote", "get-url", name).decode("utf-8", "replace") for name in (self.name, "origin")]
        return address_of(urls[0]) != address_of(urls[1])

    def tip(self, ref: str) -> str | None:
        """The commit of a ref over there, None where there is none. Raises LedgerUnusable."""
        if not self._exists:
            of_name = f"of the name {self.name}" if shows_nothing(self.name) else "of that name"
            raise LedgerUnusable(self.place, f"this repository has no remote {of_name}", "see `git remote`, and write --ledger git:REMOTE")
        lines = self._git("ls-remote", "--quiet", self.name, ref).decode("utf-8", "replace")
        # The pattern also finds refs that only end in it: git-scm.com/docs/git-ls-remote.
        return next((line.split("\t")[0] for line in lines.splitlines() if line.endswith(f"\t{ref}")), None)

    def tree(self, ref: str) -> Tree:
        """What a ref over there holds, brought here. Raises LedgerUnusable."""
        for _ in range(5):
            tip = self.tip(ref)
            if tip is None:
                return _NONE
            if tip != self._trees.get(ref, _NONE).tip and (self._read_here(ref) == tip or self._fetch(ref, tip) == tip):
                self._trees[ref] = Tree(tip, self._list_files(tip))
            if tip == self._trees.get(ref, _NONE).tip:
                return self._trees[ref]
        raise LedgerUnusable(self.place, "it changes faster than it can be fetched", "run again")

    def contents(self, names: Sequence[str]) -> list[bytes]:
        """What lies in these blobs. Raises LedgerUnusable."""
        contents = [content for content in blobs(self._git, names) if content is not None]
        if len(contents) < len(names):
            raise LedgerUnusable(
                self.place, "a part of it is missing in this clone", "clone the repository anew (git fsck says more), and run again"
            )
        return contents

    def keep(self, contents: Sequence[bytes]) -> list[str]:
        """Put contents into the repository as blobs, which nothing refers to yet."""
        commands = b"".join(b"blob\nmark :1\ndata %d\n%s\nget-mark :1\n" % (len(content), content) for content in contents)
        return self._git("fast-import", "--quiet", "--done", stdin=commands + b"done\n").decode().split() if contents else []

    def commit(self, files: Mapping[str, str], parent: str | None, message: str, at: float) -> str:
        """A commit of these files, which nothing refers to yet; `at` is Unix seconds."""
        folders: dict[str, list[str]] = {}
        for path, blob in sorted(files.items()):
            folder, _, name = path.rpartition("/")
            folders.setdefault(folder, []).append(f"100644 blob {blob}\t{name}")
        inner = sorted(folders.keys() - {""})
        trees = self._make_trees([folders[folder] for folder in inner])
        root = [*folders.get("", []), *(f"040000 tree {tree}\t{folder}" for folder, tree in zip(inner, trees, strict=True))]
        parents = ["-p", parent] if parent else []
        date = f"@{int(at)} +0000"
        environment = {**self._people, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        return self._git("commit-tree", *parents, "-m", message, *self._make_trees([root]), more=environment).decode().strip()

    @cached_property
    def _people(self) -> Mapping[str, str]:
        """Who writes and who commits, as git decides it for a commit by hand: the environment, then the configuration."""
        lines = ""
        with suppress(LedgerUnusable):
            lines = self._git("config", "-z", "--get-regexp", r"^(user|author|committer)\.(name|email)$").decode("utf-8", "replace")
        # Of several the last one counts.
        settings = {name: value for name, _, value in (entry.partition("\n") for entry in lines.split("\0"))}
        return {
            f"GIT_{role}_{what}".upper(): self._read_written(role, what)
            or settings.get(f"{role}.{what}")
            or settings.get(f"user.{what}")
            or self._read_written("author", what)
            or _NOBODY[what]
            for role in ("author", "committer")
            for what in _NOBODY
        }

    def _read_written(self, role: str, what: str) -> str:
        return self.environ.get(f"GIT_{role}_{what}".upper(), "").strip()

    def here(self, ref: str, path: str) -> bytes:
        """A file of a ref of this clone alone; nothing where there is none."""
        with suppress(LedgerUnusable):
            return self._git("cat-file", "blob", f"{ref}:{path}")
        return b""

    def keep_here(self, ref: str, commit: str) -> None:
        """Let a ref of this clone alone be a commit, where it can be written."""
        if self._read_here(ref) != commit:
            with suppress(LedgerUnusable):
                self._git("update-ref", ref, commit)

    def swap(self, ref: str, commit: str, before: str | None) -> str | None:
        """Make a ref over there this commit if it is still the expected one; the answer is what it is then. Raises LedgerUnusable where
        it could not be tried, or is not allowed."""
        arguments = ["push", "--no-verify", "--no-follow-tags", f"--force-with-lease={ref}:{before or ''}"]
        try:
            self._git(*arguments, self.name, f"{commit}:{ref}")
        except LedgerUnusable:
            # The answer to a push that was done may have been lost, and a refusal has many words.
            tip = self.tip(ref)
            if tip == before != commit:
                raise
            return tip
        return commit

    def check_push(self, ref: str) -> None:
        """Raises LedgerUnusable where this user may not push a ref; nothing is changed over there. Rules that only look at a push that is
        made are not asked: git-scm.com/docs/git-push, --dry-run."""
        if commit := self._read_here(ref) or self._read_here("HEAD"):
            self._git("push", "--dry-run", "--no-verify", "--no-follow-tags", self.name, f"+{commit}:{ref}")

    @cached_property
    def _shallow(self) -> bool:
        return self._git("rev-parse", "--is-shallow-repository").strip() == b"true"

    @cached_property
    def _exists(self) -> bool:
        """Whether there is such a remote. Raises LedgerUnusable where there is no repository."""
        return self.name in self._git("remote").decode("utf-8", "replace").splitlines()

    def _read_here(self, ref: str) -> str | None:
        with suppress(LedgerUnusable):
            return self._git("rev-parse", "--verify", "--quiet", ref).decode().strip()
        return None

    def _fetch(self, ref: str, tip: str) -> str | None:
        """Bring a ref here, under the same name, and say what it is; where the repository is shallow, its last commit only."""
        depth = ["--depth=1"] if self._shallow else []
        options = ["--quiet", "--no-tags", "--no-filter", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap=", *depth]
        before = self._read_here(ref)
        try:
            self._git("fetch", *options, self.name, f"+{ref}:{ref}", within=FETCHING)
        except LedgerUnusable:
            # Another process of this machine may have fetched it, or what came after it, into the same ref meanwhile.
            if self._read_here(ref) in (None, before):
                raise
        return self._read_here(ref)

    def _list_files(self, commit: str) -> dict[str, str]:
        lines = self._git("ls-tree", "--full-tree", "-r", "-z", commit).decode("utf-8", "surrogateescape")
        entries = (entry.split("\t", 1) for entry in lines.split("\0") if entry)
        return {path: meta.split(" ")[2] for meta, path in entries}

    def _make_trees(self, folders: Iterable[Sequence[str]]) -> list[str]:
        text = "\n".join("".join(f"{line}\n" for line in lines) for lines in folders)
        return self._git("mktree", "--batch", stdin=text.encode("utf-8", "surrogateescape")).decode().split() if text else []

    def _git(self, *arguments: str, stdin: bytes = b"", more: Mapping[str, str] | None = None, within: float = PATIENCE) -> bytes:
        mirror = {f"remote.{self.name}.mirror": "false"} if arguments[0] == "push" else {}
        settings = [part for key, value in {**_SETTINGS, **mirror}.items() for part in ("-c", f"{key}={value}")]
        try:
            return git(*settings, *arguments, environ={**self.environ, **(more or {})}, stdin=stdin, within=within, folder=self._folder)
        except NoGit:
            raise LedgerUnusable(self.place, "git is not installed", "install git 2.29 or newer, and run again") from None
        except GitFailed as failed:
            raise LedgerUnusable(self.place, *self._reason(failed.message, arguments[0])) from None

    def _reason(self, words_of_git: str, command: str) -> tuple[str, str]:
        """What git said, as what is wrong and what to do now."""
        words_of_git = _URL.sub(self.name, words_of_git) if shows_nothing(self.name) else _URL.sub("the remote", words_of_git)
        if command == "push" and (rule := _DECLINED.search(words_of_git)):
            words = " ".join(
                " ".join(line.removeprefix("remote:").split()) for line in words_of_git.splitlines() if line.startswith("remote:")
            )
            reason = f"{words[:_LONGEST].strip()} ({rule[1]})" if words.strip() else rule[1]
            return f"the remote {self.name if shows_nothing(self.name) else 'of this ledger'} declined the push: {reason}", _RULES
        rows = _PUSHING + _REASONS if command == "push" else _REASONS
        without_paths = _PATH.sub("", words_of_git)
        for pattern, what, now in rows:
            if re.search(pattern, without_paths, re.IGNORECASE):
                return what.format(name=self.name), now
        lines = (
            [line for line in words_of_git.splitlines() if line.startswith(("fatal:", "error:"))]
            or words_of_git.splitlines()[-1:]
            or ["nothing"]
        )
        return f"git {command} answered: {lines[0]}", "see to it and run again"


# One line of a push that the server took in and refused: git-scm.com/docs/git-push, output.
_DECLINED = re.compile(r"^ ! \[remote rejected\].*\((.*)\)", re.MULTILINE)
# How much of a server's words is shown, in characters.
_LONGEST = 500
_RULES = (
    "see to what it asks for (who commits: GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME, GIT_COMMITTER_EMAIL or `git config "
    "user.name` and `user.email`), exempt refs/reconciler from the rule, or let this user push there, and run again"
)
_GRANT = "give this user permission to push (GitHub Actions: `permissions: contents: write`; GitLab: `write_repository`), and run again"
_PUSHING = (
    (
        r"permission|denied|declined|protected|forbidden|(error:|HTTP) 40[13]\b|read.only|not allowed|not authori[sz]ed|prohibited",
        "the remote {name} does not let this user push to refs/reconciler",
        _GRANT,
    ),
)
_REASONS = (
    (r"not a git repository", "there is no git repository here", "run it inside a clone of the repository that holds the manifest"),
    (
        r"dubious ownership",
        "git refuses to work in a repository that belongs to somebody else",
        "name its folder in `git config --global --add safe.directory FOLDER`, and run again",
    ),
    (
        r"permission denied|authentication failed|could not read (username|password)|terminal prompts disabled|host key"
        r"|(error:|HTTP) 40[13]\b",
        "the remote {name} does not let this user in",
        "see to its credentials (GitHub Actions: `permissions: contents: read`, GitLab: `read_repository`), and run again",
    ),
    (
        r"unable to access|could not read from remote|could not resolve|does not appear to be|connection|timed out|not found|hung up"
        r"|no such file or directory|unable to connect|early eof",
        "the remote {name} cannot be reached",
        "see to the network and to `git remote -v`, and run again",
    ),
)
