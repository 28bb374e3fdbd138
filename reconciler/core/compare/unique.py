"""Unique values: who holds one that another is to have, whether it comes free, and what Intercom says where it does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from reconciler.core.compare.index import Index
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.facts import UNKNOWN, Facts
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live


class Grip(Enum):
    """What becomes of a unique value that somebody holds."""

    # It moves away in this plan.
    GIVEN = "given"
    # It comes free by a deletion, for good.
    DIES = "dies"
    # Its holder keeps it, live.
    KEPT = "kept"
    # Its holder keeps it in the archive: Intercom answers 409 (reported: intercom-node#333, intercom-ruby#561).
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who holds a value that another is to have."""

    # What becomes of the value.
    grip: Grip
    # What it is live, unless it is in the archive and cannot be seen.
    thing: Live | None
    # What declares it, if anything does.
    resource: Resource | None

    def __str__(self) -> str:
        parts = [f"id {self.thing.id}"] if self.thing else []
        parts += [f"declared at {self.resource.mark}"] if self.resource else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Owners:
    """Who owns the unique values of one kind: by what is live and what is declared."""

    # Their kind.
    kind: Kind
    # What is declared.
    manifest: Manifest
    # The live things of the kind, by identity.
    index: Index
    # The addresses of the live things that are declared, by id.
    names: Mapping[str, Address]
    # What is known of Intercom itself.
    facts: Facts

    def of(self, name: str, value: Any, but: Resource) -> Sequence[Holder]:
        """Whoever holds a value beside the one that is to have it."""
        key = self.kind.identity[name].fold(str(value))
        things = self.index.get((name, key))
        holders = [self._holder(name, thing) for thing in things if self.names.get(thing.id) != but.address]
        addresses = {holder.resource.address for holder in holders if holder.resource}
        archived_holder = self.archived_holders.get((name, key))
        return (
            holders
            if archived_holder is None or archived_holder.address in addresses
            else [*holders, Holder(Grip.ARCHIVED, None, archived_holder)]
        )

    def _holder(self, name: str, thing: Live) -> Holder:
        address = self.names.get(thing.id)
        resource = self.manifest.resources.get(address) if address else None
        if resource is None:
            return Holder(Grip.KEPT, thing, None)
        if resource.is_gone:
            return Holder(Grip.DIES if resource.state == "absent" else Grip.ARCHIVED, thing, resource)
        moves = name in resource.fields and not self.kind.fields[name].same(resource.fields[name], thing.fields[name])
        return Holder(Grip.GIVEN if moves else Grip.KEPT, thing, resource)

    @cached_property
    def archived_holders(self) -> Mapping[tuple[str, str], Resource]:
        """Who is declared to be in the archive and is not live, by the value that names it: it holds that value there."""
        live, about = set(self.names.values()), self.kind
        archived_resources = (r for r in self.manifest.resources.values() if r.address.kind == about.name and r.state == "archived")
        return {(r.by, about.identity[r.by].fold(r.key)): r for r in archived_resources if r.address not in live}

    def may_share(self, name: str, one: Resource, own: Live | None, holder: Holder) -> bool:
        """Whether Intercom lets both have the value, as they will be once the plan is done."""
        mine = {**(own.fields if own else {}), **one.fields}
        theirs = {**(holder.thing.fields if holder.thing else {}), **(holder.resource.fields if holder.resource else {})}
        facts = self.facts
        if holder.grip is Grip.ARCHIVED:
            # In the archive nothing else tells two apart, as far as anybody knows.
            facts = UNKNOWN
            theirs = {path: value for path, value in theirs.items() if path not in self.kind.identity}
        return self.kind.fields[name].may_share(mine, theirs, facts)
