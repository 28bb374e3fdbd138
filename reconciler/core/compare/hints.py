"""Hints: where to look for declared things, from what the ledger knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cache, partial

from reconciler.core.compare.index import FormerIds, no_id
from reconciler.core.compare.likeness import find_likely
from reconciler.core.compare.orphan import find_left
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.record import Record
from reconciler.core.model.recorded import Recorded

# Search may not show a write for some minutes (API 2.16, POST /contacts/search); how many is not said.
LAG = 15 * 60.0


def _no_ends(link: LinkName, source_id: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Hints:
    """What the ledger knows of where to look."""

    # Live ids by which declared things are asked for before any search.
    ids: Mapping[Address, str] = field(default_factory=dict)
    # The live ids by which they are asked for where nothing else finds them.
    last: FormerIds = no_id
    # Live ids by kind that are read though nothing of them is declared.
    also: Mapping[str, Set[str]] = field(default_factory=dict)
    # Kinds of which all is read that a listing shows.
    every: Set[str] = frozenset()
    # The ids at the other ends of a thing's links that must have a name.
    ends: Callable[[LinkName, str], Iterable[str]] = _no_ends


NO_HINTS = Hints()


def make_hints(kinds: Kinds, now: float, manifest: Manifest, recorded: Recorded) -> Hints:
    """Where to look, from what is recorded; `now` is in Unix seconds."""
    every = frozenset(k.name for k in kinds if manifest.policy.pruning(k.section) == "all" and recorded.runs)
    if not recorded.records:
        return Hints(every=every)
    # Of most nobody asks it: a name finds them.
    last = cache(partial(_find_last, kinds, manifest, recorded))
    searchable = {kind.name for kind in kinds if kind.search}
    lately = {r.name for r in recorded.records.notable.values() if r.written >= now - LAG and r.kind in searchable}
    return Hints(
        ids={a: last(a) for a in manifest.resources if (a.kind, last(a)) in lately} if lately else {},
        last=last,
        also=_list_ids(kinds, manifest, recorded),
        every=every,
        ends=partial(_read_own_ends, recorded),
    )


def _find_last(kinds: Kinds, manifest: Manifest, recorded: Recorded, address: Address) -> str:
    """The live id that is recorded of what an entry names; empty where nothing is, or where the entry says it."""
    resource = manifest.resources.get(address)
    record = _find_record(kinds[address.kind], resource, recorded) if resource and resource.by != "id" else None
    return record.id if record else ""


def _find_record(kind: Kind, resource: Resource, recorded: Recorded) -> Record | None:
    """What is recorded of a resource under its address, or under one that it had."""
    record = recorded.at(resource.address)
    if record and not record.deleted:
        return record
    for by, key in resource.former:
        identity = kind.identity[by]
        record = (
            recorded.of(kind.name, key) if by == "id" else recorded.at(Address(kind.name, identity.fold(key) if identity.stable else key))
        )
        if record and not record.deleted:
            return record
    return None


def _list_ids(kinds: Kinds, manifest: Manifest, recorded: Recorded) -> Mapping[str, Set[str]]:
    """What is ours and perhaps not declared any more, of the kinds that can be pruned, and of those whose listing costs one read."""
    ids_by_kind: dict[str, set[str]] = {}
    for record in find_left(manifest, recorded):
        kind = kinds.get(record.kind)
        if kind and (kind.whole or manifest.policy.pruning(kind.section) != "never"):
            ids_by_kind.setdefault(record.kind, set()).add(record.id)
    for kind in kinds:
        if not kind.whole and (ids := find_likely(kind, manifest, recorded)):
            ids_by_kind.setdefault(kind.name, set()).update(ids)
    return ids_by_kind


def _read_own_ends(recorded: Recorded, link: LinkName, source_id: str) -> Iterable[str]:
    """The other ends of the links of a thing that we made."""
    record = recorded.of(link.source, source_id)
    return recorded.owned_ends(link, record) if record else ()
