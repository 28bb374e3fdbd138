"""Spared: what no prune takes, as it is not settled yet what an entry means by it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from reconciler.core.compare.index import Index
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource, group_by_kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.record import LinkOrigin, Thing
from reconciler.core.model.recorded import Recorded
from reconciler.errors import Mark


def find_unknown(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded) -> Iterator[Resource]:
    """The entries whose id is not live and was never recorded: nobody knows which thing they mean."""
    for address, resource in manifest.resources.items():
        is_unmet = resource.by == "id" and address not in live.pairs and not kinds[address.kind].person
        if is_unmet and recorded.of(address.kind, resource.key) is None:
            yield resource


def find_spared(
    kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded, mentioned: Mapping[Thing, Mark], unknown: Collection[Resource]
) -> Mapping[Thing, str]:
    """The live things that no prune takes, each with the reason. `mentioned` are those with which nothing is done, `unknown` the entries to
    be there of which nobody knows what they mean."""
    reasons = {name: text for name, text in _list_had(kinds, recorded, mentioned)}
    for resource in sorted(unknown, key=lambda r: r.address, reverse=True):
        text = f"the entry at {resource.mark} may mean it, by an id that is not live: it stays until that is corrected"
        reasons |= {(resource.address.kind, live_id): text for live_id in live.things.get(resource.address.kind, {})}
    return {**reasons, **dict(_list_former(kinds, manifest, live))}


def _list_had(kinds: Kinds, recorded: Recorded, mentioned: Mapping[Thing, Mark]) -> Iterator[tuple[Thing, str]]:
    """What is on record as the other end of a link of something with which nothing is done."""
    for name, mark in mentioned.items():
        record = recorded.of(*name)
        for field, ends in record.links.items() if record else ():
            link = kinds.links.get(LinkName(name[0], field))
            text = f"what the entry at {mark} means has it, and nothing is done with that entry: it stays"
            yield from (((link.target, end), text) for end, origin in ends.items() if link and origin != LinkOrigin.ABSENT)


def _list_former(kinds: Kinds, manifest: Manifest, live: Snapshot) -> Iterator[tuple[Thing, str]]:
    """What has the former name of an entry that means another thing."""
    resources = [r for r in manifest.resources.values() if r.former and not kinds[r.address.kind].person]
    for name, group in group_by_kind(resources).items():
        kind = kinds[name]
        index = Index(kind, live.things.get(name, {}).values())
        for resource in group:
            text = f"the entry at {resource.mark} has this as a former name, and means another one: it stays until the two are merged"
            for by, key in resource.former:
                yield from (((name, thing.id), text) for thing in index.get((by, kind.identity[by].fold(key))))


def list_unknown(manifest: Manifest, source: Address, field: str, target: Address, unknown: Collection[Address]) -> list[Address]:
    """What stands in the list of an entry beside a link that this list does not say is to go, and may mean the end of that link."""
    resource = manifest.resources.get(source) if unknown else None
    lists = resource.links.get(field) if resource else None
    return sorted(lists.present.keys() & unknown) if lists and target not in lists.absent else []
