"""The verb that takes back: undo."""

from __future__ import annotations

import sys

import click

from reconciler.cli import options
from reconciler.cli.completion import runs
from reconciler.cli.connection import check_pin, name_in_folder, open_session, pin_of_folder
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, OutputOptions, WorkspaceOptions
from reconciler.cli.output import leave, refusals, say_next
from reconciler.cli.running import annotate
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.session import watch
from reconciler.workflow.undo import LAST, propose_undo, run_meant


@click.command(cls=Verb)
@click.argument("run", metavar="RUN|last", shell_complete=runs)
@options.OUT
@options.FORMAT
@options.FULL
@options.REPORTS
@options.approval_options
@options.pin_options
@options.ledger_options
@options.intercom_options
@options.gather(output=OutputOptions, approvals=ApprovalOptions, where=WorkspaceOptions)
def undo(
    run: str, output: OutputOptions, approvals: ApprovalOptions, where: WorkspaceOptions, choice: LedgerChoice, intercom: Intercom
) -> int:
    """Plan what takes a run back, from what was kept before its first write. Reads only; `apply FILE` carries it out.

    RUN is one that `reconciler history` lists. `last` is the newest that had something to write, under the name of the manifest
    in this folder. What changed since then is listed and left alone, and so is what cannot come back. An undo can be undone.

    \b
    Example:
      reconciler undo last -o undo.json
      reconciler apply undo.json
    """
    choice.require("undo")
    held_to = approvals.read()
    pin = pin_of_folder(where.region, where.app_id)
    with progress(sys.stderr, label="reading") as bar, open_session(intercom, pin, writes=False, choice=choice) as session:
        check_pin(pin, session)
        run_id = run_meant(session, run, name_in_folder() if run == LAST else None)
        proposal = propose_undo(watch(session, bar.reading), run_id, held_to)
    if output.out:
        Terminal(sys.stderr).say(f"{output.out} takes back the run {run_id}")
    leave(proposal, output)
    say_next(proposal, output)
    annotate(refusals(proposal))
    return 0
