"""Merges: what goes into another thing goes once that one is carried by all who carry it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from reconciler.core.compare.cause import find_causes
from reconciler.core.compare.comparison import Comparison, add_notes
from reconciler.core.compare.named import find_name
from reconciler.core.model.address import Address, LinkName, address_by
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange, Use
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds, join_words
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.refusal import Refusal

Carriers = Mapping[Thing, Mapping[LinkName, Collection[str]]]
"""Who carries a thing, by the kind of link: ids of its sources."""
MERGING = "merging"


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


def list_merged(comparison: Comparison, merges: Iterable[ThingChange]) -> list[Thing]:
    """What goes into another thing, and those others as far as they are live."""
    things = {(c.address.kind, end) for c in merges for end in (c.id, comparison.live.pairs.get(c.into or c.address)) if end}
    return sorted(things)


def refuse_merges(comparison: Comparison, why: str) -> Comparison:
    """The comparison of which the merges are refused: nobody can say who carries what."""
    text = f"who carries it cannot be read ({why}), so nobody could be moved; let the token read that"
    refusals = [Refusal("merge", f"{c.mark}: {text}", entries=(c.address,)) for c in list_merges(comparison.difference.changes)]
    return replace(comparison, difference=replace(comparison.difference, refusals=(*comparison.difference.refusals, *refusals)))


def move_members(comparison: Comparison, carriers: Carriers) -> Comparison:
    """The comparison with the links by which those who carry what goes get what stays. What goes into nothing stays too."""
    arriving = {c.address for c in comparison.difference.changes if c.action is Action.CREATE}
    changes, notes, asked = list[Change](), list[Note](), {change.subject for change in comparison.difference.changes}
    for change in comparison.difference.changes:
        into = change.into if isinstance(change, ThingChange) else None
        if into and into not in arriving and comparison.live.of(into) is None:
            notes.append(Note(MERGING, f"stays: {into} is not live, and not made by this plan", change.address, change.mark, held=True))
            continue
        changes.append(change)
        new = [c for c in find_attaches(comparison, change, carriers) if c.subject not in asked] if isinstance(change, ThingChange) else []
        asked |= {c.subject for c in new}
        changes += find_causes(comparison.kinds, comparison.manifest, comparison.recorded, new)
    return add_notes(replace(comparison, difference=replace(comparison.difference, changes=tuple(changes))), notes)


def find_attaches(comparison: Comparison, merge: ThingChange, carriers: Carriers) -> Iterator[LinkChange]:
    """The links that those who carry what goes do not have yet. Whose own entry leaves out what stays does not get it."""
    if merge.into is None:
        return
    live, into = comparison.live, merge.into
    old, new = (into.kind, str(merge.id)), (into.kind, live.pairs.get(into, ""))
    seen, key = add_seen(comparison.kinds, live, (old, new), carriers), _find_key(comparison, into)
    names = {(address.kind, live_id): address for address, live_id in live.pairs.items()}
    for link, ids in sorted(seen[old].items()):
        for source_id in sorted(ids - seen[new].get(link, set())):
            address = names.get((link.source, source_id)) or address_by(link.source, "id", source_id)
            if not _is_left_out(comparison, address, link, into):
                people = 1 if link.source in comparison.kinds.persons else None
                attach = LinkChange(Action.ATTACH, address, into, link, merge.mark, source_id, new[1] or None, people)
                yield replace(attach, target_key=key, merges=merge.address)


def _find_key(comparison: Comparison, into: Address) -> str:
    """What names the thing that stays, where its address is an id."""
    resource = comparison.manifest.resources.get(into)
    return find_name(comparison.kinds[into.kind], resource, comparison.live.of(into)) if resource else ""


def _is_left_out(comparison: Comparison, address: Address, link: LinkName, into: Address) -> bool:
    """Whether an entry says of its own list, which rules, that a link is not to be."""
    resource = comparison.manifest.resources.get(address)
    written = resource.links.get(link.field) if resource else None
    if written is None:
        return False
    return into in written.absent or (into not in written.present and comparison.manifest.policy.links in ("declared", "exact"))


def list_holders(kind: Kind, kinds: Kinds, uses: Sequence[Use]) -> Sequence[Use]:
    """The uses of a thing that no link can move to another one, but for those that are known to be none."""
    movable = list_movable(kind, kinds)
    return [use for use in uses if use.where not in movable and use.number != 0]


def list_movable(kind: Kind, kinds: Kinds) -> Set[str]:
    """The places of use from which a link leads to a thing."""
    return {kinds[members.link.source].section for members in kind.uses.members}


def describe_holders(holders: Sequence[Use]) -> str:
    """What keeps a thing from being deleted."""
    numbers = ("nobody can say how many" if use.number is None else f"{'at least ' if use.least else ''}{use.number}" for use in holders)
    return join_words((f"{use.where} ({number})" for use, number in zip(holders, numbers, strict=True)), "and")


def hold_back(comparison: Comparison) -> Comparison:
    """The comparison without the deletions of what is held: by what no link can move, or by what nobody could count."""
    kinds, kept, notes = comparison.kinds, list[Change](), list[Note]()
    for change in comparison.difference.changes:
        kind = kinds[change.address.kind]
        holders = list_holders(kind, kinds, change.uses) if isinstance(change, ThingChange) and change.into else ()
        if not holders or not isinstance(change, ThingChange):
            kept.append(change)
            continue
        movable = list_movable(kind, kinds)
        rest = [use for use in change.uses if use.where in movable]
        text = f"stays, as {describe_holders(holders)} carry it, which only people can move"
        text = f"{text}; {describe_holders(rest)} get {change.into}" if rest else text
        notes.append(Note(MERGING, text, change.address, change.mark))
    return add_notes(replace(comparison, difference=replace(comparison.difference, changes=tuple(kept))), notes)
