"""People: where the personal values stand that a run declares and sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.compare.reads import Seen
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live


@dataclass(frozen=True)
class People:
    """The personal values of all that is declared, and of all that was seen so far."""

    kinds: Kinds
    declared: Mapping[Address, Resource]
    seen: Mapping[str, Seen]

    def __len__(self) -> int:
        return len(self.declared) + sum(len(seen.things) for seen in self.seen.values())

    def __iter__(self) -> Iterator[str]:
        by_name = {kind.name: _personal(kind) for kind in self.kinds}
        for name, seen in list(self.seen.items()):
            for thing in list(seen.things.values()):
                yield from texts(thing, by_name[name])
        for address, resource in self.declared.items():
            named = ((resource.by, resource.key), *resource.former, *resource.fields.items())
            yield from (str(value) for field, value in named if field in by_name[address.kind] and value is not None)


def _personal(kind: Kind) -> frozenset[str]:
    return frozenset(name for name, field in kind.fields.items() if field.personal)


def texts(thing: Live, personal: Iterable[str]) -> Iterator[str]:
    """The values of these fields of a thing."""
    return (str(value) for name in personal if (value := thing.fields.get(name)) is not None)


def of_one(kind: Kind, thing: Live) -> Iterator[str]:
    """The personal values of one thing."""
    return texts(thing, _personal(kind))
