"""Facts: what became of the changes of a run, and what must be looked at to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from enum import Enum
from itertools import chain
from typing import Any, NamedTuple

from reconciler.core.model.address import Address, address_by
from reconciler.core.model.change import Action
from reconciler.core.model.desired import Manifest, Pin, Resource, WrittenLinks
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.past import Done
from reconciler.core.model.paths import definition_at
from reconciler.core.model.policy import Limits, Policy
from reconciler.core.model.record import Thing
from reconciler.core.undo.preimage import End, KeptChange, Moved, Preimage
from reconciler.errors import Mark


class Effect(Enum):
    """What became of a kept change. MET: what it was to make was there already. LOST: its answer never came, so what is live decides."""

    DONE = "done"
    MET = "met"
    LOST = "lost"
    NOT = "not"


class Fact(NamedTuple):
    """What is known of a change after its run."""

    # What became of it.
    effect: Effect
    # The live id of the thing, where it is known.
    id: str | None = None


UNKNOWN = Fact(Effect.LOST)


class DoneChange(NamedTuple):
    """A change that was done, or may have been, with the ids that are known by now."""

    # The change.
    change: KeptChange
    # What became of it.
    effect: Effect


def read_done(preimage: Preimage, facts: Sequence[Fact]) -> tuple[DoneChange, ...]:
    """The changes of a run that were done, with the ids of what they made."""
    pairs = list(zip(preimage.kept_changes, facts, strict=True))
    ids = {i: fact.id or change.source.id for i, (change, fact) in enumerate(pairs) if fact.effect is not Effect.NOT and not change.link}

    def resolve(end: End) -> End:
        return end if end.made is None else End(end.kind, ids.get(end.made))

    def complete(i: int, change: KeptChange) -> KeptChange:
        if change.target:
            return replace(change, source=resolve(change.source), target=resolve(change.target))
        return replace(change, source=End(change.source.kind, ids[i]))

    return tuple(DoneChange(complete(i, change), fact.effect) for i, (change, fact) in enumerate(pairs) if fact.effect is not Effect.NOT)


# ── what to look at ────────────────────────────────────────────────────────────────────────────────────────────────────────
def list_questions(kinds: Kinds, preimage: Preimage, kept_changes: Sequence[DoneChange]) -> tuple[Manifest, Mapping[str, Set[str]]]:
    """What must be read of the workspace: a manifest of all that has a name, and by kind the live ids of the rest."""
    mark = Mark(f"run {preimage.run}")
    resources: dict[Address, Resource] = {}
    also: dict[str, set[str]] = {}
    for kind, live_id in sorted({thing for change, _ in kept_changes for thing in list_things(change)}):
        if kinds[kind].person:
            # Lists that are written are read whole.
            links = {link.field: WrittenLinks({}, {}) for link in kinds[kind].links}
            address = address_by(kind, "id", live_id)
            resources[address] = Resource(address, "id", live_id, {}, mark, links=links)
        else:
            also.setdefault(kind, set()).add(live_id)
    for change in (change for change, _ in kept_changes if goes_by_name(change)):
        address = address_by((change.target or change.source).kind, change.by, change.key)
        resources[address] = Resource(address, change.by, change.key, {}, mark)
    return make_manifest(preimage, resources), also


def list_typing(kinds: Kinds, kept_changes: Sequence[DoneChange]) -> frozenset[str]:
    """The kinds that say of which type the numbers are that a run wrote or took away: some of them are times."""
    moves = ((kinds[change.source.kind], change.fields, change.had) for change, _ in kept_changes if not change.link)
    places = ((kind, path, value) for kind, fields, had in moves for path, value in chain(fields.items(), had.items()))
    definitions = (definition_at(kind, path) for kind, path, value in places if _has_number(value))
    return frozenset(definition.kind for definition in definitions if definition)


def _has_number(value: Any) -> bool:
    """Whether a value, or one side of a move, is a number."""
    return any(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (value if isinstance(value, Moved) else (value,)))


def make_manifest(preimage: Preimage, resources: Mapping[Address, Resource]) -> Manifest:
    """A manifest under the name of a run and for its workspace, with the limits that the run was held to."""
    policy = Policy(links="additive", limits=Limits(**preimage.limits))
    return Manifest(resources, policy, preimage.name, Pin(preimage.app_id, preimage.region))


def list_things(change: KeptChange) -> Iterator[Thing]:
    """The live things that a change is about, but for the one that it deleted."""
    if change.source.id and change.action is not Action.DELETE:
        yield change.source.kind, change.source.id
    if change.target and change.target.id:
        yield change.target.kind, change.target.id
    for links in change.held:
        yield from ((links.kind, live_id) for live_id in links.ids)


def goes_by_name(change: KeptChange) -> bool:
    """Whether a thing can be found by its name alone: it was deleted, perhaps by a later run, or the answer to its create never came."""
    is_unanswered = change.action is Action.CREATE and change.source.id is None
    return (is_unanswered or change.action in (Action.DELETE, Action.DETACH)) and bool(change.by) and isinstance(change.key, str)


# ── what is to be there ────────────────────────────────────────────────────────────────────────────────────────────────────
def list_made(kinds: Kinds, kept_changes: Sequence[DoneChange], live: Snapshot) -> list[Thing]:
    """What a run made and only a deletion unmakes: whoever carries it by now would lose it."""
    things = (
        (change.source.kind, str(change.source.id)) for change, _ in kept_changes if change.action is Action.CREATE and change.link is None
    )
    return [(kind, live_id) for kind, live_id in things if kinds[kind].archive is None and live_id in live.things.get(kind, {})]


_EFFECTS = {"applied": Effect.DONE, "ineffective": Effect.DONE, "unanswered": Effect.LOST}
# What takes several calls may have failed after the first.
_IN_PARTS = (Action.UPDATE, Action.UNARCHIVE)


def judge_effect(row: Done) -> Effect:
    if row.met:
        return Effect.MET
    return Effect.LOST if row.outcome == "failed" and row.action in _IN_PARTS else _EFFECTS.get(row.outcome, Effect.NOT)
