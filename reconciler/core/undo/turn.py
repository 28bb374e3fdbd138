"""Undo: what a run did becomes, from its pre-image, what is to be there instead; the ordinary comparison says the rest. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from reconciler.core.compare.match import Index, described, index
from reconciler.core.model.address import Address, LinkName, address_by
from reconciler.core.model.change import Action, Change, ThingChange
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.paths import field_at, live_value, nullable_at, values_of
from reconciler.core.model.privacy import shown
from reconciler.core.model.recorded import Ownership, Recorded, Thing
from reconciler.core.model.reference import ends_of
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.spelling import spelled
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.undo.facts import DoneChange, Effect, declared
from reconciler.core.undo.preimage import HIDDEN, End, KeptChange, Moved, Preimage
from reconciler.errors import Mark


def name_change(change: Change, live: Snapshot) -> Change:
    """A change of whom it calls by an id, with what a manifest would call them."""
    thing = live.of(change.address)
    if not isinstance(change, ThingChange) or thing is None or thing.address == change.address:
        return change
    return replace(change, remark=f"{shown(thing.address, live.workspace.app_id)} now")


def moved_since(found: PlanDocument, skipped: Set[Place], app_id: str) -> list[str]:
    """The planned changes at places that changed since."""
    places = {(shown(address, app_id), path) for address, path in skipped}
    return [
        f"{change['action']} {change['address']}: is not as the run left it any more"
        for change in found["changes"]
        if any((change["address"], path) in places for path in ("", *(field["path"] for field in change["fields"])))
    ]


CHANGED, LOST = "changed since", "cannot come back"
ELSEWHERE = "was kept only on the machine of that run"


Carried = frozenset[str] | None
NOTHING: Mapping[Any, Any] = MappingProxyType({})

Place = tuple[Address, str]
"""An address and a path in it; the whole of it where that is empty."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What is to be there once a run is taken back, and the live side of it. `skipped` are the places that changed since."""

    manifest: Manifest
    live: Snapshot
    skipped: frozenset[Place]
    ownership: Ownership


def undo(
    kinds: Kinds,
    preimage: Preimage,
    kept_changes: Sequence[DoneChange],
    live: Snapshot,
    recorded: Recorded,
    carried: Mapping[Thing, Carried] = NOTHING,
) -> Undo:
    """What a run did, turned around, as far as it still stands; notes say what changed since and what cannot come back. `carried` are
    the ids of whoever carries what was made for good, None where that cannot be read."""
    draft = _Draft(kinds, preimage, live, recorded, carried)
    draft.touched.update((kept.source.kind, str(kept.source.id)) for kept, _ in kept_changes if kept.link is None)
    for kept, _ in kept_changes:
        if kept.link and kept.target and kept.action is Action.ATTACH:
            draft.linked[kept.target.kind, str(kept.target.id)].append(kept.source.id)
    for kept, effect in _in_one(kept_changes):
        if kept.link is None:
            draft.thing(kept, effect)
    for kept, _ in kept_changes:
        draft.links(kept)
    return draft.undo()


def _in_one(kept_changes: Sequence[DoneChange]) -> Iterator[DoneChange]:
    """The changes, with what was made in several turns as one: from what a field was first to what it is in the end."""
    first: dict[tuple[Thing, str], Any] = {}
    last = {
        (kept.source.kind, kept.source.id, path): i for i, (kept, _) in enumerate(kept_changes) for path in kept.fields if kept.source.id
    }
    for i, (kept, effect) in enumerate(kept_changes):
        if kept.link is None and kept.source.id and kept.action in (Action.UPDATE, Action.UNARCHIVE):
            thing = (kept.source.kind, kept.source.id)
            before = {path: first.setdefault((thing, path), moved.before) for path, moved in kept.fields.items()}
            outer = {p: Moved(before[p], moved.after) for p, moved in kept.fields.items() if last[*thing, p] == i}
            kept = replace(kept, fields=outer)
        yield DoneChange(kept, effect)


