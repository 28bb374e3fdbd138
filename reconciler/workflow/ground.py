"""Ground: where the manifests of a run lie, and how the ledger calls their files."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from reconciler.core.model.desired import Manifest
from reconciler.core.model.recorded import WITHIN
from reconciler.core.model.repository import Checkout
from reconciler.core.plan.handover import HERE, Ground
from reconciler.errors import Invalid, Mark, Problem
from reconciler.ledger.folder import root_of

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger


def ground_of(ledger: Ledger, checkout: Checkout | None = None) -> Ground:
    """Where manifests lie, as a ledger sees it: in a checkout, else around this process."""
    from reconciler.manifest.repository import repository

    root = _root(ledger.home.ground, Path(checkout.folder) if checkout else Path.cwd())

    def name_file(name: str) -> str:
        return f"{identity}{WITHIN}{os.path.relpath(os.path.abspath(name), root).replace(os.sep, '/')}"

    def exists(path: str) -> bool:
        # Of a file whose name held an e-mail nobody can say whether it is there, so it is.
        return re.search(r"#[0-9a-f]{8}", path) is not None or (root / path).exists()

    if not ledger.home.is_shared:
        inside = os.path.relpath(root, ledger.home.ground) if ledger.home.ground else "."
        identity = f"{HERE}{inside.replace(os.sep, '/')}"
        return Ground(str(root), identity, name_file, exists)
    repo = checkout.repository if checkout else repository(root)
    repo = replace(repo, address=ledger.digests.plain(repo.address))
    identity = repo.identities[0]
    return Ground(str(root), identity, name_file, exists, repo)


def check_name(manifest: Manifest, place: str) -> None:
    """Raises Invalid for a manifest without a name of its own, where the ledger at `place` is shared by several repositories."""
    if manifest.files and not manifest.has_name:
        text = f"no `name:` is written, and several repositories can reach the ledger {place}: nobody could tell whose things these are"
        now = "write a `name:` of its own (`name: default` goes on with what was applied without one)"
        raise Invalid([Problem(Mark(manifest.files[0]), text, now)])


def refuse_second(manifest: Manifest, place: str, other: str) -> NoReturn:
    """Raises Invalid for a manifest without a name, where another one without a name uses the ledger at `place`."""
    text = f"no `name:` is written, and under none the ledger {place} knows what {other} declares: nobody could tell whose things these are"
    now = "write a `name:` of its own in each folder (`name: default` goes on with what was applied without one)"
    raise Invalid([Problem(Mark(manifest.files[0]), text, now)])


def _root(ground: Path | None, here: Path) -> Path:
    """The root of the repository that we are in (`here`), unless the folder of a ledger is elsewhere: then what is applied from there,
    wherever it is given."""
    root = root_of(here)
    if ground is None:
        return root or here
    return root if root and (ground.is_relative_to(root) or root.is_relative_to(ground)) else root_of(ground) or ground
