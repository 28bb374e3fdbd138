"""Plan: observe, compare, count, order, hold against the gates."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.compare.comparison import add_notes, as_declared
from reconciler.core.compare.doubt import doubts
from reconciler.core.compare.drift import keep_moved, measure_drift
from reconciler.core.model import globs
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.plan.approvals import NO_RULES, Rules, govern, hold_to_rules
from reconciler.core.plan.document import MASKED, View, document
from reconciler.core.plan.gates import note_unpinned
from reconciler.core.plan.plan import Plan, count_blind, make_plan
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import EVERYTHING, Scope, narrow, note_unmatched
from reconciler.core.plan.touched import Agreed
from reconciler.core.plan.work import Proposal
from reconciler.kinds import KINDS
from reconciler.workflow.observe import counted, look, renames, traced
from reconciler.workflow.recall import recall
from reconciler.workflow.session import Session


def propose(session: Session, manifest: Manifest, scope: Scope = EVERYTHING, rules: Rules = NO_RULES) -> Proposal:
    """Observe, compare, count, order, hold against the gates. Reads only."""
    manifest, notes, loosened = govern(manifest, rules)
    scope = scope.among(manifest.resources)
    if scope.target:
        app_id = session.here.app_id
        notes += note_unmatched(manifest, scope, app_id)
        manifest = narrow(session.kinds, manifest, lambda a: globs.matches(scope.target, globs.names(a, app_id), scope.exact))
    approvals = rules.approvals(manifest, session.now())
    recorded = recall(session, manifest, approvals)
    case = look(session, manifest, recorded, whole=not scope.target, agreed=Agreed(approvals), retry=scope.retry)
    found, doubted = as_declared(case), doubts(session.kinds, case.manifest, case.live, recorded)
    case = keep_moved(case) if scope.moved else case
    live = case.live
    live = replace(live, notes=(*notes, *note_unpinned(manifest, live), *live.notes), refusals=(*loosened, *live.refusals))
    case = replace(case, live=live, difference=counted(session, live, case.difference))
    case = add_notes(case, renames(session, case))
    plan = make_plan(case, scope, session.client.version)
    if scope.moved:
        plan = replace(plan, drift=measure_drift(case), notes=traced(session, case, plan.notes))
    plan = hold_to_rules(plan, case, rules, session.context)
    if plan.drift:
        plan = replace(plan, drift=replace(count_blind(plan.drift, plan.refused), unproven=len(plan.unproven)))
    return Proposal(plan, case, found, doubted)


def document_of(plan: Plan, view: View = MASKED, kinds: Kinds = KINDS) -> PlanDocument:
    """The plan as the document that every report renders."""
    return document(kinds, plan, view)
