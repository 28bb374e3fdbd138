"""Observe: carry out the reads that the planner of reads asks for, until the live side of every declared thing is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from reconciler.core.compare import match
from reconciler.core.compare.hints import NO_HINTS, Hints
from reconciler.core.compare.reads import BATCH, How, Read, Seen, next_reads, spellings
from reconciler.core.compare.reads import needed as wants
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.policy import is_share
from reconciler.core.model.route import LinkKind, Listing
from reconciler.errors import IntercomError
from reconciler.intercom import me, routes, totals
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import HttpError
from reconciler.intercom.http.pool import reading
from reconciler.intercom.http.request import Reply, Request, UnsafeSegment
from reconciler.intercom.number import members
from reconciler.intercom.people import People
from reconciler.intercom.scroll import scroll
from reconciler.intercom.totals import Tally

Body = dict[str, Any]
Tick = Callable[[str], None]
Ids = Mapping[Address, str]
_CANONICAL = re.compile(r"<(?:https?://[^/>]+)?/[a-z_]+/([0-9A-Za-z]+)>\s*;\s*rel=\"?canonical")
# One Link names whom it was merged into up to three merges later (API 2.16, GET /contacts/{id}).
HOPS = 10


@dataclass
class Sight:
    """All that one observation has seen of the workspace."""

    seen: dict[str, Seen] = field(default_factory=dict)
    links: dict[LinkName, dict[str, frozenset[str]]] = field(default_factory=dict)
    partial: set[tuple[LinkName, str]] = field(default_factory=set)
    notes: list[Note] = field(default_factory=list)


def identify(client: Client) -> tuple[Workspace, str, int | None]:
    """Which workspace the token is for, the admin's name, and the calls per ten seconds that it admits (GET /me, API 2.16)."""
    asked = me.ask(client)
    return asked.here, asked.admin, asked.limit


def _page_of(asked: Request, following: Mapping[str, str]) -> Request:
    """The same question for another page."""
    return replace(asked, query=(*asked.query, *following.items()))


def _vanished(sight: Sight, pairs: Ids) -> Ids:
    """The remembered ids that Intercom does not know any more, of those who were not found by any name either."""
    return {a: i for seen in sight.seen.values() for a, i in seen.last.items() if i in seen.gone and a not in pairs}


