"""Reads: how each way to look for the things of a kind becomes calls, and what its answers prove."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from reconciler.core.compare.index import Name
from reconciler.core.compare.reads import BATCH, Head, How, KindView, Read, list_spellings
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.route import LinkKind, Listing
from reconciler.errors import IntercomError
from reconciler.intercom import routes, totals
from reconciler.intercom.http.body import parser_of
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.request import Reply, Request, UnsafeSegment
from reconciler.intercom.listing import read_all, scroll
from reconciler.intercom.routes import Body, Tick, silent
from reconciler.intercom.totals import Tally

_CANONICAL = re.compile(r"<(?:https?://[^/>]+)?/[a-z_]+/([0-9A-Za-z]+)>\s*;\s*rel=\"?canonical")
# How a 400 says that a list of values is too long; how many a search takes is not documented (API 2.16, POST /contacts/search).
_TOO_MANY = re.compile(r"too (many|large|long|big)|at most|maximum|exceed|limit", re.IGNORECASE)
# One Link names whom it was merged into up to three merges later (API 2.16, GET /contacts/{id}).
HOPS = 10


def _blames_size(error: HttpError) -> bool:
    """Whether a search was refused for how much it asks."""
    return error.status == 413 or (error.status == 400 and bool(_TOO_MANY.search(error.said)))


def describe_links(link: LinkKind) -> str:
    """What people call the links of a sort."""
    return f"each {link.source}'s {link.field}"


@dataclass(frozen=True)
class Reader:
    """Makes single reads of one workspace."""

    # What makes the calls.
    client: Client
    # Told of every read, for progress.
    tick: Tick = silent
    # How many values of a kind one search takes, where it refused more.
    sizes: dict[str, int] = field(default_factory=dict)

    def read(self, kind: Kind, read: Read, view: KindView) -> Iterator[Body]:
        """The bodies that a read shows. What it proves to be gone or merged, and how many there are, is noted in `view`."""
        self.tick(kind.section, len(read.keys))
        match read.how:
            case How.LIST:
                return self._list(kind, view)
            case How.REST:
                return self._rest(kind, view)
            case How.HEAD | How.PART:
                return self._part(read, view)
            case How.GET:
                return self._get(kind, read.keys[0], view)
            case How.FIND:
                return self._find(kind, read, view)
            case How.SEARCH:
                return self._search_exactly(kind, read)
            case How.LOOSE:
                filters = [{"field": read.by, "operator": "~", "value": key} for key in read.keys]
                return self._search(kind, read.by, {"operator": "OR", "value": filters} if len(filters) > 1 else filters[0])

    def request_of(self, kind: Kind, read: Read, view: KindView) -> Request:
        """What a read asks for, as people see it where the answer cannot be used."""
        key = next(iter(read.keys), "")
        match read.how:
            case How.GET:
                return routes.request(str(kind.get), {"id": key})
            case How.FIND:
                return routes.request(str(kind.identity[read.by].find), {"key": key})
            case How.HEAD | How.PART:
                return routes.request_of(view.parts[key].listing, {"id": key})
            case How.SEARCH | How.LOOSE:
                assert kind.search is not None
                return routes.request_of(kind.search.listing)
        assert kind.listing is not None
        return routes.request_of(kind.listing)

    def read_links(self, link: LinkKind, source_id: str) -> frozenset[str]:
        """The ids at the other ends of all links of a thing, from their own list."""
        self.tick(describe_links(link))
        if link.listing is None:
            raise IntercomError(f"the {link.field} of a {link.source} are cut and cannot be read whole")
        values = {"source": source_id}
        return routes.ids(self.client, link.listing, routes.read_list(self.client, link.listing, values), values)

    def count(self, kind: Kind) -> int:
        """How many things the listing of a kind says that there are."""
        assert kind.listing is not None
        request = routes.request(kind.listing.route, {}, query=(("per_page", "1"),))
        total = totals.base(self.client.send(request).body)
        if total is None:
            raise routes.bad(self.client, request, "the answer has no total_count that can be believed")
        return total

    def _list(self, kind: Kind, view: KindView) -> Iterator[Body]:
        """A whole listing; of one in pages that shows not everything only the first, whose count says whether the rest is worth it."""
        listing = kind.listing
        assert listing is not None
        if listing.whole or listing.style == "one":
            for body in routes.read_list(self.client, listing):
                self.tick(kind.section, 1, 1)
                yield body
            return
        view.total, bodies = self._first_page(listing)
        self.tick(kind.section, len(bodies), len(bodies))
        yield from bodies

    def _first_page(self, listing: Listing, values: Mapping[str, str] = MappingProxyType({})) -> tuple[int, Sequence[Body]]:
        """The first page of a listing, and how many things it says that there are."""
        request = routes.request(listing.route, values, query=(("page", "1"), ("per_page", str(listing.per_page))))
        reply = self.client.send(request)
        bodies = routes.items(self.client, request, listing, reply)
        routes.check_page(self.client, request, reply.body, bodies, Tally(), last_page=True)
        return max(totals.whole(reply.body.get("total_count")) or 0, totals.least(reply.body, len(bodies))), bodies

    def _part(self, read: Read, view: KindView) -> Iterator[Body]:
        """The first page of those who have one thing, or the others. Whom they do not show is asked for alone: whether this list hides
        companies without users, as others do, is not documented (API 2.16, GET /companies); nor need it add up."""
        (live_id,) = read.keys
        listing = view.parts[live_id].listing
        if read.how is How.HEAD:
            total, bodies = self._first_page(listing, {"id": live_id})
            view.heads[live_id] = Head(total, [str(body.get("id")) for body in bodies])
            yield from bodies
            return
        with suppress(routes.Contradicted):
            yield from routes.read_list(self.client, listing, {"id": live_id}, [{"id": shown_id} for shown_id in view.heads[live_id].ids])

    def _rest(self, kind: Kind, view: KindView) -> Iterator[Body]:
        """The other pages. Where they do not add up, or may have been cut, the scroll shows all."""
        listing = kind.listing
        assert listing is not None
        assert view.total is not None
        if view.total <= min(listing.per_page, len(view.things)):
            return
        rows = [{"id": live_id} for live_id in view.things]
        self.tick(kind.section, 0, view.total - len(rows))
        if listing.scroll and listing.hides(view.total):
            bodies = scroll(self.client, listing.scroll)
        else:
            bodies = read_all(self.client, listing, first=rows)
        for body in bodies:
            self.tick(kind.section)
            yield body

    def _search(self, kind: Kind, by: str, query: Body) -> Iterator[Body]:
        """What a search by one field shows. What comes without that field may be the one that is meant: nobody can tell."""
        assert kind.search is not None
        listing = kind.search.listing
        parse = parser_of(listing.items, kind.read_keys) if kind.read_keys else None
        for body in routes.read_search(self.client, listing, query, parse=parse):
            if not isinstance(body.get(by), str) or not body[by]:
                raise routes.bad(self.client, routes.request_of(listing), f"a search by {by} found something without {by}")
            yield body

    def _search_exactly(self, kind: Kind, read: Read) -> Iterator[Body]:
        """What a search by values shows. All of it must have one of these: else whoever has one may be what is shown under another."""
        assert kind.search is not None
        identity, keys = kind.identity[read.by], list(read.keys)
        while keys:
            part = keys[: self.sizes.get(kind.name, BATCH)]
            try:
                yield from self._search_part(kind, identity, part)
            except HttpError as error:
                if len(part) == 1 or not _blames_size(error):
                    raise
                # Others may have learned it meanwhile.
                self.sizes[kind.name] = min(self.sizes.get(kind.name, BATCH), len(part) // 2)
            else:
                del keys[: len(part)]

    def _search_part(self, kind: Kind, identity: Identity, keys: Sequence[str]) -> Iterator[Body]:
        """What one search by values shows."""
        assert kind.search is not None
        by, keys_folded = identity.field, set(map(identity.fold, keys))
        for body in self._search(kind, by, {"field": by, "operator": "IN", "value": list_spellings(identity, keys)}):
            if identity.fold(body[by]) not in keys_folded:
                text = f"a search by {by} found somebody with another {by}"
                now = "if that was changed a moment ago, try again in a few minutes"
                raise routes.bad(self.client, routes.request_of(kind.search.listing), f"{text}; {now}")
            yield body

    def _get(self, kind: Kind, live_id: str, view: KindView) -> Iterator[Body]:
        """One thing by its id. 404, or 410 for a merged contact, means that it is not there under this id."""
        if kind.get is None:
            return
        request = routes.request(kind.get, {"id": live_id})
        reply = self._unless_gone(kind, request, ("id", live_id), view)
        if reply is None or ("id", live_id) in view.merged:
            view.missing.add(live_id)
            view.things.pop(live_id, None)
        elif str(reply.body.get("id")) != live_id:
            raise routes.bad(self.client, request, "the answer is another thing than the one asked for")
        if reply:
            yield reply.body

    def _find(self, kind: Kind, read: Read, view: KindView) -> Iterator[Body]:
        """A strong read by a key. An answer may be the thing or a list of such; what has another key was not asked for."""
        identity, key = kind.identity[read.by], read.keys[0]
        assert identity.find is not None
        try:
            request = routes.request(identity.find, {"key": key})
        except UnsafeSegment:
            return
        name = (read.by, identity.fold(key))
        reply = self._unless_gone(kind, request, name, view)
        if reply is None:
            return
        if name in view.merged:
            yield reply.body
            return
        bodies = self._bodies(kind, request, reply)
        exact = [body for body in bodies if str(body.get(read.by)) == key]
        if bodies and not exact and not isinstance(reply.body.get("data"), list):
            raise routes.bad(self.client, request, "the answer is another thing than the one asked for")
        yield from exact

    def _bodies(self, kind: Kind, request: Request, reply: Reply) -> list[Body]:
        """What an answer shows: one thing, or all pages of a list."""
        if kind.listing and reply.body.get("type") in ("list", f"{kind.name}.list"):
            listing = replace(kind.listing, items=("data", kind.section))

            def next_page(step: Mapping[str, str]) -> Request:
                return replace(request, query=(*request.query, *step.items()))

            return [body for _, page in routes.pages(self.client, listing, next_page, answer=reply) for body in page]
        routes.thing(self.client, request, kind, reply.body)
        return [reply.body]

    def _unless_gone(self, kind: Kind, request: Request, name: Name, view: KindView) -> Reply | None:
        """The answer, None where there is no such thing. Whoever was merged into another is followed (410 and Link, API 2.16)."""
        try:
            return self.client.send(request)
        except HttpError as error:
            if not error.is_gone:
                raise
            not_found = error
        if not_found.status == 404 and kind.person and self.client.version < kind.person.merges:
            # Before 2.16 a merged contact is a plain 404: one look under 2.16 tells them apart.
            try:
                return self.client.send(replace(request, version=kind.person.merges))
            except HttpError as error:
                not_found = error
                if not error.is_gone:
                    view.unproven.add(name)
        return self._follow(kind, not_found, name, view)

    def _follow(self, kind: Kind, not_found: HttpError, name: Name, view: KindView) -> Reply | None:
        """The thing that another was merged into; None where there is none. Where nobody can tell who that is, it is unproven."""
        hop, merges = not_found, kind.person.merges if kind.person else None
        for _ in range(HOPS):
            target = _CANONICAL.search(hop.link or "")
            if hop.status != 410 or not target or not kind.get:
                break
            try:
                reply = self.client.send(replace(routes.request(kind.get, {"id": target[1]}), version=merges))
            except HttpError as error:
                if not error.is_gone:
                    raise
                hop = error
                continue
            view.merged[name] = target[1]
            return reply
        if not_found.status == 410:
            view.unproven.add(name)
        return None
