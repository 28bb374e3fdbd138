"""Retiring: what goes out of use, what is used instead, and whether anybody still uses it anew. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from math import ceil
from typing import NamedTuple

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.note import Note
from reconciler.core.model.record import Watch
from reconciler.core.model.times import DAY, format_time
from reconciler.core.model.written import quote_visibly

# The topic of notes on what goes out of use.
DEPRECATED = "deprecated"
# What was used anew within so many seconds is still in use, and not only on its way out.
RECENT = 7 * DAY
# So many of those who carry a thing are asked one by one when they got it, and so many are read and remembered at all.
ASKED, MOST = 50, 15_000

Carriers = Mapping[LinkName, frozenset[str]]
"""Who carries one thing, by the kind of link; one that nobody could read is missing."""


class Stage(StrEnum):
    """How far something is that goes out of use."""

    IN_USE = "in use"
    DRAINING = "draining"
    DUE = "due"
    # Something of it is not known, and what is known says nothing against it.
    UNKNOWN = "not known"


class NewUse(NamedTuple):
    """Somebody began to use a thing."""

    # When, in Unix seconds, at the latest.
    at: float
    # Who; empty where only a run of ours says that it was before it looked.
    where: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What Intercom shows of who began to use a thing."""

    # Who carries it.
    carriers: Carriers = field(default_factory=dict)
    # When each of those who were asked got it, in Unix seconds.
    times: Mapping[tuple[LinkName, str], float] = field(default_factory=dict)
    # When what is new and carries it began, place by place; None where that cannot be read.
    beginnings: Mapping[str, Sequence[float] | None] = field(default_factory=dict)
    # How many more of these there are than were shown.
    more: int = 0


