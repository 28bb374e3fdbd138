"""Renames that nobody declared: something is new, and something like it goes or is left behind. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import IntEnum
from typing import Any

from reconciler.core.compare.arrivals import Arrival, Getter, find_arrivals, is_pruned, read_getters
from reconciler.core.compare.comparison import Comparison
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange, Use
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.paths import live_value
from reconciler.core.model.record import Record
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.written import as_yaml

# From so much likeness on two names are more often one thing than two; and so many of those who get the new one have the old one.
LIKE, SHARED = 0.6, 0.5
# Names are compared letter by letter only where there are so few pairs of them; else by their form alone.
PAIRS = 20_000
# So many claims are held against recorded ones, each by a digest.
CLAIMS = 200_000
# So many things of the past are looked at for a rename, of a kind whose things are read one by one.
LOOKS = 20


@dataclass(frozen=True, slots=True)
class Pair:
    """Something new and something that goes, or is left behind, that may be one thing under two names."""

    # Their kind.
    kind: Kind
    # What goes, or is left behind.
    old: Live
    # What is new.
    new: Arrival
    # The deletion of the old one, where the plan has it.
    deletion: ThingChange | None
    # Who gets the new one, or is to get it.
    getters: Set[Getter]
    # How many of these have the old one.
    common: int
    # Whether the ledger knows the new name as one that the old thing had.
    once: bool
    # Whether something live has the new name, so that the old one cannot be renamed to it.
    is_live: bool

    def is_used(self, uses: Sequence[Use]) -> bool:
        """Whether somebody has the old one, or nobody can say that nobody has."""
        return not uses or any(use.number is None or use.number > 0 for use in uses)


def find_pairs(comparison: Comparison, changes: Sequence[Change], arriving: Sequence[Change]) -> Iterator[Pair]:
    """What may be one thing under two names, though nobody wrote that down. A tombstone is an answer: what it takes is no question.

    `arriving` are all changes, also those that the plan leaves out: what comes later is no less the new name of what goes now.
    """
    arrivals = find_arrivals(comparison, changes, arriving)
    left: list[tuple[Kind, Mapping[str | None, ThingChange], Sequence[Live]]] = []
    for kind in (kind for kind in comparison.kinds if not kind.person and arrivals.get(kind.name)):
        deletions = {c.id: c for c in changes if isinstance(c, ThingChange) and c.address.kind == kind.name and is_pruned(comparison, c)}
        if candidates := _list_left(kind, comparison.manifest, comparison.live, comparison.recorded, deletions):
            left.append((kind, deletions, candidates))
    unmade = [new.address for kind, _, _ in left for new in arrivals[kind.name] if not new.creation]
    getters = read_getters(comparison, arriving, unmade) if left else {}
    for kind, going, olds in left:
        for new, old, likeness, common in _list_alike(kind, comparison, arrivals[kind.name], olds, getters):
            of = getters.get(new.address, frozenset())
            yield Pair(kind, old, new, going.get(old.id), of, common, likeness is Likeness.ONCE, _is_live(kind, comparison, new))


def _is_live(kind: Kind, comparison: Comparison, new: Arrival) -> bool:
    """Whether something live has a new name."""
    fold, things = kind.identities[0].fold, comparison.live.things.get(kind.name, {}).values()
    return new.address in comparison.live.pairs or (not new.creation and any(fold(t.key) == fold(new.address.key) for t in things))


def _list_alike(
    kind: Kind, comparison: Comparison, coming: Sequence[Arrival], candidates: Sequence[Live], getters: Mapping[Address, Set[Getter]]
) -> Iterator[tuple[Arrival, Live, int, int]]:
    """What is new with what it is most like of what is left, how much, and how many have both."""
    recorded, links = comparison.recorded, comparison.live.links
    closely = len(coming) * len(candidates) <= PAIRS
    things, traits = {old.id: old for old in candidates}, {} if closely else _read_traits(kind, candidates, recorded)
    for new in coming:
        of = getters.get(new.address, frozenset())
        counts = Counter(end for link, source in of for end in links.get(link, {}).get(source, ()))
        near = things.keys() if closely else things.keys() & (counts.keys() | _find_common(kind, new, traits, recorded))
        near = near if new.beside is None else near & new.beside
        rows = [(_measure_likeness(kind, things[live_id], new, recorded, closely), things[live_id]) for live_id in sorted(near)]
        rows = [(max(likeness, Likeness.SHARED if of and counts[old.id] >= SHARED * len(of) else 0), old) for likeness, old in rows]
        best = max((likeness for likeness, _ in rows), default=0)
        # What is surely like one is not asked of all that have some members in common with it.
        yield from ((new, old, n, counts[old.id]) for n, old in rows if n and (n == best or best <= Likeness.SHARED))


def spare_members(comparison: Comparison) -> Comparison:
    """The comparison in which nobody loses what may have another name now, and who has that is to get is held back."""
    changes = comparison.difference.changes
    if not (comparison.live.withheld or comparison.refused_entries) or not any(c.action is Action.DETACH for c in changes):
        return comparison
    pairs = [pair for pair in find_pairs(comparison, changes, changes) if pair.new.held]
    kept = {(link, source, pair.old.id) for pair in pairs for link, source in pair.getters}
    rest = (c for c in changes if not (isinstance(c, LinkChange) and c.action is Action.DETACH and (c.link, c.id, c.target_id) in kept))
    return replace(comparison, difference=replace(comparison.difference, changes=tuple(rest))) if kept else comparison


def _list_left(
    kind: Kind, manifest: Manifest, live: Snapshot, recorded: Recorded, deletions: Mapping[str | None, ThingChange]
) -> list[Live]:
    """The live things that the plan deletes, or that an earlier one knew and nobody declares any more."""
    things, live_ids = live.things.get(kind.name, {}), set(live.pairs.values())
    recorded_ids = {record.id for record in list_undeclared(kind, manifest, recorded) if not recorded.files.unread(record)}
    live_ids |= {live_id for name, live_id in live.mentioned if name == kind.name}
    ids = {live_id for live_id in (*deletions, *recorded_ids) if live_id in things and live_id not in live_ids}
    return [things[live_id] for live_id in sorted(filter(None, ids)) if not kind.dormant(things[live_id])]


def list_undeclared(kind: Kind, manifest: Manifest, recorded: Recorded) -> list[Record]:
    """What is recorded of a kind, and has no address of the manifest."""
    records = [r for r in recorded.records.of_kind(kind.name) if not r.deleted]
    if not records:
        return []
    addresses = (a for a in (*manifest.resources, *manifest.beside) if a.kind == kind.name)
    names = {recorded.digests.thing(recorded.app_id, address) for address in addresses}
    return [record for record in records if record.thing not in names]


class Likeness(IntEnum):
    """Why two things may be one; the surest last."""

    # Their names are alike.
    NAME = 1
    # Many of those who get the new one have the old one.
    SHARED = 2
    # Their names are one but for signs and zeros, or people call them the same.
    SAME = 3
    # The old one had the new name before.
    ONCE = 4


Trait = tuple[str, Any]
"""Something by which a new thing may be known as an old one: where it stands, and what."""

# Where the digest of an address stands that a thing had before; no field is called so.
_FORMER = "former"


def _read_traits(kind: Kind, things: Sequence[Live], recorded: Recorded) -> Mapping[Trait, Set[str]]:
    """The ids of what is left by each trait, so that of many things not each is compared with each."""
    ids: dict[Trait, set[str]] = defaultdict(set)
    for old in things:
        record = recorded.of(old.kind, old.id)
        values = ((name, kind.fields[name].form(old.fields.get(name))) for name in _list_telling(kind))
        for trait in (("", form(old.key)), *((_FORMER, thing) for thing in (record.former if record else ())), *values):
            ids[trait].add(old.id)
    return ids


def _find_common(kind: Kind, new: Arrival, traits: Mapping[Trait, Set[str]], recorded: Recorded) -> Set[str]:
    """The ids of what is left that has a trait in common with what is new."""
    former = recorded.digests.thing(recorded.app_id, new.address)
    values = (
        (field.path, kind.fields[field.path].form(field.after)) for field in new.fields if field.path in _list_telling(kind) and field.after
    )
    return set[str]().union(*(traits.get(trait, ()) for trait in (("", form(new.address.key)), (_FORMER, former), *values)))


def _list_telling(kind: Kind) -> Sequence[str]:
    return [name for name, field in kind.fields.items() if field.telling]


def _measure_likeness(kind: Kind, old: Live, new: Arrival, recorded: Recorded, closely: bool) -> int:
    if recorded.had(old.kind, old.id, new.address):
        return Likeness.ONCE
    telling = [field for field in new.fields if field.path in _list_telling(kind) and field.after]
    if form(old.key) == form(new.address.key):
        return Likeness.SAME
    if telling and all(kind.fields[field.path].same(old.fields.get(field.path), field.after) for field in telling):
        return Likeness.SAME
    return Likeness.NAME if are_alike(old.key, new.address.key, closely=closely) else 0


_RUN = re.compile(r"0*([0-9]+)|[^\W\d_]+")


def form(name: str) -> str:
    """A name without what people write one time and leave out another: case, zeros in front, blanks and signs between."""
    return " ".join(run[1] or run[0] for run in _RUN.finditer(name.casefold())) or name.casefold()


def are_alike(one: str, other: str, *, closely: bool = True) -> bool:
    """Whether two names are more often one thing than two. Numbers are so only where they are the same: 1001 is not like 1002."""
    if form(one) == form(other):
        return True
    if not closely or not all(any(char.isalpha() for char in name) for name in (one, other)):
        return False
    return SequenceMatcher(None, one.casefold(), other.casefold()).ratio() >= LIKE


def find_likely(kind: Kind, manifest: Manifest, recorded: Recorded) -> Sequence[str]:
    """The live ids of what left the manifest and may be what is new in it, as far as the ledger can tell before anything is read."""
    if kind.person or not recorded.runs:
        return ()
    new = [r for a, r in manifest.resources.items() if a.kind == kind.name and not r.is_gone and recorded.at(a) is None]
    records = list_undeclared(kind, manifest, recorded) if new else []
    members = _count_members(kind, {r.address for r in new}, manifest, recorded) if records else Counter()
    coming = _Coming.of(new, len(records), recorded)
    likely = (record for record in records if members[record.id] or _may_be(kind, record, coming, recorded))
    return [record.id for record in sorted(likely, key=lambda r: (-members[r.id], r.address))][:LOOKS]


@dataclass(frozen=True, slots=True)
class _Coming:
    """What is new of a kind, by what a record may tell of it."""

    # Its names, by their form.
    forms: Set[str]
    # Their addresses, as records keep former ones.
    former: Set[str]
    # Those that are held claim by claim against each record: of many not all.
    claimed: Sequence[Resource]
    # Those whose names are held against each record's; none where there are many.
    resources: Sequence[Resource]

    @classmethod
    def of(cls, new: Sequence[Resource], number: int, recorded: Recorded) -> _Coming:
        """What is new, beside so many records that are left."""
        former = {recorded.digests.thing(recorded.app_id, resource.address) for resource in new}
        few = len(new) * number <= PAIRS
        return cls({form(resource.key) for resource in new}, former, new[: CLAIMS // max(number, 1)], new if few else ())


def _may_be(kind: Kind, record: Record, coming: _Coming, recorded: Recorded) -> bool:
    name = record.address.partition("/")[2]
    if form(name) in coming.forms or not coming.former.isdisjoint(record.former):
        return True
    return any(_matches_claims(kind, record, new, recorded) for new in coming.claimed) or any(
        are_alike(name, new.key) for new in coming.resources
    )


def _matches_claims(kind: Kind, record: Record, new: Resource, recorded: Recorded) -> bool:
    """Whether what people call it by is what was recorded."""
    names = [name for name in _list_telling(kind) if new.fields.get(name)]
    claims = (
        recorded.digests.claim(record.salt, name, kind.fields[name].form(new.fields[name])) == record.fields.get(name) for name in names
    )
    return bool(names) and all(claims)


def _count_members(kind: Kind, new: Set[Address], manifest: Manifest, recorded: Recorded) -> Counter[str]:
    """The ids that are recorded at the other ends of the links of those who are to get something new: how often each."""
    counts: Counter[str] = Counter()
    for resource in manifest.resources.values():
        fields = [field for field, lists in resource.links.items() if not new.isdisjoint(lists.present)]
        record = recorded.at(resource.address) if fields else None
        if record:
            counts.update(end for field in fields for end in record.links.get(field, ()))
    return counts


# ── what is said of it ─────────────────────────────────────────────────────────────────────────────────────────────────────
def refuse_renames(pairs: Sequence[Pair]) -> Iterator[Refusal]:
    """The gate `rename`: a deletion beside something new that it may be, where somebody loses something by it."""
    for pair in pairs:
        if pair.deletion and (pair.common or pair.is_used(pair.deletion.uses)):
            text = f"{pair.new.mark}: {ask_rename(pair, pair.deletion.uses)}; if it is meant as it stands, approve"
            changes = (pair.deletion, pair.new.creation) if pair.new.creation else (pair.deletion,)
            yield Refusal("rename", text, changes=changes, entries=(pair.new.address, pair.deletion.address))


def note_renames(pairs: Sequence[Pair], uses: Mapping[str, Sequence[Use]]) -> Iterator[Note]:
    """What may have been a rename and stops nothing: nothing of it is lost in this plan. `uses` say who has an old one, by its id."""
    for pair in pairs:
        own = pair.deletion.uses if pair.deletion else uses.get(pair.old.id, ())
        if not pair.deletion or not (pair.common or pair.is_used(own)):
            spared = "; those who are to get it keep the old one until then" if pair.new.held and pair.common else ""
            yield Note("renamed", ask_rename(pair, own) + spared, pair.new.address, pair.new.mark)


def ask_rename(pair: Pair, uses: Sequence[Use]) -> str:
    """The question, why it is asked, and the ways to answer it."""
    old, by = pair.old.key, pair.kind.identities[0].field
    state = "goes" if pair.deletion else "is no longer declared"
    new = f"{pair.new.address.key!r} is new and {'held back, and ' if pair.new.held else ''}"
    text = f"{new}{old!r} (id {pair.old.id}) {state}: this looks like a rename"
    why = [f"{pair.old.kind} {old!r} had that name before"] if pair.once else []
    why += [f"{pair.common} of the {len(pair.getters)} who get the new one have the old one"] if pair.common else []
    text = f"{text} ({'; '.join(why)})" if why else text
    end = "archived" if pair.kind.delete is None else "absent"
    tombstone = f"`{{{by}: {as_yaml(old)}, state: {end}}}`"
    users = _say_uses(uses)
    if pair.kind.rename:
        consequence = f", or its {users} {'lose it' if pair.deletion else 'stay with the old one'}" if users else ""
        return f"{text}; {_say_how(pair)}{consequence}; if they are two, write the tombstone {tombstone}"
    text = f"{text}, and no {pair.kind.name} can be renamed: its {by} never changes in Intercom"
    if users:
        text += f"; its {users} {'lose it' if pair.deletion else 'stay with the old one, but for those that are moved'}"
    if pair.kind.loss.bound:
        text += f"; {pair.kind.loss.bound} {'are lost with it' if pair.deletion else 'stay with it'}"
    return f"{text}; keep the old {by}, or, if a second one is meant, write the tombstone {tombstone} once all have moved"


def _say_how(pair: Pair) -> str:
    """How the old one becomes the new one: by a new name, unless something live has that already."""
    old, merge = as_yaml(pair.old.key), pair.kind.merge
    if not pair.is_live:
        return f"write `renamed_from: {old}` on the new one"
    way = f"write `{merge.key}: {old}` on the new one to move those who have the old one" if merge else "move by hand who has the old one"
    return f"that name is live already, so nothing can be renamed to it: {way}"


def _say_uses(uses: Sequence[Use]) -> str:
    """Who has the old one; empty where nobody does."""
    places = [f"{use.where} ({'nobody can say how many' if use.number is None else use.number})" for use in uses if use.number != 0]
    return " and ".join(places)


def note_same_person(kinds: Kinds, changes: Sequence[Change], leavers: Sequence[Live]) -> Iterator[Note]:
    """Notes for creates that look like somebody of ours who left the manifest: the same name, another identity."""
    for change in changes:
        if isinstance(change, ThingChange) and change.action is Action.CREATE and kinds[change.address.kind].person:
            for thing in leavers:
                if thing.kind == change.address.kind and _looks_alike(kinds[thing.kind], change, thing):
                    text = f"looks like {thing.kind} {thing.key} (id {thing.id}), which is ours and left the manifest: if so, write"
                    by = next(i.field for i in kinds[thing.kind].identities if i.field == "id" or thing.fields.get(i.field))
                    was = thing.id if by == "id" else thing.fields[by]
                    yield Note("renamed", f"{text} `was: {{{by}: {as_yaml(str(was))}}}`", change.address, change.mark)


def _looks_alike(kind: Kind, change: ThingChange, thing: Live) -> bool:
    """Whether all that is claimed besides identities is live there, and that is something personal."""
    fields = [field for field in change.fields if field.path not in kind.identity and field.path in kind.fields]
    personal = [field for field in fields if kind.fields[field.path].personal]
    return bool(personal) and all(kind.fields[f.path].same(live_value(thing, f.path), f.after) for f in personal)
