"""Inventory: every live thing of a kind is counted, wherever it is used, and held against the manifest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.core.compare.inventory import Inventory, take_inventory
from reconciler.core.compare.retiring import Retiring
from reconciler.core.compare.since import Made
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.workflow.session import Session

# So many things are counted between two signs of life.
BATCH = 20


def look_at_all(session: Session, kind: Kind, manifest: Manifest | None, due: Sequence[Retiring] | None = None) -> Inventory:
    """Count the uses of everything of a kind, or of what is `due` to go alone. Reads only. Raises IntercomError."""
    from reconciler.intercom.listing import everything
    from reconciler.intercom.uses import last_uses, name_admin, uses_of_each

    retiring = {one.id: one for one in due or ()}
    client = session.client
    live = [thing for thing in everything(client, kind, session.tick) if due is None or thing.id in retiring]
    if manifest and due is not None:
        manifest = replace(manifest, resources={one.resource.address: one.resource for one in due})
    uses: dict[str, Sequence[Use]] = {}
    last: dict[str, Made] = {}
    for start in range(0, len(live), BATCH):
        counted = uses_of_each(client, {thing.id: kind for thing in live[start : start + BATCH]})
        last |= last_uses(client, kind, [live_id for live_id, all_uses in counted.items() if any(u.people and u.number for u in all_uses)])
        uses |= counted
        session.tick(f"{len(uses):,} of {len(live):,} {kind.section}")
    admins = {who: name_admin(client, kind, who).removeprefix(" by ") for who in sorted({made.who for made in last.values()})}
    return Inventory(kind, session.here.app_id, take_inventory(kind, live, manifest, uses, last, retiring), admins, due is not None)
