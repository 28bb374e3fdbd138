"""Apply: hold a saved plan against a fresh look, make the calls, record what became of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from reconciler.core.calls import Job, compile_steps
from reconciler.core.change import Change, LinkChange
from reconciler.core.document import Document, discreet
from reconciler.core.gates import Approval, Refusal, pinned, standing
from reconciler.core.hold import hold, touched
from reconciler.core.narrow import narrow
from reconciler.core.order import keep
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Plan, Scope, make_plan
from reconciler.core.privacy import shown
from reconciler.core.resource import Address, Manifest, Snapshot
from reconciler.core.rules import NO_RULES, Rules, govern, over_calls
from reconciler.errors import Refused, Stale
from reconciler.execute import Perform, execute
from reconciler.workflow.comparing import claims, compare, counted, observe
from reconciler.workflow.manifests import planned_pin
from reconciler.workflow.session import Planned, Session


@dataclass(frozen=True)
class Ready:
    """What is about to be carried out: steps in order with their jobs, and creates that were planned and cannot be made now."""

    planned: Planned
    jobs: tuple[Job, ...]
    unmade: tuple[str, ...] = ()

    def ids(self) -> Mapping[Address, str]:
        """The ids of everything that is live, declared or not."""
        live = self.planned.live
        natural = {thing.address: thing.id for things in live.things.values() for thing in things.values()}
        return {**natural, **live.pairs}


def ready(session: Session, found: Document, manifest: Manifest, rules: Rules = NO_RULES) -> Ready:
    """A saved plan held against a fresh look at what it touches.

    Raises Refused (3) for another workspace or a plan that a gate refused, Stale (4) when the manifest or the workspace moved.
    """
    refuse(pinned(planned_pin(found), session.here))
    if manifest.digest != found["manifest"]["digest"]:
        raise Stale("the manifest is not the one that was planned; plan again")
    manifest, _, loosened = govern(manifest, rules)
    approvals = rules.approvals(manifest, session.now())
    refused = tuple(Refusal(r["gate"], r["message"], r["approve"]) for r in found["refused"])
    barred = (*(Refusal(*reason) for reason in loosened), *standing(refused, approvals))
    if not all(refusal.approve for refusal in barred):
        refuse(barred)
    made, part, live = _look_again(session, found, manifest)
    held = hold(found, made.steps, part, live)
    # What an approval would lift is lifted too where nothing is left to do: a plan that was carried out is simply done.
    refuse(barred if held.keep or held.stale or held.unmade else ())
    if held.stale:
        raise Stale("the workspace is not as it was when this was planned; plan again:\n  " + "\n  ".join(held.stale[:20]))
    # What is left of an approved plan is approved with it, but for more people than were approved.
    words = {word.partition(":")[0] for word in (*found.get("approved", ()), *(r.approve for r in refused if r.approve))}
    granted = tuple(Approval(f"{r.approve}".partition(":")[0], a.people) for r in made.refused for a in approvals if a.hash in words)
    refuse(standing(made.refused, (*approvals, *granted)))
    steps = keep(made.steps, held.keep)
    jobs = compile_steps(session.kinds, steps, session.client.version)
    refuse(over_calls(rules, sum(len(job.calls) for job in jobs)))
    unmade = tuple(f"{h.action} {h.address}" for h in held.unmade)
    return Ready(Planned(replace(made, steps=steps, jobs=jobs), part, live), jobs, unmade)


def _look_again(session: Session, found: Document, manifest: Manifest) -> tuple[Plan, Manifest, Snapshot]:
    """A fresh plan of what a saved one touches, every thing read by its id."""
    names, app_id = touched(found), session.here.app_id
    part = narrow(session.kinds, manifest, lambda a: shown(a, app_id) in names)
    live = observe(session, part, frozenset(a for a in part.resources if shown(a, app_id) in names))
    part, live, difference = compare(session, part, live)
    sources = {change["address"] for change in found["changes"]}
    ours = tuple(change for change in difference.changes if shown(change.address, app_id) in sources)
    rest = tuple(change for change in difference.changes if shown(change.address, app_id) not in sources)
    difference = replace(difference, changes=(*counted(session, replace(difference, changes=ours)).changes, *rest))
    target, exclude = (tuple(found.get("scope", {}).get(key, ())) for key in ("target", "exclude"))
    scope = Scope(target, exclude, frozenset(sources))
    return make_plan(session.kinds, part, live, difference, scope, session.client.version), part, live


def refuse(refused: Iterable[Refusal]) -> None:
    """Raises Refused where there is a reason to."""
    told = [f"{refusal}{f' (--approve {refusal.approve})' if refusal.approve else ''}" for refusal in refused]
    if told:
        raise Refused(told)


def carry_out(
    session: Session, work: Ready, stop: threading.Event, started: Callable[[Change], None] = lambda change: None
) -> Iterator[Outcome]:
    """Make the calls, yield what becomes of each change, and record intent and outcome of every write.

    `started` is told of a change just before its calls are made, from the thread that makes them.
    """
    from reconciler.intercom.perform import Performer

    steps, by_name = work.planned.plan.steps, {kind.name: kind for kind in session.kinds}
    performer = Performer(session.client, session.kinds, steps, work.planned.manifest.resources, stop.wait, session.client.monotonic)
    record = _Record(session, work.planned) if session.ledger and work.jobs else None
    recorded = performer.perform if record is None else partial(record.around, performer.perform)

    def perform(job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        for i in job.covers:
            started(steps[i].change)
        return [discreet(by_name[o.change.address.kind], o) for o in recorded(job, ids)]

    settling, counts = [], Counter[str]()
    for outcome in execute(work.jobs, steps, perform, work.ids(), session.client.workers, stop.is_set):
        counts[outcome.status] += 1
        if outcome.settling:
            settling.append(outcome)
        else:
            yield outcome
    late = {o.step: o for o in performer.settle(settling)} if not stop.is_set() else {}
    yield from (late.get(o.step, o) for o in settling)
    if record:
        record.end(counts)


def _bound(change: Change, ids: Mapping[Address, str]) -> Change:
    """A change with the ids that became known on the way."""
    if isinstance(change, LinkChange):
        return replace(change, id=change.id or ids.get(change.address), target_id=change.target_id or ids.get(change.target))
    return change


class _Record:
    """What one apply leaves in the ledger: the run, and for every write the intent before it and the outcome after it."""

    def __init__(self, session: Session, planned: Planned) -> None:
        from reconciler.ledger import RunHead

        assert session.ledger is not None
        self.ledger, self.app_id, self.steps = session.ledger, session.here.app_id, planned.plan.steps
        head = RunHead(session.here.app_id, session.here.region, planned.manifest.name, planned.plan.digest, "")
        self.run = self.ledger.begin(head)

    def around(self, perform: Perform, job: Job, ids: Mapping[Address, str]) -> Sequence[Outcome]:
        """A job between its intents and its outcomes. A write whose answer was lost is left without one."""
        from reconciler.ledger import Settlement

        changes = [_bound(self.steps[i].change, ids) for i in job.covers]
        writes = dict(zip(job.covers, self.ledger.intend_many(self.run, changes), strict=True))
        outcomes = perform(job, ids)
        self.ledger.settle_many([Settlement(writes[o.step], o.status, o.id) for o in outcomes if not o.lost])
        self._effects([o for o in outcomes if o.status in (Status.APPLIED, Status.INEFFECTIVE)])
        return outcomes

    def _effects(self, outcomes: Sequence[Outcome]) -> None:
        """Remember what replies did not show, forget what they did. A link that is not shown stands in its outcome as its list."""
        asked = [(claim, outcome) for outcome in outcomes for claim in claims(outcome.change)]
        mute = [claim for claim, o in asked if claim[1] in o.fields or (o.fields and isinstance(o.change, LinkChange))]
        if shown := [claim[:2] for claim, _ in asked if claim not in mute]:
            self.ledger.forget_ineffective(self.app_id, shown)
        for claim in mute:
            self.ledger.note_ineffective(self.app_id, *claim)

    def end(self, counts: Mapping[str, int]) -> None:
        done = counts.get(Status.APPLIED, 0) == sum(counts.values())
        self.ledger.end(self.run, 0 if done else 5, {str(status): n for status, n in counts.items()})
