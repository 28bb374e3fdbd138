"""Recording: what the ledger is to know of things after a change was made, and of all that was found as declared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence, Set
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from reconciler.core.compare.draft import Difference
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.paths import claims, field_at, live_value
from reconciler.core.model.record import (
    ITSELF,
    OURS,
    LinkOrigin,
    LinkOrigins,
    Record,
    Thing,
    date_links,
    settle_links,
    with_link,
    without_link,
)
from reconciler.core.model.recorded import Recorded

DONE = (Status.APPLIED, Status.INEFFECTIVE)
_GOVERNING = ("declared", "exact")


@dataclass(frozen=True, slots=True)
class RecordWriter:
    """Writes records for one run."""

    # All kinds.
    kinds: Kinds
    # What the ledger held before.
    recorded: Recorded
    # The run's id.
    run: str
    # In Unix seconds.
    now: float
    # What the ledger calls the file that declares something.
    file: Callable[[str], str]
    _: KW_ONLY
    # The kinds of which something left the manifest: what is new of them may be that under another name.
    left: frozenset[str] = frozenset()

    def make_blank(self, address: Address, live_id: str, file: str) -> Record:
        """A record of a thing that the ledger did not know."""
        digests = self.recorded.digests
        thing = digests.thing(self.recorded.app_id, address)
        # Else nobody asks it of the many: people, and what they belong to.
        is_asked = self.kinds[address.kind].is_named_by_people or address.kind in self.left
        since = {ITSELF: {ITSELF: int(self.now)}} if is_asked else {}
        return Record(address.kind, live_id, thing, digests.address(address), files=self._files(None, file), run=self.run, since=since)

    def _begin(self, change: Change, live_id: str) -> Record:
        """A record of a thing that the ledger did not know. It is ours where an earlier run sent its create and never got the answer."""
        owned = change.action is not Action.CREATE and self.recorded.has_lost_create(change.address)
        return replace(self.make_blank(change.address, live_id, change.mark.file), owned=owned)

    def record_change(self, before: Record | None, change: ThingChange, outcome: Outcome) -> Record | None:
        """The record of a thing after a change of it that was done. None where the thing is gone and no entry says that it has to be."""
        if change.action is Action.DELETE:
            return self._record_end(before, change, is_deletion=True) if change.mark.line else None
        if change.action is Action.ARCHIVE:
            return self._record_end(before, change, is_deletion=False)
        if outcome.id is None:
            return None
        record = self._move(before or self._begin(change, outcome.id), change.address)
        kind = self.kinds[change.address.kind]
        proved_fields = [field for field in change.fields if field.path not in outcome.fields]
        fields = {**record.fields, **{self._path(m.path): self._claim(kind, record, m.path, m.after) for m in proved_fields}}
        digests, name = self.recorded.digests, outcome.shown_as
        shown_as = digests.thing(self.recorded.app_id, Address(kind.name, name)) if name else record.shown_as
        owned = record.owned or (change.action is Action.CREATE and not outcome.met)
        return replace(record, owned=owned, deleted=False, written=self.now, fields=fields, shown_as=shown_as)

    def _record_end(self, before: Record | None, change: ThingChange, *, is_deletion: bool) -> Record | None:
        """The record of a thing that is gone as its entry says: if it is there again later, that is drift."""
        if change.id is None:
            return None
        record = self._move(before or self.make_blank(change.address, change.id, change.mark.file), change.address)
        end = self.recorded.digests.claim(record.salt, "state", change.action.value)
        new = replace(record, deleted=is_deletion, written=self.now, fields={}, end_digest=end, former=frozenset(), shown_as="", watch=None)
        return replace(new, owned=False, links={}, policies={}) if is_deletion else new

    def record_link(self, before: Record | None, change: LinkChange, source_id: str, target_id: str, outcome: Outcome) -> Record | None:
        """The record of the source of a link after a change of it that was done; None where there is nothing to know of it."""
        record = before or self._begin(change, source_id)
        record = replace(record, run=self.run, written=self.now)
        if change.action is Action.ATTACH:
            return with_link(record, change.link.field, target_id, LinkOrigin.OWNED, self.now)
        return without_link(record, change.link.field, target_id)

    def record_deletion(self, record: Record) -> Record:
        """The record of a thing that Intercom said it deleted."""
        return replace(record, deleted=True, run=self.run)

    def record_declared(self, before: Record | None, resource: Resource, live_id: str, sides: Sides) -> Record:
        """The record of a declared thing as it is now: what of it is as declared, what is still to be done, and how its links came."""
        kind, recorded = self.kinds[resource.address.kind], self.recorded
        is_lost = before is None and recorded.has_lost_create(resource.address)
        record = self._move(before, resource.address) if before else self.make_blank(resource.address, live_id, resource.mark.file)
        fields = {}
        for path, field, value in claims(kind, resource):
            name = self._path(path)
            if (resource.address, path) not in sides.open:
                fields[name] = recorded.digests.claim(record.salt, path, field.form(value))
            elif before and name in before.fields:
                fields[name] = before.fields[name]
        new = replace(
            record,
            owned=record.owned or is_lost,
            protected=resource.protect,
            deleted=False,
            files=self._files(before, resource.mark.file, *resource.overlays),
            fields=fields,
            links={
                link: link_origins
                for link, link_origins in {**record.links, **self._judge_links(kind, resource, record, sides)}.items()
                if link_origins
            },
            policies=_read_governed(record, resource, sides.policy),
            end_digest="",
        )
        # What we are found to have made was made by now.
        return date_links(new, list_new_ties(before, new.links), self.now)

    def record_adoption(self, before: Record | None, resource: Resource, thing: Live, sides: Sides) -> Record:
        """The record of a live thing that is taken in as ours: its base is what is live, its declared links that are live are ours."""
        record = settle_links(self.record_declared(before, resource, thing.id, sides))
        kind = self.kinds[thing.kind]
        fields = {self._path(path): self._claim(kind, record, path, live_value(thing, path)) for path, _, _ in claims(kind, resource)}
        links_of_entry = {link: record.links[link] for link in resource.links if link in record.links}
        link_origins = {
            link: {end: LinkOrigin.OWNED if link_origin == LinkOrigin.FOUND else link_origin for end, link_origin in ends.items()}
            for link, ends in links_of_entry.items()
        }
        ours = [(link, end) for link, ends in link_origins.items() for end, link_origin in ends.items() if link_origin == LinkOrigin.OWNED]
        return date_links(replace(record, owned=True, fields=fields, links={**record.links, **link_origins}), ours, self.now)

    def _judge_links(self, kind: Kind, resource: Resource, record: Record, sides: Sides) -> Mapping[str, Mapping[str, str]]:
        links = {}
        for link in kind.links:
            lists = resource.links.get(link.field)
            if lists is None:
                # Nobody's list now; what we made and somebody undid is no longer ours to undo.
                if origins := record.links.get(link.field):
                    links[link.field] = {
                        end: link_origin for end, link_origin in origins.items() if sides.may_be_linked(link.name, record.id, end)
                    }
                continue
            before = record.links.get(link.field, {})
            # What is left alone, for whatever reason, stays ours.
            link_origins = {
                end: link_origin
                for end, link_origin in before.items()
                if link_origin in OURS and sides.may_be_linked(link.name, record.id, end)
            }
            for target in lists.present:
                if (end := sides.ids.get(target)) and sides.is_linked(link.name, record.id, end):
                    link_origin = self.recorded.link_origin(link.name, resource.address, record.id, target, end)
                    link_origins[end] = next((one for one in OURS if one in (link_origin, before.get(end))), LinkOrigin.FOUND)
            # What is still to be done is as it was, and what was never recorded is not yet.
            absent = {end for target in lists.absent if (end := sides.ids.get(target)) and end not in link_origins}
            still = {end for end in (*before, *absent) if (resource.address, f"{link.field} {end}") in sides.open}
            link_origins |= dict.fromkeys(absent - still, LinkOrigin.ABSENT)
            link_origins |= {end: before[end] for end in still & before.keys()}
            links[link.field] = link_origins
        return links

    def _files(self, before: Record | None, *files: str) -> tuple[str, ...]:
        """The files that declare a thing: those that were read, and those that did and were not."""
        before_files, files_read = before.files if before else (), self.recorded.files
        others = [other for other in before_files if other not in files_read.read and other not in files_read.vanished]
        return tuple(sorted({*others, *(self.recorded.digests.plain(self.file(file)) for file in files)} - {""}))

    def _move(self, record: Record, address: Address) -> Record:
        """The record under the address that its thing has now."""
        digests = self.recorded.digests
        thing = digests.thing(self.recorded.app_id, address)
        if record.thing and record.thing != thing:
            record = replace(record, former=record.former | {record.thing})
        return replace(record, thing=thing, address=digests.address(address), run=self.run)

    def _path(self, path: str) -> str:
        return self.recorded.digests.plain(path)

    def _claim(self, kind: Kind, record: Record, path: str, value: Any) -> str:
        return self.recorded.digests.claim(record.salt, path, field_at(kind, path).form(value))


def _read_governed(record: Record, resource: Resource, policy: str) -> Mapping[str, str]:
    """The policies under which a list decides about its links, by list. Those of the lists that the entry writes are `policy`, or none
    where that lets lists decide nothing."""
    policies = {link: one for link, one in record.policies.items() if link not in resource.links}
    return policies | dict.fromkeys(resource.links, policy) if policy in _GOVERNING else policies


def list_new_ties(before: Record | None, links: Mapping[str, LinkOrigins]) -> Iterator[tuple[str, str]]:
    """The links of ours that were not so before, each as its list and the id of the other end."""
    for link, link_origins in links.items():
        for end, link_origin in link_origins.items():
            if link_origin == LinkOrigin.OWNED and (before is None or before.link_origin(link, end) != LinkOrigin.OWNED):
                yield link, end


@dataclass(frozen=True)
class Sides:
    """How things stand after a run."""

    # The live ids by address.
    ids: Mapping[Address, str]
    # The other ends of links, by list and source.
    links: Mapping[LinkName, Mapping[str, Container[str]]]
    # What is still to be done, as (address, path); a link's path is its list and the id of the other end.
    open: Container[tuple[Address, str]]
    # The policy for links.
    policy: str
    # The lists that Intercom did not show whole, each with its source.
    cut_lists: Container[tuple[LinkName, str]] = ()

    def may_be_linked(self, link: LinkName, source_id: str, target_id: str) -> bool:
        """Whether a link may be there: it was seen, or the list that would show it was not read as a whole."""
        unseen = source_id not in self.links.get(link, {}) or (link, source_id) in self.cut_lists
        return unseen or self.is_linked(link, source_id, target_id)

    def is_linked(self, link: LinkName, source_id: str, target_id: str) -> bool:
        return target_id in self.links.get(link, {}).get(source_id, ())


@dataclass(frozen=True)
class _Links:
    """The links of many sources. Sources with the same links share one set, until the links of one of them change."""

    # The other ends, by list and source.
    ends: dict[LinkName, dict[str, Set[str]]]
    # Those that may be changed.
    own: dict[tuple[LinkName, str], set[str]]

    def change(self, link: LinkName, source_id: str) -> set[str]:
        """The other ends of a source's links, as a set of its own that may be changed."""
        ends = self.ends.setdefault(link, {})
        if (link, source_id) not in self.own:
            ends[source_id] = self.own[link, source_id] = set(ends.get(source_id, ()))
        return self.own[link, source_id]


