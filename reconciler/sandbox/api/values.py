"""Checks of what callers write: types of fields, custom attributes against their definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.sandbox.request import invalid
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

Check = Callable[[object], bool]


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_flag(value: object) -> bool:
    return isinstance(value, bool)


_CUSTOM: dict[str, Check] = {"string": is_text, "integer": is_integer, "float": is_number, "boolean": is_flag, "date": is_integer}


def merged_custom(ws: Workspace, model: str, old: Mapping[str, Any], new: object) -> Doc:
    """The written attributes laid over the old ones: others stay, null clears (reported: intercom-node#215)."""
    if not isinstance(new, dict):
        raise invalid("custom_attributes must be an object")
    for name, value in new.items():
        _check_custom(ws, model, name, value)
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _check_custom(ws: Workspace, model: str, name: str, value: object) -> None:
    # Attributes must exist before they are written (changelog of API 2.0; 400 reported: intercom-ruby#614).
    found = [a for a in ws.store.table("attribute").find("name", (model, name)) if not a["archived"]]
    if not found:
        raise invalid(f"Custom attribute '{name}' does not exist")
    if value is not None and not _CUSTOM[found[0]["data_type"]](value):
        raise invalid(f"Custom attribute '{name}' must be of type {found[0]['data_type']}")
    if ws.settings.options_bind and value is not None and found[0].get("options") and value not in found[0]["options"]:
        raise invalid(f"Custom attribute '{name}' must be one of its options")
