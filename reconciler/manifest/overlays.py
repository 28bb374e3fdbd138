"""Overlays: entries laid over those of the base by their names, key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconciler.core.model.desired import DEPRECATED
from reconciler.core.model.kind import Kind
from reconciler.errors import Mark
from reconciler.manifest.contents import Raw
from reconciler.manifest.reader import Document

# An entry of an overlay that takes the one below it out of the manifest.
OMIT = "omit"


class _Laid:
    """The places of an entry that two files write: each key where the stronger one has it, and the entry where the weaker one does."""

    def __init__(self, under: Raw, over: Raw) -> None:
        self.under, self.over, self.file = under, over, under.document.file

    def of(self, loc: Sequence[str | int]) -> Mark:
        value = self.over.value.get(loc[0]) if loc else None
        of_over = bool(loc) and loc[0] in self.over.value and not (isinstance(value, dict) and len(loc) > 1 and loc[1] not in value)
        raw = self.over if of_over else self.under
        return raw.mark(*loc)

    def below(self, loc: Sequence[str | int], key: str, number: int) -> tuple[int, ...]:
        entry, marks = self.of(loc), [self.of((*loc, key, item)) for item in range(number)]
        return tuple(mark.line - entry.line if mark.file == entry.file else 0 for mark in marks)


def lay_over(kind: Kind, under: Raw, over: Raw) -> Raw:
    """An entry with another one over it. A map of custom values is merged, any other value replaced. What is to be gone has no fields
    but those that an entry needs, and stays protected; what is to stay has no successor."""
    if OMIT in under.value or OMIT in over.value:
        return over
    below: Mapping[str, Any] = under.value
    if over.value.get("state") in ("absent", "archived"):
        below = {key: value for key, value in below.items() if key in kind.required_keys or key == "protect"}
    elif kind.retirement and over.value.get("state") not in (None, DEPRECATED):
        below = {key: value for key, value in below.items() if key not in (kind.retirement.successor, kind.retirement.after)}
    values = {**below, **over.value}
    for name, field in kind.fields.items():
        one, other = below.get(name), over.value.get(name)
        if field.merged and isinstance(one, dict) and isinstance(other, dict):
            values[name] = {**one, **other}
    return _lay(under._replace(value=dict(below)), over, values)


def lay_map(under: Raw, over: Raw) -> Raw:
    """A map with another one over it, key by key."""
    return _lay(under, over, {**under.value, **over.value})


def _lay(under: Raw, over: Raw, values: dict[str, Any]) -> Raw:
    overlays = (*under.document.overlays, over.document.file, *over.document.overlays)
    return Raw(Document({}, _Laid(under, over), overlays=overlays), (), values)


def lay_head(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The head of a manifest with that of an overlay over it, key by key."""
    head = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            head[key] = lay_head(under[key], over[key])
    return head
