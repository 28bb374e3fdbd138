"""Paths: a field of a thing by its path, and its value on either side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from reconciler.core.model.address import Address
from reconciler.core.model.change import FieldChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Field, Kind
from reconciler.core.model.live import Live


def field_at(kind: Kind, path: str) -> Field:
    """The field of a path: a key of a merged map has the field of its map. Raises KeyError where the kind has none."""
    return kind.fields.get(path) or kind.fields[path.partition(".")[0]]


def definition_at(kind: Kind, path: str) -> Address | None:
    """What defines a key of a merged map, and must be there before the key can be written; None for every other path."""
    name, _, key = path.partition(".")
    typed_by = kind.fields[name].typed_by if key and name in kind.fields else None
    return Address(typed_by, key) if typed_by else None


def nullable_at(kind: Kind, path: str) -> bool:
    """Whether null can be written: for a key of a merged map always, else where an entry takes it."""
    name = path.partition(".")[0]
    return kind.fields[name].merged or type(None) in get_args(kind.entry.model_fields[name].annotation)


def claims(kind: Kind, resource: Resource) -> Iterator[tuple[str, Field, Any]]:
    """The claimed fields as (path, field, value); a merged map is claimed key by key."""
    for name, field in kind.fields.items():
        if name not in resource.fields:
            continue
        value = resource.fields[name]
        if field.merged:
            yield from ((f"{name}.{key}", field, value[key]) for key in sorted(value))
        else:
            yield name, field, value


def value_at(fields: Mapping[str, Any], path: str) -> Any:
    """The value of a path among the fields of a live thing or a resource; None where there is none."""
    if path in fields:
        return fields[path]
    name, _, key = path.partition(".")
    return (fields.get(name) or {}).get(key)


def live_value(thing: Live, path: str) -> Any:
    """What a live thing shows for a path; None where it shows nothing."""
    return value_at(thing.fields, path)


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
    name = path if path in kind.fields else path.partition(".")[0]
    return name in kind.fields and kind.fields[name].personal


def values_of(kind: Kind, thing: Live) -> Iterator[tuple[str, Any]]:
    """All that a thing has, by path."""
    for name, about in kind.fields.items():
        value = thing.fields.get(name)
        if about.merged:
            yield from ((f"{name}.{key}", item) for key, item in sorted((value or {}).items()) if item is not None)
        elif value is not None:
            yield name, value
