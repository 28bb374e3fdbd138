"""Plan: observe, compare, count, order, hold against the gates."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from reconciler.core.compare.comparison import Comparison, add_notes, as_declared
from reconciler.core.compare.counted import note_uncounted
from reconciler.core.compare.doubt import find_doubts
from reconciler.core.compare.drift import keep_drift, measure_drift
from reconciler.core.compare.merge import NO_CARRIERS, hold_back
from reconciler.core.model import globs
from reconciler.core.model.address import Address
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals, govern, hold_to_approvals
from reconciler.core.plan.document import MASKED, View, document
from reconciler.core.plan.due import keep_due, leave_due, leave_rules, list_targeted, note_rules
from reconciler.core.plan.explained import Explained, keep_explained
from reconciler.core.plan.gates import note_unpinned
from reconciler.core.plan.plan import Plan, count_blind, make_plan
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import EVERYTHING, Scope, list_concerned, narrow, note_unmatched
from reconciler.core.plan.touched import Agreement
from reconciler.core.plan.work import Proposal
from reconciler.kinds import KINDS
from reconciler.workflow.merge import with_members
from reconciler.workflow.observe import add_uses, look, renames, trace
from reconciler.workflow.recall import recall
from reconciler.workflow.retiring import with_retiring
from reconciler.workflow.ruling import Beside
from reconciler.workflow.session import Session
from reconciler.workflow.trails import follow


def propose(
    session: Session,
    manifest: Manifest,
    scope: Scope = EVERYTHING,
    approvals: Approvals = NO_APPROVALS,
    rules: Set[Address] = frozenset(),
) -> Proposal:
    """Observe, compare, count, order, hold against the gates. Reads only. `rules` are read beside those of the scope, and who came or went
    under them stays in the plan."""
    whole, (manifest, notes, refusals) = manifest, govern(manifest, approvals)
    scope = scope.among(manifest.resources)
    app_id = session.here.app_id
    addresses = list_targeted(manifest, scope, app_id)
    notes += note_rules(manifest, addresses)
    if scope.target:
        notes += note_unmatched(manifest, scope, app_id)
        manifest = narrow(session.kinds, manifest, lambda a: globs.matches(scope.target, globs.names(a, app_id), scope.exact))
    valid = approvals.valid(manifest, session.now())
    recorded = recall(session, manifest, valid)
    comparison = look(
        session, manifest, recorded, whole=not scope.target, agreement=Agreement(valid), beside=Beside(addresses | rules, retry=scope.retry)
    )
    comparison, others = (comparison, ()) if rules else _part_rules(comparison, scope)
    as_is, doubts = as_declared(comparison), find_doubts(session.kinds, comparison.manifest, comparison.live, recorded)
    comparison = keep_drift(comparison, session.now()) if scope.moved else comparison
    part = keep_explained(comparison, scope.since, whole, scope) if scope.since else Explained(comparison)
    comparison, scope = part.comparison, replace(scope, entries=part.entries)
    live = comparison.live
    live = replace(live, notes=(*notes, *note_unpinned(manifest, live), *live.notes), refusals=(*refusals, *live.refusals))
    comparison = _count(session, replace(comparison, live=live), scope)
    comparison = add_notes(comparison, renames(session, comparison))
    comparison = comparison if scope.moved else with_retiring(session, comparison, scope)
    plan = _add_rest(make_plan(comparison, scope, session.client.version), part.rest, others)
    if scope.moved:
        drift = replace(measure_drift(comparison), trails=follow(session, comparison))
        plan = replace(plan, drift=drift, notes=trace(session, comparison, plan.notes))
    plan = hold_to_approvals(plan, comparison, approvals, session.context)
    if plan.drift:
        plan = replace(plan, drift=replace(count_blind(plan.drift, plan.refusals), unproven=len(plan.unproven)))
    return Proposal(plan, comparison, as_is, doubts)


def _part_rules(comparison: Comparison, scope: Scope) -> tuple[Comparison, tuple[Change, ...]]:
    """The comparison with those changes of rules that the scope takes; and the changes that are left out for it and could be applied."""
    if scope.rules:
        return keep_due(comparison)
    return (leave_rules if scope.moved else leave_due)(comparison), ()


def _add_rest(plan: Plan, rest: Sequence[Change], others: Sequence[Change]) -> Plan:
    """The plan with what is left out of it: with the `rest` also of rules, which were not applied then; `others` are none of theirs."""
    applied = plan.rule_targets - {change.target for change in rest if isinstance(change, LinkChange)}
    return replace(plan, rest=(*rest, *others), rule_targets=applied)


def _count(session: Session, comparison: Comparison, scope: Scope) -> Comparison:
    """The comparison with what is in use counted, as far as it is of the scope, and with those moved who carry what goes into another
    thing: to have it is no drift."""
    merging = not scope.moved
    comparison, carriers = with_members(session, comparison, retry=scope.retry) if merging else (comparison, NO_CARRIERS)
    difference, live = comparison.difference, comparison.live
    addresses = list_concerned(session.kinds, scope, difference.changes, live)
    mine = replace(difference, changes=tuple(c for c in difference.changes if c.address in addresses))
    changes_with_uses = iter(add_uses(session, live, mine, carriers).changes)
    changes = tuple(next(changes_with_uses) if change.address in addresses else change for change in difference.changes)
    comparison = replace(comparison, difference=replace(difference, changes=changes))
    comparison = add_notes(comparison, note_uncounted(comparison.kinds, mine.changes))
    return hold_back(comparison) if merging else comparison


def document_of(plan: Plan, view: View = MASKED, kinds: Kinds = KINDS) -> PlanDocument:
    """The plan as the document that every report renders."""
    return document(kinds, plan, view)
