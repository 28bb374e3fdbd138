"""The verb that looks at everything around a run: doctor."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from reconciler.cli.completion import files
from reconciler.cli.connection import opened, pin_of_folder
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import Intercom, WorkspaceOptions, gathered, intercom_options, ledger_options, pinned
from reconciler.cli.running import in_ci
from reconciler.cli.tokens import credential
from reconciler.core.model.desired import Pin
from reconciler.core.model.finding import Finding, State
from reconciler.errors import ReconcilerError
from reconciler.ledger.folder import root_of
from reconciler.report.terminal import Terminal
from reconciler.workflow.doctor import look_at_ledger, look_at_pipelines, look_at_token


@click.command(cls=Verb)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=files)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@ledger_options
@pinned
@intercom_options
@gathered(where=WorkspaceOptions)
def doctor(paths: tuple[str, ...], form: str, where: WorkspaceOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Look at all that a run rests on: token, pin, clock, ledger, key, pipelines. Reads only; exit code 1 when something must be mended.

    PATH is the manifest whose pin is meant; default: that of the manifest in this folder.

    \b
    Example:
      reconciler doctor intercom/
    """
    from reconciler.report import doctor as report
    from reconciler.report.json import deep

    found, out = list(_findings(_pin(paths, where), choice, intercom)), Terminal(sys.stdout)
    if form == "json":
        out.write(deep(report.document(found)))
    else:
        out.lines(report.lines(found, out.color))
    out.check()
    return ReconcilerError.exit_code if any(finding.state is State.MEND for finding in found) else 0


def _findings(pin: Pin, choice: LedgerChoice, intercom: Intercom) -> Iterator[Finding]:
    yield from _of_token(pin, intercom, choice.paths)
    yield from look_at_ledger(choice.address, choice.folder, os.environ, in_ci())
    yield from look_at_pipelines(root_of(Path.cwd()) or Path())


def _of_token(pin: Pin, intercom: Intercom, paths: Sequence[str]) -> Iterator[Finding]:
    try:
        token = credential(intercom, pin)
    except ReconcilerError as error:
        yield Finding("token", State.MEND, str(error))
        return
    with opened(intercom, token.token, pin.region or token.region, paths) as client:
        yield from look_at_token(client, token.source, pin)


def _pin(paths: tuple[str, ...], where: WorkspaceOptions) -> Pin:
    """The pin of a manifest, and what the command line says instead. Raises Usage, Invalid."""
    if not paths:
        return pin_of_folder(where.region, where.app_id)
    from reconciler.manifest.files import find
    from reconciler.manifest.pins import pin_in

    written = pin_in(find(paths)) or Pin()
    return Pin(where.app_id or written.app_id, where.region or written.region)
