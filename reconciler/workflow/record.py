"""Keeping: what an apply leaves in the ledger, before, between and after its calls."""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from reconciler.core.compare.astray import claim_of, targets_by_name
from reconciler.core.compare.comparison import claims_of
from reconciler.core.compare.merge import Carriers
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.record import Record, Thing
from reconciler.core.model.recorded import path_of
from reconciler.core.plan.calls import Job
from reconciler.core.plan.order import Step
from reconciler.core.plan.work import Work
from reconciler.core.record.books import Books, bind, count_outcomes, list_proofs, read_instead
from reconciler.core.record.restorer import Restorer
from reconciler.core.record.writer import DONE, RecordWriter
from reconciler.core.undo.preimage import destroys
from reconciler.errors import Incomplete, ReconcilerError, Refused, unforeseen
from reconciler.execute import Perform
from reconciler.workflow import preimages as imaging
from reconciler.workflow.ground import ground_of
from reconciler.workflow.session import Session, by_their_clock

if TYPE_CHECKING:
    from reconciler.ledger.run import RunHead, Settlement

# Creates that must not be sent twice are published in batches of so many.
BATCH = 25
# The intents of so many jobs that can be sent next stand in one commit with those of the one that is sent: they are unproven after a kill.
AHEAD = 50
# So many outcomes are written in one commit, and none waits for longer than this for the next to come, in seconds: after a kill they
# are read again.
OUTCOMES, LATEST = 200, 1.0
# What can be made, and made again: the next run sees by itself what became of it.
GENTLE = frozenset({Action.CREATE, Action.UPDATE, Action.ATTACH})
# How often a signal is looked for, in seconds.
LOOK_EVERY = 0.2


def recording(session: Session, work: Work, carriers: Carriers) -> tuple[Recorder | None, str]:
    """What records an apply, None without a ledger, and the id of its run. What the apply destroys is kept before. Raises Refused (3) where
    something would be destroyed and cannot be kept."""
    from reconciler.ledger.run import run_id

    recorder = Recorder(session, work) if session.ledger else None
    run = recorder.run if recorder else run_id(session.now())
    try:
        imaging.keep(session, work, run, carriers)
    except ReconcilerError as error:
        if destroys(work.proposal.plan.changes):
            if recorder:
                recorder.refuse()
            text = f"pre-images: what this plan destroys cannot be kept ({error}), so it could not come back; nothing was written"
            raise Refused([f"{text}; make room, or see to the permissions, and apply again"]) from None
    if recorder:
        recorder.announce()
    return recorder, run


def signal_of(stop: threading.Event) -> int:
    """The signal that asked to stop, 0 where none did."""
    return int(getattr(stop, "signum", 0))


@dataclass
class Ends:
    """What became of writes, until it is written."""

    # What became of each.
    settlements: list[Settlement] = field(default_factory=list)
    # What is known of things since; None: it is gone.
    things: dict[Thing, Record | None] = field(default_factory=dict)
    # When the first came, in seconds.
    since: float = 0.0

    def add(self, settlements: Sequence[Settlement], records: Sequence[Record | Thing | None], now: float) -> None:
        self.since = self.since if self.settlements else now
        self.settlements += settlements
        for one in records:
            if isinstance(one, Record):
                self.things[one.name] = one
            elif one is not None:
                self.things[one] = None

    def is_due(self, now: float) -> bool:
        """Whether it is to be written now."""
        return len(self.settlements) >= OUTCOMES or now - self.since >= LATEST

    def split(self) -> tuple[Sequence[Record], Sequence[Thing]]:
        """What is known, and what is gone."""
        return [record for record in self.things.values() if record], [name for name, record in self.things.items() if record is None]


