"""Membership: whom a rule reaches and who has what it is about, as sets of ids. Reads only; of people nothing but their ids is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

from reconciler.core.model.ability import Members, Searched
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
from reconciler.core.search.language import Expression, Wrong, list_conditions, parse
from reconciler.errors import Mark
from reconciler.intercom import routes
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading
from reconciler.intercom.listing import read_all
from reconciler.intercom.observe import Observer
from reconciler.intercom.read import Reader
from reconciler.intercom.routes import Body
from reconciler.intercom.search.lookup import list_custom, read_time_zone

# Whoever changed within so many seconds may be otherwise by now than a search shows (API 2.16, POST /contacts/search: some minutes).
LATE = 15 * 60.0
# What says of people when they changed last.
_CHANGED = "updated_at"


@dataclass(frozen=True)
class _Question:
    """What a rule asks for."""

    # The rule.
    rule: Rule
    # The condition on its people, where it has one.
    condition: Expression | None
    # The conditions on what they belong to, by their keys.
    through: Mapping[str, Expression]
    # The days that its times mean.
    calendar: where.Calendar
    # The live id of what it is about; None where that is not there yet.
    target_id: str | None


@dataclass
class _People:
    """What was read of the people of a rule, as live ids."""

    # Who matches.
    matching: set[str] = field(default_factory=set)
    # Who has what it is about.
    having: set[str] = field(default_factory=set)
    # When whoever does not match and has it changed last; None where that is no time.
    times: dict[str, float | None] = field(default_factory=dict)
    # How many there are in all, where all were listed.
    total: int = 0

    def add(self, live_id: str, body: Body) -> None:
        """Add somebody who has it."""
        self.having.add(live_id)
        if live_id not in self.matching:
            at = body.get(_CHANGED)
            self.times[live_id] = at if isinstance(at, (int, float)) else None


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
        source, condition = self.kinds[rule.link.source], parse(rule.where) if rule.where else None
        through = {key: parse(text) for key, text in rule.through.items()}
        _refuse_circle(source, condition, target_id)
        calendar, day, day_words = self._read_calendar(rule, [*through.values(), *([condition] if condition else [])])
        question = _Question(rule, condition, through, calendar, target_id)
        people = self._search_all(source, question) if source.search else self._filter(source, question)
        include, missing = self._find(source, question, rule.include, people)
        exclude, unknown = self._find(source, question, rule.exclude, people)
        number = people.total if not source.search else Reader(self.observer.client).count(source) if total else None
        return Membership(
            matching=(people.matching | include) - exclude,
            having=people.having,
            included=include,
            excluded=exclude,
            day=day,
            days=day_words,
            changed=people.times,
            missing=missing + unknown,
            total=number,
        )

    def check(self, kind: Kind, members: Membership, ids: Set[str], since: float) -> Set[str]:
        """Those of `ids` that are no longer as the search showed them. Whoever changed at `since`, in Unix seconds, or later is read once
        more, each by a call of their own; whoever has no time of change counts as changed."""
        times = {live_id: members.changed.get(live_id) for live_id in ids}
        suspects = {live_id: at for live_id, at in times.items() if at is not None and at >= since}
        with reading(self.observer.client) as pool:
            same = pool.map(lambda item: self._is_as_shown(kind, *item), sorted(suspects.items()))
            otherwise = {live_id for live_id, is_same in zip(sorted(suspects), same, strict=True) if not is_same}
        return otherwise.union(live_id for live_id, at in times.items() if at is None)

    # ── what is read ───────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _search_all(self, kind: Kind, question: _Question) -> _People:
        """What searches show: who matches, and who has it."""
        sets = [self._read_through(key, expression, question.calendar) for key, expression in question.through.items()]
        if question.condition and all(sets):
            sets.append(self._search(kind, question.condition, question.calendar))
        people = _People(matching=set.intersection(*sets) if sets else set())
        if question.target_id:
            self._read_having(question.rule, question.target_id, people)
        return people

    def _filter(self, kind: Kind, question: _Question) -> _People:
        """What one listing of all things shows: which match, and which have it. What no listing shows neither matches nor has it."""
        assert kind.listing is not None
        people, link = _People(), self.kinds.links[question.rule.link]
        client, request = self.observer.client, routes.request_of(kind.listing)
        is_so = self._make_filter(kind, question.condition, question.calendar) if question.condition else None
        for body in self._list_all(kind):
            people.total += 1
            live_id, (ends, whole) = routes.id_of(client, request, body), routes.links(client, request, kind, body)[link.name]
            if is_so and is_so(body):
                people.matching.add(live_id)
            if question.target_id in (ends if whole else Reader(client).read_links(link, live_id)):
                people.add(live_id, body)
        return people

    def _list_all(self, kind: Kind) -> Iterator[Body]:
        assert kind.listing is not None
        return (b for b in read_all(self.observer.client, kind.listing, partial(self.observer.tick, kind.section)) if kind.admits(b))

    def _make_filter(self, kind: Kind, condition: Expression, calendar: where.Calendar) -> Callable[[Body], bool]:
        """Whether a condition holds for a body."""
        assert self.kinds.ruling is not None
        assert kind.listing is not None
        client, listing = self.observer.client, routes.request_of(kind.listing)
        fields = {**self.kinds.ruling.filtered[kind.name], **self._list_custom(kind, [condition])}
        query = where.compile_query(condition, fields, client.version, calendar)

        def is_so(body: Body) -> bool:
            values = routes.thing(client, listing, kind, body).fields

            def read(field: str) -> Any:
                name, _, key = field.partition(".")
                value = values[name] if name in values else body.get(name)
                return (value or {}).get(key) if key else value

            return holds(query, fields, calendar, read)

        return is_so

    def _read_calendar(self, rule: Rule, conditions: Sequence[Expression]) -> tuple[where.Calendar, date | None, str]:
        """The days of the workspace; the one that is today, and what the relative times of a rule mean, where it has any."""
        names = {kind.name: kind for kind in self.kinds}
        times = any(word.days_ago is not None for one in conditions for c in list_conditions(one) for word in c.values)
        dates = any(where.asks_for_dates(one, self._known_fields(rule, names)) for one in conditions)
        if not times and not dates:
            return where.ANY_DAY, None, ""
        zone, name = read_time_zone(self.observer.client)
        calendar = where.Calendar.at(self.now, zone)
        if day := self.days.get(str(rule.target)):
            calendar = where.Calendar(zone, date.fromisoformat(day))
        days = sorted({number for one in conditions for number in where.list_days(one)})
        day_words = ", ".join(f"{number}d ago is {calendar.before(number)}" for number in days)
        return calendar, calendar.today if days else None, f"{day_words} ({name or 'UTC'})" if day_words else ""

    def _known_fields(self, rule: Rule, kinds: Mapping[str, Kind]) -> where.Fields:
        """The fields of a rule's conditions whose types are known offline; any other one may be a time."""
        source, ruling = kinds[rule.link.source], self.kinds.ruling
        assert ruling is not None
        fields: dict[str, Searched] = dict(source.search.fields if source.search else ruling.filtered[source.name])
        for text in (rule.where, *rule.through.values()):
            for condition in list_conditions(parse(text)) if text else ():
                if condition.field not in fields:
                    fields[condition.field] = Searched("date")
        return fields

    def _search(self, kind: Kind, condition: Expression, calendar: where.Calendar) -> set[str]:
        """The ids that a search finds."""
        assert kind.search is not None
        fields = {**kind.search.fields, **self._list_custom(kind, [condition])}
        query = where.compile_query(condition, fields, self.observer.client.version, calendar)
        listing, client = kind.search.listing, self.observer.client
        return set(routes.ids(client, listing, routes.read_search(client, listing, query, partial(self.observer.tick, kind.section))))

    def _list_custom(self, kind: Kind, conditions: Sequence[Expression]) -> Mapping[str, Searched]:
        prefixes = tuple(where.list_prefixes(kind))
        if not any(c.field.startswith(prefixes) for one in conditions for c in list_conditions(one)):
            return {}
        return list_custom(self.observer.client, self.kinds, kind)

    def _read_through(self, key: str, condition: Expression, calendar: where.Calendar) -> set[str]:
        """The people of those things for which a condition holds: all of these are listed, and each that is meant is asked for its own."""
        assert self.kinds.ruling is not None
        link = self.kinds.links[self.kinds.ruling.through[key]]
        kind, client = self.kinds[link.target], self.observer.client
        assert kind.listing is not None
        is_so, request = self._make_filter(kind, condition, calendar), routes.request_of(kind.listing)
        ids = [routes.id_of(client, request, body) for body in self._list_all(kind) if is_so(body)]
        members = next(one for one in kind.uses.members if one.link == link.name)
        people: set[str] = set()
        with reading(client) as pool:
            for those in pool.map(lambda live_id: self._list_people(members, live_id), ids):
                people |= those
        return people

    def _list_people(self, members: Members, live_id: str) -> frozenset[str]:
        client, values = self.observer.client, {"id": live_id}
        return routes.ids(client, members.listing, routes.read_list(client, members.listing, values), values)

    def _read_having(self, rule: Rule, target_id: str, people: _People) -> None:
        """Add who has what a rule is about."""
        members = next(one for one in self.kinds[rule.target.kind].uses.members if one.link == rule.link)
        assert members.query is not None
        client, section = self.observer.client, self.kinds[rule.link.source].section
        request, query = routes.request_of(members.listing), fill(members.query, {"id": target_id})
        for body in routes.read_search(client, members.listing, query, partial(self.observer.tick, section)):
            people.add(routes.id_of(client, request, body), body)

    def _is_as_shown(self, kind: Kind, live_id: str, at: float) -> bool:
        """Whether somebody did not change since they were shown so, by a read of their own."""
        self.observer.tick(kind.section)
        request = routes.request(str(kind.get), {"id": live_id})
        try:
            now = self.observer.client.send(request).body.get(_CHANGED)
            return isinstance(now, (int, float)) and now <= at
        except HttpError as error:
            if error.status in (404, 410):
                return False
            raise

    def _find(self, kind: Kind, question: _Question, names: Sequence[tuple[str, str]], people: _People) -> tuple[set[str], int]:
        """The live ids of those who are named, and how many were not found. Where no search shows who has it, their own reads do."""
        addresses = {address_by(kind.name, by, key): (by, key) for by, key in names}
        resources = {a: Resource(a, by, key, {}, Mark("")) for a, (by, key) in addresses.items()}
        if not resources:
            return set(), 0
        live = self.observer.observe(Manifest(resources, Policy()), self.here, None)
        ids = set(live.pairs.values())
        if kind.search is None:
            ends = live.links.get(question.rule.link, {})
            people.having -= ids
            people.having |= {live_id for live_id in ids if question.target_id in ends.get(live_id, ())}
        return ids, len(resources) - len(live.pairs)


def _refuse_circle(kind: Kind, expression: Expression | None, target_id: str | None) -> None:
    """Raises Usage for a condition that asks who has what the rule decides about: it would undo itself."""
    fields = kind.search.fields if kind.search else {}
    for condition in list_conditions(expression) if expression else ():
        if condition.field in fields and fields[condition.field].type == "tag_id" and target_id in [word.text for word in condition.values]:
            raise Wrong(condition.column, f"{condition.field} {target_id} is what this rule itself decides about; write another condition")
