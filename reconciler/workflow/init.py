"""Init: what somebody begins with, laid down once: a manifest of what is live, its schema, its policy, the pipeline."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.core.plan.work import Proposal
from reconciler.errors import Usage
from reconciler.ledger.folder import root_of
from reconciler.manifest import files
from reconciler.manifest.schema import manifest_schema
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.export import Export, texts_of
from reconciler.workflow.pipelines import POLICY, read_pipeline
from reconciler.workflow.session import Session

# The schema lies beside the files of a manifest, each of which says so to editors.
SCHEMA = "schema.json"
BANNER = f"# yaml-language-server: $schema={SCHEMA}\n"


@dataclass(frozen=True)
class Ground:
    """Where a manifest begins: its folder, and what is laid down around it."""

    # Where the manifest is to be.
    folder: Path
    # The repository of the folder, or the current folder.
    root: Path
    # The policy and the pipeline, by their places in the repository.
    around: Mapping[str, str]

    def texts(self, export: Export, name: str, pin: Pin) -> Mapping[str, str]:
        """The files of the manifest, by their paths."""
        return {str(self.folder / file): BANNER + text for file, text in texts_of(export, name, pin).items()}

    def lay(self, texts: Mapping[str, str]) -> Sequence[Path]:
        """Write the manifest and all that is around it, or nothing, and return where it is. Raises OSError."""
        around = {self.root / place: text for place, text in self.around.items()}
        schema = {self.folder / SCHEMA: json.dumps(manifest_schema(), indent=2) + "\n"}
        files.write_all({path: text.encode() for path, text in {**{Path(p): t for p, t in texts.items()}, **schema, **around}.items()})
        return [self.folder, *around]


def find_ground(folder: Path, service: str) -> Ground:
    """The ground for a manifest in a folder. A policy that is there stays. Raises Usage where anything else is in the way."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Usage(f"{folder} is not empty; give another folder with -o, or `reconciler export -o {folder}` adds what it does not have")
    whole = Path(os.path.abspath(folder))
    root = root_of(whole.parent) or (Path.cwd() if Path.cwd() in whole.parents else whole.parent)
    within = whole.relative_to(root).as_posix()
    if service != "none" and not re.fullmatch(r"[\w./-]+", within):
        raise Usage(f"-o {folder}: a pipeline takes no folder with blanks or signs in its name; give another one, or --ci none")
    around = {place: text for place, text in read_pipeline(service, within).items() if place != POLICY or not (root / place).exists()}
    if there := [os.path.relpath(root / place) for place in around if (root / place).exists()]:
        raise Usage(f"there is already {', '.join(there)}; move it away, or choose another --ci")
    return Ground(folder, root, around)


def remember(session: Session, manifest: Manifest, proposal: Proposal) -> None:
    """Record what was found as declared, as the base of drift; nothing of it is owned. Whoever calls it holds the lock.

    Raises Stale where the workspace has moved since, so that there is something to do.
    """
    saved_plan = write_saved(
        session.kinds, proposal.plan, "in memory", Enclosure(None, proposal.as_declared, proposal.doubts, proposal.rules)
    )
    for _ in carry_out(session, prepare(session, saved_plan, manifest), threading.Event()):
        pass
