"""Alike: what types keys can never be deleted, so a name of it that is not live is held against those that are. Pure."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set

from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.spelling import skeleton
from reconciler.core.model.written import quote

# From this likeness on a name is more often a slip than another thing.
CLOSE = 0.8
# From this one on it is worth asking whether a name that nobody knows is a slip.
SLIP = 0.6
STAYS = "Intercom never deletes one, so a second would stay"


def find_twin(key: str, names: Iterable[str]) -> str:
    """The name that differs from this one by case, by blanks or invisibly, if any."""
    look = skeleton(key)
    return next((name for name in sorted(names) if skeleton(name) == look and name != key), "")


def find_close(key: str, names: Iterable[str], likeness: float = CLOSE) -> str:
    """The name that this one is most like, if it is very like one; case and what stands between words tell no names apart."""
    forms = {_loosen(name): name for name in sorted(names, reverse=True)}
    return next((forms[form] for form in difflib.get_close_matches(_loosen(key), sorted(forms), 1, likeness)), "")


def _loosen(name: str) -> str:
    return skeleton(re.sub("[-_]", " ", name))


def find_resembling(
    kinds: Kinds, manifest: Manifest, live: Snapshot, addresses: Set[Address | None]
) -> tuple[tuple[Refusal, ...], tuple[Note, ...]]:
    """A refusal for every declared thing that would be the twin of a live one, a note for every one that is like one of which nothing
    is `told` yet."""
    refusals, notes = [], []
    typing = {field.typed_by for kind in kinds for field in kind.fields.values()}
    for kind in (kind for kind in kinds if kind.name in typing):
        by_model = _group_by_model(live.things.get(kind.name, {}))
        for resource in _list_new(kind, manifest, live):
            names = by_model[resource.fields.get("model")]
            if other := find_twin(resource.key, names):
                text = f"{resource.mark}: no {kind.name} {quote(resource.key)} is live, but {other!a} (id {names[other]}) is"
                text = f"{text}, which differs in case, in blanks or invisibly; write that name: {STAYS}"
                refusals.append(Refusal(kind.name, text, entries=(resource.address,)))
            elif (other := find_close(resource.key, names)) and Address(kind.name, other) not in addresses:
                text = f"is like the live {other!a} (id {names[other]}); if that one is meant, write its name: {STAYS}"
                notes.append(Note("lookalike", text, resource.address, resource.mark))
    return tuple(refusals), tuple(notes)


def _group_by_model(things: Mapping[str, Live]) -> Mapping[object, dict[str, str]]:
    """The names of live things with their ids, by what they belong to."""
    names: dict[object, dict[str, str]] = defaultdict(dict)
    for thing in things.values():
        names[thing.fields.get("model")][thing.key] = thing.id
    return names


def _list_new(kind: Kind, manifest: Manifest, live: Snapshot) -> Iterator[Resource]:
    for address in sorted(address for address in manifest.resources if address.kind == kind.name):
        resource = manifest.resources[address]
        if not resource.is_gone and live.of(address) is None:
            yield resource
