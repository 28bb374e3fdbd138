"""Undo: an ordinary plan that takes a run back, made from what was kept before its first write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.diff import diff
from reconciler.core.compare.hints import Hints
from reconciler.core.compare.reads import Certain
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.model.past import WRITING, Run
from reconciler.core.model.policy import KEYS
from reconciler.core.model.record import Thing
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, check_refusals, govern, hold_to_approvals, refuse
from reconciler.core.plan.gates import hold_to_pin
from reconciler.core.plan.plan import make_plan
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import EVERYTHING, Scope
from reconciler.core.plan.side_by_side import compare_with_now
from reconciler.core.plan.work import Proposal, StalePlan, Work, hold_work
from reconciler.core.undo import turn as core
from reconciler.core.undo.draft import LOST, Carried
from reconciler.core.undo.facts import UNKNOWN, Effect, Fact, judge_effect, list_made, list_questions, list_typing, read_done
from reconciler.core.undo.preimage import KEPT, Preimage
from reconciler.core.undo.turn import Undo, list_moved, list_unreadable, name_change
from reconciler.errors import Stale, Usage
from reconciler.workflow import preimages as imaging
from reconciler.workflow.observe import add_uses
from reconciler.workflow.planfile import planned_pin
from reconciler.workflow.recall import recall
from reconciler.workflow.session import Session

LAST = "last"


def run_meant(session: Session, word: str, name: str | None) -> str:
    """The id of the run that `word` means. `last` is the newest run of this workspace, and under `name` if one is given, that had something
    to write. Raises Usage where there is none."""
    if word != LAST:
        return word
    if session.ledger is None:
        now = "name one: the files in .reconciler/images/ are called after their runs"
        raise Usage(f"there is no ledger that could say which run was the last; {now}")
    plain = session.ledger.digests.plain(name) if name else None
    for run in session.ledger.runs():
        if run.verb in WRITING and run.workspace.app_id == session.here.app_id and plain in (None, run.name) and _wrote(run):
            return run.run
    of = f" under `name: {name}`" if name else ""
    raise Usage(f"nothing was written to the workspace {session.here.app_id}{of} yet: there is nothing to undo")


def _wrote(run: Run) -> bool:
    """Whether it had something to write, as far as it got to say so."""
    return run.ended is None or any(run.counts.values())


def propose_undo(session: Session, run: str, approvals: Approvals = NO_APPROVALS) -> Proposal:
    """A plan that takes a run back. Reads only. Raises Usage where nothing is known of the run, or a key is given that does not open what
    was encrypted, Refused for another workspace."""
    preimage, facts = _past(session, run, imaging.find(session, run))
    undo, comparison = _turn_around(session, preimage, facts, approvals)
    plan = replace(make_plan(comparison, EVERYTHING, session.client.version), undoes=run)
    if undo.unreadable and preimage.keys:
        plan = replace(plan, notes=(Note(LOST, f"a part of it is {_say_encrypted(preimage)}"), *plan.notes))
    return Proposal(hold_to_approvals(plan, comparison, approvals, session.context), comparison)


def prepare_undo(session: Session, saved_plan: PlanDocument, approvals: Approvals = NO_APPROVALS) -> Work:
    """A saved plan that takes a run back, held against a fresh look at it. Raises Refused (3), Stale (4), and Usage for a key
    that is needed and does not open what was encrypted."""
    refuse(hold_to_pin(planned_pin(saved_plan), session.here))
    run = saved_plan["run"]
    preimage_kept = imaging.find(session, run)
    try:
        preimage, facts = _past(session, run, preimage_kept)
    except Usage as error:
        raise Stale(f"{error}") from None
    undo, comparison = _turn_around(session, preimage, facts, approvals)
    if list_unreadable(saved_plan, undo.unreadable, session.here.app_id):
        why = f"is {_say_encrypted(preimage)}" if preimage.keys else "lies on the machine of that run: apply it there"
        raise Usage(f"this plan was made where all that the run destroyed could be read, and a part of it {why}")
    refusals = check_refusals(saved_plan, undo.manifest, approvals, session.now())
    scope = Scope(only=frozenset(change["address"] for change in saved_plan["changes"]))
    plan = replace(make_plan(comparison, scope, session.client.version), undoes=run)
    if lines := list_moved(saved_plan, undo.skipped, session.here.app_id):
        text = "the workspace is not as it was when this was planned; plan again:\n  " + "\n  ".join(lines[:20])
        raise StalePlan(text, compare_with_now(session.kinds, saved_plan, plan))
    return replace(hold_work(saved_plan, (plan, comparison), undo.manifest, approvals, refusals, session.context), ownership=undo.ownership)


def _say_encrypted(preimage: Preimage) -> str:
    from reconciler.ledger.sealing import KEY_FILE, name_keys

    return f"encrypted: the private key of {name_keys(preimage.keys)} is needed; give its file as {KEY_FILE}, and undo again"


def _past(session: Session, run: str, preimage: Preimage | None) -> tuple[Preimage, Sequence[Fact]]:
    """What was kept of a run, if that is still there, and what became of it. Raises Usage."""
    runs = {past.run: past for past in session.ledger.runs()} if session.ledger else {}
    if preimage is None and run not in runs:
        raise Usage(f"no such run: {run:.60}; `reconciler history` lists them")
    rows = session.ledger.read_done(run) if session.ledger and run in runs else []
    if preimage is None and not rows and runs[run].started > session.now() - KEPT:
        raise Usage(f"the run {run} wrote nothing that is known: there is nothing to undo")
    if preimage is None or (run in runs and len(rows) > len(preimage.kept_changes)):
        raise Usage(f"nothing is kept (any more) of what the run {run} destroyed: pre-images are kept for thirty days")
    if not rows:
        return preimage, [UNKNOWN] * len(preimage.kept_changes)
    # What was kept last, and never planned, was not done.
    facts = [Fact(judge_effect(row), row.id) for row in rows]
    return preimage, [*facts, *[Fact(Effect.NOT)] * (len(preimage.kept_changes) - len(rows))]


def _turn_around(session: Session, preimage: Preimage, facts: Sequence[Fact], approvals: Approvals) -> tuple[Undo, Comparison]:
    """What a run did, turned around and compared with what is live now, every thing of it read by its id."""
    from reconciler.intercom.observe import Observer

    kept_changes = read_done(preimage, facts)
    questions, also = list_questions(session.kinds, preimage, kept_changes)
    refuse(hold_to_pin(questions.pin, session.here))
    observer = Observer(session.client, session.kinds, session.tick)
    hints = Hints(also=also, every=list_typing(session.kinds, kept_changes))
    live = observer.observe(questions, session.here, session.window, hints, Certain(frozenset(questions.resources)))
    recorded = recall(session, questions)
    undo = core.plan_undo(
        session.kinds, preimage, kept_changes, live, recorded, _read_carriers(session, list_made(session.kinds, kept_changes, live))
    )
    # Of what the run was held to and what rules now the stricter counts; nobody could correct the former.
    manifest, _, _ = govern(_with_keys(session, undo.manifest, preimage), approvals)
    undo = replace(undo, manifest=manifest)
    difference = add_uses(session, undo.live, diff(session.kinds, manifest, undo.live))
    changes = tuple(name_change(change, undo.live) for change in difference.changes)
    return undo, Comparison(session.kinds, manifest, undo.live, replace(difference, changes=changes), recorded)


def _with_keys(session: Session, manifest: Manifest, preimage: Preimage) -> Manifest:
    """The manifest of an undo, which encrypts what it destroys to the keys of today: those of the last apply under its name."""
    last = session.ledger.read_undo_keys(preimage.app_id, preimage.name) if session.ledger else None
    return replace(manifest, policy=manifest.policy.model_copy(update={KEYS: preimage.keys if last is None else last}))


def _read_carriers(session: Session, things: Sequence[Thing]) -> Mapping[Thing, Carried]:
    """Who carries what would be deleted; None for all of it where that cannot be read with this token."""
    from reconciler.intercom.http.errors import HttpError
    from reconciler.intercom.uses import UNREADABLE, read_carriers

    try:
        carriers = read_carriers(session.client, session.kinds, things) if things else {}
    except HttpError as error:
        if error.status not in UNREADABLE:
            raise
        return dict.fromkeys(things)
    return {thing: frozenset().union(*carriers.get(thing, {}).values()) for thing in things}