@dataclass(frozen=True, slots=True)
class Retiring:
    """One thing that goes out of use."""

    # What says so.
    resource: Resource
    # Its live id.
    id: str
    # How far it is.
    stage: Stage
    # The same in words.
    text: str
    # Since when it is due, in Unix seconds; None where it is not, or no use of it is known at all.
    since: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether people said that it is used where Intercom shows nobody."""
        return bool(self.resource.used_by)


def find_successor(resources: Mapping[Address, Resource], resource: Resource) -> Address | None:
    """What is used instead of a thing that goes out of use: where that goes too, what replaces it."""
    address = resource.successor
    while address and address in resources and (further := resources[address].successor):
        address = further
    return address


def list_retiring(manifest: Manifest, ids: Mapping[Address, str]) -> Mapping[Address, str]:
    """The live ids of what goes out of use and says when it may go."""
    resources = manifest.resources
    return {a: ids[a] for a, r in resources.items() if r.is_deprecated and r.quiet is not None and a in ids}


def digest_carrier(link: LinkName, live_id: str) -> str:
    """What somebody who carries a thing is remembered by."""
    return sha256(f"{link.source}/{live_id}".encode()).hexdigest()[:8]


def watch_again(kind: Kind, before: Watch | None, carriers: Carriers, now: float) -> Watch | None:
    """What is remembered of who carries a thing, after one more look. One that did not see all of them changes nothing."""
    links = [members.link for members in kind.uses.members]
    if any(link not in carriers or len(carriers[link]) > MOST for link in links):
        return before
    digests = frozenset(digest_carrier(link, live_id) for link in links for live_id in carriers[link])
    if before is None:
        return Watch(int(now), 0, digests)
    return Watch(before.since, before.new if digests <= before.carriers else int(now), digests)


def list_asked(kinds: Kinds, carriers: Carriers, watch: Watch | None) -> Sequence[tuple[LinkName, str]]:
    """Who is asked when they got a thing, of those who can say it: all of a few, else those who are new since a run looked last."""
    questions = list[tuple[LinkName, str]]()
    for link, ids in sorted(carriers.items()):
        new = ids if len(ids) <= ASKED else _list_new(link, ids, watch) if watch else ()
        questions += ((link, live_id) for live_id in sorted(new)) if kinds.links[link].has_dates and len(new) <= ASKED else ()
    return questions


def _list_new(link: LinkName, ids: Collection[str], watch: Watch) -> Collection[str]:
    return [live_id for live_id in ids if digest_carrier(link, live_id) not in watch.carriers]


def judge(kinds: Kinds, now: float, resource: Resource, live_id: str, evidence: Evidence, watch: Watch | None) -> Retiring:
    """How far a thing is that goes out of use. What is not known is never taken for no use."""
    assert resource.quiet is not None
    kind, unknown = kinds[resource.address.kind], list[str]()
    # What is no time, or one that is still to come, is as new as it can be.
    uses = [NewUse(use.at if 0 < use.at <= now else now, use.where) for use in _list_uses(kinds, kind, now, evidence, watch, unknown)]
    last = max(uses, default=None)
    number = sum(use.at > now - resource.quiet for use in uses if use.where) + evidence.more
    days, seconds = resource.quiet // DAY, (last.at + resource.quiet - now) if last else 0.0
    rest = "".join(f"; {reason}" for reason in unknown)
    if last and seconds > 0:
        togo = f"{'at least ' if unknown else ''}{_count(ceil(seconds / DAY), 'day')} to go"
        if last.where and last.at > now - RECENT:
            many = f"{'at least ' if evidence.more or unknown else ''}{_count(number, 'new use')} in the last {_count(days, 'day')}"
            return Retiring(resource, live_id, Stage.IN_USE, f"still in use: {many}, the last {_tell(last)}; {togo}{rest}")
        return Retiring(resource, live_id, Stage.DRAINING, f"is draining: last new use {_tell(last)}, {togo}{rest}")
    if unknown:
        return Retiring(resource, live_id, Stage.UNKNOWN, f"not known whether it is still in use: {'; '.join(unknown)}")
    text = f"due since {_day(last.at + resource.quiet)}: last new use {_tell(last)}" if last else "due: no use is known"
    return Retiring(resource, live_id, Stage.DUE, text, last.at + resource.quiet if last else None)


def _list_uses(kinds: Kinds, kind: Kind, now: float, evidence: Evidence, watch: Watch | None, unknown: list[str]) -> Iterator[NewUse]:
    """What is known of who began to use a thing; what is not known is added to that list."""
    for place in kind.retirement.new_uses if kind.retirement else ():
        times = evidence.beginnings.get(place.where)
        if times is None:
            unknown.append(f"{place.where} cannot be read")
        yield from (NewUse(at, place.one) for at in times or ())
    for link in (members.link for members in kind.uses.members):
        ids, source = evidence.carriers.get(link), kinds[link.source]
        if ids is None:
            unknown.append(f"{source.section} cannot be read")
        elif len(ids) > MOST:
            unknown.append(f"more than {MOST:,} {source.section} have it")
        else:
            yield from (NewUse(at, source.name) for (name, live_id), at in evidence.times.items() if name == link and live_id in ids)
            ids_without_date = [live_id for live_id in ids if (link, live_id) not in evidence.times]
            yield from _list_undated(link, source, ids_without_date, now, watch, unknown)


def _list_undated(
    link: LinkName, source: Kind, ids: Sequence[str], now: float, watch: Watch | None, unknown: list[str]
) -> Iterator[NewUse]:
    """Those of whom Intercom does not say when they got a thing: who was there when a run looked got it before."""
    if ids and watch is None:
        unknown.append(f"no apply on record looked before, and of {_count(len(ids), source.name, source.section)} nobody says since when")
    elif ids and watch:
        new = _list_new(link, ids, watch)
        yield from (NewUse(now, source.name) for _ in new)
        if len(new) < len(ids):
            yield NewUse(max(watch.since, watch.new), "")


def note_retiring(
    kinds: Kinds, manifest: Manifest, retiring: Mapping[Address, Retiring], withheld: Collection[Address] = ()
) -> Iterator[Note]:
    """A note on each thing that goes out of use. Of what is `withheld` nobody can say whether it is live."""
    leaving = {address: resource for address, resource in manifest.resources.items() if resource.is_deprecated}
    links = (lists for resource in manifest.resources.values() for lists in resource.links.values()) if leaving else ()
    counts = Counter(end for lists in links for end in lists.present if end in leaving)
    for address, resource in leaving.items():
        key = retirement.after if (retirement := kinds[address.kind].retirement) else ""
        text = (
            retiring[address].text
            if address in retiring
            else f"no `{key}` says when it may go"
            if resource.quiet is None
            else "is in doubt, so nobody looked who uses it"
            if address in withheld
            else "is not live"
        )
        names, new = counts[address], find_successor(manifest.resources, resource)
        text += f"; {_count(names, 'entry', 'entries')} here still {'names' if names == 1 else 'name'} it" if names else ""
        text += f"; {new} replaces it" if new else ""
        if address in retiring and retiring[address].stage is Stage.DUE:
            text += (
                f"; {describe_held(retiring[address])}" if retiring[address].is_held else f"; next: reconciler {address.kind} retire --due"
            )
        yield Note(DEPRECATED, text, address, resource.mark)


def describe_held(retiring: Retiring) -> str:
    """Why what is due stays."""
    return f"held: used by {' and '.join(map(quote_visibly, retiring.resource.used_by))}"


def _tell(use: NewUse) -> str:
    return f"{_day(use.at)} ({use.where})" if use.where else f"before {_day(use.at)}, when an apply looked"


def _day(at: float) -> str:
    return str(format_time(at))[:10]


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"
