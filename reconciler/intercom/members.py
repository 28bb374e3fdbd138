"""Members: who carries a thing that is about to be deleted, by the ids that come back when it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.address import LinkName
from reconciler.core.kind import Kind, Members, fill
from reconciler.core.memory import Thing
from reconciler.intercom import routes
from reconciler.intercom.http import Client
from reconciler.intercom.pool import reading

# Numbered pages shift under a busy workspace: a list that does not add up is read once more.
LOOKS = 2


def carriers(client: Client, kinds: Sequence[Kind], things: Sequence[Thing]) -> Mapping[Thing, Mapping[LinkName, frozenset[str]]]:
    """The ids of whoever carries these things, by the kind of link. Raises IntercomError when one cannot be read."""
    by_name = {kind.name: kind for kind in kinds}
    asked = [(thing, members) for thing in things for members in by_name[thing[0]].members]
    found: dict[Thing, dict[LinkName, frozenset[str]]] = {}
    with reading(client) as pool:
        read = pool.map(lambda job: _carriers(client, job[1], job[0][1]), asked)
        for (thing, members), ids in zip(asked, read, strict=True):
            found.setdefault(thing, {})[members.link] = ids
    return found


def _carriers(client: Client, members: Members, live_id: str) -> frozenset[str]:
    if members.query is not None:
        query = fill(members.query, {"id": live_id})
        return frozenset(str(body.get("id")) for body in routes.searched(client, members.listing, query))
    found: set[str] = set()
    for _ in range(LOOKS):
        total = max((total for total in _pages(client, members, live_id, found)), default=0)
        if len(found) >= total:
            break
    return frozenset(found)


def _pages(client: Client, members: Members, live_id: str, found: set[str]) -> Iterator[int]:
    """Read every page into `found`; the answers are how many there are in all, as each page says."""
    for asked, reply in routes.list_pages(client, members.listing, {"id": live_id}):
        found.update(str(body.get("id")) for body in routes.items(client, asked, members.listing, reply))
        total = reply.body.get("total_count")
        yield total if isinstance(total, int) else 0
