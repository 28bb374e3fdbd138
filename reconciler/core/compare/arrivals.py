"""What is new in a manifest, and so may be something older under another name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from reconciler.core.compare.comparison import Comparison
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.record import Record
from reconciler.errors import Mark

Getter = tuple[LinkName, str]
"""Who gets something: the kind of the link to it, and a live id."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A declared thing that is new."""

    # What it is called,
    address: Address
    # and where.
    mark: Mark
    # What it is declared to be.
    fields: tuple[FieldChange, ...]
    # Its create; None where none is planned.
    creation: ThingChange | None
    # Whether it is held back or refused, so that nobody gets it now.
    held: bool
    # The ids of what it may be under another name; None where that is anything that is left.
    beside: Set[str] | None = None


def find_arrivals(comparison: Comparison, changes: Sequence[Change], arriving: Sequence[Change]) -> Mapping[str, Sequence[Arrival]]:
    """What is new, by its kind: what the plan creates, and what is held back or refused and never was recorded; and beside a prune
    also what is live and was recorded by no run that had declared what goes."""
    creations = {c.address: c for c in arriving if isinstance(c, ThingChange) and c.action is Action.CREATE}
    held = comparison.live.withheld | comparison.refused_entries
    rest = [address for address in sorted(held - creations.keys()) if _is_new(comparison, address)]
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    for address in (*creations, *rest):
        creation = creations.get(address)
        mark, fields = (creation.mark, creation.fields) if creation else _read_entry(comparison, address)
        arrivals[address.kind].append(Arrival(address, mark, fields, creation, address in held))
    seen = {*creations, *rest}
    for address, beside in _list_newer(comparison, changes):
        if address not in seen:
            arrivals[address.kind].append(Arrival(address, *_read_entry(comparison, address), None, held=False, beside=beside))
    return arrivals


def is_pruned(comparison: Comparison, change: Change) -> bool:
    """Whether a change deletes what nobody declares."""
    return isinstance(change, ThingChange) and change.action is Action.DELETE and change.address not in comparison.manifest.resources


def _list_newer(comparison: Comparison, changes: Sequence[Change]) -> Iterator[tuple[Address, Set[str]]]:
    """What is declared and live, and newer than something of its kind that is pruned, with the ids of that."""
    recorded = comparison.recorded
    going: dict[str, dict[str, float | None]] = defaultdict(dict)
    for change in changes:
        # What nobody ever declared had no other name in a manifest.
        if change.id and is_pruned(comparison, change) and (record := recorded.of(change.address.kind, change.id)):
            going[change.address.kind][change.id] = record.departure
    dated = {kind for kind, left in going.items() if any(when is not None for when in left.values())}
    for address, live_id in comparison.live.pairs.items() if going else ():
        if address.kind in going and (address.kind, live_id) not in recorded.records:
            older: Set[str] = going[address.kind].keys() if _is_new(comparison, address) else frozenset()
        else:
            record = recorded.of(address.kind, live_id) if address.kind in dated else None
            older = _list_older(record, going[address.kind]) if record else frozenset()
        if older and not comparison.manifest.resources[address].is_gone:
            yield address, older


def _list_older(record: Record, going: Mapping[str, float | None]) -> Set[str]:
    """The ids of what goes that nobody declared any more when something was first recorded."""
    return frozenset(live_id for live_id, left in going.items() if record.first is not None and left is not None and left <= record.first)


def _is_new(comparison: Comparison, address: Address) -> bool:
    """Whether a declared thing is to be there and was never recorded, by its name or by its id."""
    resource, recorded = comparison.manifest.resources.get(address), comparison.recorded
    if resource is None or resource.is_gone or address.kind in comparison.kinds.persons:
        return False
    if recorded.of(address.kind, comparison.live.pairs.get(address)):
        return False
    return recorded.at(address) is None


def _read_entry(comparison: Comparison, address: Address) -> tuple[Mark, tuple[FieldChange, ...]]:
    """Where something is declared, and to be what, as its create would say."""
    resource = comparison.manifest.resources[address]
    return resource.mark, tuple(FieldChange(path, None, value) for path, value in resource.fields.items())


def read_getters(comparison: Comparison, arriving: Sequence[Change], addresses: Collection[Address]) -> Mapping[Address, Set[Getter]]:
    """Who gets which thing in this plan; and who is to get one of these, of which the plan makes nothing."""
    getters: dict[Address, set[Getter]] = defaultdict(set)
    for change in arriving:
        if isinstance(change, LinkChange) and change.action is Action.ATTACH and change.id:
            getters[change.target].add((change.link, change.id))
    for address, getter in _list_written(comparison, frozenset(addresses)) if addresses else ():
        getters[address].add(getter)
    return getters


def _list_written(comparison: Comparison, addresses: Set[Address]) -> Iterator[tuple[Address, Getter]]:
    """Who is declared to have one of these things, as far as they are live."""
    pairs = comparison.live.pairs
    for resource in comparison.manifest.resources.values():
        for field, lists in resource.links.items():
            live_id = None if addresses.isdisjoint(lists.present) else pairs.get(resource.address)
            if live_id and not resource.is_gone:
                name = LinkName(resource.address.kind, field)
                yield from ((address, (name, live_id)) for address in addresses & lists.present.keys())
