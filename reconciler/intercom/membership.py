"""Membership: whom a rule reaches and who has what it is about, as sets of ids. Reads only; of people nothing but their ids is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from reconciler.core.model.ability import Members, Searched, Through
from reconciler.core.model.address import address_by
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.model.route import fill
from reconciler.core.model.rule import Membership, Rule
from reconciler.core.search import query as where
from reconciler.core.search.filter import holds
from reconciler.core.search.language import Expression, list_conditions, parse, wrong
from reconciler.errors import Mark
from reconciler.intercom import routes
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading
from reconciler.intercom.listing import read_all
from reconciler.intercom.observe import Observer
from reconciler.intercom.read import Reader
from reconciler.intercom.search.lookup import list_custom, read_time_zone

# Whoever changed within so many seconds may be otherwise by now than a search shows (API 2.16, POST /contacts/search: some minutes).
LATE = 15 * 60.0
# What says of people when they changed last.
_CHANGED = "updated_at"


@dataclass
class Reading:
    """Reads the members of rules in one workspace."""

    # What makes the calls.
    observer: Observer
    # All kinds.
    kinds: Kinds
    # Where that is.
    here: Workspace
    # Now, in Unix seconds.
    now: float
    # The day that is today for relative times, by rule, where a plan says it; else it is that of now.
    days: Mapping[str, str | None]

    def read(self, rule: Rule, target_id: str | None, *, total: bool) -> Membership:
        """Whom a rule reaches and who has what it is about; how many there are in `total` where that is wanted. Raises IntercomError, Usage
        where a condition is not one that this workspace has."""
        source, client = self.kinds[rule.link.source], self.observer.client
        asked = {key: parse(text) for key, text in rule.through.items()}
        wanted = parse(rule.where) if rule.where else None
        _refuse_circle(source, wanted, target_id)
        calendar, day, said = self._read_calendar(rule, [*asked.values(), *([wanted] if wanted else [])])
        matching: Set[str] | None = None
        for key, expression in asked.items():
            assert self.kinds.ruling is not None
            ids = self._read_through(self.kinds.ruling.through[key], expression, calendar)
            matching = ids if matching is None else matching & ids
        if wanted and (matching is None or matching):
            found = self._search(source, wanted, calendar)
            matching = found if matching is None else matching & found
        include, lost = self._find(source, rule.include)
        exclude, unknown = self._find(source, rule.exclude)
        matching = ((matching or set()) | include) - exclude
        having, late = self._read_having(rule, target_id) if target_id else (set(), {})
        unsure = {live_id for live_id, at in late.items() if live_id not in matching and not self._is_as_shown(source, live_id, at)}
        number = Reader(client).count(source) if total else None
        return Membership(matching, having, day, said, unsure, lost + unknown, number)

    def _read_calendar(self, rule: Rule, asked: Sequence[Expression]) -> tuple[where.Calendar, date | None, str]:
        """The days of the workspace; the one that is today, and what the relative times of a rule mean, where it has any."""
        names = {kind.name: kind for kind in self.kinds}
        times = any(word.days_ago is not None for one in asked for c in list_conditions(one) for word in c.values)
        typed = any(where.asks_for_dates(one, self._known_fields(rule, names)) for one in asked)
        if not times and not typed:
            return where.ANY_DAY, None, ""
        zone, name = read_time_zone(self.observer.client)
        calendar = where.Calendar.at(self.now, zone)
        if day := self.days.get(str(rule.target)):
            calendar = where.Calendar(zone, date.fromisoformat(day))
        days = sorted({number for one in asked for number in where.list_days(one)})
        said = ", ".join(f"{number}d ago is {calendar.before(number)}" for number in days)
        return calendar, calendar.today if days else None, f"{said} ({name or 'UTC'})" if said else ""

    def _known_fields(self, rule: Rule, kinds: Mapping[str, Kind]) -> where.Fields:
        """The fields of a rule's conditions whose types are known offline; any other one may be a time."""
        search = kinds[rule.link.source].search
        fields: dict[str, Searched] = dict(search.fields if search else {})
        for text in (rule.where, *rule.through.values()):
            for condition in list_conditions(parse(text)) if text else ():
                if condition.field not in fields:
                    fields[condition.field] = Searched("date")
        return fields

    def _search(self, kind: Kind, wanted: Expression, calendar: where.Calendar) -> set[str]:
        """The ids that a search finds."""
        assert kind.search is not None
        fields = {**kind.search.fields, **self._list_custom(kind, [wanted])}
        query = where.compile_query(wanted, fields, self.observer.client.version, calendar)
        listing, client = kind.search.listing, self.observer.client
        return set(routes.ids(client, listing, routes.read_search(client, listing, query, partial(self.observer.tick, kind.section))))

    def _list_custom(self, kind: Kind, asked: Sequence[Expression]) -> Mapping[str, Searched]:
        prefixes = tuple(where.list_prefixes(kind))
        if not any(c.field.startswith(prefixes) for one in asked for c in list_conditions(one)):
            return {}
        return list_custom(self.observer.client, self.kinds, kind)

    def _read_through(self, through: Through, wanted: Expression, calendar: where.Calendar) -> set[str]:
        """The people of those things for which a condition holds: all of these are listed, and each that is meant is asked for its own."""
        client, link = self.observer.client, self.kinds.links[through.link]
        kind = self.kinds[link.target]
        assert kind.listing is not None
        fields = {**through.fields, **self._list_custom(kind, [wanted])}
        query = where.compile_query(wanted, fields, client.version, calendar)
        bodies = read_all(client, kind.listing, partial(self.observer.tick, kind.section))
        asked = routes.request_of(kind.listing)
        ids = [routes.id_of(client, asked, b) for b in bodies if kind.admits(b) and self._holds(kind, query, fields, calendar, b)]
        members = next(one for one in kind.uses.members if one.link == through.link)
        people: set[str] = set()
        with reading(client) as pool:
            for found in pool.map(lambda live_id: self._list_people(members, live_id), ids):
                people |= found
        return people

    def _list_people(self, members: Members, live_id: str) -> frozenset[str]:
        client = self.observer.client
        return routes.ids(client, members.listing, routes.read_list(client, members.listing, {"id": live_id}))

    def _holds(self, kind: Kind, query: where.Query, fields: where.Fields, calendar: where.Calendar, body: dict[str, Any]) -> bool:
        shown = routes.thing(self.observer.client, routes.request_of(kind.listing), kind, body).fields if kind.listing else {}

        def read(field: str) -> Any:
            name, _, key = field.partition(".")
            value = shown[name] if name in shown else body.get(name)
            return (value or {}).get(key) if key else value

        return holds(query, fields, calendar, read)

    def _read_having(self, rule: Rule, target_id: str) -> tuple[set[str], Mapping[str, Any]]:
        """Who has what a rule is about; and when whoever changed lately did."""
        members = next(one for one in self.kinds[rule.target.kind].uses.members if one.link == rule.link)
        assert members.query is not None
        client, section = self.observer.client, self.kinds[rule.link.source].section
        asked, having, late = routes.request_of(members.listing), set[str](), dict[str, Any]()
        query = fill(members.query, {"id": target_id})
        for body in routes.read_search(client, members.listing, query, partial(self.observer.tick, section)):
            live_id = routes.id_of(client, asked, body)
            having.add(live_id)
            at = body.get(_CHANGED)
            if not isinstance(at, (int, float)) or at >= self.now - LATE:
                late[live_id] = at
        return having, late

    def _is_as_shown(self, kind: Kind, live_id: str, at: Any) -> bool:
        """Whether somebody is still as a search showed them, by a read of their own."""
        client = self.observer.client
        request = routes.request(str(kind.get), {"id": live_id})
        try:
            return bool(client.send(request).body.get(_CHANGED) == at)
        except HttpError as error:
            if error.status in (404, 410):
                return False
            raise

    def _find(self, kind: Kind, people: Sequence[tuple[str, str]]) -> tuple[set[str], int]:
        """The live ids of people by their names, and how many were not found."""
        resources = {address_by(kind.name, by, key): (by, key) for by, key in people}
        wanted = {a: Resource(a, by, key, {}, Mark("")) for a, (by, key) in resources.items()}
        if not wanted:
            return set(), 0
        live = self.observer.observe(Manifest(wanted, Policy()), self.here, None)
        return set(live.pairs.values()), len(wanted) - len(live.pairs)


def _refuse_circle(kind: Kind, wanted: Expression | None, target_id: str | None) -> None:
    """Raises Usage for a condition that asks who has what the rule decides about: it would undo itself."""
    fields = kind.search.fields if kind.search else {}
    for condition in list_conditions(wanted) if wanted else ():
        if condition.field in fields and fields[condition.field].type == "tag_id" and target_id in [word.text for word in condition.values]:
            raise wrong(condition.column, f"{condition.field} {target_id} is what this rule itself decides about; write another condition")
