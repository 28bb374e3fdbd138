"""Count: how many people and places carry what a plan would take away or rename. One read each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.compare.choices import Choice, held, leavers, moves, users
from reconciler.core.model.change import Action, Change, ThingChange, Use
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.intercom import routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading
from reconciler.intercom.number import UNREADABLE, use
from reconciler.intercom.observe import Observer

COUNTED = (Action.DELETE, Action.RENAME)


def counted(client: Client, kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> tuple[Change, ...]:
    """The same changes, those that delete, rename or take a choice away with what carries the thing. Raises IntercomError when a count
    fails otherwise."""
    asked = [c for c in changes if isinstance(c, ThingChange) and _is_asked(kinds[c.address.kind], c)]
    holders = _holders(client, kinds, live, [c for c in asked if c.action not in COUNTED], changes)

    def count(change: ThingChange) -> ThingChange:
        kind = kinds[change.address.kind]
        if change.action not in COUNTED:
            return holders.counted(kind, change)
        carried = uses(client, kind, str(change.id))
        return replace(change, people=_people(carried), uses=carried, uncounted=kind.uses.uncounted)

    with reading(client) as pool:
        told = dict(zip(map(id, asked), pool.map(count, asked), strict=True))
    return tuple(told.get(id(change), change) for change in changes)


def uses(client: Client, kind: Kind, live_id: str) -> tuple[Use, ...]:
    """How often a thing is used in each place that can be counted."""
    return tuple(use(client, count, live_id) for count in kind.uses.counts)


def _is_asked(kind: Kind, change: ThingChange) -> bool:
    """Whether what carries a thing counts for a change."""
    if change.action in COUNTED:
        return bool(kind.uses.counts and change.id)
    moved = moves(kind, change)
    return moved is not None and bool(moved.dropped)


def _people(uses: Iterable[Use]) -> int | None:
    """How many people carry a thing, None where one of the counts is unknown."""
    numbers = [use.number for use in uses if use.people]
    return None if None in numbers else sum(n or 0 for n in numbers)


def _holders(client: Client, kinds: Kinds, live: Snapshot, dropping: Sequence[ThingChange], changes: Sequence[Change]) -> _Holders:
    """What counts who still has a choice; the kinds that no search finds are listed whole, once."""
    owners = (live.things.get(change.address.kind, {}).get(change.id or "") for change in dropping)
    told = {kind.name: kind for owner in owners if owner for kind, _ in users(kinds, owner) if not kind.search}
    observer = Observer(client, kinds)
    listed = {name: {**observer.everything(kind), **live.things.get(name, {})} for name, kind in told.items()}
    return _Holders(client, kinds, live, leavers(kinds, changes, live) if dropping else {}, listed)


@dataclass(frozen=True, slots=True)
class _Holders:
    """Counts who has a choice that a plan takes away and does not leave it in that plan."""

    client: Client
    kinds: Kinds
    live: Snapshot
    # Who leaves each choice in this plan, by their ids.
    leaving: Mapping[Choice, frozenset[str]]
    # The things of the kinds that no search finds, by kind and id.
    listed: Mapping[str, Mapping[str, Live]]

    def counted(self, kind: Kind, change: ThingChange) -> ThingChange:
        """An update of choices with who still has one that it takes away, for each of these."""
        moved, thing = moves(kind, change), self.live.things.get(kind.name, {}).get(change.id or "")
        dropped = [Choice(change.address, value) for value in moved.dropped] if moved else []
        carriers = users(self.kinds, thing) if thing else ()
        uses = tuple(self._use(carrier, path, choice) for choice in dropped for carrier, path in carriers)
        return replace(change, people=_people(uses) if any(use.people for use in uses) else None, uses=uses)

    def _use(self, kind: Kind, path: str, choice: Choice) -> Use:
        where = f"{kind.section} with {choice.value!r}"
        try:
            seen = self._seen(kind, choice)
            # A list that hides some shows no zero; a search that lags shows no fewer than were seen.
            number = _at_least(seen, self._searched(kind, path, choice)) if kind.search else seen or None
        except HttpError as error:
            if error.status not in UNREADABLE:
                raise
            number = None
        return Use(where, number, kind.person is not None, least=not kind.search)

    def _searched(self, kind: Kind, path: str, choice: Choice) -> int | None:
        """Of a search the total, where it is more than those who leave; else they are looked at one by one."""
        assert kind.search is not None
        query = {"field": path, "operator": "=", "value": choice.value}
        leaving = self.leaving.get(choice, frozenset())
        asked = routes.request(kind.search.listing.route, {}, {"query": query, "pagination": {"per_page": 1}})
        total = totals.count(self.client.send(asked).body)
        if total is None or not leaving or total > len(leaving):
            return None if total is None else total - len(leaving)
        ids = {str(body.get("id")) for body in routes.searched(self.client, kind.search.listing, query)}
        return len(ids - leaving)

    def _seen(self, kind: Kind, choice: Choice) -> int:
        things = self.listed.get(kind.name) or self.live.things.get(kind.name, {})
        leaving = self.leaving.get(choice, frozenset())
        return sum(choice in held(kind, thing) for live_id, thing in things.items() if live_id not in leaving)


def _at_least(seen: int, number: int | None) -> int | None:
    return None if number is None else max(seen, number)
