"""Lint: what the ledger and the workspace know of what a manifest declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from reconciler.core.compare.lint import LintFacts
from reconciler.core.model.address import ID, Address
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.workflow.recall import recall_offline
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger


def look_up(ledger: Ledger, manifest: Manifest) -> LintFacts:
    """What a ledger knows: the tombstones that are done. Raises LedgerUnusable."""
    recorded = recall_offline(ledger, manifest)
    addresses = (address for address, resource in manifest.resources.items() if resource.state == "absent")
    return LintFacts(tombstones={address for address in addresses if (record := recorded.at(address)) and record.is_buried})


def look_live(session: Session, manifest: Manifest) -> LintFacts:
    """What the workspace knows: what nobody uses, and the tombstones that are done. Reads only: a list of each kind that people name and
    that is counted, and the counts of what is declared of it. Raises IntercomError."""
    from reconciler.intercom.listing import everything
    from reconciler.intercom.uses import uses_of_each

    dead: set[Address] = set()
    addresses: set[Address] = set()
    for kind in (kind for kind in session.kinds if kind.is_named_by_people and kind.whole and kind.uses.counts):
        resources = [resource for address, resource in manifest.resources.items() if address.kind == kind.name]
        ids = _find_ids(kind, resources, everything(session.client, kind, session.tick)) if resources else {}
        addresses |= {r.address for r in resources if r.state == "absent" and r.address not in ids}
        stays = {ids[r.address]: r.address for r in resources if not r.is_gone and r.address in ids}
        uses = uses_of_each(session.client, dict.fromkeys(stays, kind))
        dead |= {stays[live_id] for live_id, counts in uses.items() if counts and all(use.number == 0 for use in counts)}
    return LintFacts(dead, addresses)


def _find_ids(kind: Kind, resources: Iterable[Resource], live: Iterable[Live]) -> Mapping[Address, str]:
    """The ids of what is declared and live, by its id, its name, or a former name."""
    fold = kind.identities[0].fold
    names: dict[str, str] = {}
    for thing in live:
        names |= {fold(thing.key): thing.id, f"{ID}{thing.id}": thing.id}
    ids = {}
    for resource in resources:
        keys = [f"{ID}{resource.key}"] if resource.by == "id" else [fold(resource.key), *(fold(key) for _, key in resource.former)]
        if live_id := next((names[key] for key in keys if key in names), ""):
            ids[resource.address] = live_id
    return ids
