"""Accepting: what live has is written into the manifest, where it moved away from what was applied."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.paths import field_at, nullable_at
from reconciler.core.model.written import Plain
from reconciler.manifest import declaring
from reconciler.manifest.editing import Draft, Place
from reconciler.manifest.entries import LeftOut, write_scalar
from reconciler.manifest.layers import without_overlays
from reconciler.manifest.variables import without_variables

# What is about a thing itself, and not about its fields.
_WHOLE = (Action.CREATE, Action.DELETE, Action.ARCHIVE)
_ARCHIVED = "is archived: write `state: archived` alone, or remove the entry"
_LISTED = "stands in a list, or in several places: change it there"


@dataclass
class Acceptance:
    """The edits of a draft by which a manifest says what live has."""

    # All kinds.
    kinds: Kinds
    # The manifest as it was read.
    manifest: Manifest
    # Its files.
    draft: Draft
    # The fields whose values are times, as (kind, path).
    times: Container[tuple[str, str]]
    # The changes that were turned into edits.
    changes: list[Change] = field(default_factory=list)
    # What a person has to write, and why.
    omissions: list[LeftOut] = field(default_factory=list)

    def accept(self, changes: Sequence[Change]) -> None:
        """Edit the draft so that none of these changes is needed. What cannot be edited is noted in `left`."""
        base = without_overlays([document.file for document in self.draft.documents])
        vanishing = {change.address for change in changes if change.action is Action.CREATE}
        # Of one list all goes at once.
        going: list[Place] = []
        for change in changes:
            if change.action is not Action.CREATE and vanishing & {change.address, change.target}:
                # It goes with its entry.
                continue
            kind, resource = self.kinds[change.address.kind], self.manifest.resources.get(change.address)
            there = self.draft.having(kind, resource.by, resource.key) if resource else ()
            # No overlay is laid over what is exported.
            places = [place for place in there if place.document.file in base]
            if resource is None or len(places) != 1:
                why = _LISTED
            elif isinstance(change, LinkChange):
                why = self._accept_link(change, places[0], going)
            else:
                why = self._accept_thing(kind, resource, change, places[0], going)
            if why:
                self.omissions.append(LeftOut(change.address, why))
            elif isinstance(change, LinkChange) or change.action in _WHOLE:
                self.changes.append(change)
        self.draft.remove(going)

    def _accept_link(self, change: LinkChange, place: Place, going: list[Place]) -> str:
        items = place.value.get(change.link.field) if isinstance(place.value, dict) else None
        target = self.kinds[change.target.kind]
        here = [n for n, item in enumerate(items if isinstance(items, list) else ()) if self._leads(target, item, change.target)]
        if here:
            # Present there and gone in live, or the other way round: neither is said any more.
            going += [Place(place.document, (*place.loc, change.link.field, number), items) for number in here]
            return ""
        if change.action is Action.ATTACH:
            return f"{change.link.field}: {_LISTED}"
        entry = self.manifest.resources.get(change.target)
        if entry is None or entry.is_gone:
            return f"{change.link.field}: {change.target} is not declared; declare it first"
        self.draft.append(place, change.link.field, {"id": entry.key} if entry.by == "id" else entry.key)
        return ""

    def _leads(self, kind: Kind, item: Any, end: Address) -> bool:
        """Whether an item of a list of links leads to a thing."""
        entry = self.manifest.resources.get(end)
        by_id = isinstance(item, dict) and "id" in item
        key = item.get("id" if by_id else kind.name) if isinstance(item, dict) else item
        by = "id" if by_id else kind.identities[0].field
        names = {entry.key} if entry and entry.by == by else {end.key}
        fold = kind.identity[by].fold if by in kind.identity else str
        return isinstance(key, str) and fold(key) in map(fold, names)

    def _accept_thing(self, kind: Kind, resource: Resource, change: ThingChange, place: Place, going: list[Place]) -> str:
        if change.action is Action.CREATE:
            ids = [resource.key] if resource.by == "id" else []
            going += [place, *self.draft.references(kind, [resource.key], ids)]
            return ""
        if change.action in (Action.DELETE, Action.ARCHIVE):
            self.draft.drop(place, declaring.STATE)
            return ""
        if change.action is Action.UNARCHIVE:
            return _ARCHIVED
        answers = [(field, self._accept_field(kind, resource, field, place)) for field in change.fields]
        if fields := tuple(field for field, why in answers if not why):
            self.changes.append(replace(change, fields=fields))
        return "; ".join(why for _, why in answers if why)

    def _accept_field(self, kind: Kind, resource: Resource, field: FieldChange, place: Place) -> str:
        if field.path == resource.by:
            declaring.rename(self.draft, kind, resource.key, str(field.before))
            return ""
        within, name = _inside(kind, place, field.path)
        if not isinstance(within.value, dict) or name not in within.value:
            return f"{field.path}: {_LISTED}"
        if "${" in str(within.value[name]):
            return f"{field.path}: holds a variable; change it by hand"
        if field.before is None and not nullable_at(kind, field.path):
            self.draft.drop(within, name)
            return ""
        target = field_at(kind, field.path).refers
        if target and field.before is not None and Address(target, str(field.before)) not in self.manifest.resources:
            return f"{field.path}: the {target} that it leads to is not declared; declare it first"
        time = (kind.name, field.path) in self.times
        value = Plain("null") if field.before is None else without_variables(write_scalar(field.before, time=time))
        self.draft.put(within, {name: value})
        return ""


def _inside(kind: Kind, place: Place, path: str) -> tuple[Place, str]:
    """The map in which a field stands, and its key there."""
    name, dot, key = path.partition(".")
    if not dot or path in kind.fields or not isinstance(place.value, dict):
        return place, path
    return Place(place.document, (*place.loc, name), place.value.get(name)), key
