"""Ignored: drift that the policy knows is hidden until a day, while live has the value that was seen then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.compare.comparison import Comparison
from reconciler.core.model import globs
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.note import Note
from reconciler.core.model.policy import IgnoredDrift
from reconciler.core.model.privacy import show_address
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.times import format_time

# The topics of its notes: what is hidden, and lines of the policy that hide nothing now.
HIDDEN, IDLE = "ignored", "ignored no more"


def ignore_known(comparison: Comparison, now: float) -> Comparison:
    """The comparison without the drift that the policy knows; each such place, and each line that hides nothing, is noted."""
    difference, app_id = comparison.difference, comparison.live.workspace.app_id
    entries = comparison.manifest.policy.ignore_drift
    if not entries:
        return comparison
    changes, notes, beside, entries_used = list[Change](), list(difference.notes), set(difference.beside), set[IgnoredDrift]()
    for change in difference.changes:
        mine = [one for one in entries if one.address in globs.names(change.address, app_id) and one.until > now]
        for one in (one for one in mine if one.seen == digest_live(comparison.recorded, change, one.fields, app_id)):
            entries_used.add(one)
            notes.append(Note(HIDDEN, _say(one), change.address, change.mark))
        paths = {path for one in entries_used & set(mine) for path in one.fields or ("",)}
        beside.update((change.address, path) for path in _record_paths(change, paths, app_id))
        changes += _leave(change, paths, app_id)
    notes += [Note(IDLE, _why_idle(one, now)) for one in entries if one not in entries_used]
    return replace(comparison, difference=replace(difference, changes=tuple(changes), notes=tuple(notes), beside=frozenset(beside)))


def list_paths(change: Change, app_id: str) -> Sequence[str]:
    """What of a thing a change is about, as the policy calls it: its fields, or the link; nothing where it is the thing itself."""
    if isinstance(change, LinkChange):
        return [f"{change.link.field} {show_address(change.target, app_id)}"]
    return [field.path for field in change.fields] if change.action in (Action.UPDATE, Action.RENAME) else []


def digest_live(recorded: Recorded, change: Change, paths: Sequence[str], app_id: str) -> str:
    """The keyed digest of what is live at some of the paths of a change; empty where these are none of it, or there is no key."""
    there = list_paths(change, app_id)
    if not set(paths) <= set(there) or bool(paths) is not bool(there):
        return ""
    value: Mapping[str, Any] = {field.path: field.before for field in change.fields if field.path in paths}
    if isinstance(change, LinkChange) or not there:
        # Another thing of that name is another live value.
        value = {"action": change.action.value, "id": change.id if not change.target else change.target_id}
    return recorded.digests.claim(recorded.digests.thing(recorded.app_id, change.address), " ".join(sorted(paths)), value)


def _leave(change: Change, paths: set[str], app_id: str) -> list[Change]:
    """What of a change is not hidden."""
    rest = [path for path in list_paths(change, app_id) or [""] if path not in paths]
    if rest and isinstance(change, ThingChange) and change.action in (Action.UPDATE, Action.RENAME):
        return [replace(change, fields=tuple(field for field in change.fields if field.path in rest))]
    return [change] if rest else []


def _record_paths(change: Change, paths: set[str], app_id: str) -> list[str]:
    """The hidden paths as the ledger is told of what is left undone."""
    if isinstance(change, LinkChange):
        return [f"{change.link.field} {change.target}"] if set(list_paths(change, app_id)) <= paths else []
    return [field.path for field in change.fields if field.path in paths or "" in paths]


def _say(entry: IgnoredDrift) -> str:
    place = ", ".join(entry.fields) or "the thing itself"
    return f"{place}: until {format_time(entry.until)}; {entry.reason}"


def _why_idle(entry: IgnoredDrift, now: float) -> str:
    if entry.until <= now:
        return f"{entry}: that day has come; put it right, or write another day"
    return f"{entry}: it moved again, or is as applied; remove the line"
