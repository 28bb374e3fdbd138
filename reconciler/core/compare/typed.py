"""Custom attributes get their type: what the manifest does not declare is read as what is live says it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from reconciler.core.compare.choices import choices_without, list_choices
from reconciler.core.compare.lasting import SLIP, STAYS, find_close, find_twin
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Field, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.scalars import is_time_type, parse_typed
from reconciler.core.model.written import quote

Typing = tuple[Kind, Live]
"""A live thing that says of which type a key is, and its kind."""


def settle_types(kinds: Kinds, manifest: Manifest, live: Snapshot) -> tuple[Manifest, tuple[Refusal, ...]]:
    """The manifest with every value of a merged map typed, and a refusal for each that cannot be: unknown, or of another type."""
    refusals: list[Refusal] = []
    typed_maps = {kind.name: [(n, f) for n, f in kind.fields.items() if f.merged and f.typed_by] for kind in kinds if kind.typed_fields}
    typing = [kinds[name] for name in {field.typed_by for fields in typed_maps.values() for _, field in fields} if name]
    types = {kind.name: {t.key: (kind, t) for t in live.things.get(kind.name, {}).values() if not kind.dormant(t)} for kind in typing}
    resources: dict[Address, Resource] = {}
    for address, resource in manifest.resources.items():
        if address.kind not in typed_maps or kinds[address.kind].typed_fields.isdisjoint(resource.fields):
            continue
        fields = dict(_type_fields(kinds, resource, typed_maps[address.kind], manifest, types, refusals))
        if fields:
            resources[address] = replace(resource, fields={**resource.fields, **fields})
    return replace(manifest, resources={**manifest.resources, **resources}) if resources else manifest, tuple(refusals)


def _type_fields(
    kinds: Kinds,
    resource: Resource,
    typed_maps: Sequence[tuple[str, Field]],
    manifest: Manifest,
    types: Mapping[str, Mapping[str, Typing]],
    refusals: list[Refusal],
) -> Iterator[tuple[str, Any]]:
    for name, field in typed_maps:
        values = resource.fields.get(name)
        if values and field.typed_by:
            new = {}
            for key, raw in values.items():
                if Address(field.typed_by, key) in manifest.resources:
                    new[key] = raw
                else:
                    new[key] = _type_value(kinds[field.typed_by], resource, key, raw, types[field.typed_by], refusals)
            yield name, new


def _type_value(kind: Kind, resource: Resource, key: str, raw: Any, types: Mapping[str, Typing], refusals: list[Refusal]) -> Any:
    owner, type = resource.address.kind, types.get(key)
    if type is None or not _does_type(type, owner):
        names = frozenset(name for name, typing in types.items() if _does_type(typing, owner))
        text = f"{resource.mark}: no {kind.name} {quote(key)} is known for a {owner}{_advise(kind.section, key, names)}"
        refusals.append(Refusal(kind.name, text, entries=(resource.address,)))
        return raw
    try:
        return _read_as_live(*type, raw)
    except ValueError as error:
        refusals.append(Refusal(kind.name, f"{resource.mark}: {key}: {error}", entries=(resource.address,)))
        return raw


def _does_type(type: Typing, owner: str) -> bool:
    return type[1].fields.get("model") in (None, owner)


# The same unknown name may stand on every contact.
@lru_cache(maxsize=256)
def _advise(section: str, key: str, names: frozenset[str]) -> str:
    if other := find_twin(key, names):
        return f", but {other!a} is, which differs in case, in blanks or invisibly; write that name: {STAYS}"
    if other := find_close(key, names, SLIP):
        return f"; did you mean {quote(other)}? If not, declare it under `{section}:`"
    return f"; declare it under `{section}:`, or correct the name"


def _read_as_live(kind: Kind, live: Live, raw: Any) -> Any:
    """A value as the live type has it. Raises ValueError where it cannot be one."""
    value = parse_typed(raw, str(live.fields.get("data_type")))
    if choices := choices_without(kind, live.fields, value):
        text = f"{value!r} is none of its live {kind.choices}: {list_choices(choices)}"
        raise ValueError(f"{text}; correct it, or declare the {kind.name} with all of them")
    return value


def find_time_paths(kinds: Kinds, manifest: Manifest, live: Snapshot) -> Iterator[tuple[str, str]]:
    """The fields that hold times, as (kind, path): those that are declared so by their kind, and those that are typed so."""
    for kind in kinds:
        for name, field in kind.fields.items():
            if field.time:
                yield kind.name, name
            if field.typed_by:
                things = [(thing.key, thing.fields) for thing in live.things.get(field.typed_by, {}).values()]
                things += [(r.address.key, r.fields) for r in manifest.resources.values() if r.address.kind == field.typed_by]
                yield from ((kind.name, f"{name}.{key}") for key, fields in things if _is_time(kind, fields))


def _is_time(kind: Kind, fields: Mapping[str, Any]) -> bool:
    """Whether a thing that says of which type a key is makes it a time of this kind."""
    return is_time_type(fields.get("data_type")) and fields.get("model") in (None, kind.name)
