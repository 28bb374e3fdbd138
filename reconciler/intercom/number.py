"""Number: how many carry a thing somewhere. One read each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from reconciler.core.model.ability import Count
from reconciler.core.model.change import Use
from reconciler.core.model.kind import Kind
from reconciler.core.model.route import fill
from reconciler.intercom import routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading

# What the token, the plan of the workspace or the API version does not let us read: unknown, which is never zero.
UNREADABLE = (400, 403, 404)


def members(client: Client, kind: Kind, ids: Iterable[str]) -> Mapping[str, int | None]:
    """How many people carry each of these things, None where that cannot be read; nothing of a kind whose people are not counted."""
    count = next((count for count in kind.uses.counts if count.people), None)
    asked = sorted(ids) if count else []
    if count is None or not asked:
        return {}
    with reading(client) as pool:
        return dict(zip(asked, pool.map(lambda live_id: number(client, count, live_id), asked), strict=True))


def number(client: Client, count: Count, live_id: str) -> int | None:
    """How many carry a thing in one place, None where that cannot be read."""
    return use(client, count, live_id).number


def use(client: Client, count: Count, live_id: str) -> Use:
    """How many carry a thing in one place, and of people who they are where the answer shows them."""
    asked = routes.request(count.route, {"id": live_id}, fill(count.body, {"id": live_id}))
    if client.version < count.since:
        asked = replace(asked, version=count.since)
    try:
        body = client.send(asked).body
    except HttpError as error:
        if error.status in UNREADABLE:
            return Use(count.where, None, count.people, count.least)
        raise
    rows = body.get("data") if count.people else ()
    ids = (row.get("id") for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    return Use(count.where, totals.count(body), count.people, count.least, frozenset(str(live_id) for live_id in ids if live_id))