@dataclass
class _Part:
    """What is to become of one thing; `id` is None for what comes back under a new one."""

    kind: Kind
    id: str | None
    by: str
    key: str
    fields: dict[str, Any] = field(default_factory=dict)
    state: str | None = None
    links: dict[str, dict[Thing, bool]] = field(default_factory=dict)

    @property
    def address(self) -> Address:
        return address_by(self.kind.name, self.by, self.key)

    def claim(self, path: str, value: Any) -> None:
        """A value that is to be there."""
        name, dot, key = path.partition(".")
        if dot and name in self.kind.fields:
            self.fields.setdefault(name, {})[key] = value
        else:
            self.fields[path] = value
            self.key = value if path == self.by else self.key


class _Draft:
    """What is found out on the way. Things go by the ids that they had when the run began."""

    def __init__(
        self, kinds: Kinds, preimage: Preimage, live: Snapshot, recorded: Recorded, carried: Mapping[Thing, Carried] = NOTHING
    ) -> None:
        self.kinds = kinds
        self.preimage, self.live, self.recorded, self.carried = preimage, live, recorded, carried
        self.linked: defaultdict[Thing, list[str | None]] = defaultdict(list)
        self.touched: set[Thing] = set()
        self.mark = Mark(f"run {preimage.run}")
        self.parts: dict[Thing, _Part] = {}
        self.notes: list[Note] = []
        self.refusals: list[Refusal] = []
        self.skipped: set[Place] = set()
        self.files: dict[Address, tuple[str, ...]] = {}
        self.ours: set[tuple[Thing, Thing]] = set()
        self.given: set[tuple[str, str, str]] = set()
        self.indexes: dict[str, Index] = {}

    def lost(self, address: Address, text: str) -> None:
        self.notes.append(Note(LOST, text, address, self.mark))

    def changed(self, address: Address, path: str, text: str) -> None:
        self.notes.append(Note(CHANGED, text, address, self.mark))
        self.skipped.add((address, path))

    def seen(self, kind: str, live_id: str | None) -> Live | None:
        return self.live.things.get(kind, {}).get(live_id or "")

    def part(self, kind: str, live_id: str | None) -> _Part | None:
        """What is to become of a thing that is live, or comes back; None where it is gone."""
        thing = self.seen(kind, live_id)
        if live_id and thing and (kind, live_id) not in self.parts:
            about = self.kinds[kind]
            by = "id" if about.person else about.identities[0].field
            self.parts[kind, live_id] = _Part(about, live_id, by, live_id if by == "id" else str(thing.fields[by]))
        return self.parts.get((kind, live_id or ""))

    # ── things ──

    def thing(self, kept: KeptChange, effect: Effect) -> None:
        kind = self.kinds[kept.source.kind]
        self.given.update((kind.name, str(kept.source.id), path) for path in kept.fields)
        match kept.action:
            case Action.CREATE:
                self._unmake(kind, kept, effect)
            case Action.DELETE:
                self._remake(kind, kept)
            case Action.ARCHIVE:
                self._bring_back(kind, kept)
            case Action.UNARCHIVE:
                self._put_back(kind, kept)
            case _:
                self._restore(kind, kept)

    def _unmake(self, kind: Kind, kept: KeptChange, effect: Effect) -> None:
        """What was created goes: into the archive where its kind has one, for ever only where it has none."""
        name = Address(kind.name, str(kept.key))
        live_id = kept.source.id or self.live.pairs.get(name)
        thing, part = self.seen(kind.name, live_id), self.part(kind.name, live_id)
        if thing is None or part is None or kind.dormant(thing):
            return
        if effect is Effect.MET or (effect is Effect.LOST and not self._made(name, thing)):
            self.lost(part.address, "was there before, as far as the ledger knows, so it stays; what it had then was not read")
        elif self._as_left(kind, kept, thing, part.address, name) and (kind.archive or self._unused(kind, kept, thing, part.address, name)):
            part.state = "archived" if kind.archive else "absent"
            if kind.person:
                self.lost(part.address, "is archived, not deleted: undo deletes nobody")

    def _made(self, name: Address, thing: Live) -> bool:
        """Whether the ledger knows that a thing is ours though the answer to its create was lost."""
        record = self.recorded.of(thing.kind, thing.id)
        return (record is not None and record.owned) or self.recorded.created(name)

    def _as_left(self, kind: Kind, kept: KeptChange, thing: Live, address: Address, planned: Address) -> bool:
        """Whether a thing has still all that the run gave it, which called it `planned`; a note where it has not."""
        told = [(path, moved.after) for path, moved in kept.fields.items() if moved.after not in (None, HIDDEN)]
        other = [path for path, after in told if not field_at(kind, path).same(live_value(thing, path), after)]
        if other:
            self.changed(address, "", f"{', '.join(other)} is not as the run left it, so all of it stays")
            self.skipped.add((planned, ""))
        return not other

    def _unused(self, kind: Kind, kept: KeptChange, thing: Live, address: Address, planned: Address) -> bool:
        """Whether nobody but the run has put anything on a thing that would be deleted; a note where somebody has."""
        carriers = self.carried.get((thing.kind, thing.id), frozenset())
        other = self.recorded.others.get((thing.kind, thing.id))
        known = {*kept.fields, kept.by, *kind.loss.filled}
        more = [path for path, value in values_of(kind, thing) if value and path not in known]
        linked = self.linked[thing.kind, thing.id]
        # Of who came back from the archive in that run the id was not kept.
        others = len((carriers or frozenset()) - set(linked)) - linked.count(None)
        if carriers is None:
            told = "who carries it cannot be read"
        elif other:
            told = f"`name: {other.name}` has it too"
        elif others > 0:
            told = f"{others} that the run did not link to it {'carry' if others > 1 else 'carries'} it now"
        elif more:
            told = f"it has {', '.join(more)} since"
        elif leading := self._leading(thing):
            told = f"{leading[0]} leads to it"
        else:
            return True
        self.changed(address, "", f"{told}, so it stays")
        self.skipped.add((planned, ""))
        return False

    def _leading(self, thing: Live) -> list[Address]:
        """The things that lead to a live one, and that the run did not touch."""
        kinds = [kind for kind in self.kinds if thing.kind in kind.references.values()]
        others = [(kind, t) for kind in kinds for t in self.live.things.get(kind.name, {}).values() if (t.kind, t.id) not in self.touched]
        ends = ((t, end) for kind, t in others for end in ends_of(kind, t.fields))
        return [t.address for t, end in ends if end == thing.address or self.live.pairs.get(end) == thing.id]

    def _remake(self, kind: Kind, kept: KeptChange) -> None:
        """What was deleted is made anew, with what it had; where it is there again, it stays as it is."""
        if kind.person:
            self.lost(address_by(kind.name, "id", str(kept.source.id)), "was deleted for ever")
            return
        if not isinstance(kept.key, str):
            self.lost(address_by(kind.name, "id", str(kept.source.id)), f"its name {ELSEWHERE}")
            return
        name = Address(kind.name, kept.key)
        thing = self.seen(kind.name, self.live.pairs.get(name))
        if thing and thing.id == kept.source.id:
            self.lost(name, "is still there under its old id: if it was deleted, that takes effect later; undo again when it is gone")
            self.skipped.add((name, ""))
        elif thing and spelled(thing.key) != spelled(kept.key):
            self.refusals.append(self._in_its_place(kind, name, thing))
        elif thing:
            again = _Part(kind, thing.id, kept.by, str(thing.fields[kept.by]))
            self.parts[kind.name, str(kept.source.id)] = again
            self.notes.append(Note(CHANGED, f"is there again (id {thing.id}): only links that it lacks are made", again.address, self.mark))
        else:
            self.parts[kind.name, str(kept.source.id)] = self._anew(kind, kept, name)

    def _in_its_place(self, kind: Kind, name: Address, thing: Live) -> Refusal:
        """To make it anew by its name would hit another thing, which Intercom takes for it."""
        text = f"{self.mark}: {kind.name} {name.key!a} cannot come back while {described(thing)} is live, which is another one"
        now = "to Intercom the two names are one; rename or delete that one, then undo"
        return Refusal("twins", f"{text}: {now}", entries=(name,))

    def _anew(self, kind: Kind, kept: KeptChange, name: Address) -> _Part:
        """A thing with all that it had, but for its id."""
        part = _Part(kind, None, kept.by, name.key)
        self.lost(name, "; ".join(filter(None, (f"comes back, but not its id {kept.source.id}", kind.loss.unrestored))))
        if hidden := [path for path, value in kept.had.items() if value is HIDDEN]:
            self.lost(name, f"{', '.join(hidden)}: {ELSEWHERE}")
        for path, value in kept.had.items():
            if value is not HIDDEN:
                part.claim(path, value)
        if kept.ours:
            self.files[name] = kept.files
        return part

    def _bring_back(self, kind: Kind, kept: KeptChange) -> None:
        """Whoever was archived is live again. What a whole listing shows is dormant there; others cannot be seen."""
        if kind.whole:
            self.part(kind.name, kept.source.id)
        elif kept.source.id:
            self.parts[kind.name, kept.source.id] = _Part(kind, kept.source.id, "id", kept.source.id, state="present")

    def _put_back(self, kind: Kind, kept: KeptChange) -> None:
        """Whoever was brought back from the archive goes there again."""
        thing, part = self.seen(kind.name, kept.source.id), self.part(kind.name, kept.source.id)
        if thing is None or part is None or kind.dormant(thing):
            return
        if self._as_left(kind, kept, thing, part.address, part.address):
            part.state = "archived"
            if kept.fields:
                self.lost(part.address, f"{', '.join(kept.fields)}: stays as the run wrote it; what was archived could not be seen")

    def _restore(self, kind: Kind, kept: KeptChange) -> None:
        """Fields that are as the run left them get their values back."""
        thing, part = self.seen(kind.name, kept.source.id), self.part(kind.name, kept.source.id)
        if thing is None or part is None:
            self.changed(address_by(kind.name, "id", str(kept.source.id)), "", "is gone: archived, merged or deleted")
            return
        for path, moved in kept.fields.items():
            if self._free(kind, path, moved, thing, part):
                part.claim(path, moved.before)

    def _free(self, kind: Kind, path: str, moved: Moved, thing: Live, part: _Part) -> bool:
        """Whether a field can have its value back; a note where it cannot."""
        about, now = field_at(kind, path), live_value(thing, path)
        if HIDDEN in moved:
            self.lost(part.address, f"{path}: {ELSEWHERE}")
        elif about.same(now, moved.before):
            return True
        elif not about.same(now, moved.after):
            self.changed(part.address, path, f"{path} is not as the run left it")
        elif moved.before is None and not nullable_at(kind, path):
            self.lost(part.address, f"{path}: there was nothing, and Intercom takes no null for it")
        elif why := about.refuses(now, moved.before):
            self.lost(part.address, f"{path}: {why}")
        else:
            return True
        return False

    def _settle(self) -> None:
        """Unique values that somebody else has now and keeps cannot be given back; who does not get one keeps another in turn."""
        while contested := [(part, path) for part in self.parts.values() for path in part.fields if self._kept(part, path)]:
            for part, path in contested:
                del part.fields[path]
                thing = self.seen(part.kind.name, part.id)
                part.key = str(thing.fields[path]) if thing and path == part.by else part.key
                self.lost(part.address, f"{path}: another {part.kind.name} has this value now and keeps it")

    def _kept(self, part: _Part, path: str) -> bool:
        """Whether another one holds a unique value: anybody where all can be seen, else somebody to whom the run gave it."""
        kind, identity, value = part.kind, part.kind.identity.get(path), part.fields[path]
        if identity is None or value is None or part.id is None:
            return False
        if kind.name not in self.indexes:
            self.indexes[kind.name] = index(kind, self.live.things[kind.name].values())
        holders = [t for t in self.indexes[kind.name].get((path, identity.fold(value)), ()) if t.id != part.id]
        return any((kind.whole or (kind.name, t.id, path) in self.given) and not self._gives_up(t, path) for t in holders)

    def _gives_up(self, thing: Live, path: str) -> bool:
        part = self.parts.get((thing.kind, thing.id))
        return part is not None and (part.state == "absent" or path in part.fields)

    # ── links ──

    def links(self, kept: KeptChange) -> None:
        if kept.link and kept.target:
            self._turn(kept, kept.link, kept.target)
        for held in kept.held if (kept.source.kind, kept.source.id) in self.parts else ():
            lost = [end for end in held.ids if not self._held(kept, held.link, (held.kind, end), ours=end in held.ours)]
            if lost:
                name, ends = self.parts[kept.source.kind, str(kept.source.id)].address, self.kinds[held.kind].section
                text = f"{len(lost)} of the {len(held.ids)} {ends} that were linked to it are gone"
                self.notes.append(Note(CHANGED, text, name, self.mark))

    def _turn(self, kept: KeptChange, link: LinkName, end: End) -> None:
        """A link that the run made or took away."""
        thing, target = (kept.source.kind, kept.source.id or ""), (end.kind, end.id or "")
        present = kept.action is Action.DETACH
        if not present and self._stays(link, thing, target):
            return
        if not self._link(link, thing, target, present=present) and present:
            gone = next(end for end in (thing, target) if self.part(*end) is None)
            self.changed(address_by(gone[0], "id", gone[1]), "", "is gone, and its links with it")
        if present and kept.ours:
            self.ours.add((thing, target))

    def _stays(self, link: LinkName, thing: Thing, target: Thing) -> bool:
        """Whether a link stays that the run made: with the whole of its source, or because another name has it too."""
        source, end = self.part(*thing), self.part(*target)
        if source is None or end is None:
            return False
        other = self.recorded.elsewhere(link, thing[1], target[1])
        if other:
            self.changed(source.address, str(end.address), f"`name: {other}` has the link to {end.address} too, so it stays")
        return other is not None or (source.address, "") in self.skipped

    def _held(self, kept: KeptChange, link: LinkName, end: Thing, *, ours: bool) -> bool:
        """A link that went with a deletion."""
        thing = (kept.source.kind, str(kept.source.id))
        source, target = (thing, end) if link.source == thing[0] else (end, thing)
        if ours:
            self.ours.add((source, target))
        return self._link(link, source, target, present=True)

    def _link(self, link: LinkName, source: Thing, target: Thing, *, present: bool) -> bool:
        """A link that is to be there, or not; False where an end of it is gone."""
        part = self.part(*source)
        if part is None or self.part(*target) is None:
            return False
        part.links.setdefault(link.field, {})[target] = present
        return True

    # ── the whole ──

    def undo(self) -> Undo:
        self._settle()
        resources = {part.address: self._resource(part) for part in self.parts.values()}
        pairs = {part.address: part.id for part in self.parts.values() if part.id and self.seen(part.kind.name, part.id)}
        known = {thing: part.address for thing, part in self.parts.items()}
        links = frozenset((known[a], known[b]) for a, b in self.ours if a in known and b in known)
        notes = (*(n for n in self.live.notes if n.topic != "merged"), *sorted(set(self.notes), key=_of_note))
        twins = tuple(part for part in self.parts.values() if (part.kind.name, part.id) in self.live.twins)
        refusals = (*self.live.refusals, *self.refusals, *map(self._twin, twins))
        withheld = self.live.withheld | {part.address for part in twins}
        live = replace(self.live, pairs=pairs, merged=frozenset(), vanished={}, notes=notes, refusals=refusals, withheld=withheld)
        return Undo(declared(self.preimage, resources), live, frozenset(self.skipped), Ownership(self.files, links))

    def _twin(self, part: _Part) -> Refusal:
        told = self.live.twins[part.kind.name, part.id or ""]
        text = f"{self.mark}: several live {part.kind.section} have this name: {told}; rename or delete all but one, then undo"
        return Refusal("twins", text, entries=(part.address,))

    def _resource(self, part: _Part) -> Resource:
        links = {name: self._written(ends) for name, ends in part.links.items()}
        return Resource(part.address, part.by, part.key, part.fields, self.mark, part.state, links=links)

    def _written(self, ends: Mapping[Thing, bool]) -> WrittenLinks:
        """The links of one thing; those of what goes, or to it, go with it."""
        present, absent = ({self.parts[t].address: 0 for t, p in ends.items() if p is wanted} for wanted in (True, False))
        return WrittenLinks(present, absent)


def _of_note(note: Note) -> tuple[str, Address, str]:
    assert note.address
    return note.topic, note.address, note.message
