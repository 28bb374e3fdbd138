"""The workspace, the owner and the keys of undo that the manifests of a folder name, whatever else is in them or wrong with them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.core.model.desired import Pin
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.policy import KEYS, Policy
from reconciler.errors import Invalid, Usage
from reconciler.kinds import KINDS
from reconciler.manifest import files
from reconciler.manifest.head import Head, PinEntry
from reconciler.manifest.layers import Layers, env_of, without_overlays
from reconciler.manifest.reader import Document
from reconciler.manifest.variables import Unfilled, substitute


def pin_in(paths: Sequence[str], layers: Layers) -> Pin | None:
    """The one pin in these files, with those of overlays over it. Some may be no manifests. Raises Usage for two in one layer, Invalid
    where one cannot be read."""
    overlays = [[path for path in paths if env_of(path) == env] for env in layers.overlays]
    base = [path for path in without_overlays(paths) if env_of(path) not in layers.overlays]
    pin = None
    for layer in (base, *overlays):
        over = _one_pin(layer, layers.variables)
        pin = Pin(over.app_id or pin.app_id, over.region or pin.region) if over and pin else over or pin
    return pin


def _one_pin(paths: Sequence[str], variables: Mapping[str, str]) -> Pin | None:
    pins = {pin for path in paths if (pin := _pin(path, variables))}
    if len(pins) > 1:
        workspaces = ", ".join(sorted(f"{pin.app_id or 'any'} in {pin.region or 'any region'}" for pin in pins))
        raise Usage(f"the manifests in this folder name several workspaces ({workspaces}): say which with --app-id and --region")
    return next(iter(pins), None)


def _pin(path: str, variables: Mapping[str, str]) -> Pin | None:
    document = _document(path, "workspace")
    pin_value = document.value.get("workspace") if document else None
    if document is None or not isinstance(pin_value, dict) or not pin_value.keys() & PinEntry.model_fields.keys():
        return None
    try:
        entry = PinEntry.model_validate({key: _value(value, variables) for key, value in pin_value.items()})
    except (ValidationError, Unfilled):
        raise Usage(f"{document.marks.of(('workspace',))}: cannot be read; correct it, or say --app-id and --region") from None
    return Pin(entry.app_id, entry.region)


def undo_keys_in(paths: Sequence[str], layers: Layers) -> tuple[str, ...]:
    """The public keys of undo in these files, with those of overlays. Some may be no manifests. Raises Usage, or Invalid, where they cannot
    be read."""
    overlays = [path for env in layers.overlays for path in paths if env_of(path) == env]
    base = [path for path in without_overlays(paths) if env_of(path) not in layers.overlays]
    return tuple(dict.fromkeys(key for path in (*base, *overlays) for key in _undo_keys(path, layers.variables)))


def _undo_keys(path: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    document = _document(path, "policy")
    policy = document.value.get("policy") if document else None
    if document is None or not isinstance(policy, dict) or KEYS not in policy:
        return ()
    key_list = policy[KEYS]
    try:
        keys = [_value(key, variables) for key in key_list] if isinstance(key_list, list) else key_list
        return Policy.model_validate({KEYS: keys}).undo_keys
    except (ValidationError, Unfilled):
        raise Usage(f"{document.marks.of(('policy', KEYS))}: cannot be read; `reconciler validate` says why") from None


def _value(value: Any, variables: Mapping[str, str]) -> Any:
    return substitute(value, variables) if isinstance(value, str) else value


def name_in(paths: Sequence[str], variables: Mapping[str, str], kinds: Kinds = KINDS) -> str | None:
    """Whose things the manifests in these files declare; None where none says. Raises Usage for two names, Invalid where one cannot be
    read. A file with other keys than a manifest has is none, whatever it calls itself."""
    sections = list(kinds.by_section)
    names = {name for path in without_overlays(paths) if (name := _name(path, sections, variables))}
    if len(names) > 1:
        raise Usage(f"the manifests in this folder have several names ({', '.join(sorted(names))}): say which with --name")
    return next(iter(names), None)


def _name(path: str, sections: Sequence[str], variables: Mapping[str, str]) -> str | None:
    document = _document(path, "name", [*sections, "workspace", "policy"])
    if document is None or not document.value.keys() <= {*sections, *Head.model_fields} or "name" not in document.value:
        return None
    try:
        return Head.model_validate({"name": _value(document.value["name"], variables)}).name
    except (ValidationError, Unfilled):
        raise Usage(f"{document.marks.of(('name',))}: cannot be read; correct it, or say --name") from None


def _document(path: str, key: str, beside: Sequence[str] = ()) -> Document | None:
    """The document in a file. Where that cannot be read: None, unless lines of it begin the key and one of those that are to stand
    beside it; then it is a manifest, and this raises Invalid."""
    try:
        (document,) = files.read_all([path])
    except Invalid:
        if _has_line(path, [key]) and (not beside or _has_line(path, beside)):
            raise
        return None
    return document


def _has_line(path: str, keys: Sequence[str]) -> bool:
    """Whether a line of a file, which is perhaps no YAML, would begin one of these keys."""
    try:
        return re.search(rf"^({'|'.join(keys)})\s*:".encode(), Path(path).read_bytes(), re.MULTILINE) is not None
    except OSError:
        return False
