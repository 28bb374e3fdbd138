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
from reconciler.core.model.record import Record, Thing, date_links, settle_links
from reconciler.core.model.recorded import Recorded
from reconciler.core.record.writer import RecordWriter, Sides, list_new_ties, take_stock


def find_records(recorded: Recorded, kind: Kind, address: Address) -> Sequence[Record]:
    """The records of the things that an address means: as a manifest writes it, by the live id, or as the ledger shows it, in any case."""
    for spelling in (address, *(Address(kind.name, i.fold(address.key)) for i in kind.identities if i.stable)):
        if records := recorded.records.under(kind.name, recorded.digests.thing(recorded.app_id, spelling)):
            return records
    if record := recorded.of(kind.name, id_in(address) or address.key):
        return [record]
    folds = {identity.fold for identity in kind.identities}
    return [record for record in recorded.records.of_kind(kind.name) if any(fold(record.address) == fold(str(address)) for fold in folds)]


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
    """A live thing that was asked for."""

    # What it is called.
    address: Address
    # Its live id.
    id: str
    # What the ledger says of it.
    standing: Standing
    # How many of its links become ours with it.
    links: int = 0
    # The other name that owns it.
    owner: str = ""

    @property
    def is_taken(self) -> bool:
        """Whether the adoption makes something ours that was not ours before."""
        return self.standing in (Standing.UNKNOWN, Standing.RECORDED) or self.links > 0


@dataclass(frozen=True, slots=True)
class Adoption:
    """What an adoption takes in."""

    # What was found live.
    finds: tuple[Find, ...]
    # The records of what becomes ours.
    records: tuple[Record, ...]
    # How much is left out, by why.
    omissions: Mapping[str, int] = field(default_factory=dict)

    @property
    def takes(self) -> int:
        return sum(find.is_taken for find in self.finds)


def adopt_declared(writer: RecordWriter, comparison: Comparison, owners: Owners) -> Adoption:
    """An adoption of all that is declared: the live things that no doubt is about, and the tombstones of what is not there."""
    finds, records, omissions = [], [], Counter[str]()
    sides = take_stock(comparison.live, comparison.difference, (), comparison.live.pairs, comparison.manifest.policy.links)
    for address, resource in sorted(comparison.manifest.resources.items()):
        thing = comparison.live.of(address)
        if why := _why_left(writer, comparison, resource, thing):
            omissions[why] += 1
        elif thing is not None:
            find, record = _adopt_one(writer, resource, thing, owners, sides)
            finds.append(find)
            records += [record] if find.is_taken else []
    return Adoption(tuple(finds), tuple(records), dict(sorted(omissions.items())))


def _why_left(writer: RecordWriter, comparison: Comparison, resource: Resource, thing: Live | None) -> str:
    """Why nothing can be adopted for an entry; empty where something can."""
    if resource.is_gone:
        return "declared as not being there"
    if resource.address in comparison.live.withheld:
        return "in doubt (`reconciler plan` says why)"
    return "not live" if thing is None or writer.kinds[thing.kind].dormant(thing) else ""


def _adopt_one(writer: RecordWriter, resource: Resource, thing: Live, owners: Owners, sides: Sides) -> tuple[Find, Record]:
    before = writer.recorded.of(thing.kind, thing.id)
    record = writer.record_adoption(before, resource, thing, sides)
    find = _judge(writer.recorded, resource.address, thing, owners)
    if find.standing is Standing.OURS:
        # What is ours keeps its base, or drift of it would be forgotten.
        record = replace(record, fields=writer.record_declared(before, resource, thing.id, sides).fields)
    if find.standing is Standing.FOREIGN:
        return find, record
    return replace(find, links=sum(1 for _ in list_new_ties(before, record.links))), record


def adopt_named(writer: RecordWriter, things: Mapping[Address, Live], owners: Owners) -> Adoption:
    """An adoption of these things alone, without their fields and links."""
    finds = tuple(_judge_named(writer.recorded, address, thing, owners) for address, thing in sorted(things.items()))
    return Adoption(finds, tuple(_write_named(writer, find) for find in finds if find.is_taken))


def _judge_named(recorded: Recorded, address: Address, thing: Live, owners: Owners) -> Find:
    """What the adoption of one named thing takes in. Its links that are recorded as ours stay ours, whoever touched them since."""
    find, record = _judge(recorded, address, thing, owners), recorded.of(thing.kind, thing.id)
    confirmations = (
        sum(1 for _ in list_new_ties(None, settle_links(record).links)) if record and find.standing is not Standing.FOREIGN else 0
    )
    return replace(find, links=confirmations)


def _write_named(writer: RecordWriter, find: Find) -> Record:
    record = settle_links(writer.recorded.of(find.address.kind, find.id) or writer.make_blank(find.address, find.id, ""))
    new = replace(record, owned=True, deleted=False, run=writer.run)
    return date_links(new, list_new_ties(None, record.links), writer.now)


def _judge(recorded: Recorded, address: Address, thing: Live, owners: Owners) -> Find:
    before, owner = recorded.of(thing.kind, thing.id), owners.get((thing.kind, thing.id), "")
    if before and before.owned and not before.deleted:
        return Find(address, thing.id, Standing.OURS)
    if owner:
        return Find(address, thing.id, Standing.FOREIGN, owner=owner)
    return Find(address, thing.id, Standing.RECORDED if before else Standing.UNKNOWN)
