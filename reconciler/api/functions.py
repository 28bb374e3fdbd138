"""load, plan, drift and apply: the route of the verbs of these names, as functions."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from os import PathLike, fspath
from pathlib import Path

from reconciler.api.connection import Connection, add_pin, check_whole, open_session
from reconciler.api.discreet import discreet_errors
from reconciler.api.results import Applied, AppliedInPart, Planned, Seen
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.model.outcome import Status
from reconciler.core.model.privacy import hide, show_address
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals
from reconciler.core.plan.saved import to_look_at
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.core.plan.work import Work
from reconciler.errors import PLACES, Incomplete, Mark, Usage
from reconciler.intercom.memory import Memory
from reconciler.manifest.layers import Layers
from reconciler.manifest.read import read_manifest
from reconciler.report.outcomes import Outcome, show_outcome, show_unmade
from reconciler.workflow import planfile
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import document_of, propose
from reconciler.workflow.recall import hold_lock
from reconciler.workflow.session import Session


def load(*paths: str | PathLike[str], envs: Sequence[str] = (), variables: Mapping[str, str] | None = None) -> Manifest:
    """The manifest that files and folders hold, which are whole paths.

    `envs` are the environments whose overlays are laid over it, the weakest first; `variables` are the values of `${RECONCILER_VAR_…}`, by
    their whole names. Raises Usage, and Invalid with every problem that can be seen offline.
    """
    names = tuple(fspath(one) for one in paths)
    for name in names or ("",):
        check_whole(name, "load")
    with discreet_errors():
        return read_manifest(names, layers=Layers(tuple(envs), variables or {}))


def plan(
    manifest: Manifest,
    connection: Connection,
    *,
    target: Sequence[str] = (),
    exclude: Sequence[str] = (),
    approvals: Approvals = NO_APPROVALS,
    stop: threading.Event | None = None,
) -> Planned:
    """What would be done. Reads only.

    `target` and `exclude` are globs of addresses; `approvals` comes from `read_approvals`. Who sets `stop` ends what waits.
    A plan that a gate refuses is a plan too: see `refusals`. Raises IntercomError, Invalid, Refused for another workspace, Usage.
    """
    return _propose(manifest, connection, Scope(tuple(target), tuple(exclude)), approvals, stop)


def drift(
    manifest: Manifest, connection: Connection, *, approvals: Approvals = NO_APPROVALS, stop: threading.Event | None = None
) -> Planned:
    """What changed in Intercom since the last apply, as the plan that puts it right. Reads only. Raises as `plan`."""
    return _propose(manifest, connection, Scope(moved=True), approvals, stop)


def read_plan(source: str | PathLike[str] | PlanDocument, manifest: Manifest) -> Planned:
    """A plan that was saved: `Planned.saved`, or the file that it was written to. Its document has no values. Raises Invalid, Usage."""
    file = "the plan" if isinstance(source, dict) else fspath(source)
    document = planfile.check_plan(source, Mark(file)) if isinstance(source, dict) else planfile.read_plan(Path(file))
    if "run" in planfile.applicable(document, Path(file)):
        raise Usage(f"{file} takes a run back; apply it with the command line")
    return Planned(manifest, to_look_at(document), document)


def apply(planned: Planned, connection: Connection, *, approvals: Approvals = NO_APPROVALS, stop: threading.Event | None = None) -> Applied:
    """Carry out exactly this plan, and record what became of it.

    When `stop` is set no further call starts, and those under way end; so it is with a KeyboardInterrupt, which is raised again then. Each
    call wants an event of its own. Raises Refused (3) and Stale (4), where nothing was written, AppliedInPart (5), Locked (6), and
    IntercomError, Invalid, Usage.
    """
    stop, notices, manifest = stop or threading.Event(), list[str](), planned.manifest
    with (
        discreet_errors(),
        open_session(connection, manifest, stop, notices, writes=True) as session,
        hold_lock(session, connection.lock_timeout) as lock,
    ):
        notices += filter(None, [getattr(lock, "taken_over", "")])
        work = prepare(replace(session, memory=_take_sight(planned, session)), planned.saved, add_pin(manifest, connection), approvals)
        notices += work.warnings
        outcomes, error = _perform(session, work, stop)
    applied = _sum_up(session, work, outcomes, tuple(notices))
    if error or not applied.whole:
        raise AppliedInPart(str(error) if error else _say_left(applied), applied) from None
    return applied


def _take_sight(planned: Planned, session: Session) -> Memory | None:
    """What this plan was made from, if it was seen in the same place. The second apply looks anew: the first one changed it."""
    try:
        sight = planned.sights.pop()
    except IndexError:
        return None
    return replace(sight.memory, loose=False) if sight.where == _place_of(session) else None


def _place_of(session: Session) -> tuple[str, str, str]:
    return session.client.base_url, session.client.version, session.here.app_id


def _propose(manifest: Manifest, connection: Connection, scope: Scope, approvals: Approvals, stop: threading.Event | None) -> Planned:
    notices, memory = list[str](), None if scope.moved else Memory(loose=True)
    with discreet_errors(), open_session(connection, manifest, stop or threading.Event(), notices, writes=False) as session:
        proposal = propose(replace(session, memory=memory), add_pin(manifest, connection), scope, approvals)
        sights = [Seen(_place_of(session), memory)] if memory else []
        calls = dict(session.client.sent)
    return Planned(manifest, document_of(proposal.plan), planfile.make_saved(proposal), tuple(notices), calls, sights)


def _perform(session: Session, work: Work, stop: threading.Event) -> tuple[list[Outcome], Incomplete | None]:
    """What became of each change, and why that is not recorded to its end."""
    outcomes, app_id = list[Outcome](), session.here.app_id
    try:
        # Who is interrupted between two outcomes waits for the calls under way too.
        with closing(carry_out(session, work, stop)) as ends:
            outcomes += (show_outcome(outcome, app_id) for outcome in ends)
    except Incomplete as error:
        return outcomes, error
    return [*outcomes, *map(show_unmade, work.unmade)], None


def _sum_up(session: Session, work: Work, outcomes: Sequence[Outcome], notices: tuple[str, ...]) -> Applied:
    line = partial(_write_note, session.here.app_id)
    remarks = (*(str(hide(str(refusal), False)) for refusal in work.refusals), *map(line, work.unproven))
    return Applied(tuple(outcomes), remarks, tuple(map(line, work.waiting)), dict(session.client.sent), notices)


def _write_note(app_id: str, note: Note) -> str:
    about = f"{show_address(note.address, app_id)}: " if note.address else ""
    return f"{about}{hide(note.message, False)}"


def _say_left(applied: Applied) -> str:
    remaining = [one for one in applied.outcomes if one.status != Status.APPLIED]
    first = [f"{one.action} {one.address}: {one.status}{f' ({one.reason})' if one.reason else ''}" for one in remaining[:PLACES]]
    rows = [*first, *applied.left[:PLACES]]
    return f"applied in part, {len(remaining) + len(applied.left):,} left; apply the plan again to finish:\n  " + "\n  ".join(rows)
