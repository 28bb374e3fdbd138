"""Orphans: things that are ours and no longer declared; what the policy prunes of them, and what else it has authority over. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.compare.mentioned import note_spared
from reconciler.core.model import globs
from reconciler.core.model.address import Address, LinkName, id_in
from reconciler.core.model.attempt import Place
from reconciler.core.model.change import Action, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Record, Thing
from reconciler.core.model.recorded import WITHIN, Recorded, path_of
from reconciler.errors import Mark


@dataclass(frozen=True, slots=True)
class Orphans:
    """What nobody declares any more."""

    # Deletions that the policy wants.
    changes: tuple[ThingChange, ...] = ()
    # What people are told of the others.
    notes: tuple[Note, ...] = ()
    # The live things that all this is about.
    things: frozenset[Thing] = field(default_factory=frozenset)


def find_left(manifest: Manifest, recorded: Recorded) -> list[Record]:
    """What is ours and has no address of the manifest; it may still turn out to be declared under another key."""
    ours = [r for r in recorded.records.notable.values() if r.owned and not r.deleted]
    if not ours:
        return []
    names = {recorded.digests.thing(recorded.app_id, address) for address in (*manifest.resources, *manifest.beside)}
    return [record for record in ours if record.thing not in names]


def find_orphans(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded, *, whole: bool) -> Orphans:
    """What is ours and no longer declared, and what `prune: all` has authority over. `whole`: the plan is of the whole manifest.

    A prune needs intent (the policy, and a written section) and ownership (our record of the very live id); never on the first run.
    """
    draft = _Draft(kinds, manifest, live, recorded, whole)
    records = (*find_left(manifest, recorded), *draft.find_unanswered())
    for record in sorted(records, key=lambda r: (r.kind, r.address, r.id)):
        if record.name not in draft.declared and draft.is_live(record):
            draft.consider(record)
    draft.notes += note_spared(live, (record.name for record in records))
    draft.note_renamed()
    for kind in kinds:
        draft.sweep(kind)
    return Orphans(tuple(draft.changes), tuple(draft.notes), frozenset(draft.things))


class _Draft:
    """What one look at orphans collects on its way."""

    def __init__(self, kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded, whole: bool) -> None:
        self.kinds = kinds
        self.manifest, self.live, self.recorded, self.whole = manifest, live, recorded, whole
        self.declared = {*live.mentioned, *((address.kind, live_id) for address, live_id in live.pairs.items())}
        # What other names have linked, whether they came to record it or not.
        link_origins = (
            (kinds.links.get(LinkName(kind, field)), end, name) for (kind, _, field, end), name in recorded.link_origins.items()
        )
        self.linked_elsewhere = {(link.target, end): name for link, end, name in link_origins if link}
        self.changes: list[ThingChange] = []
        self.notes: list[Note] = []
        self.things: set[Thing] = set()

    def note(self, topic: str, text: str, address: Address) -> None:
        self.notes.append(Note(topic, text, address))

    def thing(self, record: Record) -> Live | None:
        return self.live.things.get(record.kind, {}).get(record.id)

    def is_live(self, record: Record) -> bool:
        """Whether it is live, as far as was looked: what a whole listing lacks is not, nor what its own read did not find. Of a part of
        a manifest, whose other entries nobody looked at, only what is listed whole can be called an orphan."""
        kind = self.kinds.get(record.kind)
        if kind is None or (not self.whole and not kind.whole):
            return False
        is_read = kind.whole or self.read_prune(kind) != "never"
        return self.thing(record) is not None or not is_read

    def find_unanswered(self) -> Iterator[Record]:
        """Live things that only a create of ours whose answer was lost can have made, and that nobody declares."""
        if not any(attempt.is_lost and attempt.action == Action.CREATE for attempt in self.recorded.attempts.values()):
            return
        for kind in (kind for kind in self.kinds if kind.whole):
            for live_id, thing in self.live.things.get(kind.name, {}).items():
                unknown = (kind.name, live_id) not in self.declared and self.recorded.of(kind.name, live_id) is None
                if unknown and self.recorded.has_lost_create(thing.address):
                    digests = self.recorded.digests
                    digest = digests.thing(self.recorded.app_id, thing.address)
                    files = self._name_files(self.recorded.attempts[Place(digest)].files)
                    yield Record(kind.name, live_id, digest, digests.address(thing.address), owned=True, files=files)

    def _name_files(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The files of a run, which knew them by their paths."""
        paths_read = {path_of(file): file for file in self.recorded.files.read}
        return tuple(paths_read.get(path, f"{WITHIN}{path}") for path in paths)

    def consider(self, record: Record) -> None:
        """One owned thing that no entry is paired with."""
        kind, thing = self.kinds[record.kind], self.thing(record)
        address = thing.address if thing else _read_address(record)
        file = ", ".join(map(path_of, record.files))
        self.things.add(record.name)
        if unread := self.recorded.files.unread(record):
            text = f"is ours (id {record.id}) and declared in {', '.join(unread)}, which was not given: left alone"
            self.note("not read", text, address)
            return
        reason = self._why_spared(kind, record, thing) or (self._why_renamed(kind, record, thing) if thing else "")
        if thing and file and not reason:
            self.changes.append(_make_deletion(kind, thing, file))
        else:
            place = f"no longer declared in {file}" if file else "declared nowhere"
            # What was taken in by its address alone left no manifest.
            self.note("orphaned", f"ours (id {record.id}), and {place}; {reason or 'left alone'}", address)

    def sweep(self, kind: Kind) -> None:
        """What `prune: all` has authority over, whoever made it."""
        scope = self.manifest.policy.reach(kind.section)
        if self.read_prune(kind) != "all" or not scope or self._why_barred(kind):
            return
        for live_id, thing in sorted(self.live.things.get(kind.name, {}).items(), key=lambda item: item[1].key):
            name = (kind.name, live_id)
            if name not in self.declared and name not in self.things and globs.matches(scope, [thing.key]):
                self._sweep(kind, thing, self.recorded.of(*name))

    def _sweep(self, kind: Kind, thing: Live, record: Record | None) -> None:
        self.things.add((kind.name, thing.id))
        if record and (unread := self.recorded.files.unread(record)):
            text = f"is declared in {', '.join(unread)} (id {thing.id}), which was not given: left alone"
            self.note("not read", text, thing.address)
        elif reason := self._who_has_it(thing):
            self.note("orphaned", f"not declared (id {thing.id}): {reason}", thing.address)
        else:
            self.changes.append(replace(_make_deletion(kind, thing, ""), remark="not declared, never ours"))

    def note_renamed(self) -> None:
        """Owned things that have another name now, while somebody else's has theirs: they stay as they are."""
        ours = (r for r in self.recorded.records.notable.values() if r.owned and not r.deleted and r.name not in self.declared)
        things = {record.thing: thing for record in ours if record.name not in self.things and (thing := self.thing(record))}
        for address, live_id in self.live.pairs.items() if things else ():
            thing = things.get(self.recorded.digests.thing(self.recorded.app_id, address))
            if thing is not None:
                self.things.add((thing.kind, thing.id))
                text = f"is ours (id {thing.id}) and was {address} when it was applied; another one has that name now (id {live_id})"
                now = "and is taken for it, while this one stays: if this one is meant, write its `id:` into the entry"
                self.note("moved", f"{text} {now}", thing.address)

    def read_prune(self, kind: Kind) -> str:
        return self.manifest.policy.pruning(kind.section)

    def _why_spared(self, kind: Kind, record: Record, thing: Live | None) -> str:
        """Why something of ours is not pruned; empty where it is."""
        if kind.delete is None or kind.person:
            return "`reconciler forget` lets it go"
        if self.read_prune(kind) == "never":
            return f"left alone: `policy: prune: {kind.section}: owned` deletes it, `reconciler forget` lets it go"
        return self._why_barred(kind) or (self._who_has_it(thing) if thing else "it is not seen any more")

    def _why_renamed(self, kind: Kind, record: Record, thing: Live) -> str:
        """Why something is left alone to which somebody gave another name: that name was never declared, so nobody can have meant it."""
        fold, address = kind.identities[0].fold, _read_address(record)
        if self.recorded.rewritten(thing.address, record.id):
            return ""
        if id_in(address) == record.id:
            return "" if self._is_called_so(kind, record, thing) else "somebody renamed it since it was applied: left alone"
        same = record.thing == self.recorded.digests.thing(self.recorded.app_id, thing.address) or fold(address.key) == fold(thing.key)
        return "" if same else f"it was {address} when it was applied, and somebody renamed it: left alone, `reconciler forget` lets it go"

    def _is_called_so(self, kind: Kind, record: Record, thing: Live) -> bool:
        """Whether what was declared by its id has the name that was declared with that, if any."""
        path = kind.identities[0].field
        claim = self.recorded.digests.claim(record.salt, path, kind.fields[path].form(thing.fields[path]))
        return record.fields.get(path, claim) == claim

    def _why_barred(self, kind: Kind) -> str:
        """Why nothing of a kind is pruned in this plan; empty where something may be."""
        if not self.whole:
            return "left alone: a plan of a part prunes nothing"
        if not self.recorded.runs:
            return "left alone: the first run prunes nothing"
        has_section = kind.section in self.manifest.sections
        return "" if has_section else f"left alone: `{kind.section}:` is not written, so it is not ours"

    def _who_has_it(self, thing: Live) -> str:
        """Who else has a live thing, or may; empty where nobody does."""
        if reason := self.live.spared.get((thing.kind, thing.id)):
            return reason
        other = self.recorded.others.get((thing.kind, thing.id))
        if name := other.name if other else self.linked_elsewhere.get((thing.kind, thing.id)):
            return f"`name: {name}` has it too, so it is left alone"
        is_doubtful = (thing.kind, thing.id) in self.live.doubtful
        return "its name looks like another one, so it is left alone" if is_doubtful else ""


def _make_deletion(kind: Kind, thing: Live, file: str) -> ThingChange:
    people = 1 if kind.person else None
    return ThingChange(Action.DELETE, thing.address, Mark(file), thing.id, people=people, remark="no longer declared")


def _read_address(record: Record) -> Address:
    kind, _, key = record.address.partition("/")
    return Address(kind, key)


def count_foreign(recorded: Recorded, live: Snapshot) -> Mapping[str, int]:
    """How many of the declared things other names have recorded, and this one has not, by name."""
    if not recorded.others:
        return {}
    mine = (address for address, live_id in live.pairs.items() if recorded.of(address.kind, live_id) is None)
    theirs = (recorded.others.get((address.kind, live.pairs[address])) for address in mine)
    return Counter(other.name for other in theirs if other)
