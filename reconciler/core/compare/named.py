"""Named by an id: what an entry may say of the name of the very thing that it means, and what new names may be. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from reconciler.core.compare.index import Index
from reconciler.core.compare.match import describe
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Resource
from reconciler.core.model.facts import Facts
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.spelling import spell
from reconciler.core.model.texts import has_blank_ends


def find_name(kind: Kind, resource: Resource, thing: Live | None) -> str:
    """What a thing that an entry means by its id is called once the plan is done; empty for what is named otherwise, and for people."""
    if resource.by != "id" or kind.person:
        return ""
    first = kind.identities[0].field
    return str(resource.fields.get(first) or (thing.fields.get(first) if thing else None) or "")


def refuse_misnamed(kind: Kind, resource: Resource, thing: Live, index: Index) -> Refusal | None:
    """Why the name in an entry that means a thing by its id is not to be believed; None where it is, or is a new name."""
    first = kind.identities[0]
    name, here = resource.fields.get(first.field), str(thing.fields.get(first.field) or "")
    if resource.by != "id" or kind.person or name is None or spell(name) == spell(here):
        return None
    about = f"{resource.mark}: the {first.field} of the {kind.name} with the id {thing.id} is {here!a}, not {name!a}"
    if resource.is_gone or kind.rename is None or (resource.former and here not in {key for _, key in resource.former}):
        return Refusal("identity", f"{about}; correct the one or the other", entries=(resource.address,))
    if has_blank_ends(name):
        now = "blanks at the ends of a name are taken only as they are live; remove them"
        return Refusal("identity", f"{about}: {now}", entries=(resource.address,))
    holders = [t for t in index.get((first.field, first.fold(name))) if t.id != thing.id]
    if holders:
        others = " and ".join(map(describe, holders))
        text = f"{about}, and to rename it so would make it a twin of {others}; write another name, or merge the two by hand"
        return Refusal("twins", text, entries=(resource.address,))
    return None


def refuse_same_names(kind: Kind, resources: Sequence[Resource], changes: Sequence[Change]) -> Iterator[Refusal]:
    """Refusals for new names that are those of another entry: two things of one name would come of them, or one that is to be gone."""
    first = kind.identities[0]
    resources_by_name: dict[str, list[Resource]] = defaultdict(list)
    for resource in resources if kind.rename else ():
        if not resource.is_gone and (key := resource.fields.get(first.field)):
            resources_by_name[first.fold(str(key))].append(resource)
    naming = {_find_subject(change) for change in changes if change.action in (Action.CREATE, Action.RENAME)}
    tombstones = {spell(resource.key): resource for resource in resources if resource.is_gone and resource.by == first.field}
    for resource in (resource for several in resources_by_name.values() for resource in several if resource.address in naming):
        if tombstone := tombstones.get(spell(str(resource.fields[first.field]))):
            name = resource.fields[first.field]
            text = f"{resource.mark}: this {kind.name} would have the name {name!a}, which is declared absent at {tombstone.mark}"
            yield Refusal("identity", f"{text}; keep one of them", entries=(resource.address, tombstone.address))
    for several in resources_by_name.values():
        if len(several) > 1 and any(resource.address in naming for resource in several):
            places = " and ".join(str(resource.mark) for resource in several)
            text = f"{places}: these {kind.section} would have one name, {several[0].fields[first.field]!a}; give them different ones"
            yield Refusal("twins", text, entries=tuple(resource.address for resource in several))


def long_names(kind: Kind, resources: Sequence[Resource], changes: Sequence[Change], facts: Facts) -> Iterator[Refusal]:
    """Refusals for new names that are known to be longer than what Intercom takes as written."""
    first = kind.identities[0]
    naming = {_find_subject(c) for c in changes if c.action in (Action.CREATE, Action.RENAME)} if first.visible else set()
    for resource in (r for r in resources if r.address in naming and facts.too_long(str(r.fields[first.field]))):
        verb = "cuts" if facts.name_beyond == "cut" else "refuses"
        text = f"{resource.mark}: this {kind.name} has a {first.field} of {len(str(resource.fields[first.field]))} characters"
        now = f"Intercom {verb} what is longer than {facts.name_length}; write a shorter one"
        yield Refusal("fixed", f"{text}, and {now}", entries=(resource.address,))


def _find_subject(change: Change) -> Address | None:
    return None if change.target else change.address
