"""A view for programs that read line by line: each workspace with what it has in the document."""

from __future__ import annotations

from reconciler.fleet.report.json import describe
from reconciler.fleet.view import View
from reconciler.report.json import in_ascii


def render(view: View, _: str = "") -> str:
    """A line for each workspace."""
    return "".join(f"{in_ascii(describe(one))}\n" for one in view.workspaces)
