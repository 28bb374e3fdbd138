"""The route's verbs: plan, show, apply."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from reconciler import workflow
from reconciler.cli.connection import Intercom, connected, intercom_options
from reconciler.cli.manifest import PATHS
from reconciler.cli.running import Stop, stoppable
from reconciler.core.document import Document, document, saved
from reconciler.core.outcome import Outcome, Status
from reconciler.core.plan import Scope
from reconciler.core.privacy import hidden, shown
from reconciler.core.resource import Manifest
from reconciler.errors import Incomplete, Refused, Usage
from reconciler.report import RENDERERS, outcomes, text
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal

FORMAT = click.option("--format", "form", type=click.Choice(sorted(RENDERERS)), default="text", show_default=True)
REPORT = click.option("--report", "reports", multiple=True, metavar="FORMAT=FILE", help="Also write a report; as often as wanted.")


def scoped(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--target` and `--exclude`."""
    verb = click.option("--exclude", multiple=True, metavar="GLOB", help="Not these addresses, nor what needs them.")(verb)
    return click.option("--target", multiple=True, metavar="GLOB", help="Only these addresses, and what they need.")(verb)


@click.command()
@PATHS
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@FORMAT
@REPORT
@scoped
@click.option("--detailed-exitcode", is_flag=True, help="2 if there are changes, 3 if the plan is refused.")
@intercom_options
def plan(
    paths: tuple[str, ...],
    out: Path | None,
    form: str,
    reports: tuple[str, ...],
    detailed_exitcode: bool,
    intercom: Intercom,
    **scope: tuple[str, ...],
) -> int:
    """Show what apply would do. Reads only.

    \b
    Example:
      reconciler plan intercom/ -o plan.json --detailed-exitcode
    """
    wanted = _reports(reports)
    manifest = workflow.read_manifest(paths)
    planned, found = _plan(manifest, intercom, Scope(scope["target"], scope["exclude"]))
    if out:
        workflow.save(planned, out)
    for name, path in wanted:
        workflow.write_whole(path, RENDERERS[name](found), 0o644)
    _render(found, form)
    if not detailed_exitcode:
        return 0
    return 3 if planned.plan.refused else 2 if planned.plan.steps else 0


def _reports(written: Sequence[str]) -> list[tuple[str, Path]]:
    """`--report markdown=plan.md` as a format and a file; a wrong one ends the run before anything is read."""
    found = []
    for report in written:
        name, equals, path = report.partition("=")
        if name not in RENDERERS or not equals or not path:
            raise Usage(f"--report {report}: write FORMAT=FILE, with one of {', '.join(sorted(RENDERERS))}")
        if not Path(path).parent.is_dir():
            raise Usage(f"--report {report}: the folder does not exist; make it first")
        found.append((name, Path(path)))
    return found


def _plan(manifest: Manifest, intercom: Intercom, scope: Scope) -> tuple[workflow.Planned, Document]:
    with progress(sys.stderr, label="reading") as bar, connected(intercom, manifest.pin, writes=False) as session:
        planned = workflow.plan(workflow.watched(session, lambda what: bar.advance(label=what)), manifest, scope)
        return planned, document(session.kinds, planned.plan)


def _render(found: Document, form: str) -> None:
    out = Terminal(sys.stdout)
    if form == "text":
        out.lines(text.lines(found, color=out.color, width=out.width))
    else:
        out.write(RENDERERS[form](found))
    out.check()


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json")
@FORMAT
def show(file: Path, form: str) -> None:
    """Render a saved plan; no network.

    \b
    Example:
      reconciler show plan.json
    """
    _render(workflow.read_plan(file), form)


@click.command()
@PATHS
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@scoped
@intercom_options
def apply(paths: tuple[str, ...], auto_approve: bool, intercom: Intercom, **scope: tuple[str, ...]) -> int:
    """Carry out a saved plan exactly, or plan, show, ask and carry out.

    \b
    Example:
      reconciler apply plan.json
      reconciler apply intercom/ --auto-approve
    """
    if len(paths) == 1 and Path(paths[0]).is_file() and not paths[0].endswith((".yaml", ".yml")):
        return _apply_saved(Path(paths[0]), intercom, any(scope.values()))
    return _apply_manifest(paths, intercom, Scope(scope["target"], scope["exclude"]), auto_approve)


def _apply_saved(path: Path, intercom: Intercom, narrowed: bool) -> int:
    if narrowed:
        raise Usage("a saved plan is applied whole; give --target and --exclude to `plan`")
    found = workflow.applicable(workflow.read_plan(path), path)
    manifest = workflow.planned_manifest(found)
    with connected(intercom, workflow.planned_pin(found), writes=True) as session:
        with progress(sys.stderr, label="reading") as bar:
            work = workflow.ready(workflow.watched(session, lambda what: bar.advance(label=what)), found, manifest)
        return _carry_out(session, work)


def _apply_manifest(paths: tuple[str, ...], intercom: Intercom, scope: Scope, auto_approve: bool) -> int:
    if not auto_approve and not sys.stdin.isatty():
        raise Usage("there is no terminal to ask at; use --auto-approve, or save a plan and apply that")
    manifest = workflow.read_manifest(paths)
    planned, found = _plan(manifest, intercom, scope)
    _render(found, "text")
    if planned.plan.refused:
        raise Refused(f"{r.gate}: {r.message}" for r in planned.plan.refused)
    if not planned.plan.steps:
        return 0
    if not auto_approve:
        click.confirm("Apply this plan?", abort=True, err=True)
    with connected(intercom, manifest.pin, writes=True) as session:
        return _carry_out(session, workflow.ready(session, saved(session.kinds, planned.plan, "in memory"), manifest))


def _carry_out(session: workflow.Session, work: workflow.Ready) -> int:
    out, began, told = Terminal(sys.stdout), time.monotonic(), []
    with stoppable(Stop()) as stop, progress(sys.stderr, label="applying") as bar:
        bar.advance(0, total=len(work.planned.plan.steps))
        for outcome in workflow.carry_out(session, work, stop):
            bar.advance()
            told.append(_told(outcome, session.here.app_id))
            if outcome.reason or out.interactive:
                with bar.aside():
                    out.lines([outcomes.outcome_line(told[-1], color=out.color)])
    for change in work.unmade:
        action, _, address = change.partition(" ")
        told.append(outcomes.Outcome(action, address, None, Status.SKIPPED, "held back; plan again to see why"))
    out.write(outcomes.summary(told, time.monotonic() - began, color=out.color))
    out.flush()
    stop.check()
    return 0 if all(outcome.status == Status.APPLIED for outcome in told) else Incomplete.exit_code


def _told(outcome: Outcome, app_id: str) -> outcomes.Outcome:
    """An outcome as people see it: addresses masked, Intercom's message without e-mails."""
    change = outcome.change
    target = shown(change.target, app_id) if change.target else None
    reason = str(hidden(outcome.reason, False))
    return outcomes.Outcome(change.action, shown(change.address, app_id), target, outcome.status, reason, outcome.request_id)
