"""Count: how many people and places carry what a plan would take away or rename. Reads of one row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.core.change import Action, Change, ThingChange, Use
from reconciler.core.kind import Count, Kind, fill
from reconciler.intercom import routes, totals
from reconciler.intercom.http import Client, HttpError
from reconciler.intercom.pool import reading

COUNTED = (Action.DELETE, Action.RENAME)
# What the token, the plan of the workspace or the API version does not let us read: unknown, which is never zero.
UNREADABLE = (400, 403, 404)


def counted(client: Client, kinds: Sequence[Kind], changes: Sequence[Change]) -> tuple[Change, ...]:
    """The same changes, those that delete or rename with what carries the thing. Raises IntercomError when a count fails otherwise."""
    by_name = {kind.name: kind for kind in kinds}

    def count(change: ThingChange) -> ThingChange:
        kind = by_name[change.address.kind]
        uses = tuple(Use(c.where, _number(client, c, str(change.id)), c.people, c.least) for c in kind.counts)
        people = [use.number for use in uses if use.people]
        known = None if None in people else sum(n or 0 for n in people)
        return replace(change, people=known, uses=uses, uncounted=kind.uncounted)

    asked = [c for c in changes if isinstance(c, ThingChange) and c.action in COUNTED and by_name[c.address.kind].counts and c.id]
    with reading(client) as pool:
        told = dict(zip(map(id, asked), pool.map(count, asked), strict=True))
    return tuple(told.get(id(change), change) for change in changes)


def _number(client: Client, count: Count, live_id: str) -> int | None:
    asked = routes.request(count.route, {"id": live_id}, fill(count.body, {"id": live_id}))
    if client.version < count.since:
        asked = replace(asked, version=count.since)
    try:
        return totals.count(client.send(asked).body)
    except HttpError as error:
        if error.status in UNREADABLE:
            return None
        raise
