"""The order of changes: parents before links, givers of unique values before takers, what is lost last."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.compare import choices
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import LOSING, Action, Change, LinkChange, ThingChange
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds, join_words
from reconciler.core.model.live import Snapshot
from reconciler.core.model.paths import definition_at
from reconciler.core.model.reference import ends_of

_WAVE = {Action.ATTACH: 1, Action.DETACH: 2, Action.ARCHIVE: 3, Action.DELETE: 3}


@dataclass(frozen=True, slots=True)
class Step:
    """A change in its place."""

    # What is done.
    change: Change
    # Its wave, which starts when the one before has ended.
    wave: int = 0
    # The positions of the changes that must have succeeded.
    needs: frozenset[int] = frozenset()


def arrange(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Changes as steps in execution order, and a sentence for every cycle of unique values, whose changes are left out."""
    changes = choices.split_turns(kinds, changes, live)
    needs = _needs(kinds, changes, live)
    waves = _waves(changes, needs)
    rank = {kind.name: n for n, kind in enumerate(kinds.every)}
    order = list(_topological(changes, needs, waves, rank))
    stuck = sorted(set(range(len(changes))) - set(order))
    place = {old: new for new, old in enumerate(order)}
    steps = tuple(Step(changes[i], waves[i], frozenset(place[n] for n in needs[i])) for i in order)
    return steps, _cycles(kinds, changes, needs, stuck)


def _waves(changes: Sequence[Change], needs: Mapping[int, set[int]]) -> list[int]:
    """The wave of each change: that of its action, and none before that of what it needs. What frees a value for good is lost last, and
    who takes the value comes after it."""
    waves = [_WAVE.get(change.action, 0) for change in changes]
    wanted_by = _followers(needs)
    late = [i for i, wave in enumerate(waves) if wave and i in wanted_by]
    while late:
        i = late.pop()
        for follower in wanted_by.get(i, ()):
            if waves[follower] < waves[i]:
                waves[follower] = waves[i]
                late.append(follower)
    return waves


def _followers(needs: Mapping[int, set[int]]) -> Mapping[int, Sequence[int]]:
    """Which changes need which."""
    followers: dict[int, list[int]] = defaultdict(list)
    for i, before in needs.items():
        for n in before:
            followers[n].append(i)
    return followers


def _needs(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> dict[int, set[int]]:
    needs: dict[int, set[int]] = defaultdict(set)
    makers = {c.address: i for i, c in enumerate(changes) if c.action in (Action.CREATE, Action.UNARCHIVE)}
    renames = {c.address: i for i, c in enumerate(changes) if c.action is Action.RENAME}
    givers = _givers(kinds, changes, live)
    soft: set[tuple[int, int]] = set()
    getting: dict[Address, set[int]] = defaultdict(set)
    for i, change in enumerate(changes):
        if isinstance(change, LinkChange):
            if change.action is Action.ATTACH:
                getting[change.target].add(i)
            ends = (change.address, change.target)
            needs[i].update(makers[end] for end in ends if end in makers)
            needs[i].update(renames[end] for end in ends if end in renames)
        else:
            kind = kinds[change.address.kind]
            before = {givers[value] for value in _values(kind, change, taking=True) if givers.get(value, i) != i}
            needs[i].update(before)
            soft.update((n, i) for n in before if changes[n].action is Action.DELETE)
            needs[i].update(makers[owner] for f in change.fields if (owner := definition_at(kind, f.path)) in makers)
    for i, change in enumerate(changes):
        if isinstance(change, ThingChange) and (into := change.into):
            needs[i].update(n for n in getting[into] if _is_moved(changes[n], change, live))
            needs[i].update(table[into] for table in (makers, renames) if into in table)
    for later, first in (*_list_led(kinds, changes, live, makers), *_list_moved(kinds, changes)):
        needs[later].add(first)
    for i, before in choices.find_needs(kinds, changes, live).items():
        needs[i].update(before)
    _spare(needs, sorted(soft))
    return needs


def _is_moved(attach: Change, deletion: ThingChange, live: Snapshot) -> bool:
    """Whether a link is made for somebody who carries what goes."""
    link = attach if isinstance(attach, LinkChange) else None
    return link is not None and (link.merges is not None or deletion.id in live.links.get(link.link, {}).get(link.id or "", ()))


def _list_moved(kinds: Kinds, changes: Sequence[Change]) -> Iterator[tuple[int, int]]:
    """What comes after what, as pairs: what nobody declares loses nothing before it has all that it gets, and what goes into another thing
    is deleted once nothing moves from it any more."""
    links = [(i, c) for i, c in enumerate(changes) if isinstance(c, LinkChange) and not kinds.declares(c.address.kind)]
    getting: dict[tuple[LinkName, Address], list[int]] = defaultdict(list)
    for i, change in links:
        if change.action is Action.ATTACH:
            getting[change.link, change.address].append(i)
    ends = {c.address: i for i, c in enumerate(changes) if isinstance(c, ThingChange) and c.into}
    for i, change in links:
        if change.action is Action.DETACH:
            yield from ((i, first) for first in getting[change.link, change.address])
            if change.target in ends:
                yield ends[change.target], i


def _list_led(kinds: Kinds, changes: Sequence[Change], live: Snapshot, makers: Mapping[Address, int]) -> Iterator[tuple[int, int]]:
    """What comes after what, as pairs: a thing is made before another leads to it, and is deleted when none does any more."""
    ends = {change.address: i for i, change in enumerate(changes) if change.action is Action.DELETE}
    for i, change in enumerate(changes):
        kind = kinds[change.address.kind]
        yield from ((i, makers[end]) for end in ends_of(kind, {f.path: f.after for f in change.fields}) if end in makers)
        thing = live.things.get(kind.name, {}).get(change.id or "") if change.action is Action.DELETE else None
        fields = thing.fields if thing else {f.path: f.before for f in change.fields}
        yield from ((ends[end], i) for end in ends_of(kind, fields) if ends.get(end, i) != i)


def _spare(needs: dict[int, set[int]], soft: Sequence[tuple[int, int]]) -> None:
    """A deletion needs all that is needed by who takes its value: nothing is lost for ever for what cannot be done then. `soft` are
    pairs of the two."""
    for giver, taker in soft:
        needs[giver].update(n for n in sorted(needs[taker] - {giver}) if giver not in _find_reached(needs, n))


def _find_reached(needs: Mapping[int, set[int]], start: int) -> set[int]:
    """A change and all that it needs."""
    reach: set[int] = set()
    todo = [start]
    while todo:
        i = todo.pop()
        if i not in reach:
            reach.add(i)
            todo.extend(needs.get(i, ()))
    return reach


Value = tuple[str, str, str]


def _givers(kinds: Kinds, changes: Sequence[Change], live: Snapshot) -> dict[Value, int]:
    """Which change frees which unique value (kind, field, folded value)."""
    givers: dict[Value, int] = {}
    for i, change in enumerate(changes):
        if isinstance(change, LinkChange):
            continue
        kind = kinds[change.address.kind]
        givers.update({value: i for value in _values(kind, change, taking=False)})
        if change.action is Action.DELETE and change.id:
            fields = live.things[kind.name][change.id].fields
            unique = (name for name, field in kind.fields.items() if field.moves and fields.get(name))
            givers.update({(kind.name, name, kind.identity[name].fold(str(fields[name]))): i for name in unique})
    return givers


def _values(kind: Kind, change: ThingChange, *, taking: bool) -> Iterator[Value]:
    for field in change.fields:
        value = field.after if taking else field.before
        if field.path in kind.fields and kind.fields[field.path].moves and value:
            yield kind.name, field.path, kind.identity[field.path].fold(str(value))


def _topological(changes: Sequence[Change], needs: Mapping[int, set[int]], waves: Sequence[int], rank: Mapping[str, int]) -> Iterator[int]:
    """Kahn's algorithm with a heap, so that the order depends on the changes alone. Members of a cycle never come out."""

    def place(i: int) -> tuple[int, int, Address, str, int]:
        change = changes[i]
        return waves[i], rank[change.address.kind], change.address, str(change.target or ""), i

    waiting = {i: len(needs[i]) for i in range(len(changes))}
    wanted_by = _followers(needs)
    ready = [place(i) for i, n in waiting.items() if n == 0]
    heapq.heapify(ready)
    while ready:
        i = heapq.heappop(ready)[-1]
        yield i
        for follower in wanted_by.get(i, ()):
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, place(follower))


