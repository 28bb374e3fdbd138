"""The verb that watches: drift."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from reconciler.cli.help import Verb
from reconciler.cli.options import FORMAT, PATHS, POLICY, REPORTS, intercom_options, ledger_options
from reconciler.cli.output import in_folder, leave, left_open, make, refusals, wanted_reports
from reconciler.cli.running import annotate
from reconciler.core.model.live import WAITING
from reconciler.core.plan.scope import Scope
from reconciler.errors import Usage
from reconciler.manifest.read import read_manifest, read_rules


@click.command(cls=Verb)
@PATHS
@FORMAT
@REPORTS
@click.option("--fix", is_flag=True, help="Save the plan that puts it right, with -o.")
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where --fix saves it, for `apply FILE`.")
@click.option("--fail-on", multiple=True, type=click.Choice([WAITING]), help="Exit code 2 also if something only waits for Intercom.")
@POLICY
@ledger_options
@intercom_options
def drift(
    paths: tuple[str, ...], form: str, reports: tuple[str, ...], fix: bool, out: Path | None, fail_on: tuple[str, ...], **how: Any
) -> int:
    """What moved in Intercom since we applied. Reads only; exit code 2 when something did, or nothing can be said of some entries.

    What is declared and was never applied is listed, and is no drift. Where nothing was applied yet, the whole manifest is held
    against the workspace, and every difference counts.

    \b
    Example:
      reconciler drift intercom/
      reconciler drift intercom/ --fix -o fix.json
    """
    if fix is not (out is not None):
        raise Usage("--fix and -o belong together: drift PATH --fix -o FILE")
    if out:
        in_folder("-o", out)
    wanted = wanted_reports(form, out, reports)
    manifest = read_manifest(paths)
    # Without the ledger of a team nobody can say what drifted: that is an error, and no difference.
    memory = replace(how["memory"], must=True)
    planned = make(manifest, how["intercom"], memory, Scope(moved=True), read_rules(how["policy"], (), None))
    leave(planned, wanted, ())
    annotate([*refusals(planned), *left_open(planned.plan)])
    seen = planned.plan.drift
    assert seen
    if seen.blind:
        return 3
    late = WAITING in fail_on and planned.plan.waiting
    return 2 if seen.is_drift or seen.refused or seen.unproven or late else 0
