"""The bench of a probe: what it makes, each noted before it is made, and how all of it is found again and removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from reconciler.core.model.route import Listing
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.request import Reply, Request

PREFIX = "zz-reconciler-"
# The beginning of every name that a probe gives: the prefix, and the run in eight hex.
OURS = re.compile(rf"\s*{PREFIX}[0-9a-f]{{8}}-", re.IGNORECASE)
# A domain that no mail ever reaches: RFC 2606.
DOMAIN = "reconciler.invalid"
NONE = "0"
# What a call is answered with whose body is not taken.
NOT_TAKEN = (400, 422)
CONFLICT = (409,)
MISSING = (404,)


class Unsettled(Exception):
    """A question that has no answer here; says why."""


@dataclass(frozen=True, slots=True)
class Creation:
    """One thing that a probe makes, or made."""

    # One of `REMOVERS`.
    what: str
    # What it is found by: name, company_id, a user's external_id; else an e-mail, which only a search finds.
    key: str
    # Intercom's id, once it is known; `NONE` where Intercom refused to make it.
    id: str = ""


@dataclass
class Bench:
    """One probe at work in a workspace."""

    # What calls the workspace.
    client: Client
    # Eight hex that tell it from others.
    run: str
    # Told of each thing before it is made, and again with its id.
    note: Callable[[Creation], object]
    # Waits for so many seconds.
    sleep: Callable[[float], object]
    # From so many contacts on a count may be cut.
    cap: int = 10_000
    # Whether attributes are made, which can be archived and never deleted.
    attributes: bool = False

    def name(self, word: str) -> str:
        return f"{PREFIX}{self.run}-{word}"

    def email(self, word: str) -> str:
        return f"{self.name(word)}@{DOMAIN}"

    def ask(self, route: str, body: Any = None, refusals: Sequence[int] = NOT_TAKEN, **values: str) -> Reply | None:
        """The answer; None where it is refused with one of these statuses. Raises Unsettled where it is refused otherwise, IntercomError
        where nothing is answered."""
        request = replace(routes.request(route, values, body), repeatable=not route.startswith("POST /contacts"))
        reply, error = self.client.exchange(request)
        if error and error.status >= 500:
            raise error
        if error and error.status not in refusals:
            raise Unsettled(str(error))
        return None if error else reply

    def must(self, route: str, body: Any = None, **values: str) -> Mapping[str, Any]:
        """The answer to what is no question. Raises Unsettled where it is refused."""
        reply = self.ask(route, body, (), **values)
        assert reply
        return reply.body

    def make(self, what: str, key: str, route: str, body: Any, refusals: Sequence[int] = NOT_TAKEN) -> Mapping[str, Any] | None:
        """Make a thing, noted before and after; None where Intercom refuses it."""
        note = Creation(what, key)
        self.note(note)
        try:
            reply = self.ask(route, body, refusals)
        except Unsettled:
            self.note(replace(note, id=NONE))
            raise
        self.note(replace(note, id=str(reply.body.get("id") or "") if reply else NONE))
        return reply.body if reply else None

    def tag(self, name: str) -> Mapping[str, Any] | None:
        return self.make("tag", name, "POST /tags", {"name": name})

    def person(self, word: str, refusals: Sequence[int] = (), **fields: Any) -> Mapping[str, Any] | None:
        """A contact that is called so; `fields` say by what it is identified."""
        key = str(fields["external_id"] if fields["role"] == "user" and "external_id" in fields else fields["email"])
        return self.make("contact", key, "POST /contacts", {"name": self.name(word), **fields}, refusals)

    @cached_property
    def one(self) -> Mapping[str, Any]:
        """A tag that several questions use."""
        return require(self.tag(self.name("one")))

    @cached_property
    def two(self) -> Mapping[str, Any]:
        """Another one."""
        return require(self.tag(self.name("two")))

    @cached_property
    def user(self) -> Mapping[str, Any]:
        """A user that several questions use."""
        return require(self.person("user", role="user", external_id=self.name("user"), email=self.email("user")))

    @cached_property
    def firm(self) -> Mapping[str, Any]:
        """A company without users."""
        key = self.name("firm")
        return require(self.make("company", key, "POST /companies", {"company_id": key, "name": key, "industry": "Freight"}))


def require(thing: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What a question cannot do without. Raises Unsettled where Intercom refused to make it."""
    if thing is None or not thing.get("id"):
        raise Unsettled("Intercom refused to make what it takes to ask")
    return thing


