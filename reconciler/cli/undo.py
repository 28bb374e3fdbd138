"""The verb that takes back: undo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from reconciler.cli.completion import runs
from reconciler.cli.connection import check_pin, connected, name_in_folder, pin_of_folder
from reconciler.cli.help import Verb
from reconciler.cli.lookup import pinned
from reconciler.cli.options import FORMAT, REPORTS, intercom_options, ledger_options, ruled
from reconciler.cli.output import in_folder, leave, refusals, wanted_reports
from reconciler.cli.running import annotate
from reconciler.manifest.read import read_rules
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.session import watched
from reconciler.workflow.undo import LAST, propose_undo, run_meant


@click.command(cls=Verb)
@click.argument("run", metavar="RUN|last", shell_complete=runs)
@click.option("-o", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Save the plan, for `apply FILE`.")
@FORMAT
@REPORTS
@ruled
@pinned
@ledger_options
@intercom_options
def undo(run: str, out: Path | None, form: str, reports: tuple[str, ...], **how: Any) -> int:
    """Plan what takes a run back, from what was kept before its first write. Reads only; `apply FILE` carries it out.

    RUN is one that `reconciler history` lists; `last` is the newest that had something to write, under the name that the manifest
    in this folder has. What changed since then is listed and left alone, and so is what cannot come back. An undo can be undone.

    \b
    Example:
      reconciler undo last -o undo.json
      reconciler apply undo.json
    """
    how["memory"].needed("undo")
    if out:
        in_folder("-o", out)
    wanted = wanted_reports(form, out, reports)
    rules = read_rules(how["policy"], how["approve"], how["max_calls"])
    pin = pin_of_folder(how["region"], how["app_id"])
    with progress(sys.stderr, label="reading") as bar, connected(how["intercom"], pin, writes=False, memory=how["memory"]) as session:
        check_pin(pin, session)
        meant = run_meant(session, run, name_in_folder() if run == LAST else None)
        planned = propose_undo(watched(session, lambda what: bar.advance(label=what)), meant, rules)
    if out:
        Terminal(sys.stderr).say(f"{out} takes back the run {meant}")
    leave(planned, wanted, ())
    annotate(refusals(planned))
    return 0
