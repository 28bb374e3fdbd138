"""Apply: hold a saved plan against a fresh look, make the calls, record what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from functools import partial

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.drift import keep_drift
from reconciler.core.compare.merge import Carriers, join_carriers
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import WAITING
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.privacy import show_address
from reconciler.core.plan.again import choose_reads, read_touches
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, check_refusals, govern, refuse
from reconciler.core.plan.calls import ACTOR, Job
from reconciler.core.plan.document import discreet
from reconciler.core.plan.due import hold_to_planned
from reconciler.core.plan.explained import leave_rest
from reconciler.core.plan.gates import Approval, hold_to_pin, list_standing
from reconciler.core.plan.order import Step
from reconciler.core.plan.plan import Plan, make_plan
from reconciler.core.plan.saved import list_touched, read_ids, read_scope, subject_in
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import narrow
from reconciler.core.plan.side_by_side import Unlike, compare_with_now
from reconciler.core.plan.touched import Agreement
from reconciler.core.plan.work import StalePlan, Work, hold_work
from reconciler.errors import ReconcilerError
from reconciler.execute import execute
from reconciler.workflow import preimages as imaging
from reconciler.workflow.merge import LastLook, with_members
from reconciler.workflow.observe import add_uses, look
from reconciler.workflow.plan import propose
from reconciler.workflow.planfile import planned_pin
from reconciler.workflow.recall import recall
from reconciler.workflow.record import Recorder, recording, signal_of
from reconciler.workflow.retiring import with_carriers
from reconciler.workflow.ruling import Beside
from reconciler.workflow.session import Session


def prepare(session: Session, saved_plan: PlanDocument, manifest: Manifest, approvals: Approvals = NO_APPROVALS) -> Work:
    """A saved plan held against a fresh look at what it touches.

    Raises Refused (3) for another workspace or a plan that a gate refused, Stale (4) when the manifest or the workspace moved.
    """
    if session.memory and not session.memory.check(session.now(), session.runs):
        session = replace(session, memory=None)
    refuse(hold_to_pin(planned_pin(saved_plan), session.here))
    if manifest.digest != saved_plan["manifest"]["digest"]:
        text = "the manifest is not the one that was planned, or a variable in it has another value; plan again"
        raise StalePlan(text, _compare_manifest(session, saved_plan, manifest, approvals))
    manifest, _, refusals = govern(manifest, approvals)
    standing = check_refusals(saved_plan, manifest, approvals, session.now(), refusals)
    plan, comparison, carriers = _plan_again(session, saved_plan, manifest, approvals.valid(manifest, session.now()))
    work = hold_work(saved_plan, (plan, comparison), manifest, approvals, standing, session.context)
    return replace(work, carriers=carriers)


def _compare_manifest(session: Session, saved_plan: PlanDocument, manifest: Manifest, approvals: Approvals) -> tuple[Unlike, ...]:
    """A saved plan against that of another manifest; nothing where it cannot be made, or is no plan of the whole way to that manifest."""
    if saved_plan.get("moved") or saved_plan.get("rules") or "rest" in saved_plan:
        return ()
    with suppress(ReconcilerError):
        now = propose(session, manifest, read_scope(saved_plan), approvals).plan
        return compare_with_now(session.kinds, saved_plan, now)
    return ()


def _plan_again(
    session: Session, saved_plan: PlanDocument, manifest: Manifest, approvals: Sequence[Approval]
) -> tuple[Plan, Comparison, Carriers]:
    """A fresh plan of what a saved one touches, each thing seen as surely as its changes ask for; and who carries what goes."""
    app_id = session.here.app_id
    notes = [*(note for note in saved_plan["notes"] if note["topic"] == WAITING), *saved_plan.get("unproven", ())]
    late = {address for note in notes if (address := note["address"])}
    names = list_touched(saved_plan) | late
    part = narrow(session.kinds, manifest, lambda a: show_address(a, app_id) in names)
    addresses = {name: a for a in part.resources if (name := show_address(a, app_id)) in names}
    scope = replace(read_scope(saved_plan), entries=frozenset(addresses.values()) if "rest" in saved_plan else None)
    certain = choose_reads(
        session.kinds, part, read_touches(saved_plan["changes"], addresses), fresh=session.context.strong_reads is not None
    )
    certain = replace(certain, things=certain.things | {addresses[name] for name in late & addresses.keys()})
    agreement = Agreement(approvals, frozenset(map(subject_in, saved_plan["changes"])))
    recorded = recall(session, manifest, approvals)
    days = saved_plan.get("rules", {})
    beside = Beside(frozenset(a for a in manifest.rules if str(a) in days), days, bool(saved_plan.get("retry")), writes=True)
    comparison = look(session, part, recorded, certain, whole=not scope.target, agreement=agreement, beside=beside)
    comparison = hold_to_planned(comparison, saved_plan)
    comparison = leave_rest(keep_drift(comparison, session.now()) if saved_plan.get("moved") else comparison, saved_plan)
    comparison, carriers = with_members(session, comparison, retry=beside.retry)
    if session.ledger and not saved_plan.get("moved"):
        comparison = with_carriers(session, comparison, {**read_ids(saved_plan, manifest, app_id), **comparison.live.pairs}, scope)
    sources, changes_then = {change["address"] for change in saved_plan["changes"]}, comparison.difference.changes
    # Who carries what gets another name is shown, and no gate rests on it.
    indexes = {i for i, c in enumerate(changes_then) if c.action is not Action.RENAME and show_address(c.address, app_id) in sources}
    ours, rest = (tuple(c for i, c in enumerate(changes_then) if (i in indexes) is mine) for mine in (True, False))
    carriers = {**imaging.read_kept(session, ours, carriers), **carriers}
    changes = (*add_uses(session, comparison.live, replace(comparison.difference, changes=ours), carriers).changes, *rest)
    comparison = replace(comparison, difference=replace(comparison.difference, changes=changes))
    return make_plan(comparison, replace(scope, only=frozenset(sources)), session.client.version), comparison, carriers


def carry_out(
    session: Session, work: Work, stop: threading.Event, on_start: Callable[[Change], None] = lambda change: None
) -> Generator[Outcome]:
    """Make the calls, yield what becomes of each change, and record intent and outcome of every write, and all that is as declared.

    `on_start` is told of a change just before its calls are made, from the thread that makes them. Raises Refused (3) where what is
    about to be destroyed cannot be kept, or is more than a gate was told.
    """
    from reconciler.intercom.perform import Performer

    steps, wait = list(work.proposal.plan.steps), session.client.sleep or stop.wait
    resources, recorded = work.proposal.manifest.resources, work.proposal.comparison.recorded
    settings = (work.ids, wait, session.client.monotonic, recorded.is_stranger, recorded.may_be_woken)
    performer, room = Performer(session.client, session.kinds, steps, resources, *settings), session.client.limiter.room
    carriers = imaging.read_kept(session, work.proposal.plan.changes, work.carriers)
    more = list_standing(imaging.unforeseen(work, carriers), work.approved)
    refuse(work.approvals.explain(more, work.whole, session.now()))
    recorder, run = recording(session, work, carriers)
    perform_recorded = performer.perform if recorder is None else partial(recorder.around, performer.perform)
    keep = partial(_keep_more, session, work, (recorder, run), carriers, steps)
    last = LastLook(session, work.proposal.comparison, steps, perform_recorded, keep, wait)

    def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        for i in job.covers:
            on_start(steps[i].change)
        return [discreet(session.kinds[o.change.address.kind], o) for o in last.perform_job(job, ids)]

    outcomes, settling = list[Outcome](), list[Outcome]()
    run_jobs = execute(work.jobs, steps, perform, {**work.ids, ACTOR: session.admin_id}, room, stop)
    with recorder.stopped_by(stop) if recorder else nullcontext(), closing(run_jobs) as ends:
        for outcome in ends:
            outcomes.append(outcome)
            if outcome.settling:
                settling.append(outcome)
            else:
                yield outcome
        late = {o.step: o for o in performer.settle(settling)} if not stop.is_set() else {}
    yield from (late.get(o.step, o) for o in settling)
    if recorder:
        recorder.end(outcomes, signal_of(stop))


def _keep_more(
    session: Session, work: Work, record: tuple[Recorder | None, str], carriers: Carriers, steps: Sequence[Step], first: int, more: Carriers
) -> None:
    """Keep what the steps that came to the plan, from a position on, are about to do, and who carries by now what goes."""
    recorder, run = record
    plan = replace(work.proposal.plan, steps=tuple(steps))
    imaging.keep(session, replace(work, proposal=replace(work.proposal, plan=plan)), run, join_carriers(carriers, more))
    if recorder:
        recorder.add(steps[first:])
