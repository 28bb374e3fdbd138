"""Plan: observe, compare, count, order, hold against the gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.doubt import doubts
from reconciler.core.compare.drift import Drift
from reconciler.core.compare.origin import Origin, origins
from reconciler.core.model import globs
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Snapshot, Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.policy import moved, tightened
from reconciler.core.model.privacy import shown
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan import cost
from reconciler.core.plan.approvals import NO_RULES, Rules, govern, over_calls
from reconciler.core.plan.calls import Call, Ref
from reconciler.core.plan.document import MASKED, Document, View, document
from reconciler.core.plan.gates import BLINDING, held_entries, standing
from reconciler.core.plan.plan import Plan, make_plan, without_entries
from reconciler.core.plan.scope import EVERYTHING, Scope, narrow
from reconciler.kinds import KINDS
from reconciler.workflow.observe import as_declared, compare, counted, drift_of, newcomers, observe, renames, traced
from reconciler.workflow.observe import moved as moved_only
from reconciler.workflow.preimages import keepers
from reconciler.workflow.recall import hints, recall
from reconciler.workflow.session import Proposal, Session
from reconciler.workflow.since import Agreed


def propose(session: Session, manifest: Manifest, scope: Scope = EVERYTHING, rules: Rules = NO_RULES) -> Proposal:
    """Observe, compare, count, order, hold against the gates. Reads only."""
    manifest, notes, loosened = govern(manifest, rules)
    scope = scope.among(manifest.resources)
    if scope.target:
        app_id = session.here.app_id
        notes += _unmatched(manifest, scope, app_id)
        manifest = narrow(session.kinds, manifest, lambda a: globs.matches(scope.target, globs.names(a, app_id), scope.exact))
    approvals = rules.approvals(manifest, session.now())
    memory = recall(session, manifest, approvals)
    live = observe(session, manifest, memory, frozenset())
    case = compare(session, manifest, live, memory, whole=not scope.target, agreed=Agreed(approvals), retry=scope.retry)
    found, doubted = as_declared(case), doubts(session.kinds, case.manifest, case.live, memory)
    case = moved_only(case) if scope.moved else case
    live = case.live
    live = replace(live, notes=(*notes, *_unpinned(manifest, live), *live.notes), refusals=(*loosened, *live.refusals))
    case = replace(case, live=live, difference=counted(session, live, case.difference))
    case = replace(case, difference=replace(case.difference, notes=(*case.difference.notes, *renames(session, case))))
    made = make_plan(case, scope, session.client.version)
    if scope.moved:
        made = replace(made, drift=drift_of(case), notes=traced(session, case, made.notes))
    made = ruled(session, made, case, rules)
    if made.drift:
        made = replace(made, drift=replace(_told(made.drift, made.refused), unproven=len(made.unproven)))
    return Proposal(made, case, found, doubted)


def _told(drift: Drift, refused: Sequence[Refusal]) -> Drift:
    """How far live moved, with how much of it could not be told."""
    entries = {entry for refusal in refused for entry in refusal.entries}
    return replace(drift, refused=len(entries), blind=any(not r.entry_wide and r.gate in BLINDING for r in refused))


def ruled(session: Session, made: Plan, case: Comparison, rules: Rules) -> Plan:
    """The plan with the refusals that no approval lifts, and a note for those that one does; without what the policy holds of it."""
    refused = standing(made.refused, rules.approvals(case.manifest, session.now()))
    kept = frozenset(refused)
    lifted = [refusal for refusal in made.refused if refusal not in kept]
    refused = rules.explained(refused, case.manifest, session.now())
    notes = tuple(Note("approved", str(refusal)) for refusal in lifted)
    approved = tuple(dict.fromkeys(refusal.approve for refusal in lifted if refusal.approve))
    held = held_entries(refused, case.manifest.policy)
    if held and not made.scope.moved:
        made = without_entries(case, made, held.__contains__, session.client.version)
    made = replace(made, reads=reads(session, made, case))
    refused = (*refused, *over_calls(rules, made.calls))
    return replace(made, refused=refused, notes=(*made.notes, *notes), approved=approved, held=bool(held))


def reads(session: Session, made: Plan, case: Comparison) -> Mapping[str, int]:
    """The calls that an apply of a plan makes beside its writes, by route; none where it has nothing to do."""
    from reconciler.intercom import me

    if not made.steps:
        return {}
    kinds = {kind.name: kind for kind in session.kinds}
    kept = cost.kept(kinds, made.changes, anywhere=bool(keepers(session)))
    if made.undoes:
        # What a run did is looked at as a whole, now and then.
        return Counter(session.client.sent) + kept
    touched = {end for c in made.changes for end in (c.address, c.target) if end}
    part = narrow(session.kinds, case.manifest, touched.__contains__)
    arrived = len(newcomers(session, part, case.memory, case.difference))
    looks = cost.looked_at(session.kinds, part, case.live, hints(session, part, case.memory), frozenset(touched), arrived)
    return looks + cost.counted(kinds, case.live, made.changes) + kept + Counter({me.ASK: 1})


def _unmatched(manifest: Manifest, scope: Scope, app_id: str) -> tuple[Note, ...]:
    """A note for every target that no declared address is: a typo would read as nothing to do."""
    names = [globs.names(address, app_id) for address in manifest.resources]
    empty = [glob for glob in scope.target if not any(globs.matches([glob], n) for n in names)]
    return tuple(Note("excluded", f"nothing declared matches --target {glob}") for glob in empty)


def since(planned: Proposal, base: Manifest, rules: Rules) -> Proposal:
    """The plan, which tells first what the policy was in another revision of the manifest, under the same rules."""
    before = tightened(rules.base, base.policy)[0] if rules.base else base.policy
    changed = moved(before, planned.manifest.policy)
    if not changed:
        return planned
    note = Note("policy", f"changed since the base: {'; '.join(changed)}")
    return replace(planned, plan=replace(planned.plan, notes=(note, *planned.plan.notes)))


def _unpinned(manifest: Manifest, live: Snapshot) -> tuple[Note, ...]:
    if manifest.pin and manifest.pin.app_id:
        return ()
    here = f"workspace: {{app_id: {live.workspace.app_id}, region: {live.workspace.region}}}"
    return (Note("pin", f"the manifest names no workspace, so a wrong token would change another one; write `{here}`"),)


def document_of(plan: Plan, view: View = MASKED, kinds: Sequence[Kind] = KINDS) -> Document:
    """The plan as the document that every report renders."""
    return document(kinds, plan, view)


def origins_of(base: Manifest, manifest: Manifest, plan: Plan, kinds: Sequence[Kind] = KINDS) -> tuple[Origin, ...]:
    """Which changes follow from what changed between two manifests."""
    return origins(kinds, base, manifest, plan.changes)


def listed_calls(plan: Plan) -> list[str]:
    """The HTTP calls of a plan: the reads by their routes, then the writes in order, ids that are not known yet by their address; no
    bodies."""
    looks = [route for route, number in plan.reads.items() for _ in range(number)]
    return [*looks, *(_call_line(call, plan.workspace) for job in plan.jobs for call in job.calls)]


def _call_line(call: Call, here: Workspace) -> str:
    values = {name: f"<{shown(value.address, here.app_id)}>" if isinstance(value, Ref) else value for name, value in call.values.items()}
    fields = ", ".join(sorted(call.body)) if isinstance(call.body, dict) else ""
    return call.route.format_map({**values, "key": "…"}) + (f"  ({fields})" if fields else "")
