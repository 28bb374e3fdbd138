"""The verbs for many workspaces: fleet validate, plan, apply, drift, status, resume, stop, approve, worker."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.asking import confirm
from reconciler.cli.fleet_output import FORMAT, REPORTS, FleetOptions, note_empty, show, write
from reconciler.cli.help import Family, Verb, reads_here, refuse_writes
from reconciler.cli.options import gather
from reconciler.cli.running import DECLINED, Stop, collect_again, stoppable, whoever
from reconciler.errors import Invalid, Usage
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.fleet.job import Host
    from reconciler.fleet.view import View

_FILE = click.Path(dir_okay=False, path_type=Path)
FLEET = click.option("-f", "--file", type=_FILE, default=Path("fleet.yaml"), show_default=True, help="The fleet.")
GROUP = click.option("--group", metavar="GROUP", help="Only the workspaces of this group.")
_JOBS = "How many workspaces are run at the same time, unless a wave says less."
JOBS = click.option("--jobs", type=click.IntRange(1, 64), default=8, show_default=True, help=_JOBS)
YES = click.option("--auto-approve", is_flag=True, help="Do not ask.")
RUN = click.argument("run", metavar="RUN")


@click.group(cls=Family)
def fleet() -> None:
    """Many workspaces: the same verbs for all of them, in waves, and how they are.

    \b
    Example:
      reconciler fleet plan
      reconciler fleet apply 20261130T101500123-5d2c8a01
    """


@fleet.command(cls=Verb)
@FLEET
@click.option("--full", is_flag=True, help="List every place of a mistake, however many they are.")
def validate(file: Path, full: bool) -> None:
    """Check the fleet offline: its file, and the manifest of each of its workspaces. No command is run, and no token looked up.

    A mistake that stands in many places is told once, with their number and the first three of them.

    \b
    Example:
      reconciler fleet validate
    """
    from reconciler.fleet.file import read_fleet
    from reconciler.fleet.manifests import check_manifests

    try:
        read = read_fleet(str(file))
        number, leftover = check_manifests(read)
    except Invalid as invalid:
        raise Invalid(invalid.problems, full=full, each=invalid.each) from None
    if read.command:
        click.echo("valid, but for the workspaces and their manifests: a command lists them, and it is not run here", err=True)
        return
    if leftover:
        _say(f"note: no group and no workspace is called {', '.join(leftover)}, so nobody gets the overlays of that name")
    note_empty(read)
    count = len(read.workspaces)
    manifests = "one manifest" if number == 1 else f"{number:,} manifests"
    click.echo(f"valid: {count:,} {'workspace' if count == 1 else 'workspaces'}, {manifests}", err=True)


@fleet.command(cls=Verb)
@FLEET
@GROUP
@click.option("-o", "out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write the plan of each workspace there.")
@FORMAT
@REPORTS
@JOBS
@click.option("--detailed-exitcode", is_flag=True, help="Exit code 2 if there are changes, 3 if a plan is refused.")
@gather(fleet_options=FleetOptions)
def plan(fleet_options: FleetOptions, group: str | None, out: Path | None, detailed_exitcode: bool) -> int:
    """Show what apply would do, workspaces with the same plan in one line. Reads only.

    -o DIR: a file APP_ID.json for each workspace, for `show`. The exit code is 1 if a workspace could not be read.

    \b
    Example:
      reconciler fleet plan
      reconciler fleet plan --group canary -o plans --detailed-exitcode
    """
    from reconciler.fleet.states import State
    from reconciler.fleet.states import Verb as Does
    from reconciler.fleet.view import exit_code, write_plans

    if out:
        # That it cannot be is said before everybody is asked.
        out.mkdir(parents=True, exist_ok=True)
    with _open(fleet_options) as host:
        view = _look(host, Does.PLAN, group, fleet_options)
        if out:
            write_plans(host.store, view.run, out)
        show(view, fleet_options)
        if any(one.changes and one.state == State.DONE for one in view.workspaces):
            _say(f"next: reconciler fleet apply {view.run}")
    return exit_code(view, detailed=detailed_exitcode)


@fleet.command(cls=Verb)
@click.argument("run", metavar="[RUN]", required=False)
@FLEET
@GROUP
@YES
@FORMAT
@REPORTS
@JOBS
@gather(fleet_options=FleetOptions)
def apply(run: str | None, fleet_options: FleetOptions, group: str | None, auto_approve: bool) -> int:
    """Carry out what a rollout planned, wave by wave; without RUN: plan, show, ask and carry out.

    Each wave is planned again when it begins. A workspace whose plan has another shape than was shown is left alone, as stale. The exit
    code is 5 where something is left, and 3 where every plan was refused.

    \b
    Example:
      reconciler fleet apply 20261130T101500123-5d2c8a01
      reconciler fleet apply --group canary --auto-approve
    """
    from reconciler.fleet.rollout import promote
    from reconciler.fleet.states import Verb as Does

    refuse_writes("it writes to workspaces; look at them with `fleet plan`")
    if run and group:
        raise Usage("--group goes with a new rollout; one that is there has its workspaces")
    if not run:
        return _look_and_carry_out(fleet_options, Does.PLAN, group, auto_approve)
    with _open(fleet_options) as host:
        promote(host.store, host.engine, host.fleet, run, reviewed=True)
        return _finish(host, run, fleet_options)


@fleet.command(cls=Verb)
@FLEET
@GROUP
@click.option("--fix", is_flag=True, help="Carry out what puts it right, wave by wave.")
@YES
@FORMAT
@REPORTS
@JOBS
@gather(fleet_options=FleetOptions)
def drift(fleet_options: FleetOptions, group: str | None, fix: bool, auto_approve: bool) -> int:
    """Show what changed in Intercom since the last apply, in each workspace. Reads only, unless it is to --fix.

    The exit code is 2 if something did, 1 if a workspace could not be read.

    \b
    Example:
      reconciler fleet drift
      reconciler fleet drift --fix --auto-approve
    """
    from reconciler.fleet.states import Verb as Does
    from reconciler.fleet.view import exit_code

    if auto_approve and not fix:
        raise Usage("--auto-approve goes with --fix: without it nothing is asked")
    if fix:
        refuse_writes("--fix writes to workspaces; leave it out")
        return _look_and_carry_out(fleet_options, Does.DRIFT, group, auto_approve)
    with _open(fleet_options) as host:
        view = _look(host, Does.DRIFT, group, fleet_options)
        show(view, fleet_options)
    return exit_code(view)


@fleet.command(cls=Verb)
@click.argument("run", metavar="[RUN]", required=False)
@FLEET
@click.option("--failed", "which", flag_value="failed", multiple=True, help="Only workspaces that failed.")
@click.option("--refused", "which", flag_value="refused", multiple=True, help="Only those whose plan was refused.")
@click.option("--drifted", "which", flag_value="drifted", multiple=True, help="Only those where drift was met.")
@click.option("--app-id", metavar="ID", help="Only this workspace.")
@FORMAT
@REPORTS
@gather(fleet_options=FleetOptions)
def status(run: str | None, fleet_options: FleetOptions, which: Sequence[str], app_id: str | None) -> None:
    """Show how a rollout is, or how each workspace is now.

    \b
    Example:
      reconciler fleet status
      reconciler fleet status 20261130T101500123-5d2c8a01 --failed
    """
    from reconciler.fleet.view import last_rollouts, view_now, view_rollout

    if len(set(which)) > 1:
        raise Usage("--failed, --refused and --drifted go one at a time: nothing is all of that")
    with _open(fleet_options) as host:
        view = view_rollout(host.store, host.fleet, run) if run else view_now(host.store, host.fleet)
        if app_id and host.workspace(app_id) is None and all(one.app_id != app_id for one in view.workspaces):
            raise Usage(f"--app-id {app_id}: no such workspace in {fleet_options.file}")
        if "drifted" in which:
            view = view.only(lambda one: bool(one.drifted))
        elif which:
            view = view.only(lambda one: one.state in which)
        show(view.only(lambda one: app_id in (None, one.app_id)), fleet_options)
        if not run and fleet_options.form == "text":
            rollouts = last_rollouts(host.store, host.fleet, 5)
            Terminal(sys.stdout).lines(f"{row.id}  {row.verb}  {row.phase}" for row in rollouts)


@fleet.command(cls=Verb)
@RUN
@FLEET
@FORMAT
@REPORTS
@JOBS
@gather(fleet_options=FleetOptions)
def resume(run: str, fleet_options: FleetOptions) -> int:
    """Go on with a rollout that was stopped, or has failures: what was held or failed is run, wave by wave, and nothing else.

    \b
    Example:
      reconciler fleet resume 20261130T101500123-5d2c8a01
    """
    from reconciler.fleet.rollout import resume as go_on

    refuse_writes("it goes on with a rollout")
    with _open(fleet_options) as host:
        go_on(host.store, host.engine, host.fleet, run)
        return _finish(host, run, fleet_options)


@fleet.command(cls=Verb)
@RUN
@FLEET
def stop(run: str, file: Path) -> None:
    """Stop a rollout: no further workspace begins, and those under way end. `resume` goes on with it.

    \b
    Example:
      reconciler fleet stop 20261130T101500123-5d2c8a01
    """
    from reconciler.fleet.rollout import halt
    from reconciler.fleet.states import Phase

    with _open(FleetOptions(file)) as host:
        phase = halt(host.store, host.engine, host.fleet, run, "stopped by people")
    _say(
        "it has ended already: nothing is left to stop"
        if phase == Phase.DONE
        else f"stopped; reconciler fleet resume {run} goes on with it"
    )


@fleet.command(cls=Verb)
@RUN
@FLEET
@click.option("--shape", metavar="SHAPE", help="Only the plans of this shape; needs --up-to.")
@click.option("--up-to", "most", metavar="N:PEOPLE", help="Refuse where more workspaces have it, or more people lose something by it.")
@FORMAT
@REPORTS
@JOBS
@gather(fleet_options=FleetOptions)
def approve(run: str, fleet_options: FleetOptions, shape: str | None, most: str | None) -> int:
    """Let the plans be carried out that wait for people: all of them, or those of one shape. Each is planned again before.

    \b
    Example:
      reconciler fleet approve 20261130T101500123-5d2c8a01 --shape 5f2c91d04b7e --up-to 4902:0
    """
    from reconciler.fleet.rollout import approve as allow

    refuse_writes("it lets plans be carried out")
    if shape == "" or (shape is None) is not (most is None):
        raise Usage("--shape and --up-to belong together: --shape SHAPE --up-to N:PEOPLE")
    with _open(fleet_options) as host:
        number, _ = allow(host.store, host.engine, host.fleet, run, shape, _read_most(most) if most else None)
        _say(f"approved: {number:,} {'workspace' if number == 1 else 'workspaces'}")
        return _finish(host, run, fleet_options)


@fleet.command(cls=Verb)
@FLEET
@click.option("--queues", default="apply,drift", show_default=True, help="What it runs: apply, drift or both; apply goes first.")
@JOBS
def worker(file: Path, queues: str, jobs: int) -> int:
    """Run workspaces that are queued in PostgreSQL, until it is stopped; on any number of machines.

    Ctrl-C and SIGTERM: what is under way ends, or is put back. `engine: postgresql` and the extra `fleet` belong to it.

    \b
    Example:
      reconciler fleet worker --jobs 4
    """
    from reconciler.fleet.running import work

    refuse_writes("it writes to workspaces")
    names = queues.split(",")
    if not set(names) <= {"apply", "drift"}:
        raise Usage(f"--queues {queues}: write apply, drift or apply,drift")
    collect_again()
    with _open(FleetOptions(file)) as host, stoppable(Stop()) as stop:
        work(host, jobs, names, stop, _say)
    return 0


def _read_most(text: str) -> tuple[int, int]:
    if not (match := re.fullmatch(r"(\d{1,9}):(\d{1,12})", text)):
        raise Usage(f"--up-to {text}: write N:PEOPLE, as in 4902:0")
    return int(match[1]), int(match[2])


@contextmanager
def _open(fleet_options: FleetOptions) -> Iterator[Host]:
    from reconciler.fleet.opening import load_fleet, open_host

    reads, lock = reads_here(), Lock()

    def count(calls: Mapping[str, int]) -> None:
        if reads is not None:
            with lock:
                reads.update(calls)

    with open_host(load_fleet(str(fleet_options.file)), whoever(), os.environ, count=count) as host:
        yield host


def _look(host: Host, verb: Any, group: str | None, fleet_options: FleetOptions) -> View:
    """Plan every workspace, or look for drift in each."""
    from reconciler.fleet.rollout import begin
    from reconciler.fleet.states import Verb as Does

    if verb == Does.PLAN and not group:
        note_empty(host.fleet)
    return _run(host, begin(host.store, host.engine, host.fleet, verb, group, host.who), fleet_options)


def _look_and_carry_out(fleet_options: FleetOptions, verb: Any, group: str | None, auto_approve: bool) -> int:
    """Look, show, ask, carry out."""
    from reconciler.fleet.rollout import promote

    if not auto_approve and not (sys.stdin and sys.stdin.isatty()):
        raise Usage("nobody can be asked here; nothing was written: look with `fleet plan`, or give --auto-approve")
    with _open(fleet_options) as host:
        view = _look(host, verb, group, fleet_options)
        if fleet_options.form == "text":
            write(view, "text")
        if not auto_approve and any(one.changes for one in view.workspaces) and not confirm("Carry this out, wave by wave?"):
            _say(f"Not applied; nothing was written. Later: reconciler fleet apply {view.run}")
            return DECLINED
        promote(host.store, host.engine, host.fleet, view.run, reviewed=not auto_approve)
        return _finish(host, view.run, fleet_options)


def _finish(host: Host, run: str, fleet_options: FleetOptions) -> int:
    """Run a rollout to its end, show it, and say what comes next."""
    from reconciler.fleet.view import exit_code

    view = _run(host, run, fleet_options)
    show(view, fleet_options)
    if view.state == "stopped":
        _say(f"stopped: {view.reason}; reconciler fleet resume {run} goes on with it")
    elif view.state == "waiting" or view.summary["stale"]:
        _say(f"plans wait for people; next: reconciler fleet approve {run}")
    elif view.summary["failed"]:
        _say(f"next: reconciler fleet resume {run}")
    return exit_code(view)


def _run(host: Host, run: str, fleet_options: FleetOptions) -> View:
    """Run a rollout, with progress on stderr. Raises Interrupted where a signal stopped it."""
    from reconciler.fleet.running import run_to_end
    from reconciler.fleet.view import count_workspaces, view_rollout
    from reconciler.report.progress import progress

    total = count_workspaces(host.store, run)
    _say(f"rollout {run}: {total:,} {'workspace' if total == 1 else 'workspaces'}")
    collect_again()
    with progress(sys.stderr, label="workspaces") as bar, stoppable(Stop()) as stop:
        bar.advance(0, total=total)
        run_to_end(host, run, stop, bar.advance, _say, fleet_options.jobs)
    view = view_rollout(host.store, host.fleet, run)
    if stop.is_set():
        _say(f"stopped: what is under way has ended; reconciler fleet resume {run} goes on with it")
    stop.check()
    return view


def _say(text: str) -> None:
    Terminal(sys.stderr).say(text)
