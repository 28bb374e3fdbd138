"""Retiring: who carries what goes out of use, and what Intercom shows of when they got it. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from reconciler.core.compare.retiring import MOST, Evidence, list_asked
from reconciler.core.model.ability import Begun, Members
from reconciler.core.model.address import LinkName
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.record import Thing, Watch
from reconciler.core.model.route import fill
from reconciler.core.model.times import DAY
from reconciler.intercom import routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.pool import reading
from reconciler.intercom.uses import read_made_of, unless_unreadable

# Intercom compares times by whole days of the workspace, `>` begins with the day after, and a day may have 25 hours.
MARGIN = 2 * DAY


def read_retiring(client: Client, kinds: Kinds, things: Iterable[Thing]) -> Mapping[Thing, Mapping[LinkName, frozenset[str]]]:
    """Who carries these things, by the kind of link; one more than can be remembered where there are more, and without what cannot be
    read. Raises IntercomError where that fails for another reason."""
    jobs = [(thing, members) for thing in things for members in kinds[thing[0]].uses.members]
    by_thing: dict[Thing, dict[LinkName, frozenset[str]]] = {thing: {} for thing, _ in jobs}
    with reading(client) as pool:
        for (thing, members), ids in zip(jobs, pool.map(lambda job: _read_members(client, job[1], job[0][1]), jobs), strict=True):
            if ids is not None:
                by_thing[thing][members.link] = ids
    return by_thing


def _read_members(client: Client, members: Members, live_id: str) -> frozenset[str] | None:
    values = {"id": live_id}
    if members.query is not None:
        bodies = routes.read_search(client, members.listing, fill(members.query, values))
    else:
        bodies = routes.read_list(client, members.listing, values)
    return unless_unreadable(lambda: routes.ids(client, members.listing, islice(bodies, MOST + 1), values))


def read_evidence(
    client: Client, kinds: Kinds, thing: Thing, carriers: Mapping[LinkName, frozenset[str]], since: float, watch: Watch | None
) -> Evidence:
    """What Intercom shows of who began to use a thing since a time, in Unix seconds. Raises IntercomError."""
    kind, links = kinds[thing[0]], kinds.links
    questions = list_asked(kinds, carriers, watch)
    with reading(client) as pool:
        lists = pool.map(lambda one: unless_unreadable(lambda: read_made_of(client, links[one[0]], one[1])), questions)
        times = {
            one: attachments[thing[1]].at
            for one, attachments in zip(questions, lists, strict=True)
            if attachments and thing[1] in attachments
        }
    conversations = (
        {place.where: _read_begun(client, place, thing[1], since) for place in kind.retirement.new_uses} if kind.retirement else {}
    )
    more = sum(attachments[1] for attachments in conversations.values() if attachments)
    return Evidence(carriers, times, {where: attachments and attachments[0] for where, attachments in conversations.items()}, more)


def _read_begun(client: Client, place: Begun, live_id: str, since: float) -> tuple[Sequence[float], int] | None:
    """When what carries a thing and is that new began, and how much more there is of it; None where that cannot be read."""
    body = fill(place.body, {"id": live_id, "since": int(since) - MARGIN})
    answer = unless_unreadable(lambda: client.send(routes.request(place.route, {}, body)).body) or {}
    rows, total = answer.get(place.where), totals.count(answer)
    if not isinstance(rows, list) or total is None:
        return None
    times = [row.get(place.at) if isinstance(row, Mapping) else None for row in rows]
    # What does not say when it began is as new as it can be.
    return [float(at) if isinstance(at, (int, float)) and not isinstance(at, bool) else float("inf") for at in times], total - len(rows)
