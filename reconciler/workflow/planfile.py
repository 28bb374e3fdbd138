"""Plans as files: written whole, sealed, and refused when they are not what they say."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.jsons import parse_json
from reconciler.core.model.kinds import Kinds
from reconciler.core.plan.document import FORMAT
from reconciler.core.plan.saved import Enclosure, seal, write_saved
from reconciler.core.plan.schema import PlanDocument, is_plan
from reconciler.core.plan.work import Proposal
from reconciler.errors import Invalid, Mark, Problem
from reconciler.kinds import KINDS
from reconciler.manifest import files as manifest_files
from reconciler.manifest.layers import BASE, Layers
from reconciler.manifest.read import merge, read_manifest
from reconciler.manifest.reader import read_far
from reconciler.manifest.source import SUFFIXES, Source, Unopened, path_beside


def planned_manifest(saved_plan: PlanDocument, kinds: Kinds = KINDS, layers: Layers = BASE) -> Manifest:
    """The manifest that a saved plan names. Raises Invalid if it cannot be read."""
    if "files" in saved_plan:
        return merge(read_enclosed(saved_plan["files"]), saved_plan["manifest"]["paths"], kinds, layers)
    return read_manifest(saved_plan["manifest"]["paths"], kinds, layers)


def planned_env(saved_plan: PlanDocument) -> str:
    """The environment that a saved plan was made for; empty where it was made for none."""
    return saved_plan["manifest"].get("env", "") if "manifest" in saved_plan else ""


def read_enclosed(texts: Mapping[str, str]) -> Source:
    """Files by name that are not on the disk under their names, or not yet: their texts are given."""

    def data(name: str) -> bytes:
        return texts[name].encode("utf-8", "surrogatepass")

    def open_list(manifest: str, name: str) -> tuple[str, BinaryIO]:
        path = path_beside(manifest, name)
        if path not in texts:
            raise Unopened(f"{path} is not in the plan", "plan again")
        return path, BytesIO(data(path))

    names = [name for name in texts if name.lower().endswith(SUFFIXES)]
    return Source(names, lambda name: read_far(data(name), name), open_list)


def planned_pin(saved_plan: PlanDocument) -> Pin:
    """The workspace that a saved plan names."""
    return Pin(saved_plan["workspace"]["app_id"], saved_plan["workspace"]["region"])


def save(proposal: Proposal, path: Path, kinds: Kinds = KINDS, *, embed: bool = False) -> None:
    """Write a plan that can be applied, readable by its owner only, whole or not at all. Raises OSError.

    `embed` puts the manifest's texts into it, with all the personal values that they hold.
    """
    files = manifest_files.read_texts(proposal.manifest.files) if embed else None
    write_plan(make_saved(proposal, kinds, files), path)


def make_saved(proposal: Proposal, kinds: Kinds = KINDS, files: Mapping[str, str] | None = None) -> PlanDocument:
    """A plan that can be applied, with a salt of its own; `files` are the manifest's texts, if they are to be in it."""
    return write_saved(kinds, proposal.plan, secrets.token_hex(16), Enclosure(files, proposal.as_declared, proposal.doubts, proposal.rules))


def write_plan(saved_plan: PlanDocument, path: Path) -> None:
    """Write a saved plan, readable by its owner only, whole or not at all. Raises OSError."""
    write_whole(path, json.dumps(saved_plan, indent=1, ensure_ascii=False) + "\n", 0o600)


def write_whole(path: Path, text: str, mode: int) -> None:
    """Replace a file by another in one step, or write to what is no file, as /dev/stdout. Raises OSError; what was there stays then."""
    try:
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8", errors="surrogatepass")
        else:
            manifest_files.write_all({target: text.encode("utf-8", "surrogatepass")}, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def read_plan(path: Path) -> PlanDocument:
    """A saved plan or a JSON plan from a file. Raises Invalid when it is neither, or was edited."""
    mark = Mark(str(path))
    try:
        document = parse_json(path.read_bytes())
    except OSError as error:
        raise Invalid([Problem(mark, f"cannot be read: {error.strerror}")]) from None
    except ValueError:
        raise Invalid([Problem(mark, "is not a plan", "make one with `reconciler plan PATH -o FILE`")]) from None
    return check_plan(document, mark)


def check_plan(document: object, mark: Mark) -> PlanDocument:
    """The document as a plan. Raises Invalid when it is none, or was edited."""
    if not isinstance(document, dict) or not isinstance(document.get("changes"), list):
        raise Invalid([Problem(mark, "is not a plan", "make one with `reconciler plan PATH -o FILE`")])
    if str(document.get("format_version", "")).split(".")[0] != FORMAT.split(".")[0]:
        raise Invalid([Problem(mark, f"has format {document.get('format_version')!s:.20}, this version reads {FORMAT}", "plan again")])
    if document.get("applicable") and document.get("seal") != seal(document):
        raise Invalid([Problem(mark, "was edited, or cut, after it was planned", "plan again")])
    if not is_plan(document):
        raise Invalid([Problem(mark, "is not a whole plan", "plan again")])
    return document


def applicable(plan: PlanDocument, path: Path) -> PlanDocument:
    """The plan, if it is one that can be applied."""
    if plan.get("applicable") is not True:
        now = "make one with `reconciler plan PATH -o FILE`"
        raise Invalid([Problem(Mark(str(path)), "is a plan to look at, not one to apply", now)])
    return plan
