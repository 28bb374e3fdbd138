"""The verbs that look: plan, show; and the options that they share with apply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler.cli.help import Verb
from reconciler.cli.options import FORMAT, PATHS, REPORTS, intercom_options, ledger_options, ruled, scoped
from reconciler.cli.output import Wanted, in_folder, leave, left_open, make, read_reports, refusals, render
from reconciler.cli.running import annotate, in_ci
from reconciler.core.compare.origin import Origin, origins
from reconciler.core.model.live import WAITING
from reconciler.core.plan.approvals import note_policy_change
from reconciler.core.plan.document import MASKED, View
from reconciler.core.plan.saved import to_look_at
from reconciler.core.plan.scope import Scope
from reconciler.errors import Usage
from reconciler.manifest.read import base_manifest, read_manifest, read_rules
from reconciler.workflow.planfile import read_plan


def _here_or_ci(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """What stands after the option is taken for its value, so a path there is told before it is missed."""
    if value not in (None, "here", "ci"):
        raise Usage("--show-personal stands alone or as --show-personal=ci; write paths before it")
    return value


@click.command(cls=Verb)
@PATHS
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@click.option("--embed-values", is_flag=True, help="Put the manifest into FILE, with all personal values; not in CI.")
@FORMAT
@REPORTS
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
    rules = read_rules(how["policy"], how["approve"], how["max_calls"])
    manifest = read_manifest(paths)
    before = base_manifest(manifest, base) if base else None
    planned = make(manifest, how["intercom"], how["memory"], Scope(how["target"], how["exclude"], retry=how["retry"]), rules)
    if before:
        planned = replace(planned, plan=note_policy_change(planned.plan, before, planned.manifest, rules))
    found = origins(before, manifest, planned.plan.changes) if before else ()
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
    return Wanted(form, out, embed_values, tuple(read_reports(reports)), View(personal=True) if show_personal else MASKED, calls)


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json")
@FORMAT
def show(file: Path, form: str) -> None:
    """Render a saved plan; no network.

    \b
    Example:
      reconciler show plan.json
    """
    render(to_look_at(read_plan(file)), form)
