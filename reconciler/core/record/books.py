"""Books: what a run writes into the ledger of what it made, left as it was, and found gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
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
from reconciler.core.model.record import Record, Thing, without_link
from reconciler.core.model.recorded import LiveLink
from reconciler.core.record.writer import DONE, RecordWriter, Sides, record_live, take_stock


class Books:
    """The records of one run as they change with it. Whoever shares it between threads locks it."""

    def __init__(self, writer: RecordWriter, comparison: Comparison, whole: Manifest, undone: Iterable[LiveLink]) -> None:
        """`whole` is the manifest of which the plan may touch a part, `undone` the links that are recorded as ours and that somebody
        took away."""
        self.writer, self.comparison, self.whole, self.undone = writer, comparison, whole, tuple(undone)
        self.records: dict[Thing, Record] = dict(comparison.recorded.records)
        for link in self.undone:
            if record := self.records.get(link.source):
                self.records[record.name] = without_link(record, link.field, link.target_id)

    def note(self, outcome: Outcome, change: Change, now: float) -> Record | Thing | None:
        """What one outcome says of a thing, `now` being in Unix seconds: its record, its name where none is kept any more, or nothing."""
        if outcome.anew and isinstance(change, ThingChange):
            change = replace(change, action=Action.CREATE, id=None)
        kind, live_id = change.address.kind, change.id or outcome.id
        before = self.records.get((kind, live_id or ""))
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
            self.records.pop((kind, live_id), None)
            return kind, live_id
        self.records[record.name] = record
        return record

    def close(self, outcomes: Sequence[Outcome], as_declared: Mapping[Address, str]) -> tuple[list[Record], list[Thing]]:
        """The records of all that is as declared, and the things that are gone; `found` are the live ids of what was as declared when
        the plan was made."""
        records = self._add_rules(self._as_declared(outcomes, as_declared), outcomes)
        gone = self._find_gone(records)
        return self._add_watches([*self._correct(gone), *records], gone), gone

    def _add_rules(self, records: Sequence[Record], outcomes: Sequence[Outcome]) -> list[Record]:
        """These records, and those of what rules are about that were carried out: from now on people only come and go under them."""
        by_thing, comparison = {record.name: record for record in records}, self.comparison
        applied = {o.change.subject for o in outcomes if o.status is Status.APPLIED}
        late = {c.target for c in comparison.difference.changes if isinstance(c, LinkChange) and c.by_rule and c.subject not in applied}
        created = {o.change.address: o.id for o in outcomes if o.id and o.status in DONE and o.change.target is None}
        for target in comparison.live.members.keys() - late:
            name = (target.kind, comparison.live.pairs.get(target) or created.get(target) or "")
            record, rule = by_thing.get(name) or self.records.get(name), comparison.manifest.rules[target]
            if record and not record.deleted and record.policies.get(governed_by(rule)) != rule.digest:
                policies = {**record.policies, governed_by(rule): rule.digest}
                by_thing[name] = replace(record, policies=policies, run=self.writer.run)
        return list((by_thing | self._forget_rules(by_thing, {**created, **comparison.live.pairs})).values())

    def _forget_rules(self, by_thing: dict[Thing, Record], ids: Mapping[Address, str]) -> dict[Thing, Record]:
        """The records of what has a rule no more that was carried out: one that is written again is new."""
        rules = {(target.kind, ids.get(target, ""), governed_by(rule)) for target, rule in self.whole.rules.items()}
        without: dict[Thing, Record] = {}
        for name, record in (self.records | by_thing).items():
            rest = {key: value for key, value in record.policies.items() if not names_rule(key) or (*name, key) in rules}
            if len(rest) < len(record.policies):
                without[name] = replace(record, policies=rest, run=self.writer.run)
        return without

    def close_undo(self) -> tuple[list[Record], list[Thing]]:
        """As `close`, after a run that takes another one back: what it brings back is declared nowhere."""
        gone = self._find_gone(())
        return self._correct(gone), gone

    def _add_watches(self, records: Sequence[Record], gone: Sequence[Thing]) -> list[Record]:
        """These records, and those of what goes out of use, with who carries it."""
        by_thing = {record.name: record for record in records}
        for thing, carriers in self.comparison.carriers.items():
            record = by_thing.get(thing) or self.records.get(thing)
            if record and not record.deleted and thing not in gone:
                watch = watch_again(self.comparison.kinds[record.kind], record.watch, carriers, self.writer.now)
                if watch != record.watch:
                    by_thing[thing] = replace(record, watch=watch, run=self.writer.run)
        return list(by_thing.values())

    def _correct(self, gone: Sequence[Thing]) -> list[Record]:
        """The records of which a link is no longer ours: somebody took it away."""
        names = {link.source for link in self.undone}
        return [self.records[name] for name in sorted(names & self.records.keys()) if name not in gone]

    def _as_declared(self, outcomes: Sequence[Outcome], as_declared: Mapping[Address, str]) -> list[Record]:
        comparison = self.comparison
        created = {o.change.address: o.id for o in outcomes if o.id and o.change.target is None and o.status in DONE}
        ids = {**comparison.live.pairs, **{address: live_id for address, live_id in created.items() if live_id}}
        sides = take_stock(comparison.live, comparison.difference, outcomes, ids, self.whole.policy.links)
        resources = {address: r for address, r in comparison.manifest.resources.items() if address not in comparison.refused_entries}
        records = record_live(self.writer, replace(comparison.manifest, resources=resources), sides, self.records)
        return [*records, *self._keep_untouched({**as_declared, **ids}, as_declared.keys() - comparison.manifest.resources.keys())]

    def _keep_untouched(self, ids: Mapping[Address, str], addresses: Iterable[Address]) -> Iterable[Record]:
        """The records of what the plan does not touch, and was as declared when it was made."""
        outside = frozenset(addresses)
        rest = {a: r for a, r in self.whole.resources.items() if a in outside}
        links = _list_written(self.comparison.kinds, self.whole, ids, rest)
        # Only what is written of these lists is known: of the rest nobody looked whether it is still there.
        unseen = frozenset((link, live_id) for link, ends in links.items() for live_id in ends)
        sides = Sides(ids, links, frozenset(), self.whole.policy.links, unseen)
        return record_live(self.writer, replace(self.whole, resources=rest), sides, self.records)

    def _find_gone(self, records: Sequence[Record]) -> list[Thing]:
        """Things that are not there any more and that nobody declares, or whose place another one has taken.

        What is declared and gone keeps its record until it is there again: else it would be no drift any more.
        """
        recorded, run = self.comparison.recorded, self.writer.run
        declared = {recorded.digests.thing(recorded.app_id, address) for address, r in self.whole.resources.items() if not r.is_gone}
        current = [r for r in (*self.records.values(), *records) if r.run == run]
        names, places = {r.name for r in current}, {r.thing for r in current if not r.deleted}
        gone = (r for r in recorded.records.values() if r.name not in names and self._is_gone(r))
        return sorted(r.name for r in gone if r.thing in places or r.thing not in declared)

    def _is_gone(self, record: Record) -> bool:
        """Whether a thing is known not to be live: a whole listing, or its own read, does not show it."""
        kind, live = self.writer.kinds.get(record.kind), self.comparison.live
        if kind is None or record.is_buried:
            return False
        is_read = kind.name in live.listed if kind.whole else record.id in live.vanished_ids.values() or record.deleted
        return is_read and record.id not in live.things.get(record.kind, {})


def list_proofs(comparison: Comparison, changes: Sequence[Change]) -> list[bool]:
    """For each change, whether what it makes was seen not to be there before it was sent: a thing by a strong read of this run, a link by
    its last look."""
    returning = {change.address for change in changes if change.action is Action.UNARCHIVE}

    def is_proved(change: Change) -> bool:
        if isinstance(change, LinkChange):
            declared = comparison.kinds.declares(change.address.kind)
            return (
                change.action is Action.ATTACH
                and change.address not in returning
                and change.merges is None
                and declared
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
    """What a reply showed instead of what it was sent; of a link, that it was not there a second time."""
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
                written = manifest.resources[address].links.get(link.field)
                if written is not None:
                    ends = frozenset(ids[target] for target in written.present if target in ids and not manifest.resources[target].free)
                    links.setdefault(link.name, {})[ids[address]] = ends
    return links


def count_outcomes(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(str(outcome.status) for outcome in outcomes)


def bind(change: Change, ids: Mapping[Address, str]) -> Change:
    """A change with the ids that became known on the way."""
    if isinstance(change, LinkChange):
        return replace(change, id=change.id or ids.get(change.address), target_id=change.target_id or ids.get(change.target))
    return change
