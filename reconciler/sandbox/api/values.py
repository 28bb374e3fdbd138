"""Checks of what callers write: the types of fields, and custom attributes against their definitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.sandbox.request import invalid
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

Check = Callable[[object], bool]


def _is_of(*types: type) -> Check:
    """Exactly of one of these types: a boolean is no integer."""
    return lambda value: type(value) in types


is_text, is_integer, is_number, is_flag = _is_of(str), _is_of(int), _is_of(int, float), _is_of(bool)
_CUSTOM = {"string": is_text, "integer": is_integer, "float": is_number, "boolean": is_flag, "date": is_integer}


def merge_custom(ws: Workspace, model: str, old: Mapping[str, Any], new: object) -> Doc:
    """Old attributes with the new ones over them: null clears one, the others stay (reported: intercom-node#215). Raises Refusal."""
    if not isinstance(new, dict):
        raise invalid("custom_attributes must be an object")
    for name, value in list(new.items()):
        attribute = ws.store.table("attribute").first("name", (model, name))
        if attribute is None or attribute["archived"]:
            ws.rest_on("unknown_attribute")
        if value is None:
            ws.rest_on("null_attribute")
        if attribute is None and ws.settings.unknown_attribute == "ignored":
            new = {key: own for key, own in new.items() if key != name}
        else:
            _check_custom(ws, attribute, name, value)
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _check_custom(ws: Workspace, attribute: Doc | None, name: str, value: object) -> None:
    # An attribute must exist before somebody writes it (changelog of API 2.0; 400 reported: intercom-ruby#614).
    if attribute is None or attribute["archived"]:
        raise invalid(f"Custom attribute '{name}' does not exist")
    if value is not None and not _CUSTOM[attribute["data_type"]](value):
        ws.rest_on("wrong_value")
        raise invalid(f"Custom attribute '{name}' must be of type {attribute['data_type']}")
    if value is not None and attribute["options"] and value not in attribute["options"]:
        ws.rest_on("wrong_value")
        # Announced in April 2026, then withdrawn: whether Intercom does this is not established.
        raise invalid(f"Custom attribute '{name}' must be one of its options")
