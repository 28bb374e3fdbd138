"""Mentioned: the live things that an entry speaks of with which nothing is done. Whatever it means, none of them loses anything. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from reconciler.core.compare.draft import Difference
from reconciler.core.compare.index import Index, Name, read_key
from reconciler.core.compare.spared import find_spared, find_unknown, list_unknown
from reconciler.core.model.address import Address
from reconciler.core.model.change import LOSING, Action, Change, LinkChange
from reconciler.core.model.desired import Manifest, Resource, group_by_kind
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import Recorded
from reconciler.errors import Mark


def spare_mentioned(
    kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded, difference: Difference
) -> tuple[Snapshot, Difference]:
    """The live side with what is mentioned by entries with which nothing is done, and what no prune takes; and the difference without what
    would take anything from the former, or from who is to have what nobody knows.

    What is planned at such an entry itself is left out with it, by whoever leaves it out.
    """
    refusals = (*live.refusals, *difference.refusals)
    entries = {*live.withheld, *(entry for refusal in refusals for entry in refusal.entries)} & manifest.resources.keys()
    unknown = {resource.address: resource for resource in find_unknown(kinds, manifest, live, recorded)}
    entries |= {address for address, resource in unknown.items() if resource.is_gone}
    waiting = {address: resource for address, resource in unknown.items() if not resource.is_gone}
    mentioned = _find_mentioned(kinds, [manifest.resources[address] for address in sorted(entries)], live, recorded)
    live = replace(live, mentioned=mentioned, spared=find_spared(kinds, manifest, live, recorded, mentioned, waiting.values()))
    changes, notes = list[Change](), list[Note]()
    for change in difference.changes if entries else ():
        reasons = [] if change.action not in LOSING else _list_reasons(change, manifest, mentioned, entries, waiting)
        notes += reasons[:1]
        changes += [] if reasons else [change]
    return live, replace(difference, changes=tuple(changes), notes=(*difference.notes, *notes)) if entries else difference


def _list_reasons(
    change: Change, manifest: Manifest, mentioned: Mapping[Thing, Mark], entries: Set[Address], unknown: Mapping[Address, Resource]
) -> list[Note]:
    """Why a change that takes something is not made now."""
    if not entries.isdisjoint(_list_ends(change)):
        return []
    notes = [_note_waiting(change, thing, mentioned[thing]) for thing in sorted(_list_things(change) & mentioned.keys())]
    if isinstance(change, LinkChange) and change.action is Action.DETACH:
        ends = list_unknown(manifest, change.address, change.link.field, change.target, unknown.keys())
        text = f"detach {change.target}: not now, as the entry at {{}} may mean that {change.target.kind} by its id, which is not live"
        notes += [Note("withheld", text.format(unknown[end].mark), change.address, change.mark, is_open=True) for end in ends]
    return notes


def _note_waiting(change: Change, thing: Thing, mark: Mark) -> Note:
    """A note that what another entry wants is not done now."""
    target, (kind, live_id) = f" {change.target}" if change.target else "", thing
    text = f"{change.action}{target}: not now, as the entry at {mark} mentions that {kind} (id {live_id})"
    text = f"{text}, and nothing is done with that entry"
    return Note("withheld", text, change.address, change.mark, is_open=True)


def note_spared(live: Snapshot, names: Iterable[Thing]) -> Iterator[Note]:
    """Notes on those of these things that are mentioned, and so stay though nothing else declares them."""
    for kind, live_id in names:
        if (mark := live.mentioned.get((kind, live_id))) and (thing := live.things.get(kind, {}).get(live_id)):
            text = f"the entry at {mark} mentions it (id {live_id}), and nothing is done with that entry: it stays, and keeps what it has"
            yield Note("withheld", text, thing.address)


def _list_things(change: Change) -> set[Thing]:
    """The live things that a change is about."""
    things = {(change.address.kind, change.id or "")}
    return things | {(change.target.kind, change.target_id or "")} if isinstance(change, LinkChange) else things


def _list_ends(change: Change) -> Collection[Address]:
    return (change.address, change.target) if change.target else (change.address,)


def _find_mentioned(kinds: Kinds, resources: Sequence[Resource], live: Snapshot, recorded: Recorded) -> Mapping[Thing, Mark]:
    """The live things that entries mention, each with the place of the first that does: by an id, by a name that is written or was the
    thing's before, or by what is on record of the entry; with all that looks like one of these names."""
    marks: dict[Thing, Mark] = {}
    for name, group in group_by_kind(resources).items():
        kind = kinds[name]
        things = live.things.get(name, {})
        index, looks = Index(kind, things.values()), _group_by_look(kind, things.values())
        for resource in group:
            record = recorded.at(resource.address)
            ids = {live.pairs.get(resource.address), record.id if record else None}
            for by, key in _list_names(kind, resource):
                ids |= {thing.id for thing in index.get((by, kind.identity[by].fold(key)))}
                visible = kind.identity[by].visible
                ids |= looks[by, visible(key)] if visible else set()
            for live_id in filter(None, ids):
                marks.setdefault((name, live_id), resource.mark)
    return marks


def _list_names(kind: Kind, resource: Resource) -> Iterator[Name]:
    """The names that an entry writes of its thing, now and before."""
    yield resource.by, resource.key
    yield from resource.former
    yield from ((by, str(value)) for by in kind.identity if (value := resource.fields.get(by)))


def _group_by_look(kind: Kind, things: Collection[Live]) -> Mapping[Name, set[str]]:
    """The ids of live things by the form in which names that differ only invisibly are one."""
    ids: dict[Name, set[str]] = defaultdict(set)
    for identity in kind.identities:
        for thing in things if identity.visible else ():
            if identity.visible and (key := read_key(thing, identity)) is not None:
                ids[identity.field, identity.visible(key)].add(thing.id)
    return ids
