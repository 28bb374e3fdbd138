"""Paths: a field of a thing by its path, and its value on either side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.core.model.change import FieldChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Field, Kind
from reconciler.core.model.live import Live


def claimed(kind: Kind, resource: Resource) -> Iterator[tuple[str, Field, Any]]:
    """The claimed fields as (path, field, value); a merged map is claimed key by key."""
    for name, field in kind.fields.items():
        if name not in resource.fields:
            continue
        value = resource.fields[name]
        if field.merged:
            yield from ((f"{name}.{key}", field, value[key]) for key in sorted(value))
        else:
            yield name, field, value


def live_value(thing: Live, path: str) -> Any:
    """What a live thing shows for a path; nothing is None."""
    if path in thing.fields:
        return thing.fields[path]
    name, _, key = path.partition(".")
    return (thing.fields.get(name) or {}).get(key)


def merge_paths(fields: Iterable[FieldChange], kind: Kind) -> dict[str, Any]:
    """Field changes as the body of a call: a merged map is put together again."""
    body: dict[str, Any] = {}
    for change in fields:
        name, _, key = change.path.partition(".")
        if name in kind.fields and kind.fields[name].merged:
            body.setdefault(name, {})[key] = change.after
        else:
            body[change.path] = change.after
    return body


def personal_path(kind: Kind, path: str) -> bool:
    """Whether a field holds what only the person's own page should show."""
    field = kind.fields.get(path) or kind.fields.get(path.partition(".")[0])
    return bool(field and field.personal)


def values_of(kind: Kind, thing: Live) -> Iterator[tuple[str, Any]]:
    """All that a thing has, by path."""
    for name, about in kind.fields.items():
        value = thing.fields.get(name)
        if about.merged:
            yield from ((f"{name}.{key}", item) for key, item in sorted((value or {}).items()) if item is not None)
        elif value is not None:
            yield name, value
