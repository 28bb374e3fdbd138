"""Rehearse: a saved plan is held against live as an apply would, carried out on a private copy of what was read, and planned again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.core.model.change import Action
from reconciler.core.model.desired import Manifest
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.privacy import hide
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals
from reconciler.core.plan.calls import Ref
from reconciler.core.plan.plan import DOCUMENTED_WINDOW, Plan
from reconciler.core.plan.rehearsal import Again, Kill, Rehearsal, Rest
from reconciler.core.plan.saved import read_scope, subject_in
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import RULES
from reconciler.core.plan.touched import subject_of
from reconciler.core.plan.work import Work
from reconciler.errors import Refused, Stale
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import propose
from reconciler.workflow.session import Session
from reconciler.workflow.stage import Clock, Stage, hear
from reconciler.workflow.undo import prepare_undo

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger
    from reconciler.sandbox.absorb import Exchange
    from reconciler.sandbox.replica import Replica


# Makes a ledger in memory whose times are those of a clock; None for none.
Begin = Callable[[Callable[[], float]], "Ledger | None"]


def begin_none(now: Callable[[], float]) -> None:
    """For a rehearsal that begins no ledger where there is none."""


@dataclass(frozen=True)
class Script:
    """What is played: a saved plan, as an apply is given it."""

    # The plan.
    saved_plan: PlanDocument
    # Its manifest; None for a plan that takes a run back.
    manifest: Manifest | None
    # What was approved, and what it is held to.
    approvals: Approvals = NO_APPROVALS

    def hold(self, session: Session) -> Work:
        """What is left to do of it. Raises Refused (3), Stale (4)."""
        if self.manifest is None:
            return prepare_undo(session, self.saved_plan, self.approvals)
        return prepare(session, self.saved_plan, self.manifest, self.approvals)

    def plan(self, session: Session) -> Plan:
        """What would be planned now. Of a plan that takes a run back, or that goes by what a revision explains: what is left of it."""
        if self.manifest is None or "rest" in self.saved_plan:
            return self.hold(session).proposal.plan
        scope = replace(read_scope(self.saved_plan), moved=bool(self.saved_plan.get("moved")), retry=bool(self.saved_plan.get("retry")))
        scope = replace(scope, rules=self.saved_plan.get("scope", {}).get("only") == RULES)
        return propose(session, self.manifest, scope, self.approvals).plan


def rehearse(session: Session, script: Script, begin: Begin = begin_none) -> Rehearsal:
    """What would become of a saved plan. Only reads are sent to the workspace, and what is recorded stays in memory. `begin` makes the
    ledger that an apply would begin where there is none, in memory too.

    Raises Refused (3) and Stale (4) as an apply of it would, before its first write.
    """
    from reconciler.intercom import me
    from reconciler.ledger.homes.memory import copy_images
    from reconciler.sandbox.replica import Replica

    clock = Clock(session.now())
    box = Replica(now=clock)
    box.settings.follow(session.facts.model_dump())
    ledger = session.ledger.copy(clock) if session.ledger else begin(clock)
    session = replace(session, ledger=ledger, images=copy_images(session.images) if session.images else None)
    with hear(session, box) as hearing:
        me.ask(session.client)
        work = script.hold(session)
        looks = Counter(hearing)
        unread = _read_needs(session, box, work)
        fresh = script.plan(session)
    box.settle()
    box.put_archived(_list_archived(session, work))
    subjects = frozenset(map(subject_in, script.saved_plan["changes"]))
    blank = Rehearsal(
        workspace=session.here,
        window=session.window or DOCUMENTED_WINDOW,
        planned=len(subjects),
        looks=looks,
        gates=tuple(str(hide(str(refusal), False)) for refusal in work.refusals),
        before=frozenset(subject_of(change, session.here.app_id) for change in fresh.changes) - subjects,
        unread=unread,
    )
    return _play_all(blank, Stage(box, ledger, clock, 10 / blank.window), session, script, work)


def _play_all(blank: Rehearsal, stage: Stage, session: Session, script: Script, work: Work) -> Rehearsal:
    """What becomes of the plan, and what a kill in the middle of its writes leaves."""
    stage.kill_at = (sum(len(job.calls) for job in work.jobs) + 1) // 2
    outcomes, calls, again = _play(stage, session, script, work)
    kill = _play_kill(stage, session, script) if stage.left_by_kill else None
    return replace(blank, outcomes=outcomes, calls=calls, again=again, kill=kill, rests=_list_rests(session, stage))


def _read_needs(session: Session, box: Replica, work: Work) -> tuple[str, ...]:
    """Read what the calls will be judged by and the plan did not read; the answer is what may not be read."""
    from reconciler.intercom.http.errors import HttpError
    from reconciler.intercom.uses import UNREADABLE

    calls, unread = list(_list_calls(work)), list[str]()
    for need in box.list_needs(calls):
        try:
            _read_pages(session, need)
        except HttpError as error:
            if error.status not in UNREADABLE:
                raise
            unread.append(f"{need.method} {need.path} ({error.status} {error.message or error.code}): what depends on it counts as fitting")
    if unread:
        box.assume(calls)
    return tuple(unread)


def _list_calls(work: Work) -> Iterator[tuple[str, str, Any]]:
    """The writes with their paths as far as ids are known."""
    from reconciler.intercom.http import request

    for call in (call for job in work.jobs for call in (*job.calls, *job.otherwise)):
        method, _, template = call.route.partition(" ")
        values = {name: _bind(value, work) for name, value in call.values.items()}
        yield method, request.path(template.partition("?")[0], **values), call.body


def _bind(value: str | Ref, work: Work) -> str:
    return work.ids.get(value.address, "new") if isinstance(value, Ref) else value


def _read_pages(session: Session, need: Exchange) -> None:
    """Read all pages of what is needed."""
    from reconciler.intercom.http.request import Request

    body = need.body
    while True:
        reply = session.client.send(Request(need.method, need.path, need.query, body))
        following = (reply.body.get("pages") or {}).get("next")
        if body is None or not isinstance(following, dict) or not following.get("starting_after"):
            return
        body = {**body, "pagination": {**body["pagination"], "starting_after": following["starting_after"]}}


def _list_archived(session: Session, work: Work) -> Iterator[dict[str, Any]]:
    """Who is to be brought back, as far as anything is known of them: nobody can see them."""
    for change in work.proposal.plan.changes:
        archive = session.kinds[change.address.kind].archive
        if change.action is Action.UNARCHIVE and archive and not archive.flag:
            resource = work.proposal.manifest.resources[change.address]
            yield {"id": change.id} | ({resource.by: resource.key} if resource.by != "id" else {})


def _list_rests(session: Session, stage: Stage) -> tuple[Rest, ...]:
    """What it rests on, but for what a probe established for this workspace."""
    from reconciler.sandbox.readings import READINGS

    names = {name for name, value in session.facts.model_dump().items() if value is not None}
    rests = ((READINGS[name], stage.rested[name]) for name in READINGS if name in stage.rested)
    return tuple(Rest.of(r.what, r.here, addresses, session.here.app_id) for r, addresses in rests if names.isdisjoint(r.settings))


def _play(stage: Stage, live: Session, script: Script, work: Work) -> tuple[tuple[Outcome, ...], Counter[str], Again]:
    """What becomes of the changes on a stage, by which calls, and what would be planned after it."""
    mark = len(stage.box.recorded)
    with stage.open(live) as session:
        outcomes = tuple(carry_out(session, work, threading.Event(), stage.start))
        calls = stage.calls_since(mark)
        stage.end()
        return outcomes, calls, _plan_again(session, script)


def _plan_again(session: Session, script: Script) -> Again:
    try:
        return Again(script.plan(session))
    except (Refused, Stale) as error:
        return Again(None, (str(hide(str(error), False)),))


def _play_kill(stage: Stage, live: Session, script: Script) -> Kill:
    """What the next apply does with what a kill left: it is really done, on the copy that was kept then."""
    from reconciler.intercom import me

    remains = stage.left_by_kill
    assert remains is not None
    counts = None
    if remains.ledger and (runs := remains.ledger.runs()):
        counts = Counter(change.outcome for change in remains.ledger.read_done(runs[0].run))
    kill = Kill(stage.kill_at, stage.writes, counts)
    mark = len(remains.box.recorded)
    with remains.open(live) as session:
        me.ask(session.client)
        try:
            work = script.hold(session)
        except (Refused, Stale) as error:
            return replace(kill, again=Again(None, (str(hide(str(error), False)),)))
        outcomes = tuple(carry_out(session, work, threading.Event(), remains.start))
        calls = remains.calls_since(mark)
        return replace(kill, calls=calls, outcomes=outcomes, unproven=len(work.unproven), again=_plan_again(session, script))
