"""Who in the archive is in the way of a create: what can be said of them without bringing them back. The 409 does not say by which value it
matched, and nobody in the archive can be read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.model.address import Address, address_by
from reconciler.core.model.change import Action, Change, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds, join_words
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.times import format_time


def list_others(kind: Kind, resource: Resource) -> Sequence[str]:
    """The unique values that an entry has beside the one that it is known by: the 409 may have matched by one of these."""
    fields = resource.fields
    return [name for name in kind.identity if name != resource.by and fields.get(name) is not None and kind.fields[name].moves]


def list_names(kind: Kind, resource: Resource) -> Sequence[Address]:
    """The addresses that an entry may be on record under."""
    by_name = {name: str(resource.fields[name]) for name in list_others(kind, resource)}
    keys = {name: kind.identity[name].fold(key) if kind.identity[name].stable else key for name, key in by_name.items()}
    return [resource.address, *(address_by(kind.name, name, key) for name, key in keys.items())]


def say_in_the_way(kind: Kind, resource: Resource, live_id: str, *, is_stranger: bool) -> str:
    """Who it is, and what to do now. `is_stranger`: an earlier run saw that it is somebody else."""
    others, who = list_others(kind, resource), f"an archived {kind.name} (id {live_id})"
    if not others:
        return f"{who} has this identity; write `state: present` to bring it back"
    names = join_words(others, "or")
    now = _say_ways_on(names)
    if is_stranger:
        return f"{who} holds the {names} of this entry, and an earlier run saw that it is somebody else; {now}"
    held = f"{who} holds the {join_words([resource.by, *others], 'or')} of this entry, and Intercom does not say which"
    return f"{held}; if it is somebody else, {now}; if it is the one meant, write `state: present`"


def say_other(kind: Kind, live_id: str) -> str:
    """Somebody else is in the way."""
    return f"another {kind.name} (id {live_id}) holds one of its unique values and is not the one meant"


def say_asleep(kind: Kind, resource: Resource, live_id: str) -> str:
    """Why one who is known as somebody else is not brought back, and what to do now."""
    others = list_others(kind, resource)
    held = f"an archived {kind.name} (id {live_id}) holds the {join_words([resource.by, *others], 'or')} of this entry"
    known = "and is known as somebody else, by the ledger or since an earlier run brought it back once: it is left alone now"
    return f"{held}, {known}; write another {join_words(others, 'or')} here, or none if it is the one meant"


def _say_ways_on(names: str) -> str:
    return f"write another {names} here, or let that one go by hand: bring it back and change it, or delete it for good"


def note_holders(kinds: Kinds, manifest: Manifest, live: Snapshot, changes: Sequence[Change], recorded: Recorded) -> Iterator[Note]:
    """Notes on the changes that are expected to be answered with 409, as somebody in the archive was seen to keep a value of theirs, and
    on those that may be. Nobody can tell who is archived from who was deleted since, so nothing is refused."""
    for change in changes:
        resource, kind = manifest.resources.get(change.address), kinds[change.address.kind]
        if resource is None or not isinstance(change, ThingChange) or change.action not in _GIVING or kind.conflict is None:
            continue
        names = [field.path for field in change.fields if field.path in kind.fields and kind.fields[field.path].moves and field.after]
        here = live.things.get(kind.name, {})
        if (seen := _find_seen(change, names, recorded)) and seen[0] not in here:
            text = f"answered with 409 since {format_time(seen[1])}: {_say_holder(kind, resource, change, names, seen[0], recorded)}"
            yield Note("held", text, change.address, change.mark)
        elif (known := _find_known(kind, resource, names, recorded)) and known[0] not in here and not change.returns:
            text = f"may be answered with 409: archived by us at {format_time(known[1])}, "
            text += _say_holder(kind, resource, change, names, known[0], recorded)
            yield Note("held", text, change.address, change.mark)


# What gives a thing the unique values that it is to have.
_GIVING = frozenset({Action.CREATE, Action.UPDATE, Action.UNARCHIVE})


def _say_holder(kind: Kind, resource: Resource, change: ThingChange, names: Sequence[str], live_id: str, recorded: Recorded) -> str:
    if change.action is Action.CREATE and not change.returns:
        return say_in_the_way(kind, resource, live_id, is_stranger=recorded.is_stranger(resource.address, live_id))
    held = join_words(names or [resource.by], "or")
    others = join_words([name for name in names if name != resource.by] or [resource.by], "or")
    return f"an archived {kind.name} (id {live_id}) holds the {held} of this entry; {_say_ways_on(others)}"


def _find_seen(change: ThingChange, names: Sequence[str], recorded: Recorded) -> tuple[str, float] | None:
    """Who was in the way of these very values when they were sent last, and since when."""
    attempt = recorded.attempt(change.address)
    if attempt is None or attempt.holder is None or (not names and change.action is not Action.CREATE):
        return None
    thing, digests = recorded.digests.thing(recorded.app_id, change.address), recorded.digests
    sent = all(attempt.fields.get(f.path) == digests.claim(thing, f.path, f.after) for f in change.fields if f.path in names)
    return (attempt.holder, attempt.held_since) if sent else None


def _find_known(kind: Kind, resource: Resource, names: Sequence[str], recorded: Recorded) -> tuple[str, float] | None:
    """Whom we archived under one of these values, and when."""
    for name in (name for name in names if name != resource.by):
        key = str(resource.fields.get(name))
        record = recorded.at(address_by(kind.name, name, kind.identity[name].fold(key) if kind.identity[name].stable else key))
        if record and record.end_digest and not record.deleted:
            return record.id, record.written
    return None
