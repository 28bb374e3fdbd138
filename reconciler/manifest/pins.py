"""The workspace and the owner that the manifests of a folder name, whatever else is in them or wrong with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.model.desired import Pin
from reconciler.errors import Invalid, Usage
from reconciler.manifest import files
from reconciler.manifest.load import Head, PinEntry


def pin_in(paths: Sequence[str]) -> Pin | None:
    """The one pin in these files, of which some may be no manifests. Raises Usage for two, Invalid where one cannot be read."""
    pins = {pin for path in paths if (pin := _pin(path))}
    if len(pins) > 1:
        named = ", ".join(sorted(f"{pin.app_id or 'any'} in {pin.region or 'any region'}" for pin in pins))
        raise Usage(f"the manifests in this folder name several workspaces ({named}): say which with --app-id and --region")
    return next(iter(pins), None)


def _pin(path: str) -> Pin | None:
    try:
        (document,) = files.read_all([path])
    except Invalid:
        if _has_line(path, rb"workspace"):
            raise
        return None
    written = document.value.get("workspace")
    if not isinstance(written, dict) or not written.keys() & PinEntry.model_fields.keys():
        return None
    try:
        found = PinEntry.model_validate(written)
    except ValidationError:
        raise Usage(f"{document.marks.of(('workspace',))}: cannot be read; correct it, or say --app-id and --region") from None
    return Pin(found.app_id, found.region)


def name_in(paths: Sequence[str], sections: Collection[str]) -> str | None:
    """Whose things the manifests in these files declare; None where none says. Raises Usage for two names, Invalid where one cannot be
    read. What has other keys than a manifest is none, whatever it calls itself."""
    names = {name for path in paths if (name := _name(path, sections))}
    if len(names) > 1:
        raise Usage(f"the manifests in this folder have several names ({', '.join(sorted(names))}): say which with --name")
    return next(iter(names), None)


def _name(path: str, sections: Collection[str]) -> str | None:
    try:
        (document,) = files.read_all([path])
    except Invalid:
        if _has_line(path, b"name") and any(_has_line(path, key.encode()) for key in (*sections, "workspace", "policy")):
            raise
        return None
    if not document.value.keys() <= {*sections, *Head.model_fields} or "name" not in document.value:
        return None
    try:
        return Head.model_validate({"name": document.value["name"]}).name
    except ValidationError:
        raise Usage(f"{document.marks.of(('name',))}: cannot be read; correct it, or say --name") from None


def _has_line(path: str, key: bytes) -> bool:
    """Whether a file that is no YAML has a line that would begin this key."""
    try:
        return re.search(rb"^" + key + rb"\s*:", Path(path).read_bytes(), re.MULTILINE) is not None
    except OSError:
        return False
