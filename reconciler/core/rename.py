"""Renames that somebody forgot to declare: one thing goes and another like it comes in the same plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from difflib import SequenceMatcher

from reconciler.core.address import Address
from reconciler.core.change import Action, Change, LinkChange, ThingChange
from reconciler.core.diff import live_value
from reconciler.core.kind import Kind
from reconciler.core.resource import Live, Manifest, Note, Snapshot

# From so much likeness on two names are more often one thing than two; and so many of those who get the new one have the old one.
LIKE, SHARED = 0.6, 0.5


def forgotten(
    kinds: Sequence[Kind], manifest: Manifest, live: Snapshot, changes: Sequence[Change], arriving: Sequence[Change]
) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """Creates beside a deletion that nobody wrote down, where a rename is more likely: a sentence, and the two changes.

    `arriving` are all changes, also those that the plan leaves out: what comes later is no less the new name of what goes now.
    """
    renaming = {kind.name: kind for kind in kinds if kind.rename}
    going = [c for c in changes if c.action is Action.DELETE and c.address.kind in renaming and c.address not in manifest.resources]
    coming = [c for c in arriving if c.action is Action.CREATE and c.address.kind in renaming] if going else []
    getting = _getting(arriving) if coming else {}
    for old in going:
        for new in coming:
            if new.address.kind == old.address.kind and _like(old, new, getting.get(new.address, frozenset()), live):
                text = f"{new.mark}: {new.address.key!r} is new and {old.address.key!r} goes: this looks like a rename"
                now = f"write `renamed_from: {old.address.key}` on the new one, or all who have it lose it; if that is meant, approve"
                yield f"{text}; {now}", (old, new)


def _getting(changes: Sequence[Change]) -> Mapping[Address, Set[str]]:
    """Who gets which thing, by live id."""
    found: dict[Address, set[str]] = {}
    for change in changes:
        if isinstance(change, LinkChange) and change.action is Action.ATTACH and change.id:
            found.setdefault(change.target, set()).add(change.id)
    return found


def _like(old: Change, new: Change, getting: Set[str], live: Snapshot) -> bool:
    if SequenceMatcher(None, old.address.key.casefold(), new.address.key.casefold()).ratio() >= LIKE:
        return True
    holding = {source for held in live.links.values() for source in getting if old.id in held.get(source, ())}
    return bool(getting) and len(holding) >= SHARED * len(getting)


def same_person(kinds: Sequence[Kind], changes: Sequence[Change], left: Sequence[Live]) -> Iterator[Note]:
    """Notes for creates that look like somebody of ours who left the manifest: the same name, another identity."""
    by_name = {kind.name: kind for kind in kinds}
    for change in changes:
        if isinstance(change, ThingChange) and change.action is Action.CREATE and by_name[change.address.kind].lenient:
            for thing in left:
                if thing.kind == change.address.kind and _alike(by_name[thing.kind], change, thing):
                    text = f"looks like {thing.kind} {thing.key} (id {thing.id}), which is ours and left the manifest: if so, write"
                    by = next(i.field for i in by_name[thing.kind].identities if i.field == "id" or thing.fields.get(i.field))
                    was = thing.id if by == "id" else thing.fields[by]
                    yield Note("renamed", f"{text} `was: {{{by}: {was}}}`", change.address, change.mark)


def _alike(kind: Kind, change: ThingChange, thing: Live) -> bool:
    """Whether all that is claimed besides identities is live there, and that is something personal."""
    moved = [field for field in change.fields if field.path not in kind.identity and field.path in kind.fields]
    personal = [field for field in moved if kind.fields[field.path].personal]
    return bool(personal) and all(kind.fields[f.path].same(live_value(thing, f.path), f.after) for f in personal)
