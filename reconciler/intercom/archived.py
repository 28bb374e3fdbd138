"""Who in the archive is in the way of a create: what can be said of them without bringing them back. The 409 does not say by which value it
matched, and nobody in the archive can be read. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.model.address import Address, address_by
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import join_words


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
    now = f"write another {names} here, or let that one go by hand: bring it back and change it, or delete it for good"
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