@dataclass
class Observer:
    """Reads one workspace with one client. `tick` is told of every read, for progress."""

    client: Client
    kinds: Kinds
    tick: Tick = lambda what: None

    def observe(
        self, manifest: Manifest, here: Workspace, window: int | None, hints: Hints = NO_HINTS, certain: frozenset[Address] = frozenset()
    ) -> Snapshot:
        """The live side of what is declared, and of what the hints name; `certain` things are read again by their id.

        Raises IntercomError when a read fails after its retries: what could not be read is never taken for absent.
        """
        sight = Sight()
        self.client.known.learn(People(self.kinds, manifest.resources, sight.seen))
        before = self.client.sent.total()
        found = match.Match()
        with reading(self.client) as pool:
            for kind in self.kinds:
                wanted = [r for r in manifest.resources.values() if r.address.kind == kind.name]
                ids, last = ({r.address: known[r.address] for r in wanted if r.address in known} for known in (hints.ids, hints.last))
                sight.seen[kind.name] = Seen(ids, last, mentioned=hints.also.get(kind.name, frozenset()))
                # All of a kind is seen before it is said which of it share a name.
                if kind.whole:
                    self._read_beside(kind, hints, sight, pool)
                found.add(self._find(kind, wanted, manifest, sight, pool, certain))
                if not kind.whole:
                    self._read_beside(kind, hints, sight, pool)
            self._complete_links(manifest, found.pairs, sight, pool, hints)
            totals = self._totals(manifest, sight)
        return Snapshot(
            workspace=here,
            things={name: seen.things for name, seen in sight.seen.items()},
            pairs=found.pairs,
            links=sight.links,
            withheld=frozenset(found.withheld),
            doubted=frozenset(found.doubted),
            merged=frozenset(found.merged),
            cut=frozenset(sight.partial),
            listed=frozenset(k.name for k in self.kinds if k.whole and (How.LIST, "", "") in sight.seen[k.name].asked),
            vanished=_vanished(sight, found.pairs),
            totals=totals,
            notes=(*sight.notes, *found.notes),
            refusals=tuple(found.refusals),
            twins=found.twins,
            reads=self.client.sent.total() - before,
            window=window,
        )

    def by_ids(self, kind: Kind, ids: Sequence[str]) -> Sequence[Live]:
        """The live things with these ids, by one search for each page of them where the kind has one, else one by one."""
        sight = Sight({kind.name: Seen()})
        self.client.known.learn(People(self.kinds, {}, sight.seen))
        searched = kind.search and any(i.field == "id" and i.search for i in kind.identities)
        size = BATCH if searched else 1
        how = How.SEARCH if searched else How.GET
        reads = [Read(kind.name, how, "id", tuple(ids[start : start + size])) for start in range(0, len(ids), size)]
        with reading(self.client) as pool:
            self._make(kind, reads, sight, pool)
        return list(sight.seen[kind.name].things.values())

    def everything(self, kind: Kind) -> Mapping[str, Live]:
        """Every thing that the listing of a kind shows, by its id."""
        sight = Sight({kind.name: Seen()})
        self.client.known.learn(People(self.kinds, {}, sight.seen))
        with reading(self.client) as pool:
            self._read_all(kind, sight, pool)
        return sight.seen[kind.name].things

    def _find(
        self,
        kind: Kind,
        wanted: Sequence[Resource],
        manifest: Manifest,
        sight: Sight,
        pool: ThreadPoolExecutor,
        certain: frozenset[Address],
    ) -> match.Match:
        """Ask until the planner of reads has no more questions, and what must be certain was seen by a strong read."""
        seen, needed = sight.seen[kind.name], wants(self.kinds, kind, manifest)
        while True:
            while reads := next_reads(kind, wanted, seen, needed):
                self._make(kind, reads, sight, pool)
            seen.recall(wanted, lambda r: kind.identity[r.by].fold(r.key))
            look = partial(match.match, kind, wanted, seen.things.values(), seen.merged, seen.unproven, seen.last)
            found = look()
            weak = {i for a, i in found.pairs.items() if a in certain and i not in seen.strong}
            if kind.whole or not kind.get or not weak:
                counted = members(self.client, kind, found.described_with(seen.mentioned))
                return look(counted) if counted else found
            self._make(kind, [Read(kind.name, How.GET, "id", (live_id,)) for live_id in sorted(weak)], sight, pool)

    def _read_beside(self, kind: Kind, hints: Hints, sight: Sight, pool: ThreadPoolExecutor) -> None:
        """What is to be seen beside what is declared."""
        self._read_also(kind, sight.seen[kind.name].mentioned, sight, pool)
        if kind.name in hints.every and kind.listing:
            self._read_all(kind, sight, pool)

    def _read_also(self, kind: Kind, ids: Set[str], sight: Sight, pool: ThreadPoolExecutor) -> None:
        """What is wanted though nobody declares it: all of a kind whose listing is whole, else each by its id."""
        seen = sight.seen[kind.name]
        if kind.whole and ids and (How.LIST, "", "") not in seen.asked:
            self._make(kind, [Read(kind.name, How.LIST)], sight, pool)
        if not kind.whole and kind.get:
            asked = sorted(i for i in ids if i not in seen.strong and (How.GET, "id", i) not in seen.asked)
            self._make(kind, [Read(kind.name, How.GET, "id", (live_id,)) for live_id in asked], sight, pool)

    def _read_all(self, kind: Kind, sight: Sight, pool: ThreadPoolExecutor) -> None:
        """Everything that the listing of a kind shows."""
        seen = sight.seen[kind.name]
        if (How.LIST, "", "") not in seen.asked:
            self._make(kind, [Read(kind.name, How.LIST)], sight, pool)
        if not kind.whole and (How.REST, "", "") not in seen.asked and kind.listing and (seen.total or 0) > kind.listing.per_page:
            self._make(kind, [Read(kind.name, How.REST)], sight, pool)

    def _make(self, kind: Kind, reads: Sequence[Read], sight: Sight, pool: ThreadPoolExecutor) -> None:
        for read in reads:
            sight.seen[kind.name].note(read)
        for read, bodies in zip(reads, pool.map(lambda r: list(self._read(kind, r, sight.seen[kind.name])), reads), strict=True):
            self._take(kind, read, bodies, sight)

    def _take(self, kind: Kind, read: Read, bodies: Iterable[Body], sight: Sight) -> None:
        seen = sight.seen[kind.name]
        for body in bodies:
            if not kind.admits(body):
                continue
            asked = Request("GET", "/" + kind.section)
            live, links = routes.thing(self.client, asked, kind, body), routes.links(self.client, asked, kind, body)
            strong = read.how in (How.GET, How.FIND)
            if live.id in seen.gone or (live.id in seen.things and not strong):
                continue
            seen.things[live.id] = live
            if strong:
                seen.strong.add(live.id)
            for name, (ids, whole) in links.items():
                sight.links.setdefault(name, {})[live.id] = ids
                (sight.partial.discard if whole else sight.partial.add)((name, live.id))

    def _read(self, kind: Kind, read: Read, seen: Seen) -> Iterator[Body]:
        self.tick(f"{kind.section}: {read.how}")
        match read.how:
            case How.LIST:
                yield from self._list(kind, seen)
            case How.REST:
                yield from self._rest(kind, seen)
            case How.GET:
                yield from self._get(kind, read.keys[0], seen)
            case How.FIND:
                yield from self._point(kind, read, seen)
            case How.SEARCH:
                identity = kind.identity[read.by]
                asked, values = set(map(identity.fold, read.keys)), spellings(identity, read.keys)
                found = self._search(kind, read.by, {"field": read.by, "operator": "IN", "value": values})
                yield from self._asked_for(kind, read.by, found, lambda value: identity.fold(value) in asked)
            case How.LOOSE:
                filters = [{"field": read.by, "operator": "~", "value": key} for key in read.keys]
                yield from self._search(kind, read.by, {"operator": "OR", "value": filters} if len(filters) > 1 else filters[0])

    def _list(self, kind: Kind, seen: Seen) -> Iterator[Body]:
        """A whole listing; of one in pages only the first, whose count says whether the rest is worth it."""
        listing = kind.listing
        assert listing is not None
        if listing.style == "one":
            yield from routes.listed(self.client, listing)
            return
        asked = self._page_request(listing, 1)
        reply = self.client.send(asked)
        found = routes.items(self.client, asked, listing, reply)
        routes.counted(self.client, asked, reply.body, found, Tally(), last_page=True)
        seen.total = max(totals.whole(reply.body.get("total_count")) or 0, totals.least(reply.body, len(found)))
        yield from found

    def _page_request(self, listing: Listing, page: int) -> Request:
        return routes.request(listing.route, {}, query=(("page", str(page)), ("per_page", str(listing.per_page))))

    def _rest(self, kind: Kind, seen: Seen) -> Iterator[Body]:
        """The other pages. Where they do not add up, or may have been cut, the scroll shows all."""
        listing = kind.listing
        assert listing is not None
        assert seen.total is not None
        if seen.total <= min(listing.per_page, len(seen.things)):
            return
        if listing.scroll and listing.hides(seen.total):
            yield from scroll(self.client, listing.scroll)
            return
        try:
            yield from routes.listed(self.client, listing, first=[{"id": live_id} for live_id in seen.things])
        except routes.Contradicted:
            if not listing.scroll:
                raise
            yield from scroll(self.client, listing.scroll)

    def _search(self, kind: Kind, by: str, query: Body) -> Iterator[Body]:
        """What a search by one field finds. What comes without that field may be the one that is asked for, and cannot be told."""
        assert kind.search is not None
        for body in routes.searched(self.client, kind.search.listing, query):
            if not isinstance(body.get(by), str) or not body[by]:
                raise routes.bad(self.client, routes.request_of(kind.search.listing), f"a search by {by} found something without {by}")
            yield body

    def _asked_for(self, kind: Kind, by: str, bodies: Iterable[Body], fits: Callable[[str], bool]) -> Iterator[Body]:
        """What a search by values found, all of which has one of these: else whoever has it may be among those that were shown."""
        assert kind.search is not None
        for body in bodies:
            if not fits(body[by]):
                text = f"a search by {by} found somebody with another {by}"
                now = "if that was changed a moment ago, try again in a few minutes"
                raise routes.bad(self.client, routes.request_of(kind.search.listing), f"{text}; {now}")
            yield body

    def _get(self, kind: Kind, live_id: str, seen: Seen) -> Iterator[Body]:
        """One thing by its id. 404, or 410 for a merged contact, means that it is not there under this id."""
        if kind.get is None:
            return
        asked = routes.request(kind.get, {"id": live_id})
        reply = self._unless_gone(kind, asked, ("id", live_id), seen)
        if reply is None:
            seen.gone.add(live_id)
            seen.things.pop(live_id, None)
            return
        if ("id", live_id) in seen.merged:
            seen.gone.add(live_id)
            seen.things.pop(live_id, None)
        elif str(reply.body.get("id")) != live_id:
            raise routes.bad(self.client, asked, "the answer is another thing than the one asked for")
        yield reply.body

    def _point(self, kind: Kind, read: Read, seen: Seen) -> Iterator[Body]:
        """A strong read by a key. An answer may be the thing or a list of such; what has another key was not asked for."""
        identity, key = kind.identity[read.by], read.keys[0]
        assert identity.find is not None
        try:
            asked = routes.request(identity.find, {"key": key})
        except UnsafeSegment:
            return
        name = (read.by, identity.fold(key))
        reply = self._unless_gone(kind, asked, name, seen)
        if reply is None:
            return
        if name in seen.merged:
            yield reply.body
            return
        bodies = self._things_of(kind, asked, reply)
        exact = [b for b in bodies if str(b.get(read.by)) == key]
        if bodies and not exact and not isinstance(reply.body.get("data"), list):
            raise routes.bad(self.client, asked, "the answer is another thing than the one asked for")
        yield from exact

    def _things_of(self, kind: Kind, asked: Request, reply: Reply) -> list[Body]:
        if kind.listing and reply.body.get("type") in ("list", f"{kind.name}.list"):
            listing = replace(kind.listing, items=("data", kind.section))
            return [body for _, page in routes.pages(self.client, listing, partial(_page_of, asked), answer=reply) for body in page]
        routes.thing(self.client, asked, kind, reply.body)
        return [reply.body]

    def _unless_gone(self, kind: Kind, asked: Request, name: match.Name, seen: Seen) -> Reply | None:
        """The answer, None where there is no such thing. Whoever was merged into another is followed (410 and Link, API 2.16)."""
        try:
            return self.client.send(asked)
        except HttpError as error:
            if not error.gone:
                raise
            merged = error
        if merged.status == 404 and kind.person and self.client.version < kind.person.merges:
            # Before 2.16 a merged contact is a plain 404: one look under 2.16 tells them apart.
            try:
                return self.client.send(replace(asked, version=kind.person.merges))
            except HttpError as error:
                merged = error
                if not error.gone:
                    seen.unproven.add(name)
        return self._followed(kind, merged, name, seen)

    def _followed(self, kind: Kind, merged: HttpError, name: match.Name, seen: Seen) -> Reply | None:
        """The thing that another was merged into; None where there is none. Where it cannot be told who it is, that is unproven."""
        hop, merges = merged, kind.person.merges if kind.person else None
        for _ in range(HOPS):
            found = _CANONICAL.search(hop.link or "")
            if hop.status != 410 or not found or not kind.get:
                break
            try:
                reply = self.client.send(replace(routes.request(kind.get, {"id": found[1]}), version=merges))
            except HttpError as error:
                if not error.gone:
                    raise
                hop = error
                continue
            seen.merged[name] = found[1]
            return reply
        if merged.status == 410:
            seen.unproven.add(name)
        return None

    def _complete_links(self, manifest: Manifest, pairs: Ids, sight: Sight, pool: ThreadPoolExecutor, hints: Hints) -> None:
        """Where a thing shows only some of its links, the sub-resource has them all. Where the manifest owns the whole list
        (`exact`), or we made a link, the ends that nobody declared are read too, so that they have a name."""
        listed = [
            (link, pairs[address])
            for kind in self.kinds
            for link in kind.links
            for address in pairs
            if address.kind == kind.name and link.field in manifest.resources[address].links
        ]
        cut = [(link, live_id) for link, live_id in listed if (link.name, live_id) in sight.partial]
        for (link, live_id), ids in zip(cut, pool.map(lambda job: self._sub_list(*job), cut), strict=True):
            sight.links[link.name][live_id] = ids
            sight.partial.discard((link.name, live_id))
        every = manifest.policy.links == "exact" or (manifest.policy.links == "declared" and bool(manifest.beside))
        for kind in self.kinds:
            if kind.whole:
                continue
            told = [(link, live_id) for link, live_id in listed if link.target == kind.name]
            ends = {i for link, live_id in told for i in sight.links[link.name][live_id] if every or i in hints.ends(link.name, live_id)}
            unknown = sorted(ends - sight.seen[kind.name].things.keys())
            self._make(kind, [Read(kind.name, How.GET, "id", (live_id,)) for live_id in unknown], sight, pool)

    def _sub_list(self, link: LinkKind, live_id: str) -> frozenset[str]:
        self.tick(f"{link.source} {link.field}")
        if link.listing is None:
            raise IntercomError(f"the {link.field} of a {link.source} are cut and cannot be read whole")
        return routes.ids(self.client, link.listing, routes.listed(self.client, link.listing, {"source": live_id}))

    def _totals(self, manifest: Manifest, sight: Sight) -> Mapping[str, int]:
        """How many things are live, by kind: known where all were listed, counted where a percentage is written."""
        totals = {name: seen.total if seen.total is not None else len(seen.things) for name, seen in sight.seen.items()}
        if not any(is_share(limit) for _, limit in manifest.policy.limits):
            return totals
        for kind in self.kinds:
            listing = kind.listing
            if listing is not None and not kind.whole and sight.seen[kind.name].total is None:
                totals[kind.name] = self._count(kind, listing)
        return totals

    def _count(self, kind: Kind, listing: Listing) -> int:
        asked = routes.request(listing.route, {}, query=(("per_page", "1"),))
        reply = self.client.send(asked)
        total = totals.count(reply.body)
        if total is None:
            raise routes.bad(self.client, asked, "the answer has no total_count that can be believed")
        return total
