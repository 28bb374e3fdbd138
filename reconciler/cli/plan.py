"""The verbs that look: plan, show; and the options that they share with apply."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from reconciler import workflow
from reconciler.cli.connection import Intercom, connected, intercom_options
from reconciler.cli.manifest import PATHS
from reconciler.cli.memory import Memory, ledger_options
from reconciler.cli.running import Annotation, annotate, in_ci
from reconciler.core.document import MASKED, Document, View, to_look_at
from reconciler.core.origin import Origin
from reconciler.core.plan import Plan, Scope
from reconciler.core.privacy import shown
from reconciler.core.resource import WAITING, Manifest
from reconciler.core.rules import Rules
from reconciler.errors import Usage
from reconciler.report import RENDERERS, text
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal

# How a message begins that is about one entry: file, line and column.
_PLACE = re.compile(r"(.+?:\d+:\d+): ")
FORMAT = click.option("--format", "form", type=click.Choice(sorted(RENDERERS)), default="text", show_default=True)


def scoped(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--target`, `--exclude` and `--retry-ineffective`."""
    verb = click.option("--retry-ineffective", "retry", is_flag=True, help="Also try again what Intercom did not take before.")(verb)
    verb = click.option("--exclude", multiple=True, metavar="GLOB", help="Not these addresses, nor what needs them.")(verb)
    return click.option("--target", multiple=True, metavar="GLOB", help="Only these addresses, and what they need.")(verb)


