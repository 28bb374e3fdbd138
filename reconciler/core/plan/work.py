"""Work: what is left to do of a saved plan, by a fresh plan of the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from reconciler.core.compare.comparison import Comparison, as_declared
from reconciler.core.compare.doubt import Doubts
from reconciler.core.compare.merge import Carriers
from reconciler.core.compare.ruled import DUE
from reconciler.core.compare.since import find_owned_detaches
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import show_address
from reconciler.core.model.recorded import Ownership
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, approvals_of, over_calls, refuse
from reconciler.core.plan.calls import Job, compile_steps
from reconciler.core.plan.cost import reads_of
from reconciler.core.plan.gates import Approval, list_held, list_standing, list_stopping
from reconciler.core.plan.naming import unsure
from reconciler.core.plan.order import keep
from reconciler.core.plan.plan import Context, Plan, without_entries
from reconciler.core.plan.saved import Verdict, hold, read_doubts, read_ids, read_refusals, subject_in
from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.core.plan.side_by_side import Unlike, compare_with_now
from reconciler.core.plan.touched import Subject, subject_of
from reconciler.errors import Stale


class StalePlan(Stale):
    """A saved plan that is another one now; `unlike` is what it was, as it was reviewed, against what it would be."""

    def __init__(self, text: str, unlike: Sequence[Unlike]) -> None:
        self.unlike = tuple(unlike)
        super().__init__(text)


@dataclass(frozen=True)
class Proposal:
    """A plan with what it came from."""

    # What would be done.
    plan: Plan
    # What it came from.
    comparison: Comparison
    # The live ids of all that is as it is declared.
    as_declared: Mapping[Address, str] = field(default_factory=dict)
    # What the ledger is wrong about.
    doubts: Doubts = Doubts()

    @property
    def rules(self) -> Mapping[str, str | None]:
        """The rules that were read and are carried out by this plan, by what their people have, with the day that was today for them."""
        members = {a: m for a, m in self.comparison.live.members.items() if a in self.plan.rule_targets}
        return {str(address): m.day.isoformat() if m.day else None for address, m in sorted(members.items())}

    @property
    def manifest(self) -> Manifest:
        return self.comparison.manifest

    @property
    def live(self) -> Snapshot:
        return self.comparison.live


@dataclass(frozen=True)
class Work:
    """What is about to be carried out."""

    # The plan, and what it came from.
    proposal: Proposal
    # The calls, in the order of the steps.
    jobs: tuple[Job, ...]
    # The manifest, of which the plan may touch a part.
    whole: Manifest
    # Creates that were planned and cannot be made now.
    unmade: tuple[Subject, ...] = ()
    # The saved plan's own digest.
    digest: str = ""
    # The live ids that are known by now.
    ids: Mapping[Address, str] = field(default_factory=dict)
    # What an undo brings back that was ours.
    ownership: Ownership | None = None
    # The rules that it is held to.
    approvals: Approvals = NO_APPROVALS
    # What people approved of it.
    approved: tuple[Approval, ...] = ()
    # What to say of approvals that cover nothing in it.
    warnings: tuple[str, ...] = ()
    # Why entries are left out of it, where the policy lets the rest pass.
    refusals: tuple[Refusal, ...] = ()
    # What stays unproven or undone beside it.
    unproven: tuple[Note, ...] = ()
    # What only waits beside it.
    waiting: tuple[Note, ...] = ()
    # Who carries what it deletes, as far as that was read already.
    carriers: Carriers = field(default_factory=dict)

    @property
    def due(self) -> tuple[Note, ...]:
        """The people whom the rules that it carries out leave for later."""
        return tuple(note for note in self.proposal.plan.notes if note.topic == DUE)


class _Parted(NamedTuple):
    """The part of a plan that the policy holds back while the rest is applied."""

    # Why it does.
    refusals: tuple[Refusal, ...] = ()
    # The planned changes that are left out.
    unmade: tuple[Subject, ...] = ()


def hold_work(
    saved_plan: PlanDocument,
    fresh: tuple[Plan, Comparison],
    whole: Manifest,
    approvals: Approvals,
    refusals: Sequence[Refusal],
    context: Context,
) -> Work:
    """What is left to do of a saved plan, a fresh one being what it would be now.

    `refusals` are what already refused the plan when it was made. Raises Refused (3), Stale (4).

    """
    approvals_used = approvals_of(saved_plan, fresh[0], whole, approvals, context.now)
    warnings = _list_unused(saved_plan, fresh, approvals)
    saved_plan, plan, part = _part(saved_plan, fresh, whole, approvals_used, context)
    comparison = fresh[1]
    verdict = hold(saved_plan, plan.steps, comparison.manifest, comparison.live)
    # What is in doubt does not make the plan stale: nobody can say what became of it.
    doubts = [r for r in plan.refusals if not r.approve and not comparison.live.withheld.isdisjoint(r.entries)]
    refuse(list_stopping(doubts, whole.policy))
    # Where nothing is left to do, no approval is needed: a plan that was carried out is simply done.
    refuse(refusals if verdict.keep or verdict.stale or verdict.unmade or not saved_plan["changes"] else (), warnings)
    if verdict.stale:
        text = "the workspace is not as it was when this was planned; plan again:\n  " + "\n  ".join(verdict.stale[:20])
        raise StalePlan(text, compare_with_now(comparison.kinds, saved_plan, plan))
    refuse(approvals.explain(list_stopping(list_standing(plan.refusals, approvals_used), whole.policy), whole, context.now), warnings)
    work = _compile(saved_plan, (plan, comparison), whole, approvals, verdict, context)
    rest = replace(
        work, approvals=approvals, approved=approvals_used, warnings=warnings, refusals=part.refusals, unmade=(*work.unmade, *part.unmade)
    )
    return replace(rest, unproven=_list_unproven(saved_plan, plan, comparison, whole), waiting=plan.waiting)


def _list_unused(saved_plan: PlanDocument, fresh: tuple[Plan, Comparison], approvals: Approvals) -> tuple[str, ...]:
    """What to say of approvals that match no refusal of the saved plan, neither then nor now."""
    plan, comparison = fresh
    if not plan.undoes and any(find_owned_detaches(comparison.manifest, plan.changes)):
        # It may be the approval under which these were planned; the plan does not keep that one.
        return ()
    then = (*saved_plan.get("approved", ()), *(refusal.approve for refusal in read_refusals(saved_plan)))
    return approvals.warn_unused((*then, *(refusal.approve for refusal in plan.refusals)))


def _part(
    saved_plan: PlanDocument, fresh: tuple[Plan, Comparison], manifest: Manifest, consents: Sequence[Approval], context: Context
) -> tuple[PlanDocument, Plan, _Parted]:
    """A saved plan and a fresh one without the entries that are refused, then or now, where the policy holds back only these."""
    (plan, comparison), app_id = fresh, fresh[1].live.workspace.app_id
    now = list_held(list_standing(plan.refusals, consents), manifest.policy)
    # What was left out when it was planned stays out, whatever was approved since.
    refusals = read_refusals(saved_plan) if saved_plan.get("held") else list_standing(read_refusals(saved_plan), consents)
    then = list_held(refusals, manifest.policy)
    refused_now = {show_address(entry, app_id) for r in now for entry in r.entries}
    names = refused_now | {str(entry) for r in then for entry in r.entries}
    if not names:
        return saved_plan, plan, _Parted()
    rest = without_entries(comparison, plan, lambda address: show_address(address, app_id) in names, context.version)
    out = {subject_of(change, app_id) for change in plan.changes} - {subject_of(change, app_id) for change in rest.changes}
    outside, inside = list[ChangeDocument](), list[ChangeDocument]()
    for change in saved_plan["changes"]:
        subject = subject_in(change)
        (inside if names.isdisjoint(subject[1:]) and subject not in out else outside).append(change)
    refused = (*now, *(r for r in then if refused_now.isdisjoint(map(str, r.entries))))
    return {**saved_plan, "changes": inside}, rest, _Parted(refused, tuple(map(subject_in, outside)))


def _compile(
    saved_plan: PlanDocument, fresh: tuple[Plan, Comparison], whole: Manifest, approvals: Approvals, verdict: Verdict, context: Context
) -> Work:
    """The steps that are left, as calls. Raises Refused (3) where these are more than the rules allow."""
    plan, comparison = fresh
    steps = keep(plan.steps, verdict.keep)
    jobs = compile_steps(comparison.kinds, steps, context.version, unsure(comparison.kinds, steps, comparison.live, comparison.recorded))
    refuse(over_calls(approvals, sum(context.sent.values()) + sum(len(job.calls) for job in jobs)))
    plan = replace(plan, steps=steps, jobs=jobs)
    plan = replace(plan, reads=reads_of(plan, comparison, context))
    proposal = Proposal(plan, comparison, read_ids(saved_plan, whole, comparison.live.workspace.app_id), read_doubts(saved_plan))
    natural = {thing.address: thing.id for things in comparison.live.things.values() for thing in things.values()}
    return Work(proposal, jobs, whole, verdict.unmade, saved_plan.get("seal", ""), {**natural, **comparison.live.pairs})


def _list_unproven(saved_plan: PlanDocument, plan: Plan, comparison: Comparison, whole: Manifest) -> tuple[Note, ...]:
    """What is unproven besides a saved plan: what is so now, and what was so when it was made and has not become as declared since."""
    app_id = comparison.live.workspace.app_id
    now = {show_address(note.address, app_id): note for note in plan.unproven if note.address}
    tombstones = (address for address, r in comparison.manifest.resources.items() if r.is_gone and address not in comparison.live.pairs)
    names_done = {show_address(address, app_id) for address in (*as_declared(comparison), *tombstones)}
    names = {show_address(address, app_id): address for address in whole.resources}
    then = [u for u in saved_plan.get("unproven", ()) if u["address"] not in now and u["address"] not in names_done]
    notes = tuple(Note("unproven", u["reason"], names.get(u["address"] or ""), is_open=True) for u in then)
    return (*now.values(), *notes)


def refuse_whole(proposal: Proposal) -> None:
    """Raises Refused where a plan is refused as a whole, not where its policy holds back single entries."""
    refuse(list_stopping(proposal.plan.refusals, proposal.manifest.policy))
