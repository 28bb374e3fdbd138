"""Apply: hold a saved plan against a fresh look, make the calls, record what became of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from reconciler.core.compare.comparison import Comparison
from reconciler.core.model.address import Address
from reconciler.core.model.change import Change
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import WAITING
from reconciler.core.model.note import Note
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.privacy import shown
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.approvals import NO_RULES, Rules, govern, over_calls
from reconciler.core.plan.calls import Job, compile_steps
from reconciler.core.plan.document import Document, discreet
from reconciler.core.plan.gates import Approval, held, pinned, standing, stopping
from reconciler.core.plan.naming import unsure
from reconciler.core.plan.order import keep
from reconciler.core.plan.plan import Plan, make_plan, without_entries
from reconciler.core.plan.saved import Held, doubted, hold, touched
from reconciler.core.plan.scope import Scope, narrow
from reconciler.errors import Refused, Stale
from reconciler.execute import execute
from reconciler.workflow import preimages as imaging
from reconciler.workflow.observe import as_declared, compare, counted, moved, observe
from reconciler.workflow.plan import reads
from reconciler.workflow.planfile import planned_pin
from reconciler.workflow.recall import recall
from reconciler.workflow.record import recording, signal_of
from reconciler.workflow.session import Proposal, Session, Work
from reconciler.workflow.since import Agreed, subject


def prepare(session: Session, found: Document, manifest: Manifest, rules: Rules = NO_RULES) -> Work:
    """A saved plan held against a fresh look at what it touches.

    Raises Refused (3) for another workspace or a plan that a gate refused, Stale (4) when the manifest or the workspace moved.
    """
    refuse(pinned(planned_pin(found), session.here))
    if manifest.digest != found["manifest"]["digest"]:
        raise Stale("the manifest is not the one that was planned; plan again")
    manifest, _, loosened = govern(manifest, rules)
    refused = check_refusals(session, found, manifest, rules, loosened)
    made, case = _look_again(session, found, manifest, rules.approvals(manifest, session.now()))
    return held_to(session, found, (made, case), manifest, rules, refused)


def check_refusals(session: Session, found: Document, manifest: Manifest, rules: Rules, loosened: Sequence[Refusal]) -> tuple[Refusal, ...]:
    """What already refused the plan when it was made, and is not approved. Raises Refused where no approval can lift it."""
    now = session.now()
    kept = stopping(standing(refusals_of(found), rules.approvals(manifest, now)), manifest.policy)
    left = (*loosened, *rules.explained(kept, manifest, now))
    if not all(refusal.approve for refusal in left):
        refuse(left)
    return left


def held_to(
    session: Session, found: Document, fresh: tuple[Plan, Comparison], whole: Manifest, rules: Rules, refused: Sequence[Refusal]
) -> Work:
    """What is left to do of a saved plan, a fresh one being what it would be now. Raises Refused, Stale."""
    approved = _approved(session, found, fresh[0], whole, rules)
    found, made, parted = _parted(session, found, fresh, whole, approved)
    case = fresh[1]
    held = hold(found, made.steps, case.manifest, case.live)
    # Of what is in doubt the plan is not stale: nobody can say what became of it.
    doubts = [r for r in made.refused if not r.approve and not case.live.withheld.isdisjoint(r.entries)]
    refuse(stopping(doubts, whole.policy))
    # What an approval would lift is lifted too where nothing is left to do: a plan that was carried out is simply done.
    refuse(refused if held.keep or held.stale or held.unmade or not found["changes"] else ())
    if held.stale:
        raise Stale("the workspace is not as it was when this was planned; plan again:\n  " + "\n  ".join(held.stale[:20]))
    refuse(rules.explained(stopping(standing(made.refused, approved), whole.policy), whole, session.now()))
    work = _compiled(session, found, (made, case), whole, rules, held)
    left = replace(work, approved=approved, refused=parted.refused, unmade=(*work.unmade, *parted.unmade))
    return replace(left, unproven=_unproven(found, made, case, whole, session.here.app_id), waiting=made.waiting)


def _unproven(found: Document, made: Plan, case: Comparison, whole: Manifest, app_id: str) -> tuple[Note, ...]:
    """What is unproven beside a saved plan: what is so now, and what was so when it was made and is not as declared since."""
    now = {shown(note.address, app_id): note for note in made.unproven if note.address}
    done = {shown(address, app_id) for address in as_declared(case)} | {
        shown(a, app_id) for a, r in case.manifest.resources.items() if r.gone and a not in case.live.pairs
    }
    names = {shown(address, app_id): address for address in whole.resources}
    then = [u for u in found.get("unproven", ()) if u["address"] not in now and u["address"] not in done]
    kept = tuple(Note("unproven", u["reason"], names.get(u["address"]), held=True) for u in then)
    return (*now.values(), *kept)


class _Parted(NamedTuple):
    """What the policy holds of a plan whose rest is applied: why, and which planned changes."""

    refused: tuple[Refusal, ...] = ()
    unmade: tuple[str, ...] = ()


def _parted(
    session: Session, found: Document, fresh: tuple[Plan, Comparison], manifest: Manifest, approved: Sequence[Approval]
) -> tuple[Document, Plan, _Parted]:
    """A saved plan and a fresh one without what is refused for single entries, then or now, where the policy holds only that."""
    (made, case), app_id = fresh, session.here.app_id
    now = held(standing(made.refused, approved), manifest.policy)
    # What was left out when it was planned is not in the plan, whatever is approved since.
    known = refusals_of(found) if found.get("held") else standing(refusals_of(found), approved)
    then = held(known, manifest.policy)
    told = {shown(entry, app_id) for r in now for entry in r.entries}
    names = told | {str(entry) for r in then for entry in r.entries}
    if not names:
        return found, made, _Parted()
    rest = without_entries(case, made, lambda address: shown(address, app_id) in names, session.client.version)
    out = {subject(change, app_id) for change in made.changes} - {subject(change, app_id) for change in rest.changes}
    left, kept = list[Document](), list[Document]()
    for change in found["changes"]:
        ends = change["address"], change["target"]
        (kept if names.isdisjoint(ends) and (change["action"], *ends) not in out else left).append(change)
    refused = (*now, *(r for r in then if told.isdisjoint(map(str, r.entries))))
    return {**found, "changes": kept}, rest, _Parted(refused, tuple(f"{c['action']} {c['address']}" for c in left))


def refusals_of(found: Document) -> tuple[Refusal, ...]:
    """What a saved plan was refused for; its entries stand there as they are shown."""
    return tuple(
        Refusal(r["gate"], r["message"], r["approve"], entries=tuple(Address(*name.split("/", 1)) for name in r.get("entries", ())))
        for r in found["refused"]
    )


def _approved(session: Session, found: Document, made: Plan, manifest: Manifest, rules: Rules) -> tuple[Approval, ...]:
    """What counts as approved: what is left of an approved plan is approved with it, but for more people than were approved."""
    approvals = rules.approvals(manifest, session.now())
    written = (*found.get("approved", ()), *(r["approve"] for r in found["refused"] if r["approve"]))
    words = {word.partition(":")[0] for word in written}
    granted = tuple(Approval(f"{r.approve}".partition(":")[0], a.people) for r in made.refused for a in approvals if a.hash in words)
    return (*approvals, *granted)


def _compiled(session: Session, found: Document, fresh: tuple[Plan, Comparison], whole: Manifest, rules: Rules, held: Held) -> Work:
    made, case = fresh
    steps = keep(made.steps, held.keep)
    jobs = compile_steps(session.kinds, steps, session.client.version, unsure(session.kinds, steps, case.live))
    refuse(over_calls(rules, session.client.sent.total() + sum(len(job.calls) for job in jobs)))
    unmade = tuple(f"{h.action} {h.address}" for h in held.unmade)
    made = replace(made, steps=steps, jobs=jobs)
    planned = Proposal(replace(made, reads=reads(session, made, case)), case, _found(found, whole, session.here.app_id), doubted(found))
    natural = {thing.address: thing.id for things in case.live.things.values() for thing in things.values()}
    return Work(planned, jobs, whole, unmade, found.get("seal", ""), {**natural, **case.live.pairs})


def _found(found: Document, manifest: Manifest, app_id: str) -> Mapping[Address, str]:
    """The live ids of what was as declared when the plan was made."""
    ids = found.get("as_declared") or {}
    return {address: ids[name] for address in manifest.resources if (name := shown(address, app_id)) in ids} if ids else {}


def _look_again(session: Session, found: Document, manifest: Manifest, approvals: Sequence[Approval]) -> tuple[Plan, Comparison]:
    """A fresh plan of what a saved one touches, every thing read by its id."""
    app_id = session.here.app_id
    late = (note["address"] for note in found["notes"] if note["topic"] == WAITING)
    names = touched(found) | {*late, *(unproven["address"] for unproven in found.get("unproven", ()))}
    memory = recall(session, manifest, approvals)
    part = narrow(session.kinds, manifest, lambda a: shown(a, app_id) in names)
    live = observe(session, part, memory, frozenset(a for a in part.resources if shown(a, app_id) in names))
    target, exclude = (tuple(found.get("scope", {}).get(key, ())) for key in ("target", "exclude"))
    agreed = Agreed(approvals, frozenset((c["action"], c["address"], c["target"]) for c in found["changes"]))
    case = compare(session, part, live, memory, whole=not target, agreed=agreed, retry=bool(found.get("retry")))
    case = moved(case) if found.get("moved") else case
    sources = {change["address"] for change in found["changes"]}
    ours = tuple(change for change in case.difference.changes if shown(change.address, app_id) in sources)
    rest = tuple(change for change in case.difference.changes if shown(change.address, app_id) not in sources)
    changes = (*counted(session, live, replace(case.difference, changes=ours)).changes, *rest)
    case = replace(case, difference=replace(case.difference, changes=changes))
    return make_plan(case, Scope(target, exclude, frozenset(sources)), session.client.version), case


def refuse(refused: Iterable[Refusal]) -> None:
    """Raises Refused where there is a reason to."""
    told = [f"{refusal}{f' (--approve {refusal.approve})' if refusal.approve else ''}" for refusal in refused]
    if told:
        raise Refused(told)


def refuse_whole(planned: Proposal) -> None:
    """Raises Refused where a plan is refused as a whole; what its policy holds of it is left out."""
    refuse(stopping(planned.plan.refused, planned.manifest.policy))


def carry_out(
    session: Session, work: Work, stop: threading.Event, started: Callable[[Change], None] = lambda change: None
) -> Iterator[Outcome]:
    """Make the calls, yield what becomes of each change, and record intent and outcome of every write, and all that is as declared.

    `started` is told of a change just before its calls are made, from the thread that makes them. Raises Refused (3) where what is
    about to be destroyed cannot be kept, or is more than a gate was told.
    """
    from reconciler.intercom.perform import Performer

    steps, by_name = work.planned.plan.steps, {kind.name: kind for kind in session.kinds}
    resources, memory = work.planned.manifest.resources, work.planned.case.memory
    how = (stop.wait, session.client.monotonic, memory.is_stranger)
    performer = Performer(session.client, session.kinds, steps, resources, work.ids, *how)
    carried = imaging.carriers(session, work)
    refuse(standing(imaging.unforeseen(work, carried), work.approved))
    recorder = recording(session, work, carried)
    recorded = performer.perform if recorder is None else partial(recorder.around, performer.perform)
    stopping = nullcontext() if recorder is None else recorder.stopped_by(stop)

    def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        for i in job.covers:
            started(steps[i].change)
        return [discreet(by_name[o.change.address.kind], o) for o in recorded(job, ids)]

    told, settling = list[Outcome](), list[Outcome]()
    with stopping:
        for outcome in execute(work.jobs, steps, perform, work.ids, session.client.workers, stop.is_set):
            told.append(outcome)
            if outcome.settling:
                settling.append(outcome)
            else:
                yield outcome
        late = {o.step: o for o in performer.settle(settling)} if not stop.is_set() else {}
    yield from (late.get(o.step, o) for o in settling)
    if recorder:
        recorder.end(told, signal_of(stop))
