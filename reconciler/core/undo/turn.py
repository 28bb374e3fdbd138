"""Undo: what a run did becomes, from its pre-image, what is to be there instead; the ordinary comparison says the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, ThingChange
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import show_address
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import Ownership, Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.undo.draft import NOTHING, Carried, Draft, Part, Place
from reconciler.core.undo.facts import DoneChange, make_manifest
from reconciler.core.undo.links import turn_links
from reconciler.core.undo.preimage import Moved, Preimage
from reconciler.core.undo.things import turn_thing
from reconciler.core.undo.values import leave_contested


def name_change(change: Change, live: Snapshot) -> Change:
    """The same change. One that calls somebody by an id has a remark with what a manifest would call them."""
    thing = live.of(change.address)
    if not isinstance(change, ThingChange) or thing is None or thing.address == change.address:
        return change
    return replace(change, remark=f"{show_address(thing.address, live.workspace.app_id)} now")


def list_moved(plan: PlanDocument, skipped: Set[Place], app_id: str) -> list[str]:
    """A line for each planned change whose place changed since the run."""
    places = {(show_address(address, app_id), path) for address, path in skipped}
    return [
        f"{change['action']} {change['address']}: is not as the run left it any more"
        for change in plan["changes"]
        if any((change["address"], path) in places for path in ("", *(field["path"] for field in change["fields"])))
    ]


def list_unreadable(plan: PlanDocument, unreadable: Sequence[Note], app_id: str) -> list[Note]:
    """The notes on what cannot be read here, and could be read where the plan was made."""
    noted_before = {(note["address"], note["message"]) for note in plan["notes"]}
    return [note for note in unreadable if note.address and (show_address(note.address, app_id), note.message) not in noted_before]


@dataclass(frozen=True, slots=True)
class Undo:
    """What is to be there once a run is taken back."""

    # What is to be there.
    manifest: Manifest
    # The live side of it, paired with that.
    live: Snapshot
    # The places that changed since.
    skipped: frozenset[Place]
    # What of it was ours before.
    ownership: Ownership
    # What is said of what was kept and cannot be read here.
    unreadable: tuple[Note, ...] = ()


def plan_undo(
    kinds: Kinds,
    preimage: Preimage,
    kept_changes: Sequence[DoneChange],
    live: Snapshot,
    recorded: Recorded,
    carried: Mapping[Thing, Carried] = NOTHING,
) -> Undo:
    """What a run did, turned around, as far as it still stands. Notes say what changed since and what cannot come back. `carried` are the
    ids of who carries a thing that only a deletion unmakes; None where that cannot be read."""
    draft = Draft(kinds, preimage, live, recorded, carried)
    draft.touched.update((change.source.kind, str(change.source.id)) for change, _ in kept_changes if change.link is None)
    for change, _ in kept_changes:
        if change.link and change.target and change.action is Action.ATTACH:
            draft.linked[change.target.kind, str(change.target.id)].append(change.source.id)
    for change, effect in _merge_turns(kept_changes):
        if change.link is None:
            turn_thing(draft, change, effect)
    for change, _ in kept_changes:
        turn_links(draft, change)
    return _conclude(draft)


def _merge_turns(kept_changes: Sequence[DoneChange]) -> Iterator[DoneChange]:
    """The changes of the run. Where several of them wrote one field, the last one goes from what the field was first to what it is in the
    end."""
    first: dict[tuple[Thing, str], Any] = {}
    last = {
        (change.source.kind, change.source.id, path): i
        for i, (change, _) in enumerate(kept_changes)
        for path in change.fields
        if change.source.id
    }
    for i, (change, effect) in enumerate(kept_changes):
        if change.link is None and change.source.id and change.action in (Action.UPDATE, Action.UNARCHIVE):
            thing = (change.source.kind, change.source.id)
            before = {path: first.setdefault((thing, path), move.before) for path, move in change.fields.items()}
            outer = {p: Moved(before[p], move.after) for p, move in change.fields.items() if last[*thing, p] == i}
            change = replace(change, fields=outer)
        yield DoneChange(change, effect)


def _conclude(draft: Draft) -> Undo:
    leave_contested(draft)
    resources = {part.address: _read_resource(draft, part) for part in draft.parts.values()}
    pairs = {part.address: part.id for part in draft.parts.values() if part.id and draft.live_of(part.kind.name, part.id)}
    addresses = {thing: part.address for thing, part in draft.parts.items()}
    links = frozenset((addresses[a], addresses[b]) for a, b in draft.ours if a in addresses and b in addresses)
    notes = (*(n for n in draft.live.notes if n.topic != "merged"), *sorted(set(draft.notes), key=_note_key))
    twins = tuple(part for part in draft.parts.values() if (part.kind.name, part.id) in draft.live.twins)
    refusals = (*draft.live.refusals, *draft.refusals, *(_refuse_twin(draft, part) for part in twins))
    untouchable = draft.live.withheld | {part.address for part in twins}
    live = replace(draft.live, pairs=pairs, merged=frozenset(), vanished_ids={}, notes=notes, refusals=refusals, withheld=untouchable)
    return Undo(
        make_manifest(draft.preimage, resources), live, frozenset(draft.skipped), Ownership(draft.files, links), tuple(draft.hidden)
    )


def _refuse_twin(draft: Draft, part: Part) -> Refusal:
    twins = draft.live.twins[part.kind.name, part.id or ""]
    text = f"{draft.mark}: several live {part.kind.section} have this name: {twins}; rename or delete all but one, then undo"
    return Refusal("twins", text, entries=(part.address,))


def _read_resource(draft: Draft, part: Part) -> Resource:
    links = {name: _write_links(draft, ends) for name, ends in part.links.items()}
    return Resource(part.address, part.by, part.key, part.fields, draft.mark, part.state, links=links)


def _write_links(draft: Draft, ends: Mapping[Thing, bool]) -> WrittenLinks:
    """The links of one thing; those of what goes, or to it, go with it."""
    present, absent = ({draft.parts[t].address: 0 for t, p in ends.items() if p is is_present} for is_present in (True, False))
    return WrittenLinks(present, absent)


def _note_key(note: Note) -> tuple[str, Address, str]:
    assert note.address
    return note.topic, note.address, note.message
