"""Reports: a plan's document, or an apply's outcomes, as something to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from reconciler.core.plan.document import Document
from reconciler.report import html, json, markdown, text

RENDERERS: Mapping[str, Callable[[Document], str]] = MappingProxyType(
    {"text": text.render, "json": json.render, "markdown": markdown.render, "html": html.render}
)