# ── cleaning ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Cleaner:
    """Removes what probes made, found by the notes and by the prefix, and nothing else."""

    # What calls the workspace.
    client: Client
    # What was written down before it was made.
    creations: Sequence[Creation]
    # What was removed.
    removed: list[Creation] = field(default_factory=list)
    # What was noted and is not to be seen, by a read that may lag.
    unseen: list[Creation] = field(default_factory=list)

    def clean(self) -> None:
        """Raises IntercomError where something could not be read or removed; what is noted stays noted then."""
        for what, remove in REMOVERS.items():
            remove(self, [thing for thing in self.creations if thing.what == what])

    def read(self, route: str, **values: str) -> Mapping[str, Any] | None:
        """What is there; None where nothing is."""
        try:
            return self.client.send(routes.request(route, values)).body
        except HttpError as error:
            if error.is_gone:
                return None
            raise

    def end(self, what: str, route: str, key: str, live_id: str, body: Any = None) -> None:
        """Remove one thing; that it is gone already is as good."""
        try:
            self.client.send(routes.request(route, {"id": live_id}, body))
        except HttpError as error:
            if not error.is_gone:
                raise
        self.removed.append(Creation(what, key, live_id))

    def tags(self, creations: Sequence[Creation]) -> None:
        ids = {thing.id for thing in creations if thing.id}
        for row in rows(self.client.send(Request("GET", "/tags")).body):
            name = str(row.get("name"))
            # What was cut shows less than the whole beginning.
            if OURS.match(name) or (str(row.get("id")) in ids and name.strip().casefold().startswith(PREFIX)):
                self.end("tag", "DELETE /tags/{id}", name, str(row["id"]))

    def contacts(self, creations: Sequence[Creation]) -> None:
        rows = {str(row["id"]): row for row in self._search() if row.get("id")}
        for live_id in {thing.id for thing in creations if thing.id} - rows.keys():
            rows |= {live_id: row} if (row := self.read("GET /contacts/{id}", id=live_id)) else {}
        keys = {thing.key for thing in creations} - {thing.key for thing in creations if thing.id}
        for key in (key for key in keys if "@" not in key):
            row = self.read("GET /contacts/find_by_external_id/{key}", key=key)
            rows |= {str(row["id"]): row} if row else {}
        for live_id, row in rows.items():
            if is_ours(row):
                self.end("contact", "DELETE /contacts/{id}", str(row.get("external_id") or row.get("email")), live_id)
        emails = {str(row.get("email")).casefold() for row in rows.values()}
        self.unseen += [Creation("contact", key) for key in sorted(keys) if "@" in key and key.casefold() not in emails]

    def _search(self) -> Iterator[Mapping[str, Any]]:
        """Those whom a search shows, which lags by minutes."""
        starts = [{"field": name, "operator": "^", "value": PREFIX} for name in ("name", "external_id", "email")]
        listing = Listing("POST /contacts/search", style="search", per_page=150)
        yield from routes.read_search(self.client, listing, {"operator": "OR", "value": starts})

    def companies(self, creations: Sequence[Creation]) -> None:
        for key in {thing.key for thing in creations if OURS.match(thing.key)}:
            row = self.read("GET /companies?company_id={key}", key=key)
            if row and row.get("company_id") == key:
                self.end("company", "DELETE /companies/{id}", key, str(row["id"]))

    def archive_attributes(self, creations: Sequence[Creation]) -> None:
        """An attribute cannot be deleted (API 2.16, PUT /data_attributes/{id})."""
        for row in rows(self.client.send(Request("GET", "/data_attributes")).body):
            if OURS.match(str(row.get("name"))) and not row.get("archived"):
                self.end("attribute", "PUT /data_attributes/{id}", str(row["name"]), str(row["id"]), {"archived": True})


# In this order: a company's tag goes with the tag.
REMOVERS: Mapping[str, Callable[[Cleaner, Sequence[Creation]], None]] = {
    "contact": Cleaner.contacts,
    "company": Cleaner.companies,
    "tag": Cleaner.tags,
    "attribute": Cleaner.archive_attributes,
}


def is_ours(contact: Mapping[str, Any]) -> bool:
    """Whether a contact is one that a probe made: everything by which somebody could be known says so."""
    names = [str(contact[name]) for name in ("external_id", "email", "name") if contact.get(name)]
    return bool(names) and all(OURS.match(text) for text in names)


def rows(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a list shows."""
    data = body.get("data")
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
