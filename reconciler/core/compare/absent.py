"""A declared thing that is not live: created, brought back from the archive, left out, or out of sight."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.compare.draft import Draft
from reconciler.core.compare.taken import refuse_taken_fields, refuse_taken_identities
from reconciler.core.model.change import Action, FieldChange, ThingChange
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.paths import claims
from reconciler.core.model.written import quote


def compare_absent(kind: Kind, resource: Resource, draft: Draft) -> None:
    """A declared thing that is not live: created, brought back, left out, or out of sight."""
    if resource.is_gone:
        _compare_tombstone(kind, resource, draft)
        return
    if resource.by == "id":
        _compare_absent_id(kind, resource, draft)
        return
    if kind.archive and _decide_by_record(kind, resource, draft):
        return
    missing = resource.missing or draft.manifest.policy.missing_contacts
    # Who moved is never created: search may not show that person yet, and the former one would be left behind.
    is_rekey = kind.person and resource.former and missing == "create"
    if not kind.person or resource.state == "present" or (missing == "create" and not is_rekey):
        _create(kind, resource, draft)
    elif missing == "error":
        draft.missing.append(resource.address)
        draft.refuse("missing", f"{resource.mark}: {kind.name} not found; correct the entry, or write missing: skip or create", resource)
    else:
        draft.missing.append(resource.address)
        skipped = "skipped, with its links (missing: skip)"
        reason = "not created, remove `was` if it never existed" if is_rekey else skipped
        draft.note("missing", f"not found: {reason}", resource, held=bool(is_rekey))


def _compare_tombstone(kind: Kind, resource: Resource, draft: Draft) -> None:
    """What is declared as not being there, and is found by no name."""
    if thing := _find_rewritten(kind, resource, draft):
        draft.names[kind.name][thing.id] = resource.address
        change = ThingChange(Action.DELETE, resource.address, resource.mark, thing.id, people=draft.people(kind.name), into=resource.into)
        draft.changes.append(replace(change, also=resource.also, remark=f"called {thing.key} by Intercom"))
    elif kind.archive and not kind.whole:
        draft.note("unproven", "not found; an archived one cannot be seen from outside", resource)
    elif resource.by == "id" and draft.recorded.of(kind.name, resource.key) is None:
        draft.note("unproven", f"no {kind.name} with this id is live here: it was deleted, or the id is wrong", resource)


def _find_rewritten(kind: Kind, resource: Resource, draft: Draft) -> Live | None:
    """The live thing that a tombstone means by the name under which it was applied, of which Intercom made another one."""
    record = draft.recorded.at(resource.address) if resource.by != "id" and kind.whole and kind.delete else None
    thing = draft.live.things.get(kind.name, {}).get(record.id) if record and not record.deleted else None
    if thing is None or thing.id in draft.names[kind.name] or (kind.name, thing.id) in draft.live.doubtful:
        return None
    if draft.recorded.rewritten(thing.address, thing.id):
        return thing
    draft.note("lookalike", f"is called {thing.key!a} by now (id {thing.id}): a tombstone takes only what is spelled exactly so", resource)
    return None


def _decide_by_record(kind: Kind, resource: Resource, draft: Draft) -> bool:
    """Whether somebody who was applied and is gone was dealt with: brought back by the remembered id, or not made anew when deleted."""
    record = draft.recorded.at(resource.address)
    if record is None or record.is_buried or not (record.deleted or resource.address in draft.live.vanished_ids):
        return False
    if not record.deleted:
        _bring_back(kind, resource, record.id, draft)
        return True
    if resource.recreate:
        _create(kind, resource, draft)
        return True
    draft.missing.append(resource.address)
    draft.note("missing", f"was deleted in Intercom (id {record.id}): not made anew; write `recreate: true` if it is to be", resource)
    return True


def _bring_back(kind: Kind, resource: Resource, live_id: str, draft: Draft) -> None:
    draft.created.add(resource.address)
    draft.returning.add(resource.address)
    fields = tuple(FieldChange(path, None, after) for path, _, after in claims(kind, resource))
    change = ThingChange(Action.UNARCHIVE, resource.address, resource.mark, live_id, fields, people=draft.people(kind.name))
    draft.changes.append(replace(change, recreate=resource.recreate))
    refuse_taken_fields(kind, resource, fields, draft)


def _compare_absent_id(kind: Kind, resource: Resource, draft: Draft) -> None:
    """A thing named by its id cannot be created; an archived one is brought back by it."""
    if resource.state == "present" and kind.archive:
        _bring_back(kind, resource, resource.key, draft)
        return
    if not kind.person:
        text = f"{resource.mark}: no live {kind.name} has the id {resource.key} in this workspace; correct it, or remove the entry"
        draft.refuse("missing", text, resource)
        return
    draft.missing.append(resource.address)
    if (resource.missing or draft.manifest.policy.missing_contacts) == "error":
        draft.refuse("missing", f"{resource.mark}: no live {kind.name} has this id; correct it, or remove the entry", resource)
    else:
        draft.note("missing", "no live one has this id: skipped, with its links", resource)


def _create(kind: Kind, resource: Resource, draft: Draft) -> None:
    if kind.create is None:
        text = f"no {kind.name} {quote(resource.key)} is live, and Intercom lets no program make one"
        draft.refuse("missing", f"{resource.mark}: {text}; make it in Intercom, correct the name, or remove the entry", resource)
        return
    if refuse_taken_identities(kind, resource, draft):
        return
    # A create may find somebody there (409), whose field is then to be cleared.
    finds = kind.conflict is not None
    fields = tuple(FieldChange(path, None, after) for path, _, after in claims(kind, resource) if finds or after is not None)
    returns = resource.state == "present" and kind.archive is not None
    draft.created.add(resource.address)
    if returns:
        draft.returning.add(resource.address)
    people = draft.people(kind.name)
    draft.changes.append(ThingChange(Action.CREATE, resource.address, resource.mark, None, fields, returns, people=people))
    if kind.identity[resource.by].find is None and not kind.whole:
        text = "not found, but perhaps not visible yet: search cannot see the last minutes; if it exists, the create finds it"
        draft.note("lag", text, resource)
