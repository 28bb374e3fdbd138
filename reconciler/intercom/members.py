"""Members: who carries a thing that is about to be deleted, by the ids that come back when it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.core.model.ability import Members
from reconciler.core.model.address import LinkName
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.recorded import Thing
from reconciler.core.model.route import fill
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.pool import reading


def carriers(client: Client, kinds: Kinds, things: Sequence[Thing]) -> Mapping[Thing, Mapping[LinkName, frozenset[str]]]:
    """The ids of whoever carries these things, by the kind of link. Raises IntercomError when one cannot be read."""
    asked = [(thing, members) for thing in things for members in kinds[thing[0]].uses.members]
    found: dict[Thing, dict[LinkName, frozenset[str]]] = {}
    with reading(client) as pool:
        read = pool.map(lambda job: _carriers(client, job[1], job[0][1]), asked)
        for (thing, members), ids in zip(asked, read, strict=True):
            found.setdefault(thing, {})[members.link] = ids
    return found


def _carriers(client: Client, members: Members, live_id: str) -> frozenset[str]:
    if members.query is not None:
        found = routes.searched(client, members.listing, fill(members.query, {"id": live_id}))
    else:
        found = routes.listed(client, members.listing, {"id": live_id})
    return routes.ids(client, members.listing, found)
