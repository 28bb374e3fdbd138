"""Reports: a plan's document, or an apply's outcomes, as something to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reconciler.core.plan.schema import PlanDocument


@dataclass(frozen=True, slots=True)
class Way:
    """How a plan is shown, whatever the format."""

    # Whether a text lists all, however much that is.
    full: bool = False
    # Time, commit, author and version: what pages begin with, as one line.
    head: str = ""


PLAIN = Way()


class Renderer(Protocol):
    """What makes a report of a plan's document."""

    def __call__(self, document: PlanDocument, way: Way = PLAIN) -> str: ...


def _renderer(name: str) -> Renderer:
    """The `render` of one module of this room, imported once it is called: help and errors need none of what it needs."""

    def render(document: PlanDocument, way: Way = PLAIN) -> str:
        report: str = import_module(f"{__name__}.{name}").render(document, way)
        return report

    return render


RENDERERS: Mapping[str, Renderer] = MappingProxyType({name: _renderer(name) for name in ("text", "json", "markdown", "html")})
