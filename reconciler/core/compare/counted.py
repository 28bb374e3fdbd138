"""Counted: of which changes it is asked who carries the thing, and what of that is known already. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from reconciler.core.compare.choices import find_moves
from reconciler.core.compare.merge import Carriers
from reconciler.core.model.change import Action, Change, ThingChange
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.note import Note

# Up to so many renames of a kind are counted: nobody loses anything by one, and no gate rests on its count.
MANY = 50
# What is counted by the id of the thing, in each place where it is used.
BY_ID = (Action.DELETE, Action.RENAME)


def list_counted(kinds: Kinds, changes: Iterable[Change]) -> list[ThingChange]:
    """The changes of which it is asked who carries the thing: what is lost always, what gets another name while that is not too many."""
    things = [change for change in changes if isinstance(change, ThingChange) and _can_be_counted(kinds[change.address.kind], change)]
    many = _find_many(things)
    return [change for change in things if change.action is not Action.RENAME or change.address.kind not in many]


def note_uncounted(kinds: Kinds, changes: Iterable[Change]) -> tuple[Note, ...]:
    """Notes on what gets another name and is too much to be counted."""
    things = [change for change in changes if isinstance(change, ThingChange) and _can_be_counted(kinds[change.address.kind], change)]
    return tuple(
        Note(
            "not counted",
            f"{number:,} {kinds[name].section} get another name, too many to ask who has each; nobody loses one by that; "
            f"`--target` plans up to {MANY} of them with their numbers",
        )
        for name, number in sorted(_find_many(things).items())
    )


def _can_be_counted(kind: Kind, change: ThingChange) -> bool:
    """Whether it may matter for a change who carries the thing."""
    if change.action in BY_ID:
        return bool(kind.uses.counts and change.id)
    moves = find_moves(kind, change)
    return moves is not None and bool(moves.dropped)


def _find_many(changes: Sequence[ThingChange]) -> Mapping[str, int]:
    """How many renames each kind has, where these are too many to be counted."""
    numbers = Counter(change.address.kind for change in changes if change.action is Action.RENAME)
    return {name: number for name, number in numbers.items() if number > MANY}


def find_read(kinds: Kinds, change: ThingChange, carriers: Carriers) -> Mapping[str, frozenset[str]]:
    """The ids of whoever carries a thing, by place, where all of these were read: their number is not asked for."""
    ids_by_link = carriers.get((change.address.kind, str(change.id)), {})
    return {kinds[link.source].section: frozenset(ids) for link, ids in ids_by_link.items()}


def list_places(kind: Kind, sections: Collection[str]) -> Iterator[str]:
    """The routes that are asked how often a thing is used, without the places that are known."""
    return (count.route for count in kind.uses.counts if count.where not in sections)
