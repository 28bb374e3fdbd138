"""Unique values that a declared thing is to have and somebody else keeps, and entries that would come out as one thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from reconciler.core.compare.draft import Draft
from reconciler.core.compare.unique import Grip, Holder
from reconciler.core.model.change import FieldChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live


def refuse_taken_fields(kind: Kind, resource: Resource, fields: Iterable[FieldChange], draft: Draft) -> None:
    """Refuse what somebody else keeps of the values that a live thing is to have."""
    for field in fields:
        if field.path in kind.fields and kind.fields[field.path].moves and field.after is not None:
            _refuse_taken(kind, resource, field.path, field.after, draft)


def refuse_taken_identities(kind: Kind, resource: Resource, draft: Draft) -> bool:
    """Whether somebody else has a unique value that a create needs, and keeps it: then the entry is refused, with the ids."""
    values = ((name, resource.fields.get(name)) for name in kind.identity)
    unique = [(name, value) for name, value in values if value is not None and kind.fields[name].moves]
    return any([_refuse_taken(kind, resource, name, value, draft, anew=True) for name, value in unique])


def _refuse_taken(kind: Kind, resource: Resource, name: str, value: Any, draft: Draft, *, anew: bool = False) -> bool:
    """Whether a unique value can never be what an entry says, for somebody keeps it: refused. What Intercom lets two share is a note; but
    nobody is made beside somebody else who may be meant."""
    owners, own = draft.owners(kind), draft.live.of(resource.address)
    holders = owners.of(name, value, resource)
    keepers = [h for h in holders if h.grip is Grip.ARCHIVED or (h.grip is Grip.KEPT and not (h.resource and h.resource.by == name))]
    stuck = [holder for holder in keepers if not owners.may_share(name, resource, own, holder)]
    # What would be lost for this value is not lost while it cannot be had.
    leaving = [holder.resource for holder in holders if holder.resource and holder.grip in (Grip.DIES, Grip.ARCHIVED)]
    if anew and keepers and not any(holder.grip is Grip.ARCHIVED for holder in keepers):
        text = f"another live {kind.name} holds this {name} ({'; '.join(map(str, keepers))}); name it as that one is named, or write was:"
        draft.refuse("identity", f"{resource.mark}: {text}", resource, *leaving)
    elif stuck:
        draft.refuse("taken", f"{resource.mark}: {_say_who_keeps(kind, name, stuck)}", resource, *leaving)
    elif keepers:
        text = f"another {kind.name} ({keepers[0]}) has this {name} too, and keeps it: Intercom lets both have it"
        draft.note("shared", text, resource)
    return bool(stuck) or bool(keepers and anew)


def _say_who_keeps(kind: Kind, name: str, stuck: Sequence[Holder]) -> str:
    """Why a value never comes free, and what to do about it."""
    archived_holders = [holder for holder in stuck if holder.grip is Grip.ARCHIVED]
    holders = " and ".join(map(str, archived_holders or stuck))
    if archived_holders:
        text = f"the {kind.name} that is archived ({holders}) keeps this {name} in the archive, so Intercom answers 409 in every run"
        return f"{text}; give that one another {name} while it is live, in a plan before, or delete it"
    text = f"another live {kind.name} ({holders}) keeps this {name}, and Intercom lets only one of them have it (409)"
    return f"{text}; move it away there first, or correct it here"


def refuse_same_entries(kind: Kind, resources: Sequence[Resource], draft: Draft) -> None:
    """Two entries that would come out as one thing: one is named by a value that the other is to have."""
    unique = [name for name in kind.identity if name in kind.fields and kind.fields[name].moves]
    if not any(name in resource.fields and name != resource.by for resource in resources for name in unique):
        return
    by_name = {(r.by, kind.identity[r.by].fold(r.key)): r for r in resources if not r.is_gone}
    for resource in filter(partial(_remains, draft), resources):
        for name, value in resource.fields.items():
            if name == resource.by or not kind.fields[name].moves or value is None:
                continue
            other = by_name.get((name, kind.identity[name].fold(str(value))))
            if other and kind.rank(_merge_fields(kind, resource, draft)) <= kind.rank(_merge_fields(kind, other, draft)):
                text = f"{resource.mark} and {other.mark}: these entries would be the same {kind.name}: both have this {name}; keep one"
                draft.refuse("identity", text, resource, other)


def _remains(draft: Draft, resource: Resource) -> bool:
    """Whether there is such a thing once the plan is done."""
    return not resource.is_gone and (resource.address in draft.created or draft.live.of(resource.address) is not None)


def _merge_fields(kind: Kind, resource: Resource, draft: Draft) -> Live:
    """A thing as it would be once the plan is done."""
    thing = draft.live.of(resource.address)
    fields = {**(thing.fields if thing else {}), **resource.fields}
    return Live(kind.name, thing.id if thing else "", resource.key, fields)
