"""The verb that carries out a plan where it cannot hurt: rehearse."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.completion import files
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom
from reconciler.cli.output import show_rehearsal
from reconciler.cli.planned import paths_of, read_manifest_of, rehearse_saved, showing_stale
from reconciler.manifest.layers import Layers
from reconciler.workflow.planfile import applicable, read_plan


@click.command(cls=Verb)
@click.argument("file", type=click.Path(path_type=Path), metavar="PLAN.json", shell_complete=files)
@click.option("--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True)
@options.FULL
@options.approval_options
@options.ledger_options
@options.intercom_options
@options.gather(approvals=ApprovalOptions)
def rehearse(file: Path, form: str, full: bool, approvals: ApprovalOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Carry out a saved plan on a private copy of what it reads, and plan again. Reads only.

    What `apply PLAN.json` would read of the workspace goes into a local one in memory; there the plan is carried out, and planned again.
    Nothing is written to Intercom, to the ledger or to the disk. It shows which changes would be refused, which calls an apply makes, what
    a kill in the middle would leave, and on which assumptions all this rests. The exit code is 3 where anything would be refused.

    \b
    Example:
      reconciler rehearse plan.json
    """
    held_to, saved_plan = approvals.read(), applicable(read_plan(file), file)
    choice = replace(choice, paths=paths_of(saved_plan))
    manifest = read_manifest_of(saved_plan, Layers.of("", os.environ), choice)
    # On stdout JSON stands alone.
    with showing_stale() if form == "text" else nullcontext():
        rehearsal = rehearse_saved(saved_plan, manifest, held_to, intercom, choice)
    return show_rehearsal(rehearsal, form, full=full).exit_code
