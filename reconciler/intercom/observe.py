"""Observe: carry out the reads that the planner of reads asks for, until the live side of every declared thing is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from reconciler.core.compare.hints import NO_HINTS, Hints
from reconciler.core.compare.index import Index
from reconciler.core.compare.match import Match, match
from reconciler.core.compare.reads import BATCH, NOTHING, Certain, How, KindView, Part, Read, is_needed, list_parts, plan_reads
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource, group_by_kind
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.policy import is_share
from reconciler.core.model.reference import name_references
from reconciler.intercom import routes
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.pool import reading
from reconciler.intercom.memory import Sight
from reconciler.intercom.people import People
from reconciler.intercom.read import Reader, describe_links
from reconciler.intercom.routes import Links, Tick, silent
from reconciler.intercom.uses import count_people


@dataclass
class Observer:
    """Reads one workspace with one client."""

    # What makes the calls.
    client: Client
    # All kinds.
    kinds: Kinds
    # Told of every read, for progress.
    tick: Tick = silent
    # What was seen before, by this command; it grows with what is seen now.
    sight: Sight = field(default_factory=Sight)

    def observe(
        self, manifest: Manifest, here: Workspace, window: int | None, hints: Hints = NO_HINTS, certain: Certain = NOTHING
    ) -> Snapshot:
        """The live side of what is declared, and of what the hints name; what must be `certain` is seen by a strong read.

        Raises IntercomError when a read fails after its retries: what could not be read is never taken for absent.
        """
        before, matches, resources = self.client.sent.total(), Match(), group_by_kind(manifest.resources.values())
        with self._looking(manifest.resources, self.sight) as look:
            for kind in self.kinds.every:
                of_kind = resources.get(kind.name, ())
                parts = list_parts(self.kinds, kind, of_kind, matches.pairs)
                is_read = is_needed(self.kinds, kind, resources, hints.also)
                matches.add(look.observe(kind, of_kind, parts, is_read, hints, certain.things))
            look.complete_links(manifest, resources, matches.pairs, hints, certain.lists)
            totals = self._totals(manifest, look)
        live = Snapshot(
            workspace=here,
            things={name: view.things for name, view in look.seen.items()},
            pairs=matches.pairs,
            links=look.links,
            withheld=frozenset(matches.withheld),
            doubtful=frozenset(matches.doubtful),
            merged=frozenset(matches.merged),
            cut_lists=frozenset(look.partial),
            listed=frozenset(k.name for k in self.kinds if k.whole and look.seen[k.name].has_asked(How.LIST)),
            vanished_ids=look.find_vanished(manifest, matches.pairs),
            totals=totals,
            parts={(name, i): head.total for name, heads_view in look.seen.items() for i, head in heads_view.heads.items()},
            notes=tuple(matches.notes),
            refusals=tuple(matches.refusals),
            twins=matches.twins,
            questions=tuple(question for view in look.seen.values() for question in view.questions),
            reads=self.client.sent.total() - before,
            window=window,
        )
        return name_references(self.kinds, live)

    def by_ids(self, kind: Kind, ids: Sequence[str]) -> Sequence[Live]:
        """The live things with these ids, by one search for each page of them where the kind has one, else one by one."""
        by_search = kind.search and any(i.field == "id" and i.search for i in kind.identities)
        size, how = (BATCH, How.SEARCH) if by_search else (1, How.GET)
        with self._looking({}, Sight()) as look:
            look.seen[kind.name] = KindView()
            look.read(kind, [Read(kind.name, how, "id", tuple(ids[start : start + size])) for start in range(0, len(ids), size)])
        return list(look.seen[kind.name].things.values())

    @contextmanager
    def _looking(self, resources: Mapping[Address, Resource], sight: Sight) -> Iterator[_Look]:
        """One look. The personal values that it sees and that are declared are hidden in what other people's messages say."""
        with reading(self.client) as pool:
            look = _Look(self.client, self.kinds, Reader(self.client, self.tick), pool, sight)
            self.client.known.learn(People(self.kinds, resources, look.seen))
            yield look

    def _totals(self, manifest: Manifest, look: _Look) -> Mapping[str, int]:
        """How many things are live, by kind: known where all were listed, counted where a percentage is written."""
        totals = {name: len(view.things) if view.total is None else view.total for name, view in look.seen.items()}
        if any(is_share(limit) for _, limit in manifest.policy.limits):
            uncountable = (kind for kind in self.kinds if kind.listing and not kind.whole and look.seen[kind.name].total is None)
            totals_before = look.sight.totals
            totals_before.update((kind.name, look.reader.count(kind)) for kind in uncountable if kind.name not in totals_before)
            totals |= totals_before
        return totals


