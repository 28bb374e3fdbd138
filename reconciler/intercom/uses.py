"""Uses: how many people and places carry a thing, who they are, and who put it there last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from reconciler.core.compare.choices import Choice, find_choice_leavers, find_moves, find_users, read_choices
from reconciler.core.compare.counted import BY_ID, find_read, list_counted
from reconciler.core.compare.merge import Carriers
from reconciler.core.compare.since import Attachment, Ends
from reconciler.core.model.ability import Count, Members
from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Change, ThingChange, Use
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.record import Thing
from reconciler.core.model.route import LinkKind, fill
from reconciler.intercom import routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading
from reconciler.intercom.listing import everything
from reconciler.intercom.people import of_one
from reconciler.intercom.routes import Tick, silent

# What the token, the plan of the workspace or the API version does not let us read: unknown, which is never zero.
UNREADABLE = (400, 403, 404)
# The latest time, in Unix seconds: a larger whole number may be no float.
LATEST = 2**53
# How many of those who carry a thing are asked, those that changed last first: Intercom has no list of who applied a tag to whom.
ASKED = 5

NOBODY: Mapping[str, frozenset[str]] = {}

T = TypeVar("T")


# ── how many ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def count_uses(
    client: Client, kinds: Kinds, changes: Sequence[Change], live: Snapshot, carriers: Carriers, tick: Tick = silent
) -> tuple[Change, ...]:
    """The same changes. Those that delete a thing, rename it or take a choice away say who carries it; of whom all `carriers` were read,
    nobody asks for the number.

    Raises IntercomError when a count fails for another reason than that it cannot be read.
    """
    things = list_counted(kinds, changes)
    holders = _holders(client, kinds, live, [c for c in things if c.action not in BY_ID], changes)
    tick("what is in use", 0, len(things))

    def count(change: ThingChange) -> ThingChange:
        kind = kinds[change.address.kind]
        tick("what is in use")
        if change.action not in BY_ID:
            return holders.count(kind, change)
        uses = uses_of(client, kind, str(change.id), find_read(kinds, change, carriers))
        return replace(change, people=_people(uses), uses=uses, uncounted=kind.uses.uncounted)

    with reading(client) as pool:
        counts = dict(zip(map(id, things), pool.map(count, things), strict=True))
    return tuple(counts.get(id(change), change) for change in changes)


def uses_of(client: Client, kind: Kind, live_id: str, carriers: Mapping[str, frozenset[str]] = NOBODY) -> tuple[Use, ...]:
    """How often a thing is used in each place that can be counted: a read for each, but for those of which it is known who carries it."""
    return tuple(
        Use(count.where, len(ids), count.people, count.least, ids if count.people else frozenset())
        if (ids := carriers.get(count.where)) is not None
        else _use(client, count, live_id)
        for count in kind.uses.counts
    )


def count_people(client: Client, kind: Kind, ids: Iterable[str]) -> Mapping[str, int | None]:
    """How many people carry each of these things, None where that cannot be read; nothing of a kind whose people are not counted."""
    count = next((count for count in kind.uses.counts if count.people), None)
    live_ids = sorted(ids)
    if count is None or not live_ids:
        return {}
    with reading(client) as pool:
        return dict(zip(live_ids, pool.map(lambda live_id: _use(client, count, live_id).number, live_ids), strict=True))


def _use(client: Client, count: Count, live_id: str) -> Use:
    """How many carry a thing in one place, and of people who they are where the answer shows them."""
    request = routes.request(count.route, {"id": live_id}, fill(count.body, {"id": live_id}))
    if client.version < count.since:
        request = replace(request, version=count.since)
    body = unless_unreadable(lambda: client.send(request).body)
    if body is None:
        return Use(count.where, None, count.people, count.least)
    ids = (row.get("id") for row in _rows(body)) if count.people else ()
    return Use(count.where, totals.count(body), count.people, count.least, frozenset(str(live_id) for live_id in ids if live_id))


def unless_unreadable(read: Callable[[], T]) -> T | None:
    """What a read answers, None where it cannot be read."""
    try:
        return read()
    except HttpError as error:
        if error.status in UNREADABLE:
            return None
        raise


def _rows(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = body.get("data")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def uses_of_each(client: Client, things: Mapping[str, Kind]) -> Mapping[str, tuple[Use, ...]]:
    """How often each of these things, by its id, is used in each place that can be counted."""
    with reading(client) as pool:
        return dict(zip(things, pool.map(lambda thing: uses_of(client, thing[1], thing[0]), things.items()), strict=True))


def _people(uses: Iterable[Use]) -> int | None:
    """How many people carry a thing, None where one of the counts is unknown."""
    numbers = [use.number for use in uses if use.people]
    return None if None in numbers else sum(n or 0 for n in numbers)


def _holders(client: Client, kinds: Kinds, live: Snapshot, dropping: Sequence[ThingChange], changes: Sequence[Change]) -> _Holders:
    """What counts who still has a choice; the kinds that no search finds are listed whole, once."""
    owners = (live.things.get(change.address.kind, {}).get(change.id or "") for change in dropping)
    unsearchable = {kind.name: kind for owner in owners if owner for kind, _ in find_users(kinds, owner) if not kind.search}
    things = {}
    for name, kind in unsearchable.items():
        things[name] = {**{thing.id: thing for thing in everything(client, kind)}, **live.things.get(name, {})}
        client.known.take(value for thing in things[name].values() for value in of_one(kind, thing))
    return _Holders(client, kinds, live, find_choice_leavers(kinds, changes, live) if dropping else {}, things)


@dataclass(frozen=True, slots=True)
class _Holders:
    """Counts who has a choice that a plan takes away and does not leave it in that plan."""

    # What makes the calls.
    client: Client
    # All kinds.
    kinds: Kinds
    # What was seen of the workspace.
    live: Snapshot
    # Who leaves each choice in this plan, by their ids.
    leaving: Mapping[Choice, frozenset[str]]
    # The things of the kinds that no search finds, by kind and id.
    listed: Mapping[str, Mapping[str, Live]]

    def count(self, kind: Kind, change: ThingChange) -> ThingChange:
        """An update of choices, with who still has one that it takes away, for each of these."""
        moves, thing = find_moves(kind, change), self.live.things.get(kind.name, {}).get(change.id or "")
        leavers = [Choice(change.address, value) for value in moves.dropped] if moves else []
        carriers = find_users(self.kinds, thing) if thing else ()
        uses = tuple(self._use(carrier, path, choice) for choice in leavers for carrier, path in carriers)
        return replace(change, people=_people(uses) if any(use.people for use in uses) else None, uses=uses)

    def _use(self, kind: Kind, path: str, choice: Choice) -> Use:
        count = self._count_seen(kind, choice)
        # A list that hides some shows no zero; a search that lags shows no fewer than were seen.
        number = unless_unreadable(lambda: self._count_by_search(kind, path, choice)) if kind.search else count or None
        number = None if number is None else max(count, number)
        return Use(f"{kind.section} with {choice.value!r}", number, kind.person is not None, least=not kind.search)

    def _count_by_search(self, kind: Kind, path: str, choice: Choice) -> int | None:
        """The total of a search, where it is more than those who leave; else they are looked at one by one."""
        assert kind.search is not None
        query = {"field": path, "operator": "=", "value": choice.value}
        leaving = self.leaving.get(choice, frozenset())
        request = routes.request(kind.search.listing.route, {}, {"query": query, "pagination": {"per_page": 1}})
        total = totals.count(self.client.send(request).body)
        if total is None or not leaving or total > len(leaving):
            return None if total is None else total - len(leaving)
        ids = {str(body.get("id")) for body in routes.read_search(self.client, kind.search.listing, query)}
        return len(ids - leaving)

    def _count_seen(self, kind: Kind, choice: Choice) -> int:
        things = self.listed.get(kind.name) or self.live.things.get(kind.name, {})
        leaving = self.leaving.get(choice, frozenset())
        return sum(choice in read_choices(kind, thing) for live_id, thing in things.items() if live_id not in leaving)


# ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
def read_carriers(client: Client, kinds: Kinds, things: Sequence[Thing]) -> Mapping[Thing, Mapping[LinkName, frozenset[str]]]:
    """The ids of whoever carries these things, by the kind of link. Raises IntercomError when one cannot be read."""
    return read_members(client, [(thing, members) for thing in things for members in kinds[thing[0]].uses.members])


def read_members(client: Client, jobs: Sequence[tuple[Thing, Members]]) -> Mapping[Thing, Mapping[LinkName, frozenset[str]]]:
    """The ids of whoever carries each of these things, as these lists of it show. Raises IntercomError when one cannot be read."""
    carriers: dict[Thing, dict[LinkName, frozenset[str]]] = {}
    with reading(client) as pool:
        for (thing, members), ids in zip(jobs, pool.map(lambda job: _members(client, job[1], job[0][1]), jobs), strict=True):
            carriers.setdefault(thing, {})[members.link] = ids
    return carriers


def _members(client: Client, members: Members, live_id: str) -> frozenset[str]:
    values = {"id": live_id}
    if members.query is not None:
        bodies = routes.read_search(client, members.listing, fill(members.query, values))
    else:
        bodies = routes.read_list(client, members.listing, values)
    return routes.ids(client, members.listing, bodies, values)


# ── since when ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def describe_last_use(client: Client, kind: Kind, live_id: str) -> str:
    """`seen applied last on 2026-11-24 by Zoe`, as far as it can be seen; empty where Intercom does not say."""
    last = _last_use(client, kind, live_id)
    try:
        return f"seen applied last on {datetime.fromtimestamp(last.at, UTC):%Y-%m-%d}{name_admin(client, kind, last.by)}" if last else ""
    except (OverflowError, ValueError, OSError):  # what stands there may be no time
        return ""


def last_uses(client: Client, kind: Kind, ids: Sequence[str]) -> Mapping[str, Attachment]:
    """When, and by whose id, each of these things was seen applied last; without those of which Intercom does not say."""
    with reading(client) as pool:
        pairs = zip(ids, pool.map(lambda live_id: _last_use(client, kind, live_id), ids), strict=True)
        return {live_id: attachment for live_id, attachment in pairs if attachment}


def _last_use(client: Client, kind: Kind, live_id: str) -> Attachment | None:
    try:
        return max(_last_uses(client, kind, live_id), key=lambda attachment: (attachment.at, attachment.by), default=None)
    except HttpError:
        return None


def _last_uses(client: Client, kind: Kind, live_id: str) -> Iterator[Attachment]:
    """When, and by whom, a thing was put on each of a few who carry it."""
    if (trace := kind.uses.trace) is None:
        return
    carriers = client.send(routes.request(trace.carriers, {}, fill(trace.body, {"id": live_id})))
    for carrier in _rows(carriers.body)[:ASKED]:
        reply = client.send(routes.request(trace.route, {"source": str(carrier.get("id"))}))
        yield from (attachment for row in _rows(reply.body) if str(row.get("id")) == live_id and (attachment := _read_made(row)))


def read_made(client: Client, sources: Sequence[tuple[LinkKind, str]]) -> Mapping[Ends, Attachment]:
    """When, and by whom, the links of these sources were made, as their lists say; what does not say so is left out."""
    with reading(client) as pool:
        lists = pool.map(lambda job: read_made_of(client, *job), sources)
        return {
            (source, end): attachment
            for (_, source), attachments in zip(sources, lists, strict=True)
            for end, attachment in attachments.items()
        }


def read_made_of(client: Client, link: LinkKind, source: str) -> Mapping[str, Attachment]:
    """When, and by whom, the links of one source were made, by the ids of their other ends, as its list says."""
    rows = routes.read_list(client, link.listing, {"source": source}) if link.listing else ()
    return {str(row.get("id")): attachment for row in rows if (attachment := _read_made(row))}


def _read_made(row: Mapping[str, Any]) -> Attachment | None:
    """What a row of a list says of when, and by whose id, it was put there."""
    when, admin = row.get("applied_at"), row.get("applied_by")
    if not isinstance(when, (int, float)) or isinstance(when, bool):
        return None
    return Attachment(float(min(when, LATEST)), str(admin.get("id") or "") if isinstance(admin, Mapping) else "")


def name_admin(client: Client, kind: Kind, admin_id: str) -> str:
    """` by Zoe`, as far as Intercom says who that is."""
    if not admin_id or kind.uses.trace is None:
        return ""
    try:
        name = client.send(routes.request(kind.uses.trace.admin, {"id": admin_id})).body.get("name")
    except HttpError:
        name = None
    return f" by {name}" if name else f" by admin {admin_id}"
