"""The verb that writes: apply."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from reconciler import workflow
from reconciler.cli.connection import Intercom, connected, intercom_options
from reconciler.cli.manifest import PATHS
from reconciler.cli.plan import in_folder, make, render, ruled, scoped
from reconciler.cli.running import Stop, stoppable
from reconciler.core.change import Change
from reconciler.core.document import saved
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Scope
from reconciler.core.privacy import hidden, shown
from reconciler.core.rules import Rules
from reconciler.errors import Incomplete, ReconcilerError, Usage
from reconciler.report import outcomes
from reconciler.report.events import Events
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal


@click.command()
@PATHS
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@click.option("--events", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write what happens, one JSON a line.")
@scoped
@ruled
@intercom_options
def apply(paths: tuple[str, ...], auto_approve: bool, events: Path | None, intercom: Intercom, **how: Any) -> int:
    """Carry out a saved plan exactly, or plan, show, ask and carry out.

    \b
    Example:
      reconciler apply plan.json
      reconciler apply intercom/ --auto-approve
    """
    rules = workflow.read_rules(how["policy"], how["approve"], how["max_calls"])
    scope = Scope(how["target"], how["exclude"])
    with _events(events) as told:
        if len(paths) == 1 and not Path(paths[0]).is_dir() and not paths[0].endswith((".yaml", ".yml")):
            code = _apply_saved(Path(paths[0]), intercom, scope, rules, told)
        else:
            code = _apply_manifest(paths, intercom, scope, rules, auto_approve, told)
        try:
            told.check()
        except ReconcilerError as failure:
            Terminal(sys.stderr).say(f"error: {failure}")
            code = code or failure.exit_code
        return code


@contextmanager
def _events(path: Path | None) -> Iterator[Events]:
    if path is None:
        yield Events(None)
        return
    in_folder("--events", path)
    with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        yield Events(stream)


def _apply_saved(path: Path, intercom: Intercom, scope: Scope, rules: Rules, events: Events) -> int:
    if not scope.whole:
        raise Usage("a saved plan is applied whole; give --target and --exclude to `plan`")
    found = workflow.applicable(workflow.read_plan(path), path)
    manifest = workflow.planned_manifest(found)
    with connected(intercom, workflow.planned_pin(found), writes=True) as session:
        with progress(sys.stderr, label="reading") as bar:
            work = workflow.ready(workflow.watched(session, lambda what: bar.advance(label=what)), found, manifest, rules)
        return _carry_out(session, work, events)


def _apply_manifest(paths: tuple[str, ...], intercom: Intercom, scope: Scope, rules: Rules, auto_approve: bool, events: Events) -> int:
    if not auto_approve and not (sys.stdin and sys.stdin.isatty()):
        raise Usage("there is no terminal to ask at; use --auto-approve, or save a plan and apply that")
    manifest = workflow.read_manifest(paths)
    planned = make(manifest, intercom, scope, rules)
    render(workflow.documented(planned.plan), "text")
    workflow.refuse(planned.plan.refused)
    if not planned.plan.steps:
        return 0
    if not auto_approve:
        click.confirm("Apply this plan?", abort=True, err=True)
    with connected(intercom, manifest.pin, writes=True) as session:
        return _carry_out(session, workflow.ready(session, saved(session.kinds, planned.plan, "in memory"), manifest, rules), events)


def _carry_out(session: workflow.Session, work: workflow.Ready, events: Events) -> int:
    """Carry it out, telling on stdout and in the events; last what was planned against what it took."""
    out, began = Terminal(sys.stdout), time.monotonic()
    stop = session.client.stop
    assert isinstance(stop, Stop)
    before = session.client.sent.total()
    with stoppable(stop):
        told = _performed(session, work, stop, events, out)
    out.write(outcomes.summary(told, time.monotonic() - began, color=out.color))
    out.write(f"Calls: {work.planned.plan.calls} planned, {session.client.sent.total() - before} made.\n" if told else "")
    events.summary(told)
    out.flush()
    stop.check()
    return 0 if all(outcome.status == Status.APPLIED for outcome in told) else Incomplete.exit_code


def _performed(session: workflow.Session, work: workflow.Ready, stop: Stop, events: Events, out: Terminal) -> list[outcomes.Outcome]:
    told, app_id = [], session.here.app_id
    with progress(sys.stderr, label="applying") as bar:
        bar.advance(0, total=len(work.planned.plan.steps))
        for outcome in workflow.carry_out(session, work, stop, lambda change: events.started(*_ends(change, app_id))):
            bar.advance()
            told.append(_told(outcome, app_id))
            events.ended(told[-1])
            if outcome.reason or out.interactive:
                with bar.aside():
                    out.lines([outcomes.outcome_line(told[-1], color=out.color)])
    for change in work.unmade:
        action, _, address = change.partition(" ")
        told.append(outcomes.Outcome(action, address, None, Status.SKIPPED, "held back; plan again to see why"))
        events.ended(told[-1])
    return told


def _ends(change: Change, app_id: str) -> tuple[str, str, str | None]:
    """A change as people see it: addresses masked."""
    return change.action, shown(change.address, app_id), shown(change.target, app_id) if change.target else None


def _told(outcome: Outcome, app_id: str) -> outcomes.Outcome:
    """An outcome as people see it: addresses masked, Intercom's message without e-mails."""
    reason = str(hidden(outcome.reason, False))
    return outcomes.Outcome(*_ends(outcome.change, app_id), outcome.status, reason, outcome.request_id)
