"""Live things by what names them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
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
    """Live things by every identity they have, in the form in which identities are compared, those of one name in the order of their ids;
    `merged` are names of those who were merged into another, and its id. An identity is gone through when somebody asks for it."""

    def __init__(self, kind: Kind, things: Iterable[Live], heirs: Mapping[Name, str] = NOBODY) -> None:
        in_order = sorted(things, key=attrgetter("id"))
        self._kind, self._things, self._heirs = kind, tuple({thing.id: thing for thing in in_order}.values()), heirs
        self._groups: dict[str, Mapping[str, Sequence[Live]]] = {}

    @property
    def things(self) -> Sequence[Live]:
        """All of them, in the order of their ids."""
        return self._things

    def get(self, name: Name) -> Sequence[Live]:
        """The things of a name; none where the kind has no such identity."""
        by, key = name
        groups = self._groups.get(by) or (self.groups(by) if by in self._kind.identity else {})
        return groups.get(key, ())

    def groups(self, by: str) -> Mapping[str, Sequence[Live]]:
        """The things that have an identity, by its key."""
        if by not in self._groups:
            self._groups[by] = self._group(self._kind.identity[by])
        return self._groups[by]

    def _group(self, identity: Identity) -> Mapping[str, Sequence[Live]]:
        """The things by their key of one identity, with those that others were merged into."""
        groups: dict[str, Sequence[Live]] = {}
        several: dict[str, list[Live]] = {}
        for thing in self._things:
            if (key := read_key(thing, identity)) is None:
                continue
            # Nearly all are alone under their key, and a tuple takes half of the memory of a list.
            one = groups.setdefault(identity.fold(key), (thing,))
            if one[0] is not thing:
                several.setdefault(identity.fold(key), [*one]).append(thing)
        groups |= several
        names = {key: live_id for (by, key), live_id in self._heirs.items() if by == identity.field and key not in groups}
        by_id = {thing.id: thing for thing in self._things} if names else {}
        return groups | {key: (by_id[live_id],) for key, live_id in names.items() if live_id in by_id}


def read_key(thing: Live, identity: Identity) -> str | None:
    """What a live thing has for an identity; the id is not one of its fields."""
    value = thing.id if identity.field == "id" else thing.fields.get(identity.field)
    return None if value is None or value == "" else str(value)