def take_stock(live: Snapshot, difference: Difference, outcomes: Sequence[Outcome], ids: Mapping[Address, str], policy: str) -> Sides:
    """How things stand after a run: the live side with what was done since, and what still separates it from what is declared."""
    by_subject = {o.change.subject: o for o in outcomes if o.status in DONE}
    # What is made in two turns is done when both are.
    for o in outcomes:
        if o.status not in DONE:
            by_subject.pop(o.change.subject, None)
    links = _Links({name: dict(ends_by_source) for name, ends_by_source in live.links.items()}, {})
    still = set(difference.beside)
    for change in difference.changes:
        outcome = by_subject.get(change.subject)
        if isinstance(change, LinkChange):
            still.update(_carry_over(links, change, outcome, ids))
        else:
            still.update((change.address, path) for path in (outcome.fields if outcome else (field.path for field in change.fields)))
    # Of whoever is brought back nobody read a list: what is attached to them now is not all that they have.
    unread = {(link, source) for link, source in links.own if source not in live.links.get(link, {})}
    return Sides(ids, links.ends, still, policy, live.cut_lists | unread)


def _carry_over(links: _Links, change: LinkChange, outcome: Outcome | None, ids: Mapping[Address, str]) -> Iterator[tuple[Address, str]]:
    """Carry a change over to the links, or say that it is still to be done."""
    source, target = change.id or ids.get(change.address, ""), change.target_id or ids.get(change.target, "")
    ends = links.change(change.link, source)
    if outcome is None or outcome.status is Status.INEFFECTIVE:
        yield change.address, f"{change.link.field} {target}"
    elif change.action is Action.ATTACH:
        ends.add(target)
    else:
        ends.discard(target)


def record_live(writer: RecordWriter, manifest: Manifest, sides: Sides, read: Callable[[Thing], Record | None]) -> Iterator[Record]:
    """The records of all that is declared and live, where they say something new. `read` gives the record that a thing has now."""
    for address, resource in manifest.resources.items():
        live_id = sides.ids.get(address)
        if live_id is None or resource.is_gone:
            continue
        before = read((address.kind, live_id))
        record = writer.record_declared(before, resource, live_id, sides)
        if before is None or replace(record, run=before.run) != before:
            yield record
