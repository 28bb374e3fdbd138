"""Keeping: what an apply leaves in the ledger, before, between and after its calls."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.paths import live_value
from reconciler.core.model.recorded import Record, Thing, path_of, without_tie
from reconciler.core.plan.calls import Job
from reconciler.core.record.restorer import Restorer
from reconciler.core.record.scribe import DONE, Scribe, Sides, as_found, standing
from reconciler.core.undo.preimage import Carriers, destroys
from reconciler.errors import Incomplete, ReconcilerError, Refused, unforeseen
from reconciler.execute import Perform
from reconciler.workflow import preimages as imaging
from reconciler.workflow.ground import Ground
from reconciler.workflow.observe import claims
from reconciler.workflow.session import Session, Work, by_their_clock

if TYPE_CHECKING:
    from reconciler.ledger.ledger import RunHead

# Creates that must not be sent twice are published in batches of so many.
BATCH = 25
# How often a signal is looked for, in seconds.
LOOK_EVERY = 0.2


def recording(session: Session, work: Work, carried: Carriers) -> Recorder | None:
    """What records an apply, if anything does, once it is kept what the apply destroys. Raises Refused (3) where that cannot be kept."""
    from reconciler.ledger.ledger import run_id

    recorder = Recorder(session, work) if session.ledger else None
    try:
        imaging.keep(session, work, recorder.run if recorder else run_id(session.now()), carried)
    except ReconcilerError as error:
        if destroys(work.planned.plan.changes):
            if recorder:
                recorder.refused()
            text = f"pre-images: what this plan destroys cannot be kept ({error}), so it could not come back; nothing was written"
            raise Refused([f"{text}; make room, or see to the permissions, and apply again"]) from None
    if recorder:
        recorder.announce()
    return recorder


def signal_of(stop: threading.Event) -> int:
    """The signal that asked to stop, 0 where none did."""
    return int(getattr(stop, "signum", 0))


class Recorder:
    """Records one apply: the run, all that it plans, for every write the intent before it and the outcome after it, and in the end all
    that was found as declared."""

    def __init__(self, session: Session, work: Work) -> None:
        from reconciler.ledger.ledger import PlannedWrite

        assert session.ledger is not None
        self.session, self.ledger, self.work = session, session.ledger, work
        self.case, self.steps = work.planned.case, work.planned.plan.steps
        self.mutex, self.publishing = threading.Lock(), threading.Lock()
        self.records: dict[Thing, Record] = dict(self.case.memory.records)
        for kind, live_id, link, end in work.planned.doubts.undone:
            if record := self.records.get((kind, live_id)):
                self.records[record.name] = without_tie(record, link, end)
        self.run = self.ledger.begin(_head(session, work))
        kinds = {kind.name: kind for kind in session.kinds}
        self.ground = Ground.of(self.ledger)
        how = (kinds, self.case.memory, self.run, session.now(), cache(self.ground.called))
        self.scribe = Scribe(*how) if work.ownership is None else Restorer(*how, work.ownership)
        self.numbers = self.ledger.plan(self.run, [PlannedWrite(step.change, self._proof(step.change)) for step in self.steps])
        self.once = dict.fromkeys(i for job in work.jobs if not all(call.repeatable for call in job.calls) for i in job.covers)
        self.ahead: set[int] = set()

    def _proof(self, change: Change) -> bool:
        """Whether what a change makes was proved not to be there, by a strong read of this run."""
        returning = {step.change.address for step in self.steps if step.change.action is Action.UNARCHIVE}
        if isinstance(change, LinkChange):
            return change.action is Action.ATTACH and change.address not in returning
        resource = self.case.manifest.resources.get(change.address)
        if change.action is not Action.CREATE or resource is None:
            return False
        kind = self.scribe.kinds[change.address.kind]
        return kind.whole or kind.identity[resource.by].find is not None

    def announce(self) -> None:
        """Where only what was published is kept: the run, and the intents of all that may be sent twice, before the first write. What
        of it was never sent is told by a strong read of the next run. Raises LockLost, LedgerUnusable."""
        from reconciler.ledger.ledger import Settlement

        if not self.steps or self.ledger.home.at_once:
            return
        try:
            self.ledger.intend({self.numbers[i]: step.change for i, step in enumerate(self.steps) if i not in self.once})
            self.ledger.home.publish()
        except ReconcilerError as error:
            with suppress(ReconcilerError):
                self.ledger.settle(self.run, [Settlement(number, Status.SKIPPED) for number in self.numbers])
                self.ledger.end(self.run, error.exit_code, {})
            raise

    def _announce_once(self, covers: Sequence[int]) -> None:
        """The intents of what must not be sent twice, a batch at a time, before the first of a batch. Raises LockLost, LedgerUnusable."""
        with self.publishing:
            if self.ledger.home.at_once or self.ahead.issuperset(covers) or self.once.keys().isdisjoint(covers):
                return
            batch = [i for i in self.once if i not in self.ahead][:BATCH]
            self.ahead.update(batch, covers)
            self.ledger.intend({self.numbers[i]: self.steps[i].change for i in batch})
            self.ledger.home.publish()

    @contextmanager
    def stopped_by(self, stop: threading.Event) -> Iterator[None]:
        """At the first signal, what was done is published at once: who asked may not wait for the end. A second one ends the run, and so
        does what nobody foresaw."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_EVERY):
                if stop.is_set():
                    with suppress(ReconcilerError):
                        self.ledger.home.publish()
                    return

        watching = threading.Thread(target=watch, name="first signal", daemon=True)
        if not self.ledger.home.at_once:
            watching.start()
        try:
            yield
        except BaseException as error:
            signum = signal_of(stop)
            # Whoever carries it out may end it too; what is neither is no end of ours.
            if signum or isinstance(error, (Exception, GeneratorExit)):
                with suppress(ReconcilerError):
                    self.ledger.end(self.run, 128 + signum if signum else ReconcilerError.exit_code, {})
            raise
        finally:
            over.set()

    def around(self, perform: Perform, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """A job between its intents and its outcomes. Without the first it is not done, and nothing else is."""
        changes = {i: _bound(self.steps[i].change, ids) for i in job.covers}
        try:
            self._announce_once(job.covers)
            self.ledger.intend({self.numbers[i]: change for i, change in changes.items()})
        except ReconcilerError as error:
            return [Outcome(i, self.steps[i].change, Status.SKIPPED, f"not sent: {error}", fatal=True) for i in job.covers]
        outcomes = perform(job, ids)
        try:
            self._settle(outcomes, changes)
        except ReconcilerError as error:
            return [replace(o, reason=f"{o.reason or 'done'}; not recorded: {error}", fatal=True) for o in outcomes]
        return outcomes

    def _settle(self, outcomes: Sequence[Outcome], changes: Mapping[int, Change]) -> None:
        """Write down what became of some changes. A write whose answer was lost is left without an outcome."""
        from reconciler.ledger.ledger import Settlement
        from reconciler.ledger.tables import MET, STRANGER

        codes = [MET if o.met else STRANGER if o.stranger else None for o in outcomes]
        ends = zip(outcomes, codes, strict=True)
        told = [Settlement(self.numbers[o.step], o.status, o.id or o.stranger, code) for o, code in ends if not o.lost]
        with self.mutex:
            kept: dict[Thing, Record] = {}
            gone: set[Thing] = set()
            for outcome in outcomes:
                self._note(outcome, changes[outcome.step], kept, gone)
            self.ledger.settle(self.run, told, kept.values(), gone)
        self._effects([o for o in outcomes if o.status in DONE])

    def _note(self, outcome: Outcome, change: Change, kept: dict[Thing, Record], gone: set[Thing]) -> None:
        """What one outcome says of a thing."""
        if outcome.anew and isinstance(change, ThingChange):
            change = replace(change, action=Action.CREATE, id=None)
        kind, live_id = change.address.kind, change.id or outcome.id
        before = self.records.get((kind, live_id or ""))
        if live_id is None or not (outcome.status in DONE or (outcome.deleted and before)):
            return
        scribe = replace(self.scribe, now=by_their_clock(self.session))
        if outcome.deleted and before:
            record: Record | None = scribe.deleted(before)
        elif isinstance(change, LinkChange):
            record = _linked(scribe, before, change, live_id, outcome)
            if record is None:
                return
        else:
            record = scribe.made(before, change, outcome) if outcome.id else before
        if record is None:
            self.records.pop((kind, live_id), None)
            gone.add((kind, live_id))
        else:
            self.records[record.name] = kept[record.name] = record

    def _effects(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what replies did not show, forget what they did. A link that is not shown stands in its outcome as its list."""
        app_id = self.session.here.app_id
        asked = [(claim, outcome) for outcome in outcomes for claim in claims(outcome.change)]
        mute = [claim for claim, o in asked if claim[1] in o.fields or (o.fields and isinstance(o.change, LinkChange))]
        if shown := [claim[:2] for claim, _ in asked if claim not in mute]:
            self.ledger.forget_ineffective(app_id, shown)
        before = self.ledger.ineffective(app_id, [(*claim, None) for claim in mute])
        for claim, outcome in asked:
            if claim in mute:
                self.ledger.note_ineffective(app_id, *claim, *_instead(outcome, claim[1], again=claim[:2] in before))

    def end(self, outcomes: Sequence[Outcome], signum: int = 0) -> None:
        """Record what was never started, all that is as declared, and how the run ended, by which signal if by one. Raises Incomplete
        where that fails."""
        try:
            self.ledger.check()
            self._end(outcomes, signum)
        except Incomplete:
            raise
        except ReconcilerError as error:
            raise Incomplete(f"what was done is not recorded to its end: {error}") from error
        except Exception as error:
            with suppress(ReconcilerError):
                self.ledger.end(self.run, Incomplete.exit_code, _counts(outcomes))
            raise Incomplete(f"what was done is not recorded to its end: {unforeseen(error)}") from error

    def _end(self, outcomes: Sequence[Outcome], signum: int) -> None:
        from reconciler.ledger.ledger import Settlement

        skipped = [Settlement(self.numbers[o.step], o.status) for o in outcomes if o.status is Status.SKIPPED]
        counts = _counts(outcomes)
        done = counts.get(Status.APPLIED, 0) == sum(counts.values()) and not (self.work.unmade or self.work.refused or self.work.unproven)
        self.ledger.settle(self.run, skipped)
        records = self._as_found(outcomes)
        app_id, name = self.session.here.app_id, self.work.whole.name
        left = self._left(records)
        self.ledger.record(app_id, name, [*self._corrected(left), *records], left)
        self.ledger.disprove(app_id, name, self.work.planned.doubts.disproved)
        self.ledger.end(self.run, 128 + signum if signum else 0 if done else 5, counts)

    def _corrected(self, left: Sequence[Thing]) -> list[Record]:
        """The records of which a link is no longer ours: somebody took it away."""
        names = {(kind, live_id) for kind, live_id, _, _ in self.work.planned.doubts.undone}
        return [self.records[name] for name in sorted(names & self.records.keys()) if name not in left]

    def refused(self) -> None:
        """Record that the run ended before its first write."""
        with suppress(ReconcilerError):
            self.ledger.end(self.run, Refused.exit_code, {})

    def _as_found(self, outcomes: Sequence[Outcome]) -> list[Record]:
        if self.work.ownership is not None:
            # What an undo brings back is declared nowhere.
            return []
        made = {o.change.address: o.id for o in outcomes if o.id and o.change.target is None and o.status in DONE}
        case, policy = self.case, self.work.whole.policy.links
        ids = {**case.live.pairs, **{address: live_id for address, live_id in made.items() if live_id}}
        sides = standing(case.live, case.difference, outcomes, ids, policy)
        told = {address: r for address, r in case.manifest.resources.items() if address not in case.refused_entries}
        found = list(as_found(self.scribe, replace(case.manifest, resources=told), sides, self.records))
        return [*found, *self._untouched(ids)]

    def _untouched(self, ids: Mapping[Address, str]) -> list[Record]:
        """The records of what the plan does not touch, and was as declared when it was made."""
        whole, found = self.work.whole, self.work.planned.found
        rest = {a: r for a, r in whole.resources.items() if a in found and a not in self.case.manifest.resources}
        links = _written(self.session, whole, {**found, **ids}, rest)
        # Only what is written of these lists is known: of the rest nobody looked whether it is still there.
        unseen = frozenset((link, live_id) for link, held in links.items() for live_id in held)
        sides = Sides({**found, **ids}, links, frozenset(), whole.policy.links, unseen)
        return list(as_found(self.scribe, replace(whole, resources=rest), sides, self.records))

    def _left(self, records: Sequence[Record]) -> list[Thing]:
        """Records of things that are not there any more and that nobody declares, or whose place another one has taken.

        What is declared and gone keeps its record until it is there again: else it would be no drift any more.
        """
        memory, whole = self.case.memory, self.work.whole
        declared = {memory.digests.thing(memory.app_id, address) for address, r in whole.resources.items() if not r.gone}
        kept = {r.name for r in (*self.records.values(), *records) if r.run == self.run}
        now = {r.thing for r in (*self.records.values(), *records) if r.run == self.run and not r.deleted}
        gone = (r for r in memory.records.values() if r.name not in kept and self._is_gone(r))
        return sorted(r.name for r in gone if r.thing in now or r.thing not in declared)

    def _is_gone(self, record: Record) -> bool:
        """Whether a thing is known not to be live: a whole listing, or its own read, does not show it."""
        kind, things = self.scribe.kinds.get(record.kind), self.case.live.things.get(record.kind, {})
        if kind is None or record.buried:
            return False
        looked = kind.name in self.case.live.listed if kind.whole else record.id in self.case.live.vanished.values() or record.deleted
        return looked and record.id not in things


def _linked(scribe: Scribe, before: Record | None, change: LinkChange, live_id: str, outcome: Outcome) -> Record | None:
    """The record of a thing after a change of a link of it; None where there is nothing to say of it."""
    if change.target_id is None:
        return None
    if outcome.status is not Status.INEFFECTIVE:
        return scribe.tied(before, change, live_id, change.target_id, outcome)
    # A reply that does not show a link proves that it is not there, whatever was recorded of it.
    return without_tie(before, change.link.field, change.target_id) if before and change.action is Action.ATTACH else None


def _instead(outcome: Outcome, path: str, *, again: bool) -> Sequence[Any]:
    """What a reply showed instead of what it was sent; of a link, that it was not there a second time."""
    if isinstance(outcome.change, LinkChange):
        return (None,) if again else ()
    before = next((field.before for field in outcome.change.fields if field.path == path), None)
    return (live_value(outcome.seen, path) if outcome.seen else before,)


def _written(
    session: Session, manifest: Manifest, ids: Mapping[Address, str], rest: Mapping[Address, Resource]
) -> Mapping[LinkName, Mapping[str, frozenset[str]]]:
    """The links that are written on things which were as declared: they are live, but for those that are nobody's business."""
    found: dict[LinkName, dict[str, frozenset[str]]] = {}
    for kind in session.kinds:
        for link in kind.links:
            for address in (a for a in rest if a.kind == kind.name):
                written = manifest.resources[address].links.get(link.field)
                if written is not None:
                    ends = frozenset(ids[target] for target in written.present if target in ids and not manifest.resources[target].free)
                    found.setdefault(link.name, {})[ids[address]] = ends
    return found


def _counts(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(str(outcome.status) for outcome in outcomes)


def _bound(change: Change, ids: Mapping[Address, str]) -> Change:
    """A change with the ids that became known on the way."""
    if isinstance(change, LinkChange):
        return replace(change, id=change.id or ids.get(change.address), target_id=change.target_id or ids.get(change.target))
    return change


def _head(session: Session, work: Work) -> RunHead:
    verb = "undo" if work.planned.plan.undoes else "apply"
    return replace(head_of(session, work.whole, verb), plan_digest=work.digest)


def head_of(session: Session, manifest: Manifest, verb: str) -> RunHead:
    """What is known of a run when it starts."""
    assert session.ledger is not None
    ground = Ground.of(session.ledger)
    repository = ground.repository
    from reconciler.ledger.ledger import RunHead
    from reconciler.manifest.repository import head

    return RunHead(
        app_id=session.here.app_id,
        region=session.here.region,
        name=manifest.name,
        manifest_digest=manifest.digest,
        plan_digest="",
        verb=verb,
        who=session.who,
        revision=head(),
        files=[path_of(ground.called(name)) for name in manifest.files],
        policy=manifest.policy.model_dump(mode="json"),
        remote=repository.address if repository else None,
        first_commit=repository.first if repository else None,
    )
