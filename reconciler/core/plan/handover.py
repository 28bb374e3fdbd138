"""Handover: whether a manifest's name passes to another repository, and which of its recorded files speak in this run."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model.desired import Manifest
from reconciler.core.model.recorded import WITHIN, Files, Handover, Recorded, path_of
from reconciler.core.model.repository import Repository, identity
from reconciler.core.plan.gates import Approval, check_handover, list_standing

# What stands before the path of a file where the ledger belongs to a folder, or to the repository itself: no identity has a dot.
HERE = "./"


@dataclass(frozen=True)
class Ground:
    """Where the manifests of a run lie: the repository that holds them, else their folder."""

    # The folder's own path.
    root: str
    # What the ledger calls it before the paths of its files.
    identity: str
    # How the ledger calls a file: clones of one repository call it the same, two repositories do not.
    name_file: Callable[[str], str]
    # Whether a recorded file, by its path, is there.
    exists: Callable[[str], bool]
    # Which repository it is, where the ledger is shared by several; None where it belongs to this one, whatever that is called.
    repository: Repository | None = None


def settle_handover(recorded: Recorded, manifest: Manifest, ground: Ground, approvals: Sequence[Approval]) -> Recorded:
    """What is recorded, which then knows whether its name passes to another repository, and which files speak in this run."""
    passing = _handover(recorded, manifest, ground)
    recorded = replace(recorded, handover=passing)
    # Until somebody approves, what was applied from elsewhere is neither ours nor given up.
    ours = ground.repository is None or passing is None or not list_standing(tuple(check_handover(recorded)), approvals)
    return replace(recorded, files=_files_of(recorded, manifest, ground, _former_names(recorded, ground) if ours else _names_of(ground)))


def other_place(recorded: Recorded, manifest: Manifest, ground: Ground) -> str:
    """A file in another folder, whose things are recorded under the same name that nobody wrote here; empty where there is none.

    A folder that was moved is no other one: of its former files none is there.
    """
    if manifest.has_name or not manifest.files:
        return ""
    paths = {path_of(file) for file in recorded.records.files if _belongs(file, ground, frozenset())}
    files = {path_of(recorded.digests.plain(ground.name_file(name))) for name in manifest.files}
    if {posixpath.dirname(path) for path in paths} & {posixpath.dirname(path) for path in files}:
        return ""
    return min(filter(ground.exists, paths), default="")


def _handover(recorded: Recorded, manifest: Manifest, ground: Ground) -> Handover | None:
    """Whether the name was last applied from what is not known to be this repository."""
    here = ground.repository
    if here is None or not recorded.origins or not manifest.files:
        return None
    last = recorded.origins[-1]
    if last is None:
        # A run of an older release, whose records alone say where their files lay.
        known_files = set(map(_identity, recorded.records.files))
        same = not known_files or bool(known_files & _names_of(ground))
    else:
        same = last.same(here)
    return None if same else Handover(manifest.name, last, here)


def _names_of(ground: Ground) -> frozenset[str]:
    """What this very repository is called in a ledger; one that nothing is known of was once called by where it lies."""
    here = ground.repository or Repository()
    return frozenset(here.identities) | (frozenset() if here.address else frozenset({identity(ground.root)}))


def _former_names(recorded: Recorded, ground: Ground) -> frozenset[str]:
    """What the repositories were called from which the name came here, one after the other, and this one."""
    before = (name for origin in recorded.origins if origin for name in origin.identities)
    return _names_of(ground) | frozenset(before)


def _files_of(recorded: Recorded, manifest: Manifest, ground: Ground, ours: frozenset[str]) -> Files:
    """Which files speak in this run. A file of former runs that is not there counts as removed only if another one of those runs is
    read now: else this is another folder than theirs."""
    if not (recorded.records or recorded.attempts):
        return Files()
    files = frozenset(recorded.digests.plain(ground.name_file(name)) for name in manifest.files)
    mine = {file for file in recorded.records.files if _belongs(file, ground, ours)}
    paths = {path_of(file) for file in files}
    files_read = frozenset(file for file in mine if path_of(file) in paths)
    if not files_read:
        return Files(files)
    return Files(files | files_read, frozenset(file for file in mine - files_read if not ground.exists(path_of(file))))


def _belongs(file: str, ground: Ground, ours: frozenset[str]) -> bool:
    """Whether a recorded file lies, or lay, on this ground."""
    identity = _identity(file)
    if ground.repository is None:
        # An older release told the files of a ledger of one folder apart too, by what the repository was called then.
        return identity == ground.identity or not identity.startswith(HERE)
    return identity in ours


def _identity(file: str) -> str:
    return file.rpartition(WITHIN)[0]
