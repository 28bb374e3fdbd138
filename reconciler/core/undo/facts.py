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
from reconciler.core.model.recorded import Thing
from reconciler.core.undo.preimage import Deed, End, Preimage
from reconciler.errors import Mark


class Fate(Enum):
    """What became of a deed. MET: what it was to make was there. Where its answer was lost nobody knows, so what is live says it."""

    DONE = "done"
    MET = "met"
    LOST = "lost"
    NOT = "not"


class Fact(NamedTuple):
    """What is known of a deed after its run, and the id of the thing."""

    fate: Fate
    id: str | None = None


UNKNOWN = Fact(Fate.LOST)


class DoneDeed(NamedTuple):
    """A deed that was done, or may have been, with the ids that are known by now."""

    deed: Deed
    fate: Fate


def done(image: Preimage, facts: Sequence[Fact]) -> tuple[DoneDeed, ...]:
    """The deeds of a run that were done, with the ids of what they made."""
    pairs = list(zip(image.deeds, facts, strict=True))
    made = {i: fact.id or deed.source.id for i, (deed, fact) in enumerate(pairs) if fact.fate is not Fate.NOT and not deed.link}

    def known(end: End) -> End:
        return end if end.made is None else End(end.kind, made.get(end.made))

    def told(i: int, deed: Deed) -> Deed:
        if deed.target:
            return replace(deed, source=known(deed.source), target=known(deed.target))
        return replace(deed, source=End(deed.source.kind, made[i]))

    return tuple(DoneDeed(told(i, deed), fact.fate) for i, (deed, fact) in enumerate(pairs) if fact.fate is not Fate.NOT)


# ── what to look at ────────────────────────────────────────────────────────────────────────────────────────────────────────
def questions(kinds: Kinds, image: Preimage, deeds: Sequence[DoneDeed]) -> tuple[Manifest, Mapping[str, Set[str]]]:
    """What must be seen of the workspace: as a manifest all that can be named there, and by kind the live ids of the rest."""
    mark = Mark(f"run {image.run}")
    resources: dict[Address, Resource] = {}
    also: dict[str, set[str]] = {}
    for kind, live_id in sorted({thing for deed, _ in deeds for thing in things_of(deed)}):
        if kinds[kind].person:
            # Lists that are written are read whole.
            links = {link.field: WrittenLinks({}, {}) for link in kinds[kind].links}
            address = address_by(kind, "id", live_id)
            resources[address] = Resource(address, "id", live_id, {}, mark, links=links)
        else:
            also.setdefault(kind, set()).add(live_id)
    for deed in (deed for deed, _ in deeds if goes_by_name(deed)):
        address = address_by(deed.source.kind, deed.by, deed.key)
        resources[address] = Resource(address, deed.by, deed.key, {}, mark)
    return declared(image, resources), also


def declared(image: Preimage, resources: Mapping[Address, Resource]) -> Manifest:
    """A manifest under the name of a run, for its workspace, held to the limits that it was held to."""
    policy = Policy(links="additive", limits=Limits(**image.limits))
    return Manifest(resources, policy, image.name, Pin(image.app_id, image.region))


def things_of(deed: Deed) -> Iterator[Thing]:
    """The live things that a deed is about, but for the one that it deleted."""
    if deed.source.id and deed.action is not Action.DELETE:
        yield deed.source.kind, deed.source.id
    if deed.target and deed.target.id:
        yield deed.target.kind, deed.target.id
    for held in deed.held:
        yield from ((held.kind, live_id) for live_id in held.ids)


def goes_by_name(deed: Deed) -> bool:
    """Whether a thing can be found by its name alone: it was deleted, or the answer to its create never came."""
    unanswered = deed.action is Action.CREATE and deed.source.id is None
    return (unanswered or deed.action is Action.DELETE) and bool(deed.by) and isinstance(deed.key, str)


# ── what is to be there ────────────────────────────────────────────────────────────────────────────────────────────────────
def made_for_good(kinds: Kinds, deeds: Sequence[DoneDeed], live: Snapshot) -> list[Thing]:
    """What a run made and only a deletion unmakes: whoever carries it by now would lose it."""
    made = ((deed.source.kind, str(deed.source.id)) for deed, _ in deeds if deed.action is Action.CREATE and deed.link is None)
    return [(kind, live_id) for kind, live_id in made if kinds[kind].archive is None and live_id in live.things.get(kind, {})]


_FATES = {"applied": Fate.DONE, "ineffective": Fate.DONE, "unanswered": Fate.LOST}
# What takes several calls may have failed after the first.
_IN_PARTS = (Action.UPDATE, Action.UNARCHIVE)


def fate_of(row: Done) -> Fate:
    if row.met:
        return Fate.MET
    return Fate.LOST if row.outcome == "failed" and row.action in _IN_PARTS else _FATES.get(row.outcome, Fate.NOT)
