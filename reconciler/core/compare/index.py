"""Live things by what names them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from reconciler.core.model.address import Address
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.live import Live

# An identity, and a key of it in the form in which keys are equal.
Name = tuple[str, str]
NOBODY: Mapping[Name, str] = MappingProxyType({})
FormerIds = Callable[[Address], str]
"""The live id that an address had when it was applied; empty where nothing says."""


def no_id(address: Address) -> str:
    """Where nothing was applied."""
    return ""


class Index:
    """Live things by every identity they have, in the form in which identities are compared; `merged` are names of those who were merged
    into another, and its id. An identity is gone through when somebody asks for it."""

    def __init__(self, kind: Kind, things: Iterable[Live], merged: Mapping[Name, str] = NOBODY) -> None:
        self._kind, self._things, self._merged = kind, {thing.id: thing for thing in things}, merged
        self._groups: dict[str, Mapping[str, Sequence[Live]]] = {}

    def get(self, name: Name) -> Sequence[Live]:
        """The things of a name; none where the kind has no such identity."""
        by, key = name
        groups = self._groups.get(by) or (self.groups(by) if by in self._kind.identity else {})
        return groups.get(key, ())

    def groups(self, by: str) -> Mapping[str, Sequence[Live]]:
        """The things that have an identity, by its key."""
        if by not in self._groups:
            groups: dict[str, list[Live]] = defaultdict(list)
            identity = self._kind.identity[by]
            for thing in self._things.values():
                if (key := read_key(thing, identity)) is not None:
                    groups[identity.fold(key)].append(thing)
            for (of, key), live_id in self._merged.items():
                if of == by and live_id in self._things and key not in groups:
                    groups[key].append(self._things[live_id])
            # Who asks for a key that nobody has makes none.
            self._groups[by] = dict(groups)
        return self._groups[by]


def read_key(thing: Live, identity: Identity) -> str | None:
    """What a live thing has for an identity; the id is not one of its fields."""
    value = thing.id if identity.field == "id" else thing.fields.get(identity.field)
    return None if value is None or value == "" else str(value)
