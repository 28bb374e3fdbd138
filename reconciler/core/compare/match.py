"""Which live thing each declared address is: by identity, by a former name, or by nothing that could be proved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from reconciler.core.compare.index import NOBODY, FormerIds, Index, Name, no_id, read_key
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.note import Note
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.spelling import spell


@dataclass
class Match:
    """What matching came to."""

    # The live id that each declared address is.
    pairs: dict[Address, str] = field(default_factory=dict)
    # Addresses that must not be touched.
    withheld: set[Address] = field(default_factory=set)
    # Live things (kind and id) that those may mean.
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    # What people are told of it.
    notes: list[Note] = field(default_factory=list)
    # What only a person can settle.
    refusals: list[Refusal] = field(default_factory=list)
    # Addresses whose live thing is one that theirs was merged into.
    merged: set[Address] = field(default_factory=set)
    # Live things (kind and id) that share their name with another one, each with a description of all of these.
    twins: dict[tuple[str, str], str] = field(default_factory=dict)
    # The ids of things of which messages say how many people carry them.
    described: set[str] = field(default_factory=set)

    def add(self, more: Match) -> None:
        """Take in what was found of another kind."""
        self.pairs.update(more.pairs)
        self.withheld |= more.withheld
        self.doubtful |= more.doubtful
        self.notes += more.notes
        self.refusals += more.refusals
        self.merged |= more.merged
        self.twins |= more.twins
        self.described |= more.described

    def list_described(self, ids: Collection[str]) -> set[str]:
        """The ids of which messages say how many people carry them, with the twins of what is mentioned elsewhere."""
        if not self.twins:
            return self.described
        texts = {text for (_, live_id), text in self.twins.items() if live_id in ids}
        return self.described | {live_id for (_, live_id), text in self.twins.items() if text in texts}


Members = Mapping[str, int | None]
"""How many people carry a thing, by its id; None where that cannot be read."""
UNCOUNTED: Members = MappingProxyType({})


def match(
    kind: Kind,
    resources: Iterable[Resource],
    things: Iterable[Live] | Index,
    heirs: Mapping[Name, str] = NOBODY,
    unproven: Collection[Name] = (),
    former_id: FormerIds = no_id,
    members: Members = UNCOUNTED,
) -> Match:
    """Pair resources of one kind with live things of that kind. Pure; the order of the inputs does not matter.

    `heirs`: names whose bearer was merged into the thing with that id. `unproven`: names of which nobody could say that they are free.
    `former_id`: the live id that an address had when it was applied. `members`: what messages say of the things in `described`.
    """
    index = things if isinstance(things, Index) else Index(kind, things, heirs)
    matches, things = Match(), index.things
    resources = sorted(resources, key=lambda r: r.address)
    _find_twins(kind, index, members, matches)
    looks_like = _find_lookalikes(kind, things)
    groups = {by: (kind.identity[by].fold, index.groups(by)) for by in {resource.by for resource in resources}}
    for resource in resources:
        fold, things_by_key = groups[resource.by]
        _pair(kind, resource, things_by_key.get(fold(resource.key), ()), index, matches)
        if heirs or unproven:
            _say_merged(kind, resource, heirs, unproven, matches)
        if looks_like:
            # Under the name of a tombstone Intercom may have kept the thing in another spelling: whose that is, the ledger says.
            own = former_id(resource.address) if resource.is_gone else None
            others = [t for t in _find_others(kind, resource, looks_like, matches) if t.id != own]
            _report_lookalikes(kind, resource, others, members, matches)
    _pair_remembered(kind, resources, things, former_id, matches)
    _spare_lookalikes(kind, resources, matches)
    _report_declared_lookalikes(kind, resources, matches)
    _refuse_shared(kind, matches, resources)
    _report_twins(kind, resources, index, matches)
    matches.described |= matches.list_described({*matches.pairs.values(), *matches.described})
    if matches.doubtful:
        # What is surely meant by an entry is in no doubt because others look like it.
        matches.doubtful -= {(kind.name, live_id) for address, live_id in matches.pairs.items() if address not in matches.withheld}
    return matches


def find_candidates(kind: Kind, index: Index, by: str, key: str) -> Sequence[Live]:
    """The live things that an identity can mean: those of the first role that has any."""
    return _choose_first_role(kind, index.get((by, kind.identity[by].fold(key))))


def _choose_first_role(kind: Kind, same: Sequence[Live]) -> Sequence[Live]:
    best = min((kind.rank(thing) for thing in same), default=0)
    return [thing for thing in same if kind.rank(thing) == best]


def _pair(kind: Kind, resource: Resource, same: Sequence[Live], index: Index, matches: Match) -> None:
    """Pair a resource with one of the things that have its name, or had it."""
    if len(same) == 1 and not resource.former and not resource.is_gone:
        # So are most: nothing but this thing can be meant.
        matches.pairs[resource.address] = same[0].id
        return
    # A tombstone that may mean two, a user and a lead with one e-mail, would take one now and the other in the next run.
    here = same if resource.is_gone else _choose_first_role(kind, same)
    if len(here) > 1:
        _refuse_several(kind, resource, resource.by, here, matches)
        here = []
    if resource.is_gone and kind.identity[resource.by].visible is not None:
        here = [thing for thing in here if spell(thing.key) == spell(resource.key)]
    former = _find_former(kind, resource, index, here, matches)
    if here:
        matches.pairs[resource.address] = here[0].id
    elif former and resource.address not in matches.withheld:
        matches.pairs[resource.address] = former[0].id
    left_over = former if here else former[1:]
    for thing in left_over:
        now = f"write that name under `{kind.merge.key}` instead" if kind.merge else "merge the two by hand, then remove the former name"
        text = f"{thing.address} (id {thing.id}) is still live beside it; {now}"
        matches.notes.append(Note("former", text, resource.address, resource.mark))


def _say_merged(kind: Kind, resource: Resource, heirs: Mapping[Name, str], unproven: Container[Name], matches: Match) -> None:
    """Whoever was merged into another is followed, and never created again; a declared end is not that of the other."""
    name = (resource.by, kind.identity[resource.by].fold(resource.key))
    live_id = matches.pairs.get(resource.address)
    if live_id and heirs.get(name) == live_id and resource.is_gone:
        del matches.pairs[resource.address]
        matches.withheld.add(resource.address)
        text = f"was merged into another {kind.name} (id {live_id}), which stays as it is; remove this entry"
        matches.notes.append(Note("merged", text, resource.address, resource.mark))
    elif live_id and heirs.get(name) == live_id:
        matches.merged.add(resource.address)
        text = f"was merged into another {kind.name} (id {live_id}), which is taken for it; name that one in the manifest"
        matches.notes.append(Note("merged", text, resource.address, resource.mark))
    elif live_id is None and name in unproven:
        matches.withheld.add(resource.address)
        text = "not found, and nobody could say whether it was merged, or into whom: nothing is done with it; try --api-version 2.16"
        matches.notes.append(Note("unproven", text, resource.address, resource.mark, is_open=not resource.is_gone))


def _pair_remembered(kind: Kind, resources: Iterable[Resource], things: Iterable[Live], former_id: FormerIds, matches: Match) -> None:
    """Who is found by no name and was applied to a thing that is still live under another one: somebody renamed it there.

    A kind that can be renamed gets its name back. Of others the name may be the person's own: nothing is done, and it is told.
    """
    rest = [r for r in resources if r.address not in matches.pairs and not r.is_gone and r.address not in matches.withheld]
    by_id, live_ids = {thing.id: thing for thing in things} if rest else {}, set(matches.pairs.values()) if rest else set()
    for resource in rest:
        thing = by_id.get(former_id(resource.address))
        if thing is None or thing.id in live_ids:
            continue
        if kind.rename:
            matches.pairs[resource.address] = thing.id
            continue
        matches.withheld.add(resource.address)
        text = f"has another {resource.by} in Intercom now (id {thing.id}); nothing is done with it: write the new one, with `was:`"
        matches.notes.append(Note("moved", text, resource.address, resource.mark, is_open=True))


def _find_former(kind: Kind, resource: Resource, index: Index, here: Sequence[Live], matches: Match) -> list[Live]:
    """Live things under the names that the resource had, in the order written. One of several is never taken by chance."""
    old: list[Live] = []
    former = resource.former
    # What is named by an id is found by that alone; beside it is what has another name than its own.
    if resource.by == "id" and kind.rename:
        here_keys = {kind.identities[0].fold(thing.key) for thing in here}
        former = tuple((by, key) for by, key in former if here and kind.identity[by].fold(key) not in here_keys)
    for name in former:
        same = [thing for thing in find_candidates(kind, index, *name) if thing not in here]
        if len(same) > 1 and not here and not old:
            _refuse_several(kind, resource, name[0], same, matches)
            same = []
        old += (thing for thing in same if thing not in old)
    return old


def _refuse_several(kind: Kind, resource: Resource, by: str, several: Sequence[Live], matches: Match) -> None:
    """Nothing is done for an entry whose name is that of several live things."""
    if kind.identity[by].visible is not None:
        _refuse_twins(kind, resource, several[0], matches)
        return
    ids = ", ".join(thing.id for thing in several)
    text = f"{resource.mark}: several live {kind.section} have this {by} (ids {ids}); merge them, or name one by its id"
    matches.refusals.append(Refusal("identity", text, entries=(resource.address,)))
    matches.withheld.add(resource.address)


def _find_twins(kind: Kind, index: Index, members: Members, matches: Match) -> None:
    """Live things of one name. Whatever is done by that name may hit any of them, so all of them are in doubt."""
    fields = [identity.field for identity in kind.identities if identity.visible is not None]
    for same in (same for by in fields for same in index.groups(by).values()):
        if len(same) > 1:
            text = " and ".join(describe(thing, members) for thing in same)
            matches.twins.update(((kind.name, thing.id), text) for thing in same)
            matches.doubtful.update((kind.name, thing.id) for thing in same)


def describe(thing: Live, members: Members = UNCOUNTED) -> str:
    """A live thing with its exact spelling, its id, and how many people carry it where that was asked."""
    people = members.get(thing.id)
    carriers = "an unknown number of people" if people is None else f"{people} {'person' if people == 1 else 'people'}"
    return f"{thing.key!a} (id {thing.id}{f', {carriers}' if thing.id in members else ''})"


def _refuse_twins(kind: Kind, resource: Resource, one: Live, matches: Match) -> None:
    """Nothing is done for an entry that names one of several things of one name, nor to any of these."""
    twins = matches.twins[kind.name, one.id]
    text = f"{resource.mark}: several live {kind.section} have this name: {twins}"
    now = "write the `id:` of the one that is meant into the entry, or rename or delete all but one in Intercom"
    matches.refusals.append(Refusal("twins", f"{text}; {now}", entries=(resource.address,)))
    matches.withheld.add(resource.address)
    matches.described.add(one.id)


def _report_twins(kind: Kind, resources: Iterable[Resource], index: Index, matches: Match) -> None:
    """Things of one name that no entry names: one note for all of that name."""
    first = kind.identities[0]
    if not matches.twins:
        return
    keys = {first.fold(key) for r in resources for by, key in ((r.by, r.key), *r.former) if by == first.field}
    live_ids = set(matches.pairs.values())
    for name, same in index.groups(first.field).items():
        if (kind.name, same[0].id) in matches.twins and name not in keys and not live_ids & {t.id for t in same}:
            text = f"several live {kind.section} have this name: {matches.twins[kind.name, same[0].id]}; nothing is done with them by it"
            matches.notes.append(Note("lookalike", text, same[0].address))


def _find_lookalikes(kind: Kind, things: Iterable[Live]) -> Mapping[str, list[Live]]:
    """Live things by the form in which names that differ only invisibly are one."""
    lookalikes: dict[str, list[Live]] = defaultdict(list)
    for identity in kind.identities:
        if identity.visible is not None:
            for thing in things:
                if (key := read_key(thing, identity)) is not None:
                    lookalikes[identity.visible(key)].append(thing)
    return lookalikes


def _find_others(kind: Kind, resource: Resource, looks_like: Mapping[str, list[Live]], matches: Match) -> list[Live]:
    """The live things that look like what an entry names, and are not what it is paired with."""
    identity = kind.identity[resource.by]
    if identity.visible is None:
        return []
    mine, live_id = identity.fold(resource.key), matches.pairs.get(resource.address)
    others = [t for t in looks_like.get(identity.visible(resource.key), []) if t.id != live_id]
    # To a tombstone what differs by case only is another thing; to others it is the thing itself, or one of its twins.
    return [t for t in others if identity.fold(t.key) != mine or (resource.is_gone and (kind.name, t.id) not in matches.twins)]


def _report_lookalikes(kind: Kind, resource: Resource, others: Sequence[Live], members: Members, matches: Match) -> None:
    if not others:
        return
    live_id = matches.pairs.get(resource.address)
    matches.described.update(thing.id for thing in others)
    looks = " and ".join(describe(thing, members) for thing in others)
    text = f"looks like another live {kind.name}: {looks}{_advise(resource, live_id)}"
    matches.notes.append(Note("lookalike", text, resource.address, resource.mark, is_open=not live_id and not resource.is_gone))
    if not live_id and not resource.is_gone:
        matches.withheld.add(resource.address)
    if not live_id:
        matches.doubtful.update((kind.name, thing.id) for thing in others)


def _advise(resource: Resource, live_id: str | None) -> str:
    """What to do about things that look like the one that an entry names."""
    if resource.is_gone:
        return ", which stays: a tombstone takes only what is spelled exactly so, or has the `id:` that it says"
    return "" if live_id else "; nothing is done with it: write renamed_from with the live spelling, or rename one of them in Intercom"


def _report_declared_lookalikes(kind: Kind, resources: Iterable[Resource], matches: Match) -> None:
    """Two entries, neither of them live, whose names differ only invisibly: more often a slip than two things."""
    firsts: dict[tuple[str, str], Resource] = {}
    if not any(identity.visible for identity in kind.identities):
        return
    for resource in sorted(resources, key=lambda r: r.address):
        visible = kind.identity[resource.by].visible
        if visible is None or resource.is_gone or resource.address in matches.pairs:
            continue
        first = firsts.setdefault((resource.by, visible(resource.key)), resource)
        if first is not resource:
            text = f"{resource.key!a} differs only invisibly from {first.key!a}, declared at {first.mark}; keep one, unless both are meant"
            matches.notes.append(Note("lookalike", text, resource.address, resource.mark))


def _spare_lookalikes(kind: Kind, resources: Iterable[Resource], matches: Match) -> None:
    """A tombstone does not take the thing that another entry may mean: a delete now would be a create in the next plan."""
    looks = {i.field: i.visible for i in kind.identities if i.visible is not None}
    if not looks:
        return
    looks_of_names = [(r, looks[r.by](r.key)) for r in sorted(resources, key=lambda r: r.address) if r.by in looks]
    waiting = {look: r for r, look in looks_of_names if not r.is_gone and r.address in matches.withheld and r.address not in matches.pairs}
    for resource, look in looks_of_names:
        if resource.is_gone and resource.address in matches.pairs and look in waiting:
            text = f"not deleted: the entry at {waiting[look].mark} differs only invisibly; give that one renamed_from, and remove this one"
            matches.notes.append(Note("lookalike", text, resource.address, resource.mark))
            matches.withheld.add(resource.address)


def _refuse_shared(kind: Kind, matches: Match, resources: Iterable[Resource]) -> None:
    """Two entries for one live thing: refused, both places named."""
    if len(set(matches.pairs.values())) == len(matches.pairs):
        return
    owners: dict[str, list[Resource]] = defaultdict(list)
    for resource in sorted(resources, key=lambda r: r.address):
        if resource.address in matches.pairs:
            owners[matches.pairs[resource.address]].append(resource)
    for live_id, owned in owners.items():
        yielding = [r.address for r in owned if _yields(kind, r, owned)]
        for address in yielding:
            del matches.pairs[address]
        owned = [r for r in owned if r.address not in yielding]
        if len(owned) > 1:
            places = " and ".join(str(r.mark) for r in owned)
            text = f"{places}: these entries are the same live {kind.name} (id {live_id}); keep one"
            matches.refusals.append(Refusal("identity", text, entries=tuple(r.address for r in owned)))
            matches.withheld.update(r.address for r in owned)


def _yields(kind: Kind, tombstone: Resource, owners: Iterable[Resource]) -> bool:
    """Whether a tombstone found only who is declared to have its name now: that one took it over, and stays. Of what nobody but a person
    can take over it is the thing itself."""
    if not (tombstone.is_gone and kind.person):
        return False
    fold = kind.identity[tombstone.by].fold
    others = (other for other in owners if not other.is_gone and other.by != tombstone.by and tombstone.by in other.fields)
    return any(fold(str(other.fields[tombstone.by])) == fold(tombstone.key) for other in others)
