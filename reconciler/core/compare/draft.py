"""What one comparison collects on its way: changes, notes, refusals; and the looks at live that its parts share."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from reconciler.core.compare.index import Index
from reconciler.core.compare.unique import Owners
from reconciler.core.model.address import Address
from reconciler.core.model.change import Change
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Difference:
    """What separates desired from live."""

    # What is to be changed.
    changes: tuple[Change, ...]
    # What people are told beside it.
    notes: tuple[Note, ...] = ()
    # The contacts that were skipped, as they are not live.
    missing: tuple[Address, ...] = ()
    # What cannot be planned, and why.
    refusals: tuple[Refusal, ...] = ()
    # Places, as address and path, that differ and are not to be changed: Intercom does not take them, or they were not asked for.
    beside: frozenset[tuple[Address, str]] = frozenset()


class Draft:
    """What one comparison collects on its way."""

    def __init__(self, kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded) -> None:
        self.manifest, self.live, self.recorded = manifest, live, recorded
        self.kinds = kinds
        self.persons = kinds.persons
        self.indexes: dict[str, Index] = {}
        self.owning: dict[str, Owners] = {}
        self.changes: list[Change] = []
        self.notes: list[Note] = []
        self.missing: list[Address] = []
        self.refusals: list[Refusal] = []
        self.created: set[Address] = set()
        self.ends: dict[int, frozenset[str] | None] = {}
        self.returning: set[Address] = set()
        self.names: dict[str, dict[str, Address]] = defaultdict(dict)
        for address, live_id in live.pairs.items():
            self.names[address.kind][live_id] = address

    def note(self, topic: str, text: str, resource: Resource, *, held: bool = False) -> None:
        self.notes.append(Note(topic, text, resource.address, resource.mark, held))

    def refuse(self, gate: str, text: str, *about: Resource) -> None:
        self.refusals.append(Refusal(gate, text, entries=tuple(resource.address for resource in about)))

    def people(self, kind: str) -> int | None:
        """How many contacts a change at an address of this kind touches; what only a count could tell is None."""
        return 1 if kind in self.persons else None

    def index(self, kind: Kind) -> Index:
        """The live things of a kind by identity, made once."""
        if kind.name not in self.indexes:
            self.indexes[kind.name] = Index(kind, self.live.things.get(kind.name, {}).values())
        return self.indexes[kind.name]

    def owners(self, kind: Kind) -> Owners:
        """Who owns the unique values of a kind."""
        if kind.name not in self.owning:
            self.owning[kind.name] = Owners(kind, self.manifest, self.index(kind), self.names[kind.name], self.live.facts)
        return self.owning[kind.name]

    def ids_of(self, kind: str, lists: WrittenLinks) -> frozenset[str] | None:
        """The live ids of the ends of a list of links of which all are to be; None where one has no id of its own. Worked out once for all
        that have the list."""
        if id(lists) not in self.ends:
            ids = [self.live.pairs.get(end, "") for end in lists.present]
            own = not lists.absent and [self.names[kind].get(live_id) for live_id in ids] == list(lists.present)
            self.ends[id(lists)] = frozenset(ids) if own else None
        return self.ends[id(lists)]

    def address_of(self, kind: str, live_id: str) -> Address | None:
        """How a live thing is called: by the entry it is paired with, else by its own key; None where it is not to be seen."""
        if live_id in self.names[kind]:
            return self.names[kind][live_id]
        thing = self.live.things.get(kind, {}).get(live_id)
        return thing.address if thing else None
