"""The workspace that the manifests of a folder name, whatever else is in them or wrong with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from reconciler.core.resource import Pin
from reconciler.errors import Invalid, Usage
from reconciler.manifest import files
from reconciler.manifest.load import PinEntry


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
        if _names_one(path):
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


def _names_one(path: str) -> bool:
    """Whether a file that is no YAML has a line that would name a workspace."""
    try:
        return re.search(rb"^workspace\s*:", Path(path).read_bytes(), re.MULTILINE) is not None
    except OSError:
        return False
