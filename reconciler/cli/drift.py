"""The verb that watches: drift."""

from __future__ import annotations

from dataclasses import replace

import click

from reconciler.cli import options
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, ManifestOptions, OutputOptions
from reconciler.cli.output import fails_on_waiting, leave, left_open, make, refusals, say_next
from reconciler.cli.running import annotate
from reconciler.core.model.live import WAITING
from reconciler.core.plan.scope import Scope
from reconciler.errors import Usage


@click.command(cls=Verb)
@options.PATHS
@options.ENV
@options.FORMAT
@options.FULL
@options.REPORTS
@click.option("--fix", is_flag=True, help="Make the plan that puts it right; needs -o.")
@click.option("-o", "out", type=options.FILE, callback=options.in_folder, metavar="FILE", help="Where --fix saves it, for `apply FILE`.")
@click.option("--fail-on", multiple=True, type=click.Choice([WAITING]), help="Exit code 2 also if something only waits for Intercom.")
@options.POLICY
@options.ledger_options
@options.intercom_options
@options.gather(source=ManifestOptions, output=OutputOptions, approvals=ApprovalOptions)
def drift(
    source: ManifestOptions,
    output: OutputOptions,
    fix: bool,
    fail_on: tuple[str, ...],
    approvals: ApprovalOptions,
    choice: LedgerChoice,
    intercom: Intercom,
) -> int:
    """Show what changed in Intercom since the last apply. Reads only.

    The exit code is 2 if something did, or if nothing can be said of some entries. What is declared and was never
    applied is listed, and is no drift. Before the first apply, the whole manifest is compared with the workspace, and every difference
    counts.

    \b
    Example:
      reconciler drift intercom/
      reconciler drift intercom/ --fix -o fix.json
    """
    if fix is not (output.out is not None):
        raise Usage("--fix and -o belong together: drift PATH --fix -o FILE")
    manifest = source.read()
    # Without the ledger of a team nobody can say what drifted: that is an error, and no difference.
    choice = replace(choice, must=True)
    proposal = make(manifest, intercom, choice, Scope(moved=True), approvals.read())
    leave(proposal, output)
    choice.say_which()
    say_next(proposal, output)
    strict = WAITING in fail_on
    annotate([*refusals(proposal), *left_open(proposal.plan, strict)])
    drift = proposal.plan.drift
    assert drift
    if drift.blind:
        return 3
    late = fails_on_waiting(strict, proposal.plan.waiting)
    return 2 if drift.is_drift or drift.refused or drift.unproven or late else 0
