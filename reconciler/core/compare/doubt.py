"""Doubt: what the ledger believes of us and a look at the workspace shows to be otherwise. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.attempt import Attempt, Disproof, Place
from reconciler.core.model.change import Action
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.record import OURS
from reconciler.core.model.recorded import LiveLink, Recorded


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is no longer believed."""

    # Writes whose answer was lost and that a strong read shows to be undone.
    disproved: tuple[Disproof, ...] = ()
    # Links that we made and somebody took away.
    undone: tuple[LiveLink, ...] = ()


def find_doubts(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded) -> Doubts:
    """Hold what is remembered against what was seen."""
    return Doubts(tuple(_find_disproved(kinds, manifest, live, recorded)), tuple(_find_undone(live, recorded)))


def _find_undone(live: Snapshot, recorded: Recorded) -> Iterator[LiveLink]:
    """Links of ours that the whole list of their source does not show."""
    for (kind, live_id), record in recorded.records.notable.items():
        if not record.has_own_links:
            continue
        for field, ends in record.links.items():
            link = LinkName(kind, field)
            live_ends = live.links.get(link, {}).get(live_id)
            if live_ends is not None and (link, live_id) not in live.cut_lists:
                missing = (end for end, link_origin in ends.items() if link_origin in OURS and end not in live_ends)
                yield from (LiveLink(kind, live_id, field, end) for end in missing)


def _find_disproved(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded) -> Iterator[Disproof]:
    attempts = {place: attempt for place, attempt in recorded.attempts.items() if attempt.is_lost}
    if not attempts:
        return
    addresses = (thing.address for name in live.listed for thing in live.things.get(name, {}).values())
    by_digest = {recorded.digests.thing(recorded.app_id, address): address for address in (*addresses, *manifest.resources)}
    for place, attempt in attempts.items():
        if _is_absent(manifest, live, by_digest, place, attempt):
            yield Disproof(place, attempt.intended_at)


def _is_absent(manifest: Manifest, live: Snapshot, by_digest: Mapping[str, Address], place: Place, attempt: Attempt) -> bool:
    """Whether what a write would have made is known not to be there."""
    address = by_digest.get(place.thing)
    if attempt.action == Action.CREATE:
        return attempt.kind in live.listed if address is None else _find_thing(live, address) is None and address not in live.withheld
    source = _find_thing(live, address) if address else None
    link = LinkName(attempt.kind, place.link)
    ends = live.links.get(link, {}).get(source.id) if source else None
    if attempt.action != Action.ATTACH or source is None or ends is None or (link, source.id) in live.cut_lists:
        return False
    target = by_digest.get(place.target)
    end = _find_thing(live, target) if target else None
    return end is None or end.id not in ends


def _find_thing(live: Snapshot, address: Address) -> Live | None:
    """The live thing of an address, declared or not."""
    things = live.things.get(address.kind, {})
    return live.of(address) or next((thing for thing in things.values() if thing.address == address), None)
