"""Facts: what became of the changes of a run, and what must be looked at to take it back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from reconciler.core.model.address import Address, address_by
from reconciler.core.model.change import Action
from reconciler.core.model.desired import Manifest, Pin, Resource, WrittenLinks
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.past import Done
from reconciler.core.model.policy import Limits, Policy
from reconciler.core.model.record import Thing
from reconciler.core.undo.preimage import End, KeptChange, Preimage
from reconciler.errors import Mark


class Effect(Enum):
    """What became of a kept change. MET: what it was to make was there. Where its answer was lost nobody knows, so what is live says it."""

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
    kept: KeptChange
    # What became of it.
    effect: Effect


def read_done(preimage: Preimage, facts: Sequence[Fact]) -> tuple[DoneChange, ...]:
    """The changes of a run that were done, with the ids of what they made."""
    pairs = list(zip(preimage.kept_changes, facts, strict=True))
    ids = {i: fact.id or kept.source.id for i, (kept, fact) in enumerate(pairs) if fact.effect is not Effect.NOT and not kept.link}

    def resolve(end: End) -> End:
        return end if end.made is None else End(end.kind, ids.get(end.made))

    def complete(i: int, kept: KeptChange) -> KeptChange:
        if kept.target:
            return replace(kept, source=resolve(kept.source), target=resolve(kept.target))
        return replace(kept, source=End(kept.source.kind, ids[i]))

    return tuple(DoneChange(complete(i, kept), fact.effect) for i, (kept, fact) in enumerate(pairs) if fact.effect is not Effect.NOT)


# ── what to look at ────────────────────────────────────────────────────────────────────────────────────────────────────────
def list_questions(kinds: Kinds, preimage: Preimage, kept_changes: Sequence[DoneChange]) -> tuple[Manifest, Mapping[str, Set[str]]]:
    """What must be seen of the workspace: as a manifest all that can be named there, and by kind the live ids of the rest."""
    mark = Mark(f"run {preimage.run}")
    resources: dict[Address, Resource] = {}
    also: dict[str, set[str]] = {}
    for kind, live_id in sorted({thing for kept, _ in kept_changes for thing in list_things(kept)}):
        if kinds[kind].person:
            # Lists that are written are read whole.
            links = {link.field: WrittenLinks({}, {}) for link in kinds[kind].links}
            address = address_by(kind, "id", live_id)
            resources[address] = Resource(address, "id", live_id, {}, mark, links=links)
        else:
            also.setdefault(kind, set()).add(live_id)
    for kept in (kept for kept, _ in kept_changes if goes_by_name(kept)):
        address = address_by((kept.target or kept.source).kind, kept.by, kept.key)
        resources[address] = Resource(address, kept.by, kept.key, {}, mark)
    return make_manifest(preimage, resources), also


def make_manifest(preimage: Preimage, resources: Mapping[Address, Resource]) -> Manifest:
    """A manifest under the name of a run, for its workspace, held to the limits that it was held to."""
    policy = Policy(links="additive", limits=Limits(**preimage.limits))
    return Manifest(resources, policy, preimage.name, Pin(preimage.app_id, preimage.region))


def list_things(kept: KeptChange) -> Iterator[Thing]:
    """The live things that a change is about, but for the one that it deleted."""
    if kept.source.id and kept.action is not Action.DELETE:
        yield kept.source.kind, kept.source.id
    if kept.target and kept.target.id:
        yield kept.target.kind, kept.target.id
    for held in kept.held:
        yield from ((held.kind, live_id) for live_id in held.ids)


def goes_by_name(kept: KeptChange) -> bool:
    """Whether a thing can be found by its name alone: it was deleted, perhaps by a later run, or the answer to its create never came."""
    unanswered = kept.action is Action.CREATE and kept.source.id is None
    return (unanswered or kept.action in (Action.DELETE, Action.DETACH)) and bool(kept.by) and isinstance(kept.key, str)


# ── what is to be there ────────────────────────────────────────────────────────────────────────────────────────────────────
def list_made(kinds: Kinds, kept_changes: Sequence[DoneChange], live: Snapshot) -> list[Thing]:
    """What a run made and only a deletion unmakes: whoever carries it by now would lose it."""
    things = ((kept.source.kind, str(kept.source.id)) for kept, _ in kept_changes if kept.action is Action.CREATE and kept.link is None)
    return [(kind, live_id) for kind, live_id in things if kinds[kind].archive is None and live_id in live.things.get(kind, {})]


_EFFECTS = {"applied": Effect.DONE, "ineffective": Effect.DONE, "unanswered": Effect.LOST}
# What takes several calls may have failed after the first.
_IN_PARTS = (Action.UPDATE, Action.UNARCHIVE)


def judge_effect(row: Done) -> Effect:
    if row.met:
        return Effect.MET
    return Effect.LOST if row.outcome == "failed" and row.action in _IN_PARTS else _EFFECTS.get(row.outcome, Effect.NOT)
