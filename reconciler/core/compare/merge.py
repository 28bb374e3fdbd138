"""Merges: what goes into another thing goes once that one is carried by all who carry it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from reconciler.core.compare.astray import describe_astray, find_astray
from reconciler.core.compare.cause import find_causes
from reconciler.core.compare.comparison import Comparison, add_notes
from reconciler.core.compare.named import find_name
from reconciler.core.compare.ruled import is_sole
from reconciler.core.model.ability import Members
from reconciler.core.model.address import Address, LinkName, address_by
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange, Use
from reconciler.core.model.kinds import Kinds, join_words
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.refusal import Refusal

Carriers = Mapping[Thing, Mapping[LinkName, Collection[str]]]
"""Who carries a thing, by the kind of link: ids of its sources."""
NO_CARRIERS: Carriers = {}
MERGING, MOVING = "merging", "moving"


def add_seen(kinds: Kinds, live: Snapshot, things: Collection[Thing], carriers: Carriers) -> Mapping[Thing, Mapping[LinkName, Set[str]]]:
    """The carriers of these things, with those that were seen beside: a list may hide some, and a search lags."""
    every = {thing: {name: set(ids) for name, ids in carriers.get(thing, {}).items()} for thing in things}
    for link in kinds.links.values() if things else ():
        for source, ends in live.links.get(link.name, {}).items():
            for thing in every.keys() & {(link.target, end) for end in ends}:
                every[thing].setdefault(link.name, set()).add(source)
    return every


def join_carriers(one: Carriers, other: Carriers) -> Carriers:
    """Who carries each thing, as either says."""
    return {
        thing: {link: {*one.get(thing, {}).get(link, ()), *other.get(thing, {}).get(link, ())} for link in links}
        for thing in {**one, **other}
        if (links := {**one.get(thing, {}), **other.get(thing, {})})
    }


def list_merges(changes: Iterable[Change]) -> list[ThingChange]:
    """The deletions of what goes into another thing."""
    return [change for change in changes if isinstance(change, ThingChange) and change.into]


def list_others(kinds: Kinds, merge: ThingChange) -> Sequence[Members]:
    """How to find what else is moved for a merge: things that nobody declares."""
    about = kinds[merge.address.kind].merge
    return [members for members in about.others if kinds[members.link.source].section in merge.also] if about else []


def list_members(comparison: Comparison, merges: Iterable[ThingChange]) -> list[tuple[Thing, Members]]:
    """What goes into another thing, and those others as far as they are live, each with the lists of who carries it."""
    kinds, jobs = comparison.kinds, dict[tuple[Thing, LinkName], Members]()
    for merge in merges:
        for end in (merge.id, comparison.live.pairs.get(merge.into or merge.address)):
            for members in (*kinds[merge.address.kind].uses.members, *list_others(kinds, merge)) if end else ():
                jobs[(merge.address.kind, end or ""), members.link] = members
    return [(thing, jobs[thing, link]) for thing, link in sorted(jobs)]


def refuse_merges(comparison: Comparison, why: str) -> Comparison:
    """The comparison of which the merges are refused."""
    refusals = [Refusal("merge", f"{c.mark}: {why}", entries=(c.address,)) for c in list_merges(comparison.difference.changes)]
    return replace(comparison, difference=replace(comparison.difference, refusals=(*comparison.difference.refusals, *refusals)))


def move_members(comparison: Comparison, carriers: Carriers, *, retry: bool = False) -> Comparison:
    """The comparison with the links by which those who carry what goes get what stays. What goes into nothing stays too. `retry`: also
    by a name that was seen to mean another thing."""
    refusals = list(comparison.difference.refusals)
    arriving = {c.address for c in comparison.difference.changes if c.action is Action.CREATE}
    changes, notes, subjects = list[Change](), list[Note](), {change.subject for change in comparison.difference.changes}
    for change in comparison.difference.changes:
        into = change.into if isinstance(change, ThingChange) else None
        if into and into not in arriving and comparison.live.of(into) is None:
            why = "in doubt" if into in comparison.live.withheld else "not live, and not made by this plan"
            notes.append(Note(MERGING, f"stays: {into} is {why}", change.address, change.mark, is_open=True))
            continue
        changes.append(change)
        notes += _note_ruled(comparison, change)
        moves = list(find_moves(comparison, change, carriers)) if isinstance(change, ThingChange) else []
        astray = () if retry else find_astray(comparison.kinds, moves, comparison.live, comparison.recorded)
        if why := next((describe_astray(move) for move in moves if (move.target, move.target_id) in astray), ""):
            refusals.append(Refusal("merge", f"{change.mark}: {why}", entries=(change.address,)))
            continue
        new = [move for move in moves if move.subject not in subjects]
        subjects |= {move.subject for move in new}
        changes += find_causes(comparison.kinds, comparison.manifest, comparison.recorded, new)
        notes += _note_moving(comparison.kinds, change, moves, new)
    difference = replace(comparison.difference, changes=tuple(changes), refusals=tuple(refusals))
    return add_notes(replace(comparison, difference=difference), notes)


def _note_moving(kinds: Kinds, merge: Change, moves: Sequence[LinkChange], new: Sequence[LinkChange]) -> Iterator[Note]:
    """What is moved that nobody declares, in how many calls: the `new` moves are not made for another merge already."""
    numbers = Counter(kinds[move.link.source].section for move in moves if move.action is Action.DETACH)
    calls = Counter(kinds[move.link.source].section for move in new)
    for section, number in numbers.items():
        into = merge.into if isinstance(merge, ThingChange) else None
        yield Note(MOVING, f"{section} ({number:,}) get {into} and lose this one, in {calls[section]:,} calls", merge.address, merge.mark)


def _note_ruled(comparison: Comparison, merge: Change) -> Iterator[Note]:
    """A note that a rule, and no merge, says who gets what stays."""
    into = merge.into if isinstance(merge, ThingChange) else None
    rule = comparison.manifest.rules.get(into) if into else None
    if rule and is_sole(rule):
        section = comparison.kinds[rule.link.source].section
        yield Note(MERGING, f"of its {section} those get {into} who match the rule of that (at {rule.mark})", merge.address, merge.mark)


def find_moves(comparison: Comparison, merge: ThingChange, carriers: Carriers) -> Iterator[LinkChange]:
    """The links that those who carry what goes do not have yet, and of what else is moved those that go then. Whose own entry leaves out
    what stays does not get it, nor is anybody moved of whom a rule alone says whether they have it."""
    if merge.into is None:
        return
    live, into = comparison.live, merge.into
    old, new = (into.kind, str(merge.id)), (into.kind, live.pairs.get(into, ""))
    carriers_by_thing, key = add_seen(comparison.kinds, live, (old, new), carriers), _find_key(comparison, into)
    names = {(address.kind, live_id): address for address, live_id in live.pairs.items()}
    links = {members.link for members in list_others(comparison.kinds, merge)}
    rule = comparison.manifest.rules.get(into)
    rule_links = {rule.link} if rule and is_sole(rule) else set()
    for link, ids in sorted(item for item in carriers_by_thing[old].items() if item[0] not in rule_links):
        has, people = carriers_by_thing[new].get(link, set()), 1 if link.source in comparison.kinds.persons else None
        for source_id in sorted(ids if link in links else ids - has):
            address = names.get((link.source, source_id)) or address_by(link.source, "id", source_id)
            if _is_left_out(comparison, address, link, into):
                continue
            attach = LinkChange(Action.ATTACH, address, into, link, merge.mark, source_id, new[1] or None, people, merges=merge.address)
            if source_id not in has:
                yield replace(attach, target_key=key)
            if link in links:
                yield replace(attach, action=Action.DETACH, target=merge.address, target_id=merge.id, target_key=merge.key)


def count_left(comparison: Comparison, merge: ThingChange, carriers: Carriers) -> Sequence[Use]:
    """What else is to be moved, and still carries what goes."""
    kinds, old = comparison.kinds, (merge.address.kind, str(merge.id))
    remaining = {members.link: carriers.get(old, {}).get(members.link, ()) for members in list_others(kinds, merge)}
    return [Use(kinds[link.source].section, len(ids)) for link, ids in remaining.items() if ids]


def _find_key(comparison: Comparison, into: Address) -> str:
    """What names the thing that stays, where its address is an id."""
    resource = comparison.manifest.resources.get(into)
    return find_name(comparison.kinds[into.kind], resource, comparison.live.of(into)) if resource else ""


def _is_left_out(comparison: Comparison, address: Address, link: LinkName, into: Address) -> bool:
    """Whether an entry says of its own list, which rules, that a link is not to be."""
    resource = comparison.manifest.resources.get(address)
    lists = resource.links.get(link.field) if resource else None
    if lists is None:
        return False
    return into in lists.absent or (into not in lists.present and comparison.manifest.policy.links in ("declared", "exact"))


def list_holders(kinds: Kinds, merge: ThingChange, uses: Sequence[Use]) -> Sequence[Use]:
    """The uses of what goes that the merge does not move, but for those that are known to be none."""
    movable = list_movable(kinds, merge)
    return [use for use in uses if use.where not in movable and use.number != 0]


def list_movable(kinds: Kinds, merge: ThingChange) -> Set[str]:
    """The places of use that a merge moves."""
    return {kinds[members.link.source].section for members in kinds[merge.address.kind].uses.members} | {*merge.also}


def describe_holders(holders: Sequence[Use]) -> str:
    """What keeps a thing from being deleted."""
    numbers = ("nobody can say how many" if use.number is None else f"{'at least ' if use.least else ''}{use.number}" for use in holders)
    return join_words((f"{use.where} ({number})" for use, number in zip(holders, numbers, strict=True)), "and")


def describe_hold(kinds: Kinds, merge: ThingChange, holders: Sequence[Use]) -> str:
    """What keeps a thing from being deleted, and what would move that."""
    about = kinds[merge.address.kind].merge
    others = {kinds[members.link.source].section for members in about.others} if about else set()
    movable = [use for use in holders if use.where in others]
    rest = [use for use in holders if use.where not in others]
    sentences = [f"{describe_holders(rest)} carry it, which only people can move"] if rest else []
    if about and movable:
        sentences.append(f"{describe_holders(movable)} carry it, which `{about.also}: [{', '.join(use.where for use in movable)}]` moves")
    return " and ".join(sentences)


def hold_back(comparison: Comparison) -> Comparison:
    """The comparison without the deletions of what is held: by what no link can move, or by what nobody could count."""
    kinds, changes, notes = comparison.kinds, list[Change](), list[Note]()
    for change in comparison.difference.changes:
        holders = list_holders(kinds, change, change.uses) if isinstance(change, ThingChange) and change.into else ()
        if not holders or not isinstance(change, ThingChange):
            changes.append(change)
            continue
        movable = list_movable(kinds, change)
        rest = [use for use in change.uses if use.where in movable]
        text = f"stays, as {describe_hold(kinds, change, holders)}"
        text = f"{text}; {describe_holders(rest)} get {change.into}" if rest else text
        notes.append(Note(MERGING, text, change.address, change.mark))
    return add_notes(replace(comparison, difference=replace(comparison.difference, changes=tuple(changes))), notes)
