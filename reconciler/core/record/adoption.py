"""Adoption: which live things become ours, and what the ledger is to know of them then. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reconciler.core.compare.comparison import Comparison
from reconciler.core.model.address import Address, id_in
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.recorded import Record, Recorded, Thing, dated
from reconciler.core.record.scribe import Scribe, Sides, new_ties, standing


def recorded_at(memory: Recorded, by_thing: Mapping[str, Sequence[Record]], kind: Kind, address: Address) -> Sequence[Record]:
    """By the address as a manifest writes it, by the live id, or by the address as the ledger shows it, in any case."""
    for spelled in (address, *(Address(kind.name, i.fold(address.key)) for i in kind.identities if i.stable)):
        if found := by_thing.get(memory.digests.thing(memory.app_id, spelled)):
            return found
    if record := memory.of(kind.name, id_in(address) or address.key):
        return [record]
    folds = {identity.fold for identity in kind.identities}
    mine = (record for record in memory.records.values() if record.kind == kind.name)
    return [record for record in mine if any(fold(record.address) == fold(str(address)) for fold in folds)]


Owners = Mapping[Thing, str]
"""The things that other names own, and whose they are."""


class Standing(StrEnum):
    """What the ledger says of a live thing before it is adopted."""

    UNKNOWN = "not recorded"
    RECORDED = "recorded"
    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Find:
    """A live thing that was asked for. `links` is how many of its links become ours with it, `owner` the other name that owns it."""

    address: Address
    id: str
    standing: Standing
    links: int = 0
    owner: str = ""

    @property
    def taken(self) -> bool:
        """Whether something becomes ours that was not."""
        return self.standing in (Standing.UNKNOWN, Standing.RECORDED) or self.links > 0


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was found live, the records of what becomes ours, and how much is left out, by why."""

    finds: tuple[Find, ...]
    records: tuple[Record, ...]
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        return sum(find.taken for find in self.finds)


def of_declared(scribe: Scribe, case: Comparison, owners: Owners) -> Adoption:
    """What is declared and live, but for what is in doubt, and what is declared as not being there."""
    finds, records, left = [], [], Counter[str]()
    sides = standing(case.live, case.difference, (), case.live.pairs, case.manifest.policy.links)
    for address, resource in sorted(case.manifest.resources.items()):
        thing = case.live.of(address)
        if why := _left_out(scribe, case, resource, thing):
            left[why] += 1
        elif thing is not None:
            found, record = _declared(scribe, resource, thing, owners, sides)
            finds.append(found)
            records += [record] if found.taken else []
    return Adoption(tuple(finds), tuple(records), dict(sorted(left.items())))


def _left_out(scribe: Scribe, case: Comparison, resource: Resource, thing: Live | None) -> str:
    """Why nothing can be adopted for an entry; empty where something can."""
    if resource.gone:
        return "declared as not being there"
    if resource.address in case.live.withheld:
        return "in doubt (`reconciler plan` says why)"
    return "not live" if thing is None or scribe.kinds[thing.kind].dormant(thing) else ""


def _declared(scribe: Scribe, resource: Resource, thing: Live, owners: Owners, sides: Sides) -> tuple[Find, Record]:
    before = scribe.memory.of(thing.kind, thing.id)
    record = scribe.adopted(before, resource, thing, sides)
    found = _find(scribe.memory, resource.address, thing, owners)
    if found.standing is Standing.OURS:
        # What is ours keeps its base, or drift of it would be forgotten.
        record = replace(record, fields=scribe.found(before, resource, thing.id, sides).fields)
    if found.standing is Standing.FOREIGN:
        return found, record
    return replace(found, links=sum(1 for _ in new_ties(before, record.links))), record


def of_named(scribe: Scribe, things: Mapping[Address, Live], owners: Owners) -> Adoption:
    """These things alone, without fields and links."""
    finds = tuple(_alone_found(scribe.memory, address, thing, owners) for address, thing in sorted(things.items()))
    return Adoption(finds, tuple(_alone(scribe, find) for find in finds if find.taken))


def _alone_found(memory: Recorded, address: Address, thing: Live, owners: Owners) -> Find:
    """A thing that is named: the links of it that are ours are so from now on, whoever touched them since."""
    found, record = _find(memory, address, thing, owners), memory.of(thing.kind, thing.id)
    confirmed = sum(1 for _ in new_ties(None, record.links)) if record and found.standing is not Standing.FOREIGN else 0
    return replace(found, links=confirmed)


def _alone(scribe: Scribe, found: Find) -> Record:
    record = scribe.memory.of(found.address.kind, found.id) or scribe.blank(found.address, found.id, "")
    known = replace(record, owned=True, deleted=False, run=scribe.run)
    return dated(known, new_ties(None, record.links), scribe.now)


def _find(memory: Recorded, address: Address, thing: Live, owners: Owners) -> Find:
    before, owner = memory.of(thing.kind, thing.id), owners.get((thing.kind, thing.id), "")
    if before and before.owned and not before.deleted:
        return Find(address, thing.id, Standing.OURS)
    if owner:
        return Find(address, thing.id, Standing.FOREIGN, owner=owner)
    return Find(address, thing.id, Standing.RECORDED if before else Standing.UNKNOWN)
