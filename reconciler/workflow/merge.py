"""Merging: whoever carries what goes into another thing gets that one first; right before the end it is looked at once more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.merge import (
    Carriers,
    count_left,
    describe_hold,
    describe_holders,
    find_moves,
    list_holders,
    list_members,
    list_merges,
    list_movable,
    move_members,
    refuse_merges,
)
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import LinkChange, ThingChange
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.calls import Job, compile_steps
from reconciler.core.plan.naming import unsure
from reconciler.core.plan.order import Step
from reconciler.errors import ReconcilerError
from reconciler.execute import Perform
from reconciler.workflow.session import Session

# So often somebody new may have come, since the last look, before it is left to the next run.
LOOKS = 5
# Seconds for which a search is given time to show what was done, and between two looks at it: how long it lags is not documented.
LAG, LOOK_EVERY = 30.0, 5.0


def with_members(session: Session, comparison: Comparison, *, retry: bool) -> tuple[Comparison, Carriers]:
    """The comparison with those moved who carry what goes into another thing, and who these are. What nobody can read is refused, and so is
    what Intercom did not take before unless that is tried again (`retry`)."""
    from reconciler.intercom.http.errors import HttpError
    from reconciler.intercom.uses import UNREADABLE

    merges = list_merges(comparison.difference.changes)
    if not merges:
        return comparison, {}
    if any(merge.also for merge in merges) and not session.admin_id:
        return refuse_merges(comparison, "the token names no admin, in whose name what `also` says is moved; use one that does"), {}
    session.tick("who is to be moved", 0)
    try:
        carriers = _read(session, comparison, merges)
        return move_members(comparison, carriers, retry=retry), carriers
    except HttpError as error:
        if error.status in UNREADABLE:
            now = "let the token read that"
            return refuse_merges(comparison, f"who carries it cannot be read ({error}), so nobody could be moved; {now}"), {}
        raise


def _read(session: Session, comparison: Comparison, merges: Sequence[ThingChange]) -> Carriers:
    from reconciler.intercom.uses import read_members

    return read_members(session.client, list_members(comparison, merges))


@dataclass
class LastLook:
    """What goes into another thing is deleted only when nobody is left behind: who came since is moved, too, and what holds it keeps it."""

    # What the calls are made with.
    session: Session
    # What was compared.
    comparison: Comparison
    # The steps of the plan, to which those for who came since are added.
    steps: list[Step]
    # Makes the calls of a job.
    perform: Perform
    # Keeps what the added steps are about to do, from that position on, with who carries what goes.
    keep: Callable[[int, Carriers], None]
    # Waits for so many seconds; true where a stop cut it short.
    wait: Callable[[float], object]
    # The links that were proved to be made, or undone: the kind of link, the id of its source, and its other end.
    proved: set[tuple[LinkName, str | None, Address]] = field(default_factory=set)
    # One at a time: they share the steps.
    lock: threading.Lock = field(default_factory=threading.Lock)

    def perform_job(self, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """What became of a job. Before it deletes what goes into another thing, who came since is moved."""
        change = self.steps[job.covers[0]].change
        if not (isinstance(change, ThingChange) and change.into):
            return self._note(self.perform(job, ids))
        moves = list[Outcome]()
        with self.lock:
            try:
                why = self._move_rest(change, ids, moves)
            except ReconcilerError as error:
                why = str(error)
            if why:
                return [*moves, Outcome(job.covers[0], change, Status.SKIPPED, f"not deleted: {why}")]
            return [*moves, *self.perform(job, ids)]

    def _move_rest(self, change: ThingChange, ids: Mapping[Address, str], moves: list[Outcome]) -> str:
        """Move who came since; the answer is why the thing stays, empty where it can go."""
        ends = self.session.client.monotonic() + LAG
        for _ in range(LOOKS):
            carriers, new = self._look(change)
            while not new and (remaining := count_left(self.comparison, change, carriers)):
                # Until a search shows what was done, it shows nothing of what others did since either.
                if self.session.client.monotonic() >= ends or self.wait(LOOK_EVERY):
                    return f"Intercom still finds {describe_holders(remaining)} with it, as its search lags; run again in some minutes"
                carriers, new = self._look(change)
            if not new:
                return self._read_hold(change)
            moves += self._move(new, carriers, ids)
            if failure := next((o for o in moves if o.status is not Status.APPLIED), None):
                return f"somebody who has it could not be moved ({failure.reason})"
        return "somebody new keeps getting it; run again"

    def _look(self, change: ThingChange) -> tuple[Carriers, Sequence[LinkChange]]:
        """Who carries what goes, and the moves that are still to be made."""
        carriers = _read(self.session, self.comparison, [change])
        moves = find_moves(self.comparison, change, carriers)
        return carriers, [move for move in moves if (move.link, move.id, move.target) not in self.proved]

    def _note(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Remember who was moved, as replies show it."""
        changes = (o.change for o in outcomes if o.status is Status.APPLIED and isinstance(o.change, LinkChange))
        self.proved.update((change.link, change.id, change.target) for change in changes if isinstance(change, LinkChange))
        return outcomes

    def _move(self, new: Sequence[LinkChange], carriers: Carriers, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        first, more = len(self.steps), [Step(change) for change in new]
        names = unsure(self.session.kinds, more, self.comparison.live, self.comparison.recorded)
        jobs = compile_steps(self.session.kinds, more, self.session.client.version, names)
        self.steps.extend(more)
        self.keep(first, carriers)
        all_jobs = [replace(job, covers=tuple(first + i for i in job.covers)) for job in jobs]
        return [outcome for job in all_jobs for outcome in self._note(self.perform(job, ids))]

    def _read_hold(self, change: ThingChange) -> str:
        from reconciler.intercom.uses import uses_of

        kinds = self.session.kinds
        # Who is moved does not hold it, however many these are.
        movable = dict.fromkeys(list_movable(kinds, change), frozenset[str]())
        holders = list_holders(kinds, change, uses_of(self.session.client, kinds[change.address.kind], str(change.id), movable))
        return describe_hold(kinds, change, holders)
