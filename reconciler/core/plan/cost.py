"""Cost: the calls that an apply makes beside its writes, from what its plan saw: who is looked at again, counted, and kept. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil

from reconciler.core.compare.choices import Choice, find_choice_leavers, find_moves, find_users
from reconciler.core.compare.compare import find_leavers
from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.counted import list_places
from reconciler.core.compare.hints import Hints, make_hints
from reconciler.core.compare.index import Index
from reconciler.core.compare.match import match
from reconciler.core.compare.merge import list_movable, list_others
from reconciler.core.compare.reads import BATCH, Certain, Head, How, KindView, Read, count_rest, is_needed, list_parts, plan_reads
from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource, group_by_kind
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.policy import is_share
from reconciler.core.model.route import Listing
from reconciler.core.plan.again import choose_reads, list_touches
from reconciler.core.plan.plan import Context, Plan, StrongReads
from reconciler.core.plan.scope import narrow

# Every run asks first whose the token is.
ASK = "GET /me"


@dataclass
class _Look:
    """One look again, as the planner of reads would have it made, answered by what the plan saw."""

    # All kinds.
    kinds: Kinds
    # The part of the manifest that is looked at.
    part: Manifest
    # What the plan saw.
    live: Snapshot
    # Where the ledger says to look.
    hints: Hints
    # What must be seen by a strong read.
    certain: Certain
    # What the plan saw by strong reads, where all that it saw is known.
    strong_reads: StrongReads | None = None
    # The calls so far, by route.
    calls: Counter[str] = field(default_factory=Counter)
    # What the look knows so far, by kind.
    views: dict[str, KindView] = field(default_factory=dict)

    @cached_property
    def resources(self) -> Mapping[str, Sequence[Resource]]:
        """What is looked at, by kind."""
        return group_by_kind(self.part.resources.values())

    def make(self) -> Counter[str]:
        for kind in self.kinds:
            self._find(kind)
            self._count_described(kind)
        self._links()
        return self.calls

    def _find(self, kind: Kind) -> None:
        resources = self.resources.get(kind.name, ())
        ids = {r.address: self.hints.ids[r.address] for r in resources if r.address in self.hints.ids}
        parts = list_parts(self.kinds, kind, resources, self.live.pairs)
        view = self.views[kind.name] = KindView(ids, self.hints.last, parts=parts)
        index = Index(kind, self.live.things.get(kind.name, {}).values())
        also = self.hints.also.get(kind.name, frozenset())
        is_asked = is_needed(self.kinds, kind, self.resources, self.hints.also) or (kind.whole and bool(also))
        if self.strong_reads:
            view.things, view.strong = dict(self.live.things.get(kind.name, {})), set(self.strong_reads.things.get(kind.name, ()))
            is_asked, resources, also = False, (), frozenset()
        while reads := plan_reads(kind, resources, view, is_asked, self.certain.things):
            for read in reads:
                self._read(kind, read, view, index)
        if kind.whole or not kind.get:
            return
        sure = {live_id for address, live_id in self.live.pairs.items() if address in self.certain.things and address.kind == kind.name}
        for live_id in sorted((sure - view.strong) | {i for i in also if not view.has_asked(How.GET, "id", i) and i not in view.strong}):
            self._read(kind, Read(kind.name, How.GET, "id", (live_id,)), view, index)
        if kind.name in self.hints.every and kind.listing and not self.strong_reads and not view.has_asked(How.LIST):
            self._read(kind, Read(kind.name, How.LIST), view, index)
            self._read(kind, Read(kind.name, How.REST), view, index)

    def _count_described(self, kind: Kind) -> None:
        """The counts of people that messages about twins and lookalikes tell."""
        route = next((count.route for count in kind.uses.counts if count.people), None)
        is_seen = self.strong_reads is not None or self.views[kind.name].has_asked(How.LIST)
        if route and is_seen and any(identity.visible is not None for identity in kind.identities):
            things, resources = self.live.things.get(kind.name, {}).values(), self.resources.get(kind.name, ())
            matches = match(kind, resources, things, former_id=self.hints.last)
            self.calls[route] += len(matches.list_described(self.hints.also.get(kind.name, frozenset())))

    def _read(self, kind: Kind, read: Read, view: KindView, index: Index) -> None:
        view.note(read)
        answers = list(self._answer(kind, read, view, index))
        for thing in answers:
            view.things[thing.id] = thing
            if read.how in (How.GET, How.FIND):
                view.strong.add(thing.id)
        route, calls = self._route(kind, read, len(answers), view)
        self.calls[route] += calls

    def _answer(self, kind: Kind, read: Read, view: KindView, index: Index) -> Iterator[Live]:
        things = self.live.things.get(kind.name, {})
        if read.how in (How.HEAD, How.PART):
            yield from self._answer_part(kind, read, view)
            return
        if read.how in (How.LIST, How.REST):
            view.total = max(self.live.totals.get(kind.name, 0), len(things))
            whole = kind.listing is None or kind.whole or view.total <= kind.listing.per_page or read.how is How.REST
            yield from things.values() if whole else ()
            return
        identity = kind.identity[read.by]
        for key in read.keys:
            yield from index.get((read.by, identity.fold(key)))

    def _answer_part(self, kind: Kind, read: Read, view: KindView) -> Iterator[Live]:
        """Those who have one thing; of more than a page nobody can say who stands on the first one."""
        (end,) = read.keys
        ends, part = self.live.links.get(LinkName(kind.name, read.by), {}), view.parts[end]
        things = [thing for live_id, thing in self.live.things.get(kind.name, {}).items() if end in ends.get(live_id, ())]
        total = max(self.live.parts.get((kind.name, end), 0), len(things))
        answer = things if total <= part.listing.per_page or read.how is How.PART else []
        view.heads[end] = Head(total, [thing.id for thing in answer])
        yield from answer

    def _route(self, kind: Kind, read: Read, number: int, view: KindView) -> tuple[str, int]:
        """Which route answers a read, and in how many calls."""
        match read.how:
            case How.GET:
                return kind.get or "", 1
            case How.FIND:
                return kind.identity[read.by].find or "", 1
            case How.SEARCH | How.LOOSE:
                assert kind.search is not None
                return kind.search.listing.route, pages(kind.search.listing, number)
            case How.HEAD | How.PART:
                part, head = view.parts[read.keys[0]], view.heads[read.keys[0]]
                return part.listing.route, 1 if read.how is How.HEAD else pages(part.listing, head.total) - 1
            case _:
                assert kind.listing is not None
                return _listing(kind, kind.listing, read, view.total or 0)

    def _links(self) -> None:
        """The lists of links that a thing shows only in part, and the other ends that must have a name."""
        policy = self.part.policy.links
        every = policy == "exact" or (policy == "declared" and bool(self.part.beside))
        for kind in self.kinds:
            for link in kind.links:
                ends: set[str] = set()
                for address, resource in self.part.resources.items():
                    live_id = self.live.pairs.get(address, "") if address.kind == kind.name and link.field in resource.links else ""
                    live_ends = self.live.links.get(link.name, {}).get(live_id, frozenset())
                    is_cut = link.most_shown is not None and len(live_ends) > link.most_shown
                    read = self.strong_reads is not None and (link.name, live_id) in self.strong_reads.lists
                    if link.listing and live_id and not read and (is_cut or (link.name, address) in self.certain.lists):
                        self.calls[link.listing.route] += pages(link.listing, len(live_ends))
                    ends.update(live_ends if every else live_ends & {*self.hints.ends(link.name, live_id)})
                target = self.kinds[link.target]
                if target.get and not target.whole and (unknown := ends - self.views[target.name].things.keys()):
                    self.calls[target.get] += len(unknown)


def _listing(kind: Kind, listing: Listing, read: Read, total: int) -> tuple[str, int]:
    if read.how is How.LIST:
        return listing.route, pages(listing, total) if listing.whole else 1
    by_scroll = listing.scroll is not None and listing.hides(total)
    return listing.scroll.route if listing.scroll and by_scroll else listing.route, count_rest(listing, total)


def pages(listing: Listing, items: int) -> int:
    """In how many pages a listing shows so many."""
    return 1 if listing.style == "one" else max(ceil(items / listing.per_page), 1)


def list_looks(
    kinds: Kinds, part: Manifest, live: Snapshot, hints: Hints, certain: Certain, arrivals: int, snapshot: StrongReads | None
) -> Counter[str]:
    """The reads before the first write, by route. `arrivals`: so many who left the manifest are held against who is new. `snapshot`: what
    the plan saw by strong reads, where all that it saw is known."""
    look = _Look(kinds, part, live, hints, certain, snapshot)
    calls = look.make()
    if any(is_share(limit) for _, limit in part.policy.limits) and snapshot is None:
        kinds_unlisted = (kind for kind in kinds if not kind.whole and look.views[kind.name].total is None)
        calls.update(kind.listing.route for kind in kinds_unlisted if kind.listing)
    for kind in kinds:
        if kind.person and kind.search and arrivals:
            calls[kind.search.listing.route] += ceil(arrivals / BATCH)
    return calls


def list_keeping(kinds: Kinds, changes: Sequence[Change], *, anywhere: bool) -> Counter[str]:
    """The reads of who carries what is deleted, where they are kept `anywhere`, and the looks at what goes only later; by route."""
    calls: Counter[str] = Counter()
    new = {change.address for change in changes if change.action is Action.CREATE}
    for change in changes:
        if isinstance(change, ThingChange) and change.action is Action.DELETE:
            kind, numbers = kinds[change.address.kind], {use.where: use.number or 0 for use in change.uses}
            # What goes into another thing is read with it when it is planned again, and once more before it goes.
            looks = anywhere if change.into is None else 2 if change.into in new else 4
            for members in kind.uses.members:
                calls[members.listing.route] += looks * pages(members.listing, numbers.get(kinds[members.link.source].section, 0))
            for members in list_others(kinds, change):
                # Nothing is kept of these beside the moves; in the end the search for what goes shows none.
                pages_read = pages(members.listing, numbers.get(kinds[members.link.source].section, 0))
                calls[members.listing.route] += (pages_read + 1) * (1 if change.into in new else 2)
            calls.update(list_places(kind, list_movable(kinds, change)) if change.into else ())
            calls[kind.get or ""] += 1 if kind.loss.settles else 0
    return +calls


def list_watching(comparison: Comparison) -> Counter[str]:
    """The reads of who carries what goes out of use, by route."""
    calls: Counter[str] = Counter()
    for (kind, _), carriers in comparison.carriers.items():
        for members in comparison.kinds[kind].uses.members:
            calls[members.listing.route] += pages(members.listing, len(carriers.get(members.link, ())))
    return calls


def list_moving(kinds: Kinds, changes: Sequence[Change]) -> Counter[str]:
    """The reads of who carries what goes into another thing and stays for now, and of who carries that one; by route."""
    calls: Counter[str] = Counter()
    new, leaving = ({change.address for change in changes if change.action is action} for action in (Action.CREATE, Action.DELETE))
    moves = [c for c in changes if isinstance(c, LinkChange) and c.merges and c.merges not in leaving]
    numbers = Counter((c.merges, c.link.source) for c in moves)
    sources = {move.link.source for move in moves}
    for old, into in {(c.merges, c.target) for c in moves if c.merges != c.target}:
        about = kinds[into.kind]
        others = about.merge.others if about.merge else ()
        for members in (*about.uses.members, *(members for members in others if members.link.source in sources)):
            calls[members.listing.route] += (1 if into in new else 2) * pages(members.listing, numbers[old, members.link.source])
    return calls


def list_counts(kinds: Kinds, live: Snapshot, changes: Sequence[Change], *, anywhere: bool) -> Counter[str]:
    """The reads of how many carry what is lost, by route; where it is kept `anywhere` who does, their number is known by that."""
    calls: Counter[str] = Counter()
    leaving = find_choice_leavers(kinds, changes, live)
    for change in changes:
        if not isinstance(change, ThingChange):
            continue
        kind = kinds[change.address.kind]
        if change.action is Action.DELETE and change.id:
            sections = {kinds[members.link.source].section for members in kind.uses.members} if anywhere else frozenset[str]()
            calls.update(list_places(kind, list_movable(kinds, change) if change.into else sections))
        calls.update(_choices(kinds, live, change, leaving))
    return calls


def _choices(kinds: Kinds, live: Snapshot, change: ThingChange, leaving: Mapping[Choice, frozenset[str]]) -> Counter[str]:
    """The reads of who has a choice that is taken away: their number, and where nobody but those who leave it may have it, who they are."""
    calls: Counter[str] = Counter()
    moves, thing = find_moves(kinds[change.address.kind], change), live.things.get(change.address.kind, {}).get(change.id or "")
    leavers = [Choice(change.address, value) for value in moves.dropped] if moves and change.uses else []
    for carrier, _ in find_users(kinds, thing) if leavers and thing else ():
        if carrier.search:
            calls[carrier.search.listing.route] += len(leavers) + sum(choice in leaving for choice in leavers)
        elif carrier.listing:
            calls[carrier.listing.route] += pages(carrier.listing, live.totals.get(carrier.name, 0))
    return calls


def reads_of(plan: Plan, comparison: Comparison, context: Context) -> Mapping[str, int]:
    """The calls that an apply of a plan makes beside its writes, by route; none where it has nothing to do."""
    if not plan.steps:
        return {}
    preimages = list_keeping(comparison.kinds, plan.changes, anywhere=context.keeps)
    if plan.undoes:
        # What a run did is looked at as a whole, now and then.
        return Counter(context.sent) + preimages
    # What nobody could prove, or only waits, is looked at again too.
    late = frozenset(note.address for note in (*plan.unproven, *plan.waiting) if note.address)
    addresses = late.union(end for c in plan.changes for end in (c.address, c.target) if end)
    part = narrow(comparison.kinds, comparison.manifest, addresses.__contains__)
    arrivals = len(find_leavers(comparison.kinds, part, comparison.difference.changes, comparison.recorded))
    certain = choose_reads(comparison.kinds, part, list_touches(plan.changes), fresh=context.strong_reads is not None)
    certain = replace(certain, things=certain.things | late)
    hints = make_hints(comparison.kinds, context.now, part, comparison.recorded)
    looks = list_looks(comparison.kinds, part, comparison.live, hints, certain, arrivals, context.strong_reads)
    looks += list_watching(comparison) if context.keeps else Counter()
    looks += Counter() if context.strong_reads else list_counts(comparison.kinds, comparison.live, plan.changes, anywhere=context.keeps)
    looks += list_moving(comparison.kinds, plan.changes)
    looks += sum((Counter(comparison.live.members[address].reads) for address in plan.rule_targets), Counter())
    return looks + preimages + Counter({ASK: 1})
