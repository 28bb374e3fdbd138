"""Inventory: every live thing of a kind is counted, wherever it is used, and held against the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core.compare.inventory import Inventory, Row, take_inventory
from reconciler.core.compare.retiring import Retiring
from reconciler.core.compare.since import Attachment
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.workflow.session import Session

# So many things are counted between two signs of life.
BATCH = 20


def look_at_all(session: Session, kind: Kind, manifest: Manifest | None, due: Sequence[Retiring] | None = None) -> Inventory:
    """Count the uses of everything of a kind, or of what is `due` to go alone, and say who used it last. Reads only. Raises
    IntercomError."""
    from reconciler.intercom.uses import last_uses, name_admin

    retiring = {one.id: one for one in due or ()}
    client = session.client
    live = [thing for thing in _list_live(session, kind) if due is None or thing.id in retiring]
    if manifest and due is not None:
        manifest = replace(manifest, resources={one.resource.address: one.resource for one in due})
    uses: dict[str, Sequence[Use]] = {}
    last: dict[str, Attachment] = {}
    for kind_inventory in _count(session, kind, live):
        last |= last_uses(
            client, kind, [live_id for live_id, all_uses in kind_inventory.items() if any(u.people and u.number for u in all_uses)]
        )
        uses |= kind_inventory
    admins = {
        admin_id: name_admin(client, kind, admin_id).removeprefix(" by ")
        for admin_id in sorted({attachment.by for attachment in last.values()})
    }
    return Inventory(kind, session.here.app_id, take_inventory(kind, live, manifest, uses, last, retiring), admins, due is not None)


def count_all(session: Session, kind: Kind, manifest: Manifest) -> Sequence[Row]:
    """Count the uses of everything of a kind. Reads only. Raises IntercomError."""
    live = _list_live(session, kind)
    uses = {live_id: live_uses for counts in _count(session, kind, live) for live_id, live_uses in counts.items()}
    return take_inventory(kind, live, manifest, uses, {})


def _list_live(session: Session, kind: Kind) -> Sequence[Live]:
    from reconciler.intercom.listing import everything

    return list(everything(session.client, kind, session.tick))


def _count(session: Session, kind: Kind, live: Sequence[Live]) -> Iterator[Mapping[str, Sequence[Use]]]:
    """The uses of all of them by their ids, some at a time."""
    from reconciler.intercom.uses import uses_of_each

    for start in range(0, len(live), BATCH):
        yield uses_of_each(session.client, {thing.id: kind for thing in live[start : start + BATCH]})
        session.tick(f"{min(start + BATCH, len(live)):,} of {len(live):,} {kind.section}")