def ruled(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--policy`, `--approve` and `--max-calls`."""
    verb = click.option("--max-calls", type=click.IntRange(0), metavar="N", help="Refuse a plan of more calls.")(verb)
    verb = click.option("--approve", multiple=True, metavar="HASH:PEOPLE", help="Allow what a refused plan printed this for.")(verb)
    return click.option("--policy", metavar="FILE", help="Rules that the manifest may tighten, never loosen.")(verb)


@dataclass(frozen=True)
class Wanted:
    """What plan is to leave behind."""

    form: str
    out: Path | None
    embed: bool
    reports: tuple[tuple[str, Path], ...]
    view: View
    calls: bool


def _here_or_ci(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """What stands after the option is taken for its value, so a path there is told before it is missed."""
    if value not in (None, "here", "ci"):
        raise Usage("--show-personal stands alone or as --show-personal=ci; write paths before it")
    return value


@click.command()
@PATHS
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@click.option("--embed-values", is_flag=True, help="Put the manifest into FILE, with all personal values; not in CI.")
@FORMAT
@click.option("--report", "reports", multiple=True, metavar="FORMAT=FILE", help="Also write a report; as often as wanted.")
@click.option(
    "--show-personal",
    is_flag=False,
    flag_value="here",
    metavar="[=ci]",
    callback=_here_or_ci,
    help="Show personal values; in CI only as --show-personal=ci.",
)
@click.option("--calls", is_flag=True, help="Also list the HTTP calls.")
@scoped
@ruled
@click.option("--base", metavar="REF", help="Say which changes follow from what changed since this revision.")
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice([Origin.UNEXPLAINED.value, WAITING]),
    help="Exit code 3 if a change is unexplained (with --base), or if something only waits for Intercom.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit code 2 if there are changes or something is unproven, 3 if refused.")
@ledger_options
@intercom_options
def plan(paths: tuple[str, ...], detailed_exitcode: bool, base: str | None, fail_on: tuple[str, ...], **how: Any) -> int:
    """Show what apply would do. Reads only.

    \b
    Example:
      reconciler plan intercom/ -o plan.json --detailed-exitcode
    """
    wanted = _wanted(**{name: how[name] for name in ("form", "out", "embed_values", "reports", "show_personal", "calls")})
    if base == "" or (Origin.UNEXPLAINED in fail_on and base is None):
        raise Usage("--base and --fail-on unexplained need a revision: --base REF")
    rules = workflow.read_rules(how["policy"], how["approve"], how["max_calls"])
    manifest = workflow.read_manifest(paths)
    before = workflow.base_manifest(manifest, base) if base else None
    planned = make(manifest, how["intercom"], how["memory"], Scope(how["target"], how["exclude"], retry=how["retry"]), rules)
    planned = workflow.since(planned, before, rules) if before else planned
    found = workflow.origins_of(before, manifest, planned.plan) if before else ()
    leave(planned, wanted, found)
    unexplained = [c.mark for c, origin in zip(planned.plan.changes, found, strict=False) if origin in fail_on]
    failing = [(f"{Origin.UNEXPLAINED}: nothing that was written says this", mark, "error") for mark in unexplained]
    annotate([*refusals(planned), *failing, *left_open(planned.plan)])
    if failing or (WAITING in fail_on and planned.plan.waiting):
        return 3
    if not detailed_exitcode:
        return 0
    return 3 if planned.plan.refused else 2 if planned.plan.steps or planned.plan.unproven else 0


def _wanted(form: str, out: Path | None, embed_values: bool, reports: Sequence[str], show_personal: str | None, calls: bool) -> Wanted:
    if embed_values and (not out or in_ci()):
        raise Usage("--embed-values writes personal values into the file of -o, and never in CI; leave it out")
    if out:
        in_folder("-o", out)
    if in_ci() and show_personal == "here":
        raise Usage("--show-personal would write personal values into the log of a pipeline; if that is meant: --show-personal=ci")
    return Wanted(form, out, embed_values, tuple(_reports(reports)), View(personal=True) if show_personal else MASKED, calls)


def wanted_reports(form: str, out: Path | None, reports: Sequence[str]) -> Wanted:
    """What a verb without the options of `plan` is to leave behind. Raises Usage."""
    return Wanted(form, out, False, tuple(_reports(reports)), MASKED, False)


def _reports(written: Sequence[str]) -> list[tuple[str, Path]]:
    """`--report markdown=plan.md` as a format and a file; a wrong one ends the run before anything is read."""
    found = []
    for report in written:
        name, equals, path = report.partition("=")
        if name not in RENDERERS or not equals or not path:
            raise Usage(f"--report {report}: write FORMAT=FILE, with one of {', '.join(sorted(RENDERERS))}")
        in_folder("--report", Path(path))
        found.append((name, Path(path)))
    return found


def in_folder(option: str, path: Path) -> None:
    """Raises Usage where a file that is to be written has no folder: before anything is read, not after."""
    if not path.parent.is_dir():
        raise Usage(f"{option} {path}: the folder does not exist; make it first")


def make(manifest: Manifest, intercom: Intercom, memory: Memory, scope: Scope, rules: Rules) -> workflow.Planned:
    """Plan, with progress on stderr."""
    memory.check_name(manifest)
    with progress(sys.stderr, label="reading") as bar, connected(intercom, manifest.pin, writes=False, memory=memory) as session:
        return workflow.plan(workflow.watched(session, lambda what: bar.advance(label=what)), manifest, scope, rules)


def leave(planned: workflow.Planned, wanted: Wanted, found: tuple[Origin, ...]) -> None:
    """The plan, its reports, and last what is shown: files are there before anything can go wrong with the screen."""
    view = View(wanted.view.personal, tuple(origin.value for origin in found))
    made = workflow.documented(planned.plan, view)
    if wanted.calls:
        made["calls"] = workflow.listed_calls(planned.plan)
    if wanted.out:
        workflow.save(planned, wanted.out, embed=wanted.embed)
    for name, path in wanted.reports:
        workflow.write_whole(path, RENDERERS[name](made), 0o600 if wanted.view.personal else 0o644)
    render(made, wanted.form)


def render(found: Document, form: str) -> None:
    """A plan's document on stdout."""
    out = Terminal(sys.stdout)
    if form == "text":
        out.lines(text.lines(found, color=out.color, width=out.width))
    else:
        out.write(RENDERERS[form](found))
    out.check()


def refusals(planned: workflow.Planned) -> Iterator[Annotation]:
    """Every refusal, with the place of the first change that it stops, else of the entry that its message begins with."""
    places = {str(resource.mark): resource.mark for resource in planned.manifest.resources.values()}
    for refusal in planned.plan.refused:
        told = _PLACE.match(refusal.message)
        yield str(refusal), next((change.mark for change in refusal.changes), places.get(told[1]) if told else None), "error"


def left_open(plan: Plan) -> Iterator[Annotation]:
    """What is unproven, and what only waits, at the places of their entries."""
    for notes, level in ((plan.unproven, "warning"), (plan.waiting, "notice")):
        for note in notes:
            about = f"{shown(note.address, plan.workspace.app_id)}: " if note.address else ""
            yield f"{note.topic}: {about}{note.message}", note.mark, level


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json")
@FORMAT
def show(file: Path, form: str) -> None:
    """Render a saved plan; no network.

    \b
    Example:
      reconciler show plan.json
    """
    render(to_look_at(workflow.read_plan(file)), form)
