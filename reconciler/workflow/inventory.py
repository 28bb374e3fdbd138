"""Inventory: every live thing of a kind is counted, wherever it is used, and held against the manifest."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.compare.inventory import Inventory, take_inventory
from reconciler.core.compare.since import Made
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.workflow.session import Session

# So many things are counted between two signs of life.
BATCH = 20


def look_at_all(session: Session, kind: Kind, manifest: Manifest | None) -> Inventory:
    """Count the uses of everything of a kind. Reads only. Raises IntercomError."""
    from reconciler.intercom.listing import everything
    from reconciler.intercom.uses import last_uses, name_admin, uses_of_each

    client, live = session.client, list(everything(session.client, kind, session.tick))
    uses: dict[str, Sequence[Use]] = {}
    last: dict[str, Made] = {}
    for start in range(0, len(live), BATCH):
        counted = uses_of_each(client, {thing.id: kind for thing in live[start : start + BATCH]})
        last |= last_uses(client, kind, [live_id for live_id, all_uses in counted.items() if any(u.people and u.number for u in all_uses)])
        uses |= counted
        session.tick(f"{len(uses):,} of {len(live):,} {kind.section}")
    admins = {who: name_admin(client, kind, who).removeprefix(" by ") for who in sorted({made.who for made in last.values()})}
    return Inventory(kind, session.here.app_id, take_inventory(kind, live, manifest, uses, last), admins)
