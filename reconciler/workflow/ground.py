"""Ground: where the manifests of a run lie, how the ledger calls their files, and which recorded files are these very ones."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.core.model.desired import Manifest
from reconciler.core.model.recorded import WITHIN, Files, Handover, Recorded, path_of
from reconciler.core.model.repository import Repository, identity
from reconciler.core.plan.gates import Approval, handed_over, standing
from reconciler.errors import Invalid, Mark, Problem

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger

# What stands before the path of a file where the ledger belongs to a folder, or to the repository itself: no identity has a dot.
_HERE = "./"


@dataclass(frozen=True)
class Ground:
    """Where manifests lie: the repository that holds this folder, else this folder."""

    root: Path
    # What the ledger calls it before the paths of its files.
    identity: str
    # Which repository it is, where the ledger is shared by several; None where it belongs to this one, whatever that is called.
    repository: Repository | None = None

    @classmethod
    def of(cls, ledger: Ledger) -> Ground:
        """The ground of this process, as a ledger sees it."""
        from reconciler.manifest.repository import repository

        root = _root()
        if not ledger.home.shared:
            inside = os.path.relpath(root, ledger.home.ground) if ledger.home.ground else "."
            return cls(root, f"{_HERE}{inside.replace(os.sep, '/')}")
        found = repository(root)
        found = replace(found, address=ledger.digests.plain(found.address))
        return cls(root, found.identities[0], found)

    def called(self, name: str) -> str:
        """How the ledger calls a file: clones of one repository call it the same, two repositories do not."""
        return f"{self.identity}{WITHIN}{os.path.relpath(os.path.abspath(name), self.root).replace(os.sep, '/')}"

    def exists(self, path: str) -> bool:
        """Whether a recorded file is there; of one whose name held an e-mail nobody can say, so it is."""
        return re.search(r"#[0-9a-f]{8}", path) is not None or (self.root / path).exists()


def check_name(manifest: Manifest, place: str) -> None:
    """Raises Invalid for a manifest without a name of its own, where the ledger at `place` is shared by several repositories."""
    if manifest.files and not manifest.named:
        text = f"no `name:` is written, and several repositories can reach the ledger {place}: nobody could tell whose things these are"
        now = "write a `name:` of its own (`name: default` goes on with what was applied without one)"
        raise Invalid([Problem(Mark(manifest.files[0]), text, now)])


def settled(memory: Recorded, manifest: Manifest, ground: Ground, approvals: Sequence[Approval]) -> Recorded:
    """The memory, which knows whether its name passes to another repository, and which files speak in this run."""
    passing = _handover(memory, manifest, ground)
    memory = replace(memory, handover=passing)
    # Until somebody approves, what was applied from elsewhere is neither ours nor given up.
    ours = ground.repository is None or passing is None or not standing(tuple(handed_over(memory)), approvals)
    return replace(memory, files=_files(memory, manifest, ground, _known(memory, ground) if ours else _mine(ground)))


def _handover(memory: Recorded, manifest: Manifest, ground: Ground) -> Handover | None:
    """Whether the name was last applied from what is not known to be this repository."""
    here = ground.repository
    if here is None or not memory.origins or not manifest.files:
        return None
    last = memory.origins[-1]
    if last is None:
        # A run of an older release, whose records alone say where their files lay.
        recorded = {_identity(file) for record in memory.records.values() for file in record.files}
        same = not recorded or bool(recorded & _mine(ground))
    else:
        same = last.same(here)
    return None if same else Handover(manifest.name, last, here)


def _mine(ground: Ground) -> frozenset[str]:
    """What this very repository is called in a ledger; one that nothing is known of was once called by where it lies."""
    here = ground.repository or Repository()
    return frozenset(here.identities) | (frozenset() if here.address else frozenset({identity(str(ground.root))}))


def _known(memory: Recorded, ground: Ground) -> frozenset[str]:
    """What the repositories were called from which the name came here, one after the other, and this one."""
    before = (name for origin in memory.origins if origin for name in origin.identities)
    return _mine(ground) | frozenset(before)


def _files(memory: Recorded, manifest: Manifest, ground: Ground, ours: frozenset[str]) -> Files:
    """Which files speak in this run. A file of former runs that is not there counts as removed only if another one of those runs is
    read now: else this is another folder than theirs."""
    if not (memory.records or memory.attempts):
        return Files()
    read = frozenset(memory.digests.plain(ground.called(name)) for name in manifest.files)
    recorded = {file for record in memory.records.values() for file in record.files}
    mine = {file for file in recorded if _belongs(file, ground, ours)}
    paths = {path_of(file) for file in read}
    given = frozenset(file for file in mine if path_of(file) in paths)
    if not given:
        return Files(read)
    return Files(read | given, frozenset(file for file in mine - given if not ground.exists(path_of(file))))


def _belongs(file: str, ground: Ground, ours: frozenset[str]) -> bool:
    """Whether a recorded file lies, or lay, on this ground."""
    called = _identity(file)
    if ground.repository is None:
        # An older release told the files of a ledger of one folder apart too, by what the repository was called then.
        return called == ground.identity or not called.startswith(_HERE)
    return called in ours


def _identity(file: str) -> str:
    return file.rpartition(WITHIN)[0]


def _root() -> Path:
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