@dataclass
class _Look:
    """One look at the workspace: its reads, and all that they showed."""

    # What makes the calls.
    client: Client
    # All kinds.
    kinds: Kinds
    # What makes single reads.
    reader: Reader
    # The threads that make its reads.
    pool: ThreadPoolExecutor
    # All that was asked and seen.
    sight: Sight

    def __post_init__(self) -> None:
        self.seen, self.links, self.partial = self.sight.views, self.sight.links, self.sight.partial

    def observe(
        self, kind: Kind, resources: Sequence[Resource], parts: Mapping[str, Part], needs_list: bool, hints: Hints, certain: Set[Address]
    ) -> Match:
        """Read what is declared of a kind and what the hints name, and match the two sides."""
        ids = {r.address: hints.ids[r.address] for r in resources if r.address in hints.ids} if hints.ids else {}
        before = self.seen.get(kind.name, KindView())
        self.seen[kind.name] = replace(before, ids=ids, last=hints.last, mentioned=hints.also.get(kind.name, frozenset()), parts=parts)
        # All of a kind is seen before it is said which of it share a name.
        if kind.whole:
            self._read_beside(kind, hints)
        matches = self._match(kind, resources, needs_list, certain)
        if not kind.whole:
            self._read_beside(kind, hints)
        return matches

    def _match(self, kind: Kind, resources: Sequence[Resource], needs_list: bool, certain: Set[Address]) -> Match:
        """Ask until the planner of reads has no more questions, and what must be certain was seen by a strong read."""
        view = self.seen[kind.name]
        while True:
            index = Index(kind, view.things.values(), view.merged)
            while reads := plan_reads(kind, resources, view, needs_list, certain, index):
                self.read(kind, reads)
                index = Index(kind, view.things.values(), view.merged)
            view.recall(resources, lambda r: kind.identity[r.by].fold(r.key))
            # Of those who were merged more names may be known by now.
            things = view.things.values() if view.merged else index
            pair_up = partial(match, kind, resources, things, view.merged, view.unproven, view.last)
            matches = pair_up()
            weak = {i for a, i in matches.pairs.items() if a in certain and i not in view.strong}
            if kind.whole or not kind.get or not weak:
                people = count_people(self.client, kind, matches.list_described(view.mentioned))
                return pair_up(people) if people else matches
            self._get(kind, weak)

    def _read_beside(self, kind: Kind, hints: Hints) -> None:
        """Read what nobody declares and the hints name: single things, or all that a listing shows. A listing that is whole shows both."""
        view, every = self.seen[kind.name], kind.name in hints.every and kind.listing is not None
        if not kind.whole and kind.get:
            self._get(kind, {i for i in view.mentioned if i not in view.strong and not view.has_asked(How.GET, "id", i)})
        if every or (kind.whole and view.mentioned):
            self._read_once(kind, How.LIST)
        if every and not kind.whole and kind.listing and (view.total or 0) > kind.listing.per_page:
            self._read_once(kind, How.REST)

    def _read_once(self, kind: Kind, how: How) -> None:
        if not self.seen[kind.name].has_asked(how):
            self.read(kind, [Read(kind.name, how)])

    def _get(self, kind: Kind, ids: Iterable[str]) -> None:
        self.read(kind, [Read(kind.name, How.GET, "id", (live_id,)) for live_id in sorted(ids)])

    def read(self, kind: Kind, reads: Sequence[Read]) -> None:
        """Make reads of a kind, at the same time, and take in what they show."""
        view = self.seen[kind.name]
        self.reader.tick(kind.section, 0, sum(len(read.keys) for read in reads))
        for read in reads:
            view.note(read)
        for read, things in zip(reads, self.pool.map(partial(self._read_one, kind, view), reads), strict=True):
            self._take(view, things, strong=read.how in (How.GET, How.FIND))

    def _read_one(self, kind: Kind, view: KindView, read: Read) -> list[tuple[Live, Links]]:
        """The things that a read shows, with the links in them. The answers themselves take ten times as much memory, and are let go."""
        asked = partial(self.reader.request_of, kind, read, view)
        return list(routes.things_with_links(self.client, kind, self.reader.read(kind, read, view), asked))

    def _take(self, view: KindView, things: Sequence[tuple[Live, Links]], *, strong: bool) -> None:
        for live, links in things:
            live_id = live.id
            if live_id in view.missing or (live_id in view.things and not strong):
                continue
            view.things[live_id] = live
            if strong:
                view.strong.add(live_id)
            for name, (ids, whole) in links.items():
                self.links.setdefault(name, {})[live_id] = ids
                if not whole:
                    self.partial.add((name, live_id))
                elif self.partial:
                    self.partial.discard((name, live_id))

    def complete_links(
        self,
        manifest: Manifest,
        resources: Mapping[str, Sequence[Resource]],
        pairs: Mapping[Address, str],
        hints: Hints,
        certain: Set[tuple[LinkName, Address]] = frozenset(),
    ) -> None:
        """Read the links of which a thing shows only some, or that must be `certain`, from their own list, and the ends that must have a
        name; `resources` are those of the manifest by kind.

        These are the ends that nobody declared of a list that the manifest owns as a whole (`exact`), and of the links that we made.
        """
        sure = {(name, pairs[address]) for name, address in certain if address in pairs}
        sure = self.partial | (sure - self.sight.whole)
        sources = [
            (link, pairs[resource.address])
            for link in self.kinds.links.values()
            # The ends that a whole list shows all have names.
            if sure or not self.kinds[link.target].whole
            for resource in resources.get(link.source, ())
            if link.field in resource.links and resource.address in pairs
        ]
        partial_lists = [(link, live_id) for link, live_id in sources if (link.name, live_id) in sure]
        for link, _ in partial_lists:
            self.reader.tick(describe_links(link), 0, 1)
        for (link, live_id), ids in zip(partial_lists, self.pool.map(lambda job: self.reader.read_links(*job), partial_lists), strict=True):
            self.links[link.name][live_id] = ids
            self.partial.discard((link.name, live_id))
            self.sight.whole.add((link.name, live_id))
        every = manifest.policy.links == "exact" or (manifest.policy.links == "declared" and bool(manifest.beside))
        for kind in self.kinds:
            if kind.whole:
                continue
            lists = [(link.name, live_id) for link, live_id in sources if link.target == kind.name]
            ends_by_list = [(self.links[name][live_id], None if every else hints.ends(name, live_id)) for name, live_id in lists]
            ends = {i for ids, ours in ends_by_list for i in (ids if ours is None else ids.intersection(ours))}
            self._get(kind, ends - self.seen[kind.name].things.keys())

    def find_vanished(self, manifest: Manifest, pairs: Mapping[Address, str]) -> Mapping[Address, str]:
        """The remembered ids that Intercom does not know any more, of those who were not found by any name either."""
        views = {name: view for name, view in self.seen.items() if view.missing}
        pairs_lost = ((a, views[a.kind]) for a in manifest.resources if a.kind in views and a not in pairs)
        return {address: live_id for address, view in pairs_lost if (live_id := view.last(address)) in view.missing}
