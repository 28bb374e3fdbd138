"""Entries as they are written → their valid values: many at a time, and one by one only where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, Required, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from reconciler.core.model.entry import Entry, Values, values_of
from reconciler.core.model.kind import Kind

# So many entries are validated at once; where one of them is wrong, all of these are looked at again.
BATCH = 500


def validate(kind: Kind, entries: Sequence[Any]) -> Iterator[Values | ValidationError]:
    """The values of each entry, or what is wrong with it."""
    try:
        yield from _validate_all(kind, entries)
    except ValueError:
        yield from (_validate_one(kind.entry, value) for value in entries)


def _validate_all(kind: Kind, entries: Sequence[Any]) -> Sequence[Values]:
    """The values of all entries. Raises ValueError where one is wrong."""
    rows = _adapter(kind.entry).validate_python(entries)
    for values in rows:
        if kind.identity.keys().isdisjoint(values):
            raise ValueError("nothing names it")
        kind.entry.check_values(values)
    return rows


def _validate_one(entry: type[Entry], value: Any) -> Values | ValidationError:
    try:
        return values_of(entry.model_validate(value))
    except ValidationError as error:
        return error


@cache
def _adapter(entry: type[Entry]) -> TypeAdapter[list[dict[str, Any]]]:
    """What takes the same entries as the model does and makes dictionaries of them, without the keys that are not written: a model holds
    all keys, and takes four times as long to make."""
    # No checker of types follows a dictionary that is typed while it runs.
    list_type, typed_dict = cast(Any, list), cast(Any, TypedDict)
    entry_type = typed_dict(entry.__name__, {name: _type_of(info) for name, info in entry.model_fields.items()}, total=False)
    entry_type.__pydantic_config__ = ConfigDict(extra="forbid")
    return TypeAdapter(list_type[entry_type])


def _type_of(info: FieldInfo) -> Any:
    """The type of a key, as it stands in the model."""
    bare = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return Required[bare] if info.is_required() else bare