def _cycles(kinds: Kinds, changes: Sequence[Change], needs: Mapping[int, set[int]], stuck: Iterable[int]) -> tuple[str, ...]:
    stuck = set(stuck)
    giving = {n for i in stuck for n in needs[i]} & stuck
    if not giving:
        return ()
    places = ", ".join(sorted(str(changes[i].mark) for i in giving))
    things = join_words((kinds[changes[i].address.kind].section for i in sorted(giving)), "and")
    return (f"{places}: these {things} exchange unique values in a circle; move one to a free value first, in a plan of its own",)


def closure(steps: Sequence[Step], places: Iterable[int]) -> set[int]:
    """The positions wanted and all that they need."""
    reach: set[int] = set()
    todo = list(places)
    while todo:
        i = todo.pop()
        if i not in reach:
            reach.add(i)
            todo.extend(steps[i].needs)
    return reach


def without(steps: Sequence[Step], places: Iterable[int]) -> set[int]:
    """The positions that remain when some are left out, with all that need them. Steps stand after what they need."""
    out = set(places)
    for i, step in enumerate(steps):
        if step.needs & out:
            out.add(i)
    return set(range(len(steps))) - out


def find_concerned(steps: Sequence[Step], entries: Callable[[Address], bool]) -> Mapping[int, Address]:
    """The positions of the changes at some entries or of links to them, with all that need those, each with the first entry for which it
    is here. What would be deleted to free a value for one of them stays too: it could not come back."""
    about = {i: end for i, s in enumerate(steps) for end in (s.change.target, s.change.address) if end is not None and entries(end)}
    while True:
        out = dict(about)
        for i, step in enumerate(steps):
            if i not in out and (before := step.needs & out.keys()):
                out[i] = out[min(before)]
        spare = {n: out[i] for i in out for n in steps[i].needs - out.keys() if _dies_for(steps[n].change, steps[i].change)}
        if not spare:
            return out
        about |= spare


def _dies_for(giver: Change, taker: Change) -> bool:
    """Whether a change that another one needs deletes for good, to free a value for it."""
    return giver.action is Action.DELETE and taker.target is None and giver.address.kind == taker.address.kind


def keep(steps: Sequence[Step], places: Iterable[int]) -> tuple[Step, ...]:
    """Only some of the steps, in their order; needs that were left out are no longer named."""
    order = sorted(places)
    place = {old: new for new, old in enumerate(order)}
    return tuple(Step(steps[i].change, steps[i].wave, frozenset(place[n] for n in steps[i].needs if n in place)) for i in order)


def losing(change: Change) -> bool:
    """Whether somebody loses something by it."""
    return change.action in LOSING
