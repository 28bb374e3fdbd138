"""The formats of reports, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reconciler.fleet.view import View


class Renderer(Protocol):
    """What makes a report of a view; `head` is the line that pages begin with."""

    def __call__(self, view: View, head: str = "") -> str: ...


def _renderer(name: str) -> Renderer:
    """The `render` of one module of this room, imported once it is called: help needs none of what it needs."""

    def render(view: View, head: str = "") -> str:
        report: str = import_module(f"{__package__}.{name}").render(view, head)
        return report

    return render


RENDERERS: Mapping[str, Renderer] = MappingProxyType({name: _renderer(name) for name in ("text", "json", "ndjson", "markdown", "html")})
