"""Explained: only what follows from what was written since a base is planned, with what that needs; the rest is noted and left alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from reconciler.core.compare.cause import gravest
from reconciler.core.compare.comparison import Comparison, claims_of
from reconciler.core.compare.origin import Origin, explained_fields, find_origins, is_rewritten
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.plan import order
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope, is_named
from reconciler.core.plan.touched import Subject, subject_of


@dataclass(frozen=True, slots=True)
class Explained:
    """The part of a comparison that a branch explains."""

    # What the branch explains.
    comparison: Comparison
    # The entries that it is about, None for all.
    entries: frozenset[Address] | None = None
    # The changes, or the parts of them, that are left out.
    rest: tuple[Change, ...] = ()


def keep_explained(comparison: Comparison, base: Manifest, here: Manifest, scope: Scope) -> Explained:
    """The comparison with no other changes, and no other fields of an update, than those that follow from what was written between
    `base` and `here`, and what these need. Of the rest, what the scope names is noted."""
    changes = comparison.difference.changes
    origins, necessary = find_origins(base, here, changes), _find_needed(comparison, base, here)
    app_id, parts, rest, notes = comparison.live.workspace.app_id, list[Change](), list[Change](), list[Note]()
    for change, origin in zip(changes, origins, strict=True):
        own = {field.path for field in explained_fields(base, here, change)}
        part, rest_part = _split(change, own, origin is Origin.EXPLAINED, change.subject in necessary)
        parts += [part] if part else ()
        rest += [rest_part] if rest_part else ()
        if rest_part and is_named(scope, change.address, app_id):
            notes.append(_note(rest_part, origin if part is None else Origin.EARLIER))
    entries = {a for a, r in here.resources.items() if is_rewritten(base.resources.get(a), r)} | {change.address for change in parts}
    return Explained(leave_out(comparison, parts, rest, notes), frozenset(entries), tuple(rest))


def _split(change: Change, own: Set[str], explained: bool, needed: bool) -> tuple[Change | None, Change | None]:
    """What of a change is kept, and what is left out: of an update that only some of its fields explain, the others."""
    if needed or (explained and not (_can_be_parted(change) and len(own) < len(change.fields))):
        return change, None
    if not explained:
        return None, change
    return _part(change, own), _part(change, {field.path for field in change.fields} - own)


def _find_needed(comparison: Comparison, base: Manifest, here: Manifest) -> Set[tuple[str, str, str]]:
    """The subjects of the changes that one which is explained needs, or which go in a circle with one."""
    changes = comparison.difference.changes
    steps, _ = order.arrange(comparison.kinds, changes, comparison.live)
    origins = find_origins(base, here, [step.change for step in steps])
    reach = order.closure(steps, (i for i, origin in enumerate(origins) if origin is Origin.EXPLAINED))
    subjects = {step.change.subject for step in steps}
    circle = [change for change in changes if change.subject not in subjects]
    circling = circle if Origin.EXPLAINED in find_origins(base, here, circle) else ()
    return {steps[n].change.subject for i in reach for n in steps[i].needs} | {change.subject for change in circling}


def _can_be_parted(change: Change) -> bool:
    """Whether some of its fields make sense without the others."""
    return isinstance(change, ThingChange) and change.action is Action.UPDATE


def _part(change: Change, paths: Set[str]) -> Change:
    """A change of only these fields."""
    if not isinstance(change, ThingChange):
        return change
    fields = tuple(field for field in change.fields if field.path in paths)
    return replace(change, fields=fields, cause=gravest(f.cause for f in fields if f.cause) if change.cause else None)


def leave_out(comparison: Comparison, changes: Iterable[Change], rest: Iterable[Change], notes: Iterable[Note]) -> Comparison:
    """The comparison of some of its changes alone: what the others are about is known not to be as declared."""
    difference = comparison.difference
    beside = difference.beside.union(claim[:2] for change in rest for claim in claims_of(change))
    links = ((c.address, f"{c.link.field} {c.target_id}") for c in rest if isinstance(c, LinkChange))
    difference = replace(difference, changes=tuple(changes), notes=(*difference.notes, *notes), beside=beside.union(links))
    return replace(comparison, difference=difference)


def _note(change: Change, origin: Origin) -> Note:
    about = change.target or (", ".join(field.path for field in change.fields) if _can_be_parted(change) else "")
    return Note("not explained", f"{f'{change.action} {about}'.rstrip()} ({origin})", change.address, change.mark)


def leave_rest(comparison: Comparison, saved_plan: PlanDocument) -> Comparison:
    """The comparison without what a saved plan left out of the things that it changes."""
    paths_left = defaultdict[Subject, set[str]](set)
    for action, address, target, paths in saved_plan.get("rest", ()):
        paths_left[Subject(action, address, target)].update(paths)
    if not paths_left:
        return comparison
    app_id, changes, rest = comparison.live.workspace.app_id, list[Change](), list[Change]()
    for change in comparison.difference.changes:
        out = paths_left.get(subject_of(change, app_id))
        if out is None:
            changes.append(change)
            continue
        own = {field.path for field in change.fields} - out if _can_be_parted(change) else set()
        changes += [_part(change, own)] if own else ()
        rest.append(_part(change, out) if own else change)
    return leave_out(comparison, changes, rest, ())
