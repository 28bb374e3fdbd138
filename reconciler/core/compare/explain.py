"""Explain: one thing from three sides, as it is declared, as it was applied and as it is live, field by field and link by link. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.index import Index
from reconciler.core.compare.links import Authority, find_authority
from reconciler.core.compare.since import Attachment, Ends
from reconciler.core.compare.trail import Write
from reconciler.core.model.address import Address, address_by
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.paths import claims, live_value, values_of
from reconciler.core.model.record import NOTHING, LinkOrigin, Record
from reconciler.core.model.route import LinkKind
from reconciler.core.model.rule import Membership, Rule
from reconciler.errors import Mark


class Applied(StrEnum):
    """How the value that was applied stands to the other two sides: of it only a digest is on record."""

    BOTH = "as declared and as live"
    DECLARED = "as declared"
    LIVE = "as live"
    OTHER = "another value"
    NEVER = "never applied"


@dataclass(frozen=True, slots=True)
class FieldSides:
    """One field, from three sides."""

    # Its path.
    path: str
    # Whether the entry writes it.
    is_claimed: bool
    # The value that the entry says; None clears it.
    declared: Any
    # The live value; None where there is none.
    live: Any
    # Whether the two are one to Intercom.
    same: bool
    # How what was applied stands to both.
    applied: Applied
    # The write that sent it last, where a run is known that did.
    write: Write | None = None


@dataclass(frozen=True, slots=True)
class LinkSides:
    """One link, from three sides."""

    # The list that it stands in.
    field: str
    # Its other end.
    target: Address
    # `present` or `absent` as the entry says; empty where it does not say.
    declared: str
    # Where it says so.
    mark: Mark | None
    # How it came about, as far as is recorded.
    origin: str | None
    # When it became ours, in Unix seconds; None where it is not, or nothing says.
    since: float | None
    # Whether it is live.
    is_live: bool
    # When it was made and by whom, where Intercom says.
    attachment: Attachment | None
    # What decides about it; None where the entry does not write the list, so that it is not ours.
    authority: Authority | None
    # The write that made or undid it last, where a run is known that did.
    write: Write | None = None
    # The rule that decides about it, where one does.
    rule: Rule | None = None
    # Whether the thing matches that; None where it was not read.
    matches: bool | None = None
    # Whether that is because the rule names it, whatever its conditions say.
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """An entry that says of a thing that it has it, or has not."""

    # The entry.
    address: Address
    # The list.
    field: str
    # `present` or `absent`.
    declared: str
    # Where it says so.
    mark: Mark


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What is live of one thing, and what runs wrote to it."""

    # The thing; None where it is not live.
    thing: Live | None = None
    # What is live around it: its links, whole, and their ends.
    around: Snapshot | None = None
    # When its links were made, as far as Intercom says.
    attachments: Mapping[Ends, Attachment] = field(default_factory=dict)
    # The writes of runs that were done to it.
    writes: Sequence[Write] = ()
    # How often it is used, by place.
    uses: Sequence[Use] = ()
    # When somebody got it last, as far as Intercom shows.
    last: Attachment | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One thing, from three sides."""

    # The address that was asked for.
    address_asked: Address
    # The one that it has in the manifest, or would have.
    address: Address
    # Its kind.
    kind: Kind
    # Its entry; None where nothing declares it.
    resource: Resource | None
    # What is recorded of it; None where nothing is.
    record: Record | None
    # The other name of a manifest that has recorded it; empty where none has.
    other: str
    # What is live of it.
    live: LiveSide
    # The live things of which it may be any, by their ids; none where it is one, or not live.
    several: tuple[str, ...]
    # Its fields.
    fields: tuple[FieldSides, ...]
    # Its links.
    links: tuple[LinkSides, ...]
    # The entries that link to it.
    sources: tuple[Source, ...]
    # How many things were recorded with a link to it that we made.
    owned_sources: int
    # The rule that gives it to people, where there is one,
    rule: Rule | None = None
    # and whom that reaches, where it was read.
    members: Membership | None = None


def explain(
    address_asked: Address, address: Address, comparison: Comparison, whole: Manifest, record: Record | None, live: LiveSide
) -> Explanation:
    """One thing from three sides. `address_asked` is what a person typed, `address` what the manifest calls it; `whole` is the manifest of
    which the comparison may hold a part."""
    kind, recorded = comparison.kinds[address.kind], comparison.recorded
    resource = comparison.manifest.resources.get(address)
    live_id = live.thing.id if live.thing else record.id if record else ""
    other = recorded.others.get((kind.name, live_id))
    sides = _Sides(comparison, whole, kind, resource, record, live)
    return Explanation(
        address_asked,
        address,
        kind,
        resource,
        record,
        other.name if other else "",
        live,
        () if live.thing else _list_several(comparison, kind, resource),
        tuple(sides.list_fields()),
        tuple(one for link in kind.links for one in sides.list_links(link)),
        tuple(_list_sources(comparison, whole, address)),
        _count_owned_sources(comparison, kind, live_id),
        whole.rules.get(address),
        comparison.live.members.get(address),
    )


def _list_several(comparison: Comparison, kind: Kind, resource: Resource | None) -> tuple[str, ...]:
    """The ids of the live things that have the name of an entry, where they are more than one."""
    things = comparison.live.things.get(kind.name, {}).values() if resource else ()
    same = Index(kind, things).get((resource.by, kind.identity[resource.by].fold(resource.key))) if resource else ()
    return tuple(thing.id for thing in same) if len(same) > 1 else ()


@dataclass(frozen=True, slots=True)
class _Sides:
    """The three sides of one thing."""

    # The plan's comparison.
    comparison: Comparison
    # The whole manifest.
    whole: Manifest
    # Its kind.
    kind: Kind
    # As it is declared.
    resource: Resource | None
    # As it was applied.
    record: Record | None
    # As it is live.
    live: LiveSide

    def list_fields(self) -> Iterator[FieldSides]:
        """What the entry writes, in the order of the kind; then what is live beside it."""
        claimed = {path: value for path, _, value in claims(self.kind, self.resource)} if self.resource else {}
        live_values = dict(values_of(self.kind, self.live.thing)) if self.live.thing else {}
        for path in dict.fromkeys((*claimed, *live_values)):
            about = self.kind.fields.get(path) or self.kind.fields[path.partition(".")[0]]
            declared, live = claimed.get(path), live_value(self.live.thing, path) if self.live.thing else None
            same = path in claimed and self.live.thing is not None and about.same(live, declared)
            digest = self.record.fields.get(self.comparison.recorded.digests.plain(path)) if self.record else None
            is_declared = digest is not None and path in claimed and digest == self._digest(path, about.form(declared))
            is_live = digest is not None and self.live.thing is not None and digest == self._digest(path, about.form(live))
            sends = [write for write in self.live.writes if self.comparison.recorded.digests.plain(path) in write.fields]
            yield FieldSides(path, path in claimed, declared, live, same, _judge(digest, is_declared, is_live), _last(sends))

    def _digest(self, path: str, value: Any) -> str:
        assert self.record is not None
        return self.comparison.recorded.digests.claim(self.record.salt, path, value)

    def list_links(self, link: LinkKind) -> Iterator[LinkSides]:
        """What the entry says, what is live and what is recorded, of one list."""
        lists = self.resource.links.get(link.field) if self.resource else None
        ends, names = self._read_held(link), self._read_names(link)
        origins = {end: origin for end, origin in self.record.links.get(link.field, NOTHING).items()} if self.record else {}
        addresses = {end: names.get(end) or address_by(link.target, "id", end) for end in (*ends, *origins)}
        rules = {target: rule for target, rule in self.whole.rules.items() if rule.link == link.name}
        rule_targets = {target for target in rules if self._matches(target)}
        targets = dict.fromkeys((*(lists.present if lists else ()), *(lists.absent if lists else ()), *addresses.values(), *rule_targets))
        ids = {address: end for end, address in addresses.items()}
        for target in sorted(targets):
            end, mark, state = ids.get(target, ""), None, ""
            if lists and self.resource and (target in lists.present or target in lists.absent):
                state = "present" if target in lists.present else "absent"
                below = lists.present.get(target) or lists.absent.get(target) or 0
                mark = Mark(self.resource.mark.file, self.resource.mark.line + below)
            origin = origins.get(end)
            since = self.record.ours_since(link.field, end) if self.record and origin == LinkOrigin.OWNED else None
            attachment = self.live.attachments.get((self.live.thing.id, end)) if self.live.thing and end in ends else None
            authority = find_authority(self.whole, lists, target) if lists and self.resource and not self.resource.is_gone else None
            authority = Authority.RULE if target in rules else authority
            rule = (rules.get(target), self._matches(target), self._is_named(target))
            sends = [w for w in self.live.writes if w.link == link.field and w.ends[1] == self._digest_of(target)]
            yield LinkSides(link.field, target, state, mark, origin, since or None, end in ends, attachment, authority, _last(sends), *rule)

    def _matches(self, target: Address) -> bool | None:
        """Whether the thing matches the rule of something; None where that was not read."""
        members = self.comparison.live.members.get(target)
        return self.live.thing.id in members.matching if members and self.live.thing else None

    def _is_named(self, target: Address) -> bool:
        """Whether the rule of something includes or excludes the thing by name."""
        members = self.comparison.live.members.get(target)
        return bool(members and self.live.thing and self.live.thing.id in members.included | members.excluded)

    def _digest_of(self, target: Address) -> str:
        return self.comparison.recorded.digests.thing(self.comparison.recorded.app_id, target)

    def _read_held(self, link: LinkKind) -> Sequence[str]:
        if self.live.thing is None or self.live.around is None:
            return ()
        return sorted(self.live.around.links.get(link.name, {}).get(self.live.thing.id, ()))

    def _read_names(self, link: LinkKind) -> Mapping[str, Address]:
        """What the ends of a list are called, by their ids: as the manifest calls them, else by what they are called in Intercom."""
        names = {i: thing.address for i, thing in self.live.around.things.get(link.target, {}).items()} if self.live.around else {}
        names |= {i: thing.address for i, thing in self.comparison.live.things.get(link.target, {}).items()}
        return names | {i: address for address, i in self.comparison.live.pairs.items() if address.kind == link.target}


def _judge(digest: str | None, is_declared: bool, is_live: bool) -> Applied:
    if digest is None:
        return Applied.NEVER
    if is_declared and is_live:
        return Applied.BOTH
    return Applied.DECLARED if is_declared else Applied.LIVE if is_live else Applied.OTHER


def _last(writes: Sequence[Write]) -> Write | None:
    return max(writes, key=lambda write: (write.at, write.run), default=None)


def _list_sources(comparison: Comparison, whole: Manifest, address: Address) -> Iterator[Source]:
    """The entries that link to a thing, in the order of their addresses."""
    fields = {(link.source, link.field) for link in comparison.kinds.links.values() if link.target == address.kind}
    if not fields:
        return
    for source in sorted(whole.resources):
        for name, lists in whole.resources[source].links.items():
            for state, ends in (("present", lists.present), ("absent", lists.absent)):
                if (source.kind, name) in fields and address in ends:
                    mark = whole.resources[source].mark
                    yield Source(source, name, state, Mark(mark.file, mark.line + ends[address]))


def _count_owned_sources(comparison: Comparison, kind: Kind, live_id: str) -> int:
    """How many things have a link to this one on record that we made."""
    links = [link for link in comparison.kinds.links.values() if link.target == kind.name]
    if not live_id or not links:
        return 0
    records = [record for record in comparison.recorded.records.notable.values() if record.has_own_links and not record.deleted]
    mine = [(record, link) for record in records for link in links if record.kind == link.source]
    return sum(record.link_origin(link.field, live_id) == LinkOrigin.OWNED for record, link in mine)


Names = Sequence[tuple[str, str]]
"""What can name a thing, each a field and a key, the surest first."""


def find_entry(kind: Kind, manifest: Manifest, names: Names, *, by_fields: bool = False) -> Address | None:
    """The entry that is named by one of these names now, else was before; None where none is. `by_fields`: the one that says one of them
    of a thing that it names otherwise."""
    keys = [(by, kind.identity[by].fold(key)) for by, key in names]
    candidates: list[tuple[int, int, Address]] = []
    for resource in (resource for resource in manifest.resources.values() if resource.address.kind == kind.name):
        fields = [(by, str(resource.fields[by])) for by in kind.identity if resource.fields.get(by)]
        for rank, of in enumerate((fields,) if by_fields else ([(resource.by, resource.key)], resource.former)):
            own_keys = {(by, kind.identity[by].fold(key)) for by, key in of}
            candidates += [(rank, n, resource.address) for n, name in enumerate(keys) if name in own_keys]
    return min(candidates)[2] if candidates else None
