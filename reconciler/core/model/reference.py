"""References: fields that lead to another thing. Intercom holds that thing's id; here it goes by its key, as people write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from reconciler.core.model.address import Address, address_by
from reconciler.core.model.desired import Fields
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot


def find_end(kind: Kind, path: str, value: Any) -> Address | None:
    """The thing that a value of a field leads to; None where it leads nowhere."""
    return Address(kind.references[path], str(value)) if value is not None and path in kind.references else None


def ends_of(kind: Kind, fields: Fields) -> Iterator[Address]:
    """The things that the fields of a thing lead to."""
    yield from (end for name in kind.references if (end := find_end(kind, name, fields.get(name))))


def with_keys(kind: Kind, thing: Live, address_of: Callable[[str, str], Address | None]) -> Live:
    """A thing as Intercom shows it, with keys for the ids of what it leads to; `address_of` says whose a kind's id is. What is not to be
    seen goes by its id."""
    keys = {
        name: (address_of(end.kind, end.key) or address_by(end.kind, "id", end.key)).key
        for name in kind.references
        if (end := find_end(kind, name, thing.fields.get(name)))
    }
    return replace(thing, fields={**thing.fields, **keys}) if keys else thing


def name_references(kinds: Kinds, live: Snapshot) -> Snapshot:
    """The live side, with keys for the ids of what things lead to: of those that are declared the keys of their entries."""
    referring = [kind for kind in kinds if kind.references and live.things.get(kind.name)]
    if not referring:
        return live
    targets = {target for kind in referring for target in kind.references.values()}
    entries = {(address.kind, live_id): address for address, live_id in live.pairs.items() if address.kind in targets}

    def address_of(kind: str, live_id: str) -> Address | None:
        thing = live.things.get(kind, {}).get(live_id)
        return entries.get((kind, live_id)) or (thing.address if thing else None)

    things = {k.name: {i: with_keys(k, thing, address_of) for i, thing in live.things[k.name].items()} for k in referring}
    return replace(live, things={**live.things, **things})
