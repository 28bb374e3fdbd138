"""A view for programs, as one document."""

from __future__ import annotations

from typing import Any

from reconciler.fleet.view import One, View
from reconciler.report.json import deep

# What is said of a workspace, in this order.
NAMES = ("app_id", "group", "wave", "state", "exit", "shape", "changes", "people", "calls")


def document_of(view: View) -> dict[str, Any]:
    """What `--format json` prints; keys in a fixed order."""
    workspaces = [*map(describe, view.workspaces)]
    return {"run": view.run or None, "state": view.state or None, "summary": dict(view.summary), "workspaces": workspaces}


def render(view: View, _: str = "") -> str:
    """One document."""
    return deep(document_of(view))


def describe(one: One) -> dict[str, Any]:
    """What is said of one workspace."""
    return {name: getattr(one, name) for name in NAMES}