class Recorder:
    """Records one apply: the run, all that it plans, for every write the intent before it and the outcome after it, and in the end all
    that was found as declared."""

    def __init__(self, session: Session, work: Work) -> None:
        from reconciler.ledger.run import PlannedWrite

        assert session.ledger is not None
        self.session, self.ledger, self.work = session, session.ledger, work
        plan, comparison = work.proposal.plan, work.proposal.comparison
        self.steps = list(plan.steps)
        self.mutex, self.publishing = threading.Lock(), threading.Lock()
        self.run = self.ledger.begin(_head(session, work))
        parts = (session.kinds, comparison.recorded, self.run, session.now(), cache(ground_of(self.ledger, session.checkout).name_file))
        left = frozenset(kind for kind, _ in comparison.left)
        writer = RecordWriter(*parts, left=left) if work.ownership is None else Restorer(*parts, work.ownership)
        self.books = Books(writer, comparison, work.whole, work.proposal.doubts.undone)
        self.numbers = self.ledger.plan(self.run, list(map(PlannedWrite, plan.changes, list_proofs(comparison, plan.changes))))
        self.once = dict.fromkeys(i for job in work.jobs if not all(call.repeatable for call in job.calls) for i in job.covers)
        self.ahead: set[int] = set()
        # The jobs that were not sent, all that was intended, the steps that were done, and the outcomes that are to be written.
        self.waiting = deque(work.jobs)
        self.intended: dict[int, Change] = {}
        self.done: set[int] = set()
        self.ends = Ends()
        # Whether a reply ever failed to show what was sent: else there is nothing to forget.
        self.muted = bool(comparison.recorded.ineffective)
        self.coming = iter(self.once)

    def add(self, steps: Sequence[Step]) -> None:
        """Steps that come to those of the plan. Raises LedgerUnusable, LockLost."""
        from reconciler.ledger.run import PlannedWrite

        self.numbers += self.ledger.plan(self.run, [PlannedWrite(step.change, False) for step in steps])
        self.steps += steps
        if not self.ledger.home.at_once:
            self.ledger.intend(dict(zip(self.numbers[-len(steps) :], (step.change for step in steps), strict=True)))
            self.ledger.home.publish()

    def announce(self) -> None:
        """Where only what was published is kept: the run, and the intents of all that may be sent twice, before the first write. What
        of it was never sent is told by a strong read of the next run. Raises LockLost, LedgerUnusable."""
        from reconciler.ledger.run import Settlement

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
            batch = list(islice((i for i in self.coming if i not in self.ahead), BATCH))
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
                        with self.mutex:
                            self._write_ends()
                        self.ledger.home.publish()
                    return

        watching = threading.Thread(target=watch, name="first signal", daemon=True)
        if not self.ledger.home.at_once:
            watching.start()
        try:
            yield
        except BaseException as error:
            signum = signal_of(stop) or (signal.SIGINT if isinstance(error, KeyboardInterrupt) else 0)
            # Whoever carries it out may end it too; what is neither is no end of ours.
            if signum or isinstance(error, (Exception, GeneratorExit)):
                with suppress(ReconcilerError), self.mutex:
                    self._write_ends()
                with suppress(ReconcilerError):
                    self.ledger.end(self.run, 128 + signum if signum else ReconcilerError.exit_code, {})
            raise
        finally:
            over.set()

    def around(self, perform: Perform, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """Carry out a job between its intents and its outcomes. A job whose intents cannot be written is not done, and no later one is."""
        changes = {i: bind(self.steps[i].change, ids) for i in job.covers}
        try:
            self._announce_once(job.covers)
            self._intend(job, changes, ids)
        except ReconcilerError as error:
            return [Outcome(i, self.steps[i].change, Status.SKIPPED, f"not sent: {error}", fatal=True) for i in job.covers]
        outcomes = perform(job, ids)
        try:
            self._settle(outcomes, changes)
        except ReconcilerError as error:
            return [replace(o, reason=f"{o.reason or 'done'}; not recorded: {error}", fatal=True) for o in outcomes]
        return outcomes

    def _intend(self, job: Job, changes: Mapping[int, Change], ids: Mapping[Address, str]) -> None:
        """The intents of a job, and with them those of the jobs that can be sent next. Raises LockLost, LedgerUnusable."""
        with self.publishing:
            self.ledger.check()
            if all(self.intended.get(i) == change for i, change in changes.items()):
                return
            batch = {**self._find_next(job.wave, ids), **changes}
            self.ledger.intend({self.numbers[i]: change for i, change in batch.items()})
            self.intended.update(batch)

    def _find_next(self, wave: int, ids: Mapping[Address, str]) -> Mapping[int, Change]:
        """The changes of the jobs that can be sent next. What must not be sent twice is not among them: after a kill a person would have to
        say what became of it."""
        ready: dict[int, Change] = {}
        for _ in range(min(AHEAD, len(self.waiting))):
            job = self.waiting.popleft()
            if job.wave > wave or not job.needs <= self.done:
                self.waiting.append(job)
            elif self.once.keys().isdisjoint(job.covers):
                ready |= {i: bind(self.steps[i].change, ids) for i in job.covers if i not in self.intended}
        return ready

    def _settle(self, outcomes: Sequence[Outcome], changes: Mapping[int, Change]) -> None:
        """Write down what became of some changes. A write whose answer was lost is left without an outcome."""
        from reconciler.ledger.run import Settlement
        from reconciler.ledger.tables import HELD, MET, STRANGER

        codes = [MET if o.met else STRANGER if o.woken else HELD if o.holder else None for o in outcomes]
        ends = zip(outcomes, codes, strict=True)
        settlements = [Settlement(self.numbers[o.step], o.status, o.id or o.holder, code) for o, code in ends if not o.lost]
        with self.mutex:
            records = [self.books.note(o, changes[o.step], by_their_clock(self.session)) for o in outcomes]
            self.done.update(o.step for o in outcomes if o.status in DONE)
            now = self.session.client.monotonic()
            self.ends.add(settlements, records, now)
            if self.ends.is_due(now) or not all(map(self._may_wait, outcomes)):
                self._write_ends()
        self._effects([o for o in outcomes if o.status in DONE])
        self._remember_names(outcomes)

    def _may_wait(self, outcome: Outcome) -> bool:
        """Whether an outcome may be written later, as the next run would see it for itself. What takes something away, and what must not be
        sent twice, is written at once."""
        return outcome.status is Status.APPLIED and outcome.change.action in GENTLE and outcome.step not in self.once

    def _write_ends(self) -> None:
        """With the mutex held. Raises LockLost, LedgerUnusable."""
        self.ledger.settle(self.run, self.ends.settlements, *self.ends.split())
        self.ends = Ends()

    def _effects(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what replies did not show, forget what they did. A link that is not shown stands in its outcome as its list."""
        app_id = self.session.here.app_id
        claims = [(claim, outcome) for outcome in outcomes for claim in claims_of(outcome.change)]
        mute = [claim for claim, o in claims if claim[1] in o.fields or (o.fields and isinstance(o.change, LinkChange))]
        self.muted = self.muted or bool(mute)
        if self.muted and (claims_settled := [claim[:2] for claim, _ in claims if claim not in mute]):
            self.ledger.forget_ineffective(app_id, claims_settled)
        recorded = self.work.proposal.comparison.recorded
        for claim, outcome in claims:
            if claim in mute:
                again = recorded.reply_match(*claim, None) is not None
                self.ledger.note_ineffective(app_id, *claim, *read_instead(outcome, claim[1], again=again))

    def _remember_names(self, outcomes: Sequence[Outcome]) -> None:
        """Remember which names were shown to mean another thing than the one that a link goes to, forget those that meant it."""
        comparison, app_id = self.work.proposal.comparison, self.session.here.app_id
        for target in targets_by_name(comparison.kinds, (o.change for o in outcomes if o.astray)):
            self.ledger.note_ineffective(app_id, *claim_of(comparison.live, target))
        if self.muted:
            right = targets_by_name(comparison.kinds, (o.change for o in outcomes if o.status in DONE))
            self.ledger.forget_ineffective(app_id, [claim_of(comparison.live, target)[:2] for target in right])

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
                self.ledger.end(self.run, Incomplete.exit_code, count_outcomes(outcomes))
            raise Incomplete(f"what was done is not recorded to its end: {unforeseen(error)}") from error

    def _end(self, outcomes: Sequence[Outcome], signum: int) -> None:
        from reconciler.ledger.run import Settlement

        skipped = [Settlement(self.numbers[o.step], o.status) for o in outcomes if o.status is Status.SKIPPED]
        counts = count_outcomes(outcomes)
        is_whole = counts.get(Status.APPLIED, 0) == sum(counts.values()) and not (
            self.work.unmade or self.work.refusals or self.work.unproven
        )
        with self.mutex:
            self._write_ends()
        self.ledger.settle(self.run, skipped)
        records, things_gone = (
            self.books.close(outcomes, self.work.proposal.as_declared) if self.work.ownership is None else self.books.close_undo()
        )
        app_id, name = self.session.here.app_id, self.work.whole.name
        self.ledger.record(app_id, name, records, things_gone)
        self.ledger.disprove(app_id, name, self.work.proposal.doubts.disproved)
        self.ledger.end(self.run, 128 + signum if signum else 0 if is_whole else 5, counts)

    def refuse(self) -> None:
        """Record that the run ended before its first write."""
        with suppress(ReconcilerError):
            self.ledger.end(self.run, Refused.exit_code, {})


def _head(session: Session, work: Work) -> RunHead:
    verb = "undo" if work.proposal.plan.undoes else "apply"
    return replace(head_of(session, work.whole, verb), plan_digest=work.digest)


def head_of(session: Session, manifest: Manifest, verb: str) -> RunHead:
    """What is known of a run when it starts."""
    assert session.ledger is not None
    ground = ground_of(session.ledger, session.checkout)
    repository = ground.repository
    from reconciler.ledger.run import RunHead
    from reconciler.manifest.repository import head

    return RunHead(
        app_id=session.here.app_id,
        region=session.here.region,
        name=manifest.name,
        manifest_digest=manifest.digest,
        plan_digest="",
        verb=verb,
        who=session.who,
        revision=session.checkout.revision if session.checkout else head(),
        files=[path_of(ground.name_file(name)) for name in manifest.files],
        policy=manifest.policy.model_dump(mode="json"),
        remote=repository.address if repository else None,
        first_commit=repository.first if repository else None,
    )
