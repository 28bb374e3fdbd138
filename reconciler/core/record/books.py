"""Books: the records that a run writes into the ledger, of what it made, of what it left as it was, and of what it found gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.retiring import watch_again
from reconciler.core.compare.ruled import governed_by, names_rule
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.paths import live_value
from reconciler.core.model.record import Record, Thing, keep_dates, mark_left, without_link
from reconciler.core.model.recorded import LiveLink
from reconciler.core.record.writer import DONE, RecordWriter, Sides, record_live, take_stock


class Books:
    """The records of one run as they change with it. Whoever shares it between threads locks it."""

    def __init__(self, writer: RecordWriter, comparison: Comparison, whole: Manifest, links_lost: Iterable[LiveLink]) -> None:
        """`whole` is the manifest of which the plan may touch a part, `links_lost` the links that are recorded as ours and that somebody
        took away."""
        self.writer, self.comparison, self.whole, self.links_lost = writer, comparison, whole, tuple(links_lost)
        # What this run says otherwise than the one before it; None: nothing is kept of it any more.
        self.changed: dict[Thing, Record | None] = {}
        for link in self.links_lost:
            if record := self.read(link.source):
                self.changed[record.name] = without_link(record, link.field, link.target_id)

    def read(self, name: Thing) -> Record | None:
        """The record of a thing as it stands now: what this run says of it, else what was recorded before; None where there is none."""
        return self.changed[name] if name in self.changed else keep_dates(self.comparison.recorded.records.get(name))

    def note(self, outcome: Outcome, change: Change, now: float) -> Record | Thing | None:
        """Take in an outcome at `now`, in Unix seconds. Returns what to write: the record of the thing; its name, where its record goes;
        None, where nothing changes."""
        if outcome.anew and isinstance(change, ThingChange):
            change = replace(change, action=Action.CREATE, id=None)
        kind, live_id = change.address.kind, change.id or outcome.id
        before = self.read((kind, live_id or ""))
        if isinstance(change, LinkChange) and (change.merges or not self.comparison.kinds.declares(change.address.kind)):
            # Nobody wrote it on its source, so it is not ours to take away.
            return None
        if live_id is None or not (outcome.status in DONE or (outcome.deleted and before)):
            return None
        writer = replace(self.writer, now=now)
        if outcome.deleted and before:
            record: Record | None = writer.record_deletion(before)
        elif isinstance(change, LinkChange):
            record = _link_record(writer, before, change, live_id, outcome)
            if record is None:
                return None
        else:
            record = writer.record_change(before, change, outcome) if outcome.id else before
        if record is None:
            self.changed[kind, live_id] = None
            return kind, live_id
        self.changed[record.name] = record
        return record

    def close(self, outcomes: Sequence[Outcome], as_declared: Mapping[Address, str]) -> tuple[Iterator[Record], list[Thing]]:
        """What the end of a run adds: the records of all that is as declared, where they say something new, and the things that are gone.
        `as_declared` are the live ids of what was so when the plan was made. Each record is made when it is asked for, as there may be
        many."""

        def list_records() -> Iterator[Record]:
            return self._add_rules(self._as_declared(outcomes, as_declared), outcomes)

        things_gone = self._find_gone(list_records)
        return self._add_left(self._add_watches(chain(self._correct(things_gone), list_records()), things_gone), things_gone), things_gone

    def _add_rules(self, records: Iterable[Record], outcomes: Sequence[Outcome]) -> Iterator[Record]:
        """These records, and those of what the rules are about that were carried out: such a rule is not new any more, so that from now on
        people only come and go under it."""
        comparison = self.comparison
        applied = {o.change.subject for o in outcomes if o.status is Status.APPLIED}
        late = {c.target for c in comparison.difference.changes if isinstance(c, LinkChange) and c.by_rule and c.subject not in applied}
        ids_made = {o.change.address: o.id for o in outcomes if o.id and o.status in DONE and o.change.target is None}
        ids = {**ids_made, **comparison.live.pairs}
        rules = {(target.kind, ids.get(target) or "", governed_by(rule)) for target, rule in self.whole.rules.items()}
        new = {(a.kind, ids.get(a) or ""): comparison.manifest.rules[a] for a in comparison.live.members.keys() - late}
        before = chain(comparison.recorded.records.notable.values(), filter(None, self.changed.values()))
        old = {record.name for record in before if any(map(names_rule, record.policies))}

        def govern(record: Record) -> Record:
            # One that is written again after it was out is new.
            policies = {key: value for key, value in record.policies.items() if not names_rule(key) or (*record.name, key) in rules}
            if (rule := new.get(record.name)) and not record.deleted:
                policies[governed_by(rule)] = rule.digest
            return record if policies == record.policies else replace(record, policies=policies, run=self.writer.run)

        return self._renew(records, new.keys() | old, govern)

    def close_undo(self) -> tuple[list[Record], list[Thing]]:
        """As `close`, after a run that takes another one back: what it brings back is declared nowhere."""
        things_gone = self._find_gone(lambda: ())
        return self._correct(things_gone), things_gone

    def _add_watches(self, records: Iterable[Record], things_gone: Sequence[Thing]) -> Iterator[Record]:
        """These records, and those of what goes out of use, with who carries it."""
        kinds, carriers = self.comparison.kinds, {thing: who for thing, who in self.comparison.carriers.items() if thing not in things_gone}

        def watch(record: Record) -> Record:
            watch_now = (
                record.watch if record.deleted else watch_again(kinds[record.kind], record.watch, carriers[record.name], self.writer.now)
            )
            return record if watch_now == record.watch else replace(record, watch=watch_now, run=self.writer.run)

        return self._renew(records, carriers, watch)

    def _add_left(self, records: Iterable[Record], things_gone: Sequence[Thing]) -> Iterator[Record]:
        """These records, and those of what left the manifest, with when that was seen: what is new since may be that."""
        unread = self.comparison.recorded.files.unread

        def mark(record: Record) -> Record:
            return record if unread(record) else mark_left(record, self.writer.now)

        return self._renew(records, self.comparison.left.difference(things_gone), mark)

    def _renew(self, records: Iterable[Record], names: Collection[Thing], renew: Callable[[Record], Record]) -> Iterator[Record]:
        """These records, with `renew` put upon those of the named things. A named thing that is not among them is added where `renew`
        changes its record."""
        names_left = dict.fromkeys(names)
        for record in records:
            if record.name in names:
                names_left.pop(record.name, None)
                yield renew(record)
            else:
                yield record
        for record in filter(None, map(self.read, names_left)):
            if (new := renew(record)) is not record:
                yield new

    def _correct(self, things_gone: Sequence[Thing]) -> list[Record]:
        """The records of which a link is no longer ours: somebody took it away."""
        names = sorted({link.source for link in self.links_lost} - {*things_gone})
        return [record for name in names if (record := self.read(name))]

    def _as_declared(self, outcomes: Sequence[Outcome], as_declared: Mapping[Address, str]) -> Iterator[Record]:
        comparison = self.comparison
        ids_made = {o.change.address: o.id for o in outcomes if o.id and o.change.target is None and o.status in DONE}
        ids = {**comparison.live.pairs, **{address: live_id for address, live_id in ids_made.items() if live_id}}
        sides = take_stock(comparison.live, comparison.difference, outcomes, ids, self.whole.policy.links)
        resources = {address: r for address, r in comparison.manifest.resources.items() if address not in comparison.refused_entries}
        records = record_live(self.writer, replace(comparison.manifest, resources=resources), sides, self.read)
        return chain(records, self._keep_untouched({**as_declared, **ids}, as_declared.keys() - comparison.manifest.resources.keys()))

    def _keep_untouched(self, ids: Mapping[Address, str], addresses: Iterable[Address]) -> Iterator[Record]:
        """The records of what the plan does not touch, and was as declared when it was made."""
        outside = frozenset(addresses)
        rest = {a: r for a, r in self.whole.resources.items() if a in outside}
        links = _list_written(self.comparison.kinds, self.whole, ids, rest)
        # Only what is written of these lists is known: of the rest nobody looked whether it is still there.
        unseen = frozenset((link, live_id) for link, ends in links.items() for live_id in ends)
        sides = Sides(ids, links, frozenset(), self.whole.policy.links, unseen)
        return record_live(self.writer, replace(self.whole, resources=rest), sides, self.read)

    def _find_gone(self, list_records: Callable[[], Iterable[Record]]) -> list[Thing]:
        """Things that are not there any more and that nobody declares, or whose place another one has taken.

        What is declared and gone keeps its record until it is there again: else it would be no drift any more.
        """
        suspects = self._list_missing()
        if not suspects:
            return []
        recorded, run = self.comparison.recorded, self.writer.run
        names_declared = {recorded.digests.thing(recorded.app_id, address) for address, r in self.whole.resources.items() if not r.is_gone}
        current = [(r.name, "" if r.deleted else r.thing) for r in chain(self.changed.values(), list_records()) if r and r.run == run]
        names, places = {name for name, _ in current}, {thing for _, thing in current}
        return sorted(r.name for r in suspects if r.name not in names and (r.thing in places or r.thing not in names_declared))

    def _list_missing(self) -> Sequence[Record]:
        """The records of things that are known not to be live: a whole listing, or their own read, does not show them."""
        live, records = self.comparison.live, self.comparison.recorded.records
        names, whole = {kind.name for kind in self.writer.kinds}, {kind.name for kind in self.writer.kinds if kind.whole}
        in_lists = (thing for thing in records if thing[0] in whole & live.listed)
        by_reads = ((address.kind, live_id) for address, live_id in live.vanished_ids.items() if address.kind not in whole)
        deletions = (record.name for record in records.notable.values() if record.deleted and record.kind in names - whole)
        missing = (thing for thing in dict.fromkeys((*in_lists, *by_reads, *deletions)) if thing[1] not in live.things.get(thing[0], {}))
        return [record for thing in missing if (record := records.get(thing)) and not record.is_buried]


def list_proofs(comparison: Comparison, changes: Sequence[Change]) -> list[bool]:
    """For each change, whether what it makes was seen to be missing before it was sent: a thing by a strong read of this run, a link by its
    last look."""
    returning = {change.address for change in changes if change.action is Action.UNARCHIVE}

    def is_proved(change: Change) -> bool:
        if isinstance(change, LinkChange):
            is_declarable = comparison.kinds.declares(change.address.kind)
            return (
                change.action is Action.ATTACH
                and change.address not in returning
                and change.merges is None
                and is_declarable
                and not change.by_rule
            )
        resource, kind = comparison.manifest.resources.get(change.address), comparison.kinds[change.address.kind]
        if change.action is not Action.CREATE or resource is None:
            return False
        return kind.whole or kind.identity[resource.by].find is not None

    return [is_proved(change) for change in changes]


def _link_record(writer: RecordWriter, before: Record | None, change: LinkChange, live_id: str, outcome: Outcome) -> Record | None:
    """The record of a thing after a change of a link of it; None where there is nothing to say of it."""
    if change.target_id is None:
        return None
    if outcome.status is not Status.INEFFECTIVE:
        return writer.record_link(before, change, live_id, change.target_id, outcome)
    # A reply that does not show a link proves that it is not there, whatever was recorded of it.
    return without_link(before, change.link.field, change.target_id) if before and change.action is Action.ATTACH else None


def read_instead(outcome: Outcome, path: str, *, again: bool) -> Sequence[Any]:
    """What a reply showed in place of the value that was sent. Of a link: None, where it was missing `again`."""
    if isinstance(outcome.change, LinkChange):
        return (None,) if again else ()
    before = next((field.before for field in outcome.change.fields if field.path == path), None)
    return (live_value(outcome.seen, path) if outcome.seen else before,)


def _list_written(
    kinds: Kinds, manifest: Manifest, ids: Mapping[Address, str], rest: Mapping[Address, Resource]
) -> Mapping[LinkName, Mapping[str, frozenset[str]]]:
    """The links that are written on things which were as declared: they are live, but for those that are nobody's business."""
    links: dict[LinkName, dict[str, frozenset[str]]] = {}
    for kind in kinds:
        for link in kind.links:
            for address in (a for a in rest if a.kind == kind.name):
                lists = manifest.resources[address].links.get(link.field)
                if lists is not None:
                    ends = frozenset(ids[target] for target in lists.present if target in ids and not manifest.resources[target].free)
                    links.setdefault(link.name, {})[ids[address]] = ends
    return links


def count_outcomes(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(str(outcome.status) for outcome in outcomes)


def bind(change: Change, ids: Mapping[Address, str]) -> Change:
    """A change with the ids that became known while the run made things."""
    if isinstance(change, LinkChange):
        return replace(change, id=change.id or ids.get(change.address), target_id=change.target_id or ids.get(change.target))
    return change
