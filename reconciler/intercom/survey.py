"""A survey: all that lists and searches show of some kinds, with the links of each thing where they are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from reconciler.core.compare.index import read_key
from reconciler.core.compare.reads import BATCH, How, KindView, Read
from reconciler.core.model.address import LinkName
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.route import LinkKind
from reconciler.core.search.query import Query
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.pool import reading
from reconciler.intercom.http.request import Request
from reconciler.intercom.listing import read_all
from reconciler.intercom.read import Reader
from reconciler.intercom.routes import Body, Tick


@dataclass
class Survey:
    """What was seen of a workspace."""

    # What makes the calls.
    client: Client
    # All kinds.
    kinds: Kinds
    # Told of every read.
    tick: Tick
    # Whether links are read too.
    with_links: bool = False
    # The things that were asked for, by kind.
    things: dict[str, list[Live]] = field(default_factory=dict)
    # Others that share a name with one of these.
    beside: dict[str, list[Live]] = field(default_factory=dict)
    # The ids at the other ends of the links of each thing, by list and id.
    links: dict[LinkName, dict[str, frozenset[str]]] = field(default_factory=dict)

    def read(self, kind: Kind, query: Query | None = None) -> None:
        """All that the listing of a kind shows, or what its search finds. Raises IntercomError."""
        if query is None:
            assert kind.listing is not None
            self.things[kind.name] = self._take(kind, read_all(self.client, kind.listing, partial(self.tick, kind.section)))
            return
        assert kind.search is not None
        bodies = routes.read_search(self.client, kind.search.listing, query, partial(self.tick, kind.section))
        self.things[kind.name] = self._take(kind, bodies)
        ids = {thing.id for thing in self.things[kind.name]}
        self.beside[kind.name] = [thing for thing in self._namesakes(kind) if thing.id not in ids]

    @property
    def all_things(self) -> Mapping[str, list[Live]]:
        """All that was seen, by kind."""
        return {name: [*things, *self.beside.get(name, ())] for name, things in self.things.items()}

    def read_ends(self) -> None:
        """What links lead to and the listing of its kind did not show, one by one. Raises IntercomError."""
        reader = Reader(self.client, self.tick)
        for kind in self.kinds:
            if kind.name not in self.things or kind.whole or not kind.get:
                continue
            lists = (self.links.get(link.name, {}) for link in self.kinds.links.values() if link.target == kind.name)
            ids = {live_id for ends in lists for some in ends.values() for live_id in some}
            reads = [Read(kind.name, How.GET, "id", (i,)) for i in sorted(ids - {thing.id for thing in self.things[kind.name]})]
            with reading(self.client) as pool:
                bodies = [body for answer in pool.map(partial(_read_one, reader, kind), reads) for body in answer]
            self.things[kind.name] += self._take(kind, bodies)

    def _take(self, kind: Kind, bodies: Iterable[Body]) -> list[Live]:
        """The things in these bodies, each once; their links are noted."""
        request, partial_lists = Request("GET", "/" + kind.section), list[tuple[LinkKind, str]]()
        things: dict[str, Live] = {}
        for body in filter(kind.admits, bodies):
            thing = routes.thing(self.client, request, kind, body)
            things[thing.id] = thing
            lists = routes.links(self.client, request, kind, body) if self.with_links else {}
            for link in kind.links if lists else ():
                ids, whole = lists[link.name]
                self.links.setdefault(link.name, {})[thing.id] = ids
                partial_lists += () if whole else ((link, thing.id),)
        if partial_lists:
            reader = Reader(self.client, self.tick)
            with reading(self.client) as pool:
                for (link, live_id), ids in zip(partial_lists, pool.map(lambda job: reader.read_links(*job), partial_lists), strict=True):
                    self.links[link.name][live_id] = ids
        return list(things.values())

    def _namesakes(self, kind: Kind) -> Iterable[Live]:
        """Who else has the names of what a search found, where a name need not be one thing's alone."""
        request, reader = Request("GET", "/" + kind.section), Reader(self.client, self.tick)
        for identity in kind.identities:
            if not identity.search or identity.find:
                continue
            keys = sorted({identity.fold(key) for thing in self.things[kind.name] if (key := read_key(thing, identity))})
            for start in range(0, len(keys), BATCH):
                read = Read(kind.name, How.SEARCH, identity.field, tuple(keys[start : start + BATCH]))
                bodies = reader.read(kind, read, KindView())
                yield from (routes.thing(self.client, request, kind, body) for body in bodies if kind.admits(body))


def _read_one(reader: Reader, kind: Kind, read: Read) -> list[Body]:
    return list(reader.read(kind, read, KindView()))
