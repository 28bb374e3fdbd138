"""Choices: a list of the only values that what it types may have; what an update of it adds and takes away, and who needs which. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, FieldChange, ThingChange
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.paths import definition_at


class Choice(NamedTuple):
    """One value of one list."""

    # What has the list.
    owner: Address
    # One value of it.
    value: str


@dataclass(frozen=True, slots=True)
class Moves:
    """What one update does to a list of choices."""

    # The field that moves.
    field: FieldChange
    # The values that are new in it.
    added: tuple[Any, ...]
    # The values that it has no longer.
    dropped: tuple[Any, ...]


def choices_without(kind: Kind, fields: Mapping[str, Any], value: Any) -> tuple[Any, ...]:
    """The choices that a typing thing has, where a value is none of them; empty where it may be had."""
    choices = tuple(fields.get(kind.choices) or ()) if kind.choices else ()
    return () if value is None or value in choices else choices


# So many choices are named in a sentence.
NAMED = 12


def list_choices(choices: Sequence[str]) -> str:
    """The choices that there are, for a sentence."""
    more = f" and {len(choices) - NAMED} more" if len(choices) > NAMED else ""
    return ", ".join(choices[:NAMED]) + more


def find_moves(kind: Kind, change: Change) -> Moves | None:
    """What a change does to the choices of its thing, if it moves them."""
    if not isinstance(change, ThingChange) or change.action not in (Action.UPDATE, Action.UNARCHIVE):
        return None
    field = next((f for f in change.fields if f.path == kind.choices), None)
    if field is None:
        return None
    before, after = tuple(field.before or ()), tuple(field.after or ())
    return Moves(field, tuple(v for v in after if v not in before), tuple(v for v in before if v not in after))


def find_taken(kind: Kind, change: ThingChange) -> Iterator[Choice]:
    """The choices that a thing has after a change and may not have had before."""
    yield from (Choice(owner, field.after) for owner, field in _find_typed(kind, change) if isinstance(field.after, str))


def find_left(kind: Kind, change: ThingChange, live: Snapshot) -> Iterator[Choice]:
    """The choices that a thing has no longer after a change."""
    yield from (Choice(owner, field.before) for owner, field in _find_typed(kind, change) if isinstance(field.before, str))
    thing = live.things.get(kind.name, {}).get(change.id or "") if change.action is Action.DELETE else None
    if thing is not None:
        yield from read_choices(kind, thing)


def read_choices(kind: Kind, thing: Live) -> Iterator[Choice]:
    """The values of a live thing that another one types."""
    for name, field in kind.fields.items():
        if field.merged and field.typed_by:
            values = (thing.fields.get(name) or {}).items()
            yield from (Choice(Address(field.typed_by, key), value) for key, value in values if isinstance(value, str))


def _find_typed(kind: Kind, change: ThingChange) -> Iterator[tuple[Address, FieldChange]]:
    for field in change.fields:
        if definition := definition_at(kind, field.path):
            yield definition, field


def find_choice_leavers(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> Mapping[Choice, frozenset[str]]:
    """The live ids of those who leave each choice by these changes."""
    leavers: dict[Choice, set[str]] = defaultdict(set)
    for change in changes:
        if isinstance(change, ThingChange) and change.id:
            for choice in find_left(kinds[change.address.kind], change, live):
                leavers[choice].add(change.id)
    return {choice: frozenset(ids) for choice, ids in leavers.items()}


def find_users(kinds: Kinds, owner: Live) -> Sequence[tuple[Kind, str]]:
    """The kinds whose things may have a choice of a live thing, each with the path of it."""
    fields = ((kind, name, field) for kind in kinds for name, field in kind.fields.items())
    fields_by_owner = ((kind, name) for kind, name, field in fields if field.merged and field.typed_by == owner.kind)
    return [(kind, f"{name}.{owner.key}") for kind, name in fields_by_owner if owner.fields.get("model") in (None, kind.name)]


def split_turns(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> list[Change]:
    """The changes, with an update of choices made in two turns where some wait for what it adds and it waits for others to leave what it
    takes away: first all that is or will be a choice, in the end what is declared."""
    gains, losses = set[Choice](), set[Choice]()
    if any(find_moves(kinds[change.address.kind], change) for change in changes):
        for change in changes:
            if isinstance(change, ThingChange):
                gains.update(find_taken(kinds[change.address.kind], change))
                losses.update(find_left(kinds[change.address.kind], change, live))
    return [part for change in changes for part in _split_turns(kinds[change.address.kind], change, gains, losses)]


def _split_turns(kind: Kind, change: Change, gains: set[Choice], losses: set[Choice]) -> Iterator[Change]:
    moves = find_moves(kind, change)
    if moves is None or not isinstance(change, ThingChange):
        yield change
        return
    opens = change.action is Action.UNARCHIVE or any(Choice(change.address, value) in gains for value in moves.added)
    if not opens or not any(Choice(change.address, value) in losses for value in moves.dropped):
        yield change
        return
    every = (*moves.field.after, *moves.dropped)
    first = tuple(replace(f, after=every) if f is moves.field else f for f in change.fields)
    yield replace(change, fields=first, uses=(), people=None)
    yield replace(change, action=Action.UPDATE, fields=(replace(moves.field, before=every),), returns=False, recreate=False)


def find_needs(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> Mapping[int, set[int]]:
    """Which changes wait for which: who takes a choice for its being one, and its end for all who leave it."""
    pairs = [
        (i, change, change_moves) for i, change in enumerate(changes) if (change_moves := find_moves(kinds[change.address.kind], change))
    ]
    openers = {Choice(change.address, value): i for i, change, change_moves in pairs for value in change_moves.added}
    closers = {Choice(change.address, value): i for i, change, change_moves in pairs for value in change_moves.dropped}
    wait: dict[int, set[int]] = defaultdict(set)
    if not pairs:
        return wait
    for i, change in enumerate(changes):
        if isinstance(change, ThingChange):
            kind = kinds[change.address.kind]
            wait[i].update(openers[choice] for choice in find_taken(kind, change) if choice in openers)
            for choice in find_left(kind, change, live):
                if choice in closers:
                    wait[closers[choice]].add(i)
    # Of two turns of one list the second waits for the first.
    firsts = {choice.owner: i for choice, i in openers.items()}
    for choice, i in closers.items():
        if firsts.get(choice.owner, i) != i:
            wait[i].add(firsts[choice.owner])
    return wait
