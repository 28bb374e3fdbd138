"""Reports: a plan's document, or an apply's outcomes, as something to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.core.plan.schema import PlanDocument


def _renderer(name: str) -> Callable[[PlanDocument], str]:
    """The `render` of one module of this room, imported once it is called: help and errors need none of what it needs."""

    def render(document: PlanDocument) -> str:
        report: str = import_module(f"{__name__}.{name}").render(document)
        return report

    return render


RENDERERS: Mapping[str, Callable[[PlanDocument], str]] = MappingProxyType(
    {name: _renderer(name) for name in ("text", "json", "markdown", "html")}
)
