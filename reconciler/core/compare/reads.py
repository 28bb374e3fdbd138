"""The cheapest way to look: (what is asked for, what is known) → the next reads. Pure; called until nothing is left to ask."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reconciler.core.compare.index import FormerIds, Index, Name, no_id
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.question import Question, Way
from reconciler.core.model.route import Listing

# Keys in one search: its answer then fits one page of the largest size (150, API 2.16).
BATCH = 150
# A group holds at most 15 filters (API 2.16, POST /contacts/search).
GROUP = 15
# Pages of a scroll (recorded; API 2.16 does not say).
SCROLLED = 100
# Up to so many wanted things a listing is not even counted.
FEW = 3
# Of so many calls one may be spent on asking how many have something: nobody knows before.
ASKING = 10


class How(StrEnum):
    """A way to read. GET and FIND are strong: what they do not show is not there. The others lag, or hide things. HEAD is the first page of
    those who have one thing, PART are the others."""

    GET = "get"
    LIST = "list"
    REST = "rest"
    HEAD = "head"
    PART = "part"
    SEARCH = "search"
    FIND = "find"
    LOOSE = "loose"


# What a way is called.
_WORDS = {
    How.GET: "one by one",
    How.LIST: "list",
    How.REST: "rest of the list",
    How.SEARCH: "search",
    How.FIND: "one by one",
    How.LOOSE: "search for a part of it",
}
# How many keys one call asks for, where that is more than one.
_SIZES = {How.SEARCH: BATCH, How.LOOSE: GROUP}


@dataclass(frozen=True, slots=True)
class Read:
    """One read."""

    # What is read.
    kind: str
    # In which way.
    how: How
    # The identity that is asked for, or the list of links; empty for a listing.
    by: str = ""
    # The keys of it that are asked for, or the id of what is linked.
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Certain:
    """What must be seen by a strong read."""

    # Things that are read by their id.
    things: frozenset[Address] = frozenset()
    # Lists of links that are read whole, each with the thing that has it.
    lists: frozenset[tuple[LinkName, Address]] = frozenset()


NOTHING = Certain()


@dataclass(frozen=True, slots=True)
class Part:
    """Those of a kind who have one thing, as one list shows them."""

    # The key of the links by which they have it.
    field: str
    # What this way to read is called.
    word: str
    # The list.
    listing: Listing
    # Whom it may show of what is declared, each an identity and a key.
    names: Set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Head:
    """The first page of a part."""

    # How many there are.
    total: int
    # The ids that it shows.
    ids: Sequence[str]


@dataclass
class KindView:
    """What is known of one kind so far."""

    # Live ids by which to ask first, from the ledger.
    ids: dict[Address, str] = field(default_factory=dict)
    # The live ids by which to ask where nothing else finds somebody.
    last: FormerIds = no_id
    # Live ids that are read though nothing that is declared has them.
    mentioned: Set[str] = frozenset()
    # What was seen so far, by live id.
    things: dict[str, Live] = field(default_factory=dict)
    # What was asked: the keys, by the way and the identity.
    keys_asked: dict[tuple[How, str], set[str]] = field(default_factory=dict)
    # Live ids that a strong read did not find.
    missing: set[str] = field(default_factory=set)
    # Live ids that a strong read found.
    strong: set[str] = field(default_factory=set)
    # Names whose bearer was merged into the thing with that id.
    merged: dict[Name, str] = field(default_factory=dict)
    # Names of which nobody could say whether their bearer was merged.
    unproven: set[Name] = field(default_factory=set)
    # How many there are, where a listing said so.
    total: int | None = None
    # The parts that can be listed, by the live id of what they have.
    parts: Mapping[str, Part] = field(default_factory=dict)
    # What the first page of each showed, where it was read.
    heads: dict[str, Head] = field(default_factory=dict)
    # The questions so far, with the numbers by which their ways were chosen.
    questions: list[Question] = field(default_factory=list)

    def copy(self) -> KindView:
        """The same, which may grow without the other."""
        return replace(
            self,
            things=dict(self.things),
            keys_asked={way: set(keys) for way, keys in self.keys_asked.items()},
            missing=set(self.missing),
            strong=set(self.strong),
            merged=dict(self.merged),
            unproven=set(self.unproven),
            heads=dict(self.heads),
            questions=list(self.questions),
        )

    def recall(self, resources: Iterable[Resource], fold: Callable[[Resource], str]) -> None:
        """Whose id was known from elsewhere and who was merged, or may have been, is that under its own name too."""
        if not self.merged and not self.unproven:
            return
        for resource in resources:
            live_id = self.ids.get(resource.address) or self.last(resource.address)
            by_id, name = ("id", live_id), (resource.by, fold(resource))
            if by_id in self.merged:
                self.merged.setdefault(name, self.merged[by_id])
            if by_id in self.unproven:
                self.unproven.add(name)

    def note(self, read: Read) -> None:
        """Remember that this was asked."""
        self.note_keys(read.how, read.by, read.keys or ("",))

    def note_keys(self, how: How, by: str, keys: Iterable[str]) -> None:
        """Remember that these were asked for in a way by an identity, or need not be."""
        self.keys_asked.setdefault((how, by), set()).update(keys)

    def has_asked(self, how: How, by: str = "", key: str = "") -> bool:
        """Whether this was asked; a listing is asked for by nothing."""
        return key in self.keys_asked.get((how, by), ())


def list_parts(kinds: Kinds, kind: Kind, resources: Iterable[Resource], pairs: Mapping[Address, str]) -> Mapping[str, Part]:
    """The parts of a kind that can be listed by what its things are declared to have; none where a search asks for many names at once."""
    parts: dict[str, Part] = {}
    for link in kind.links if kind.listing and not kind.whole and not kind.search else ():
        names: dict[str, set[tuple[str, str]]] = {}
        for resource in resources if kinds.list_sources(link.name) else ():
            lists = resource.links.get(link.field)
            for live_id in filter(None, map(pairs.get, lists.present if lists else ())):
                names.setdefault(live_id, set()).add((resource.by, resource.key))
        if listing := kinds.list_sources(link.name):
            parts |= {i: Part(link.field, f"by {link.target}", listing, keys) for i, keys in names.items()}
    return parts


def is_needed(kinds: Kinds, kind: Kind, resources: Mapping[str, Sequence[Resource]], also: Container[str] = ()) -> bool:
    """Whether a kind must be listed though none of it is declared: to name links and references, or to type values. `resources` is, by
    kind, all that is declared; `also` are the kinds of which something is read beside that."""
    for other in kinds:
        of_other = resources.get(other.name, ())
        leads = kind.whole and kind.name in other.references.values()
        if leads and (other.name in also or of_other):
            return True
        fields = {name for name, f in other.fields.items() if f.typed_by == kind.name}
        links = {link.field for link in other.links if link.target == kind.name and kind.whole}
        if (fields or links) and not all(fields.isdisjoint(r.fields) and links.isdisjoint(r.links) for r in of_other):
            return True
    return False


def plan_reads(
    kind: Kind,
    resources: Sequence[Resource],
    view: KindView,
    is_needed: bool = False,
    certain: Set[Address] = frozenset(),
    index: Index | None = None,
) -> tuple[Read, ...]:
    """The reads to make now. `is_needed`: the kind must be listed though nothing of it is declared. `certain`: what will be read by its id
    unless a strong read shows it. `index`: the things that were seen, by their names. Empty: all is known that can be."""
    if kind.whole:
        return _plan_whole(kind, len(resources), view) if resources or is_needed else ()
    index = index or Index(kind, view.things.values(), view.merged)
    steps: dict[tuple[How, str], list[str]] = {}
    for resource in _find_open(kind, resources, index):
        things = index.get((resource.by, kind.identity[resource.by].fold(resource.key)))
        if not things and (step := _find_step(kind, resource, resource.by, resource.key, view, certain)):
            steps.setdefault(step[:2], []).append(step[2])
            continue
        for by, key in _list_questions(kind, resource, index):
            if step := _find_step(kind, resource, by, key, view, certain):
                steps.setdefault(step[:2], []).append(step[2])
                break
        else:
            if live_id := _find_remembered(kind, resource, index, view):
                steps.setdefault((How.GET, "id"), []).append(live_id)
    return tuple(_make_batches(kind, steps, view))


def _plan_whole(kind: Kind, number: int, view: KindView) -> tuple[Read, ...]:
    """The one read of a listing that shows everything, once."""
    if view.has_asked(How.LIST):
        return ()
    view.questions.append(Question(kind.name, "", number, (Way(_WORDS[How.LIST], 1),), _WORDS[How.LIST]))
    return (Read(kind.name, How.LIST),)


def _find_open(kind: Kind, resources: Sequence[Resource], index: Index) -> Iterator[Resource]:
    """Those of which more is asked: no thing has the name that its entry has, or that name does not say all."""
    names = {resource.by: kind.identity[resource.by] for resource in resources}
    sure = {by: (i.fold, index.groups(by), kind.other_names[by]) for by, i in names.items() if not i.loose}
    for resource in resources:
        if resource.by in sure:
            fold, groups, others = sure[resource.by]
            if fold(resource.key) in groups and others.isdisjoint(resource.fields):
                continue
        yield resource


def _find_remembered(kind: Kind, resource: Resource, index: Index, view: KindView) -> str | None:
    """The id under which somebody was known who is found by no name, unless it was asked for already."""
    live_id = "" if resource.is_gone else view.last(resource.address)
    if not live_id or view.has_asked(How.GET, "id", live_id) or not kind.get:
        return None
    names = ((resource.by, resource.key), *resource.former)
    return None if any(index.get((by, kind.identity[by].fold(key))) for by, key in names) else live_id


def _list_questions(kind: Kind, resource: Resource, index: Index) -> Iterator[tuple[str, str]]:
    """What would say which live thing this is, most telling first; nothing once something did."""
    names = [(resource.by, resource.key), *resource.former]
    if not resource.is_gone:
        unique = (i.field for i in kind.identities if i.field in kind.fields and kind.fields[i.field].moves)
        names += [(name, str(resource.fields[name])) for name in unique if resource.fields.get(name)]
    for by, key in dict.fromkeys(names):
        things = index.get((by, kind.identity[by].fold(key)))
        # A search that minds the case may have shown only one of a lower rank: somebody of a higher one would be meant.
        # And a tombstone must mean one alone, or the next run would take the other.
        if not things or (kind.identity[by].loose and (resource.is_gone or all(kind.rank(thing) for thing in things))):
            yield by, key
        if things:
            yield from _list_takers(kind, resource, things, index)
            return


def _list_takers(kind: Kind, resource: Resource, things: Sequence[Live], index: Index) -> Iterator[tuple[str, str]]:
    """What would say who else holds a unique value that a thing is to have and has not."""
    for name, identity in kind.identity.items():
        value = resource.fields.get(name)
        if value is None or resource.is_gone or not kind.fields[name].moves:
            continue
        if not any(kind.fields[name].same(thing.fields.get(name), value) for thing in things):
            holders = index.get((name, identity.fold(str(value))))
            if identity.loose or not holders:
                yield name, str(value)


def _find_step(
    kind: Kind, resource: Resource, by: str, key: str, view: KindView, certain: Container[Address]
) -> tuple[How, str, str] | None:
    identity = kind.identity[by]
    live_id = view.ids.get(resource.address) if view.ids and by == resource.by else None
    if live_id and not view.has_asked(How.GET, "id", live_id):
        return How.GET, "id", live_id
    for how in _list_ways(kind, identity, certain=resource.address in certain):
        if not view.has_asked(how, by, key):
            return how, by, key
    return None


def _list_ways(kind: Kind, identity: Identity, *, certain: bool) -> Iterator[How]:
    if kind.search and identity.search:
        yield How.SEARCH
    elif kind.listing and not (certain and identity.find):
        yield How.LIST
    if identity.find:
        yield How.FIND
    if identity.loose:
        yield How.LOOSE


def _make_batches(kind: Kind, steps: dict[tuple[How, str], list[str]], view: KindView) -> Iterator[Read]:
    for (how, by), keys in sorted(steps.items()):
        keys = list(dict.fromkeys(keys))
        if how is How.LIST:
            yield from _plan_listing(kind, by, keys, view)
            continue
        view.questions.append(_weigh(kind, how, by, len(keys), view.total))
        size = _SIZES.get(how, 1)
        for start in range(0, len(keys), size):
            yield Read(kind.name, how, by, tuple(keys[start : start + size]))


def _plan_listing(kind: Kind, by: str, keys: Sequence[str], view: KindView) -> Iterator[Read]:
    """Listing costs a call a page, a point read a call a thing: count first, then take what is fewer. Parts may be fewer still."""
    assert kind.listing is not None
    is_listed = view.has_asked(How.REST)
    if view.total is None and not is_listed and len(keys) > FEW:
        yield Read(kind.name, How.LIST)
        return
    total = None if is_listed else view.total
    rest = len(keys) if total is None else count_rest(kind.listing, total)
    most = min(rest, len(keys))
    ids, part = ((), None) if is_listed else choose_parts(by, keys, view, most)
    if part and part.calls is not None and part.calls < most:
        view.questions.append(_weigh(kind, How.PART, by, len(keys), total, part))
        new = [live_id for live_id in ids if live_id not in view.heads]
        how = How.HEAD if new else How.PART
        yield from (Read(kind.name, how, view.parts[live_id].field, (live_id,)) for live_id in new or ids)
    elif rest < len(keys):
        view.questions.append(_weigh(kind, How.REST, by, len(keys), total, part))
        yield Read(kind.name, How.REST)
    else:
        view.questions.append(_weigh(kind, How.FIND, by, len(keys), total, part))
        view.note_keys(How.LIST, by, keys)
        yield from (Read(kind.name, How.FIND, by, (key,)) for key in keys)


def choose_parts(by: str, keys: Sequence[str], view: KindView, most: int) -> tuple[Sequence[str], Way | None]:
    """The parts that show more of these than they have pages left, by the ids of what they have, and the calls that this takes with those
    that no part shows. What is in a part nobody knows before its first page was read."""
    rest, ids, calls, asking = {(by, key) for key in keys}, list[str](), 0, most // ASKING
    for _, live_id in sorted(((len(part.names & rest), live_id) for live_id, part in view.parts.items()), reverse=True):
        part, head = view.parts[live_id], view.heads.get(live_id)
        names = part.names & rest
        is_read = head is not None and (head.total <= len(head.ids) or view.has_asked(How.PART, part.field, live_id))
        pages = max(math.ceil((head.total if head else len(names)) / part.listing.per_page) - (head is not None), 1)
        if is_read or pages >= len(names) or not (head or asking):
            continue
        asking -= head is None
        ids.append(live_id)
        calls += pages
        rest -= names
    is_least = any(live_id not in view.heads for live_id in ids)
    return ids, Way(view.parts[ids[0]].word, calls + len(rest), is_least) if ids else None


def count_rest(listing: Listing, total: int) -> int:
    """The calls for all of a listing after its first page; at least so many where more may be there than it says."""
    if listing.scroll and listing.hides(total):
        return math.ceil(total / SCROLLED) + 1
    return max(math.ceil(total / listing.per_page) - 1, 0)


def _weigh(kind: Kind, how: How, by: str, number: int, total: int | None, part: Way | None = None) -> Question:
    """A question with the ways that there are to answer it, and the one that is taken; `part` is that by what they have."""
    word = part.word if part and how is How.PART else _WORDS[how]
    ways = {part.word: part} if part else {}
    if how is not How.PART:
        ways[word] = Way(word, math.ceil(number / _SIZES.get(how, 1)))
    if how in (How.SEARCH, How.REST, How.PART) and kind.identity[by].find:
        ways[_WORDS[How.FIND]] = Way(_WORDS[How.FIND], number)
    # Of a listing that says how many there are the first page was read for that.
    if kind.listing and total is not None:
        ways[_WORDS[How.REST]] = Way(_WORDS[How.REST], count_rest(kind.listing, total), least=kind.listing.hides(total))
    elif kind.listing and how in (How.SEARCH, How.LOOSE):
        ways[_WORDS[How.LIST]] = Way(_WORDS[How.LIST], None)
    return Question(kind.name, by, number, tuple(ways.values()), word)


def list_spellings(identity: Identity, keys: Iterable[str]) -> list[str]:
    """What to ask a search for: whether it minds the case of an e-mail is not documented, so both forms."""
    return list(dict.fromkeys(form for key in keys for form in (key, identity.fold(key))))
