"""People: where the personal values stand that a run declares and sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.compare.reads import KindView
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live


@dataclass(frozen=True)
class People:
    """The personal values of all that is declared, and of all that was seen so far."""

    # All kinds.
    kinds: Kinds
    # What the manifest declares.
    declared: Mapping[Address, Resource]
    # What was seen of each kind; it grows while the run reads.
    views: Mapping[str, KindView]

    def __len__(self) -> int:
        return len(self.declared) + sum(len(view.things) for view in self.views.values())

    def __iter__(self) -> Iterator[str]:
        for name, view in list(self.views.items()):
            for thing in list(view.things.values()):
                yield from of_one(self.kinds[name], thing)
        for address, resource in self.declared.items():
            personal = frozenset(_personal(self.kinds[address.kind]))
            values = ((resource.by, resource.key), *resource.former, *resource.fields.items())
            yield from (str(value) for field, value in values if field in personal and value is not None)


def of_one(kind: Kind, thing: Live) -> Iterator[str]:
    """The personal values of one thing."""
    return (str(value) for name in _personal(kind) if (value := thing.fields.get(name)) is not None)


def _personal(kind: Kind) -> Iterator[str]:
    """The names of the personal fields of a kind."""
    return (name for name, field in kind.fields.items() if field.personal)
