"""The verb that looks at everything around a run: doctor."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import click

from reconciler.cli.completion import files
from reconciler.cli.connection import open_client, pin_of_folder, pin_with, undo_keys_of_folder
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import (
    ENV,
    FILE,
    Intercom,
    ProbeOptions,
    WorkspaceOptions,
    gather,
    in_folder,
    intercom_options,
    ledger_options,
    pin_options,
)
from reconciler.cli.running import in_ci
from reconciler.cli.tokens import credential
from reconciler.core.model.desired import Pin
from reconciler.core.model.finding import Finding, State
from reconciler.errors import ReconcilerError, Usage
from reconciler.ledger.folder import root_of
from reconciler.ledger.sealing import KEY_FILE
from reconciler.manifest.layers import Layers
from reconciler.report.terminal import Terminal
from reconciler.workflow.doctor import look_at_facts, look_at_ledger, look_at_pipelines, look_at_token
from reconciler.workflow.facts import find_facts
from reconciler.workflow.undoable import Keeping, look_at_undo


@click.command(cls=Verb)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=files)
@ENV
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--probe", is_flag=True, help="Find out, in the test workspace --app-id, what no description of Intercom says.")
@click.option("--clean", is_flag=True, help="Remove what a probe left in the workspace --app-id, as after a kill.")
@click.option("--may-archive", is_flag=True, help="Let a probe also make what Intercom only archives and never deletes.")
@click.option("--yes", is_flag=True, help="Do not ask before a probe begins.")
@click.option("-o", "out", type=FILE, callback=in_folder, metavar="FILE", help="Where the facts go. Default: beside the manifest.")
@ledger_options
@pin_options
@intercom_options
@gather(where=WorkspaceOptions, probing=ProbeOptions)
def doctor(
    paths: tuple[str, ...],
    layers: Layers,
    form: str,
    probing: ProbeOptions,
    where: WorkspaceOptions,
    choice: LedgerChoice,
    intercom: Intercom,
) -> int:
    """Check all that a run needs: token, pin, clock, ledger, key, undo, pipelines. Reads only; exit code 1 when something must be mended.

    PATH is the manifest whose pin is meant; default: that of the manifest in this folder, or of the one that is found from here.

    --probe makes things named zz-reconciler-… in a test workspace, asks, removes them, and writes intercom-facts.json, which plans
    follow. It never runs on the workspace that a manifest is pinned to.

    \b
    Example:
      reconciler doctor intercom/
      reconciler doctor --probe --app-id test1abc
    """
    if probing.probe or probing.clean:
        from reconciler.cli.probe import probe

        return probe(paths, form, probing, where, intercom)
    if probing.may_archive or probing.yes or probing.out:
        raise Usage("--may-archive, --yes and -o belong to --probe")
    from reconciler.report import doctor as report
    from reconciler.report.json import deep

    findings, out = list(_findings(*_read_head(paths, layers, where), choice, intercom)), Terminal(sys.stdout)
    if form == "json":
        out.write(deep(report.document(findings)))
    else:
        out.lines(report.lines(findings, out.color))
    out.check()
    return ReconcilerError.exit_code if any(finding.state is State.MEND for finding in findings) else 0


def _findings(pin: Pin, keys: tuple[str, ...], choice: LedgerChoice, intercom: Intercom) -> Iterator[Finding]:
    yield from _of_token(pin, intercom, choice.paths)
    yield from look_at_ledger(choice.address, choice.folder, os.environ, in_ci())
    yield look_at_undo(Keeping(choice.address, keys, os.environ.get(KEY_FILE, ""), in_ci()))
    yield look_at_facts(find_facts(choice.paths, choice.folder), intercom.api_version)
    yield from look_at_pipelines(root_of(Path.cwd()) or Path())


def _of_token(pin: Pin, intercom: Intercom, paths: Sequence[str]) -> Iterator[Finding]:
    try:
        token = credential(intercom, pin)
    except ReconcilerError as error:
        yield Finding("token", State.MEND, str(error))
        return
    with open_client(intercom, token.token, pin.region or token.region, paths) as client:
        yield from look_at_token(client, token.source, pin)


def _read_head(paths: tuple[str, ...], layers: Layers, where: WorkspaceOptions) -> tuple[Pin, tuple[str, ...]]:
    """The pin of a manifest, and what the command line says instead; and its keys of undo. Raises Usage, Invalid."""
    if layers.env and not paths:
        raise Usage("--env needs the PATH of the manifest")
    from reconciler.manifest.files import on_disk
    from reconciler.manifest.here import found_from
    from reconciler.manifest.pins import pin_in, undo_keys_in

    if not paths and (pin := pin_of_folder(where.region, where.app_id)).app_id:
        return pin, undo_keys_of_folder()
    with suppress(Usage):
        paths = paths or tuple(found_from(Path.cwd(), root_of(Path.cwd()) or Path.cwd()))
    if not paths:
        return pin, ()
    names = on_disk(paths, layers).names
    return pin_with(pin_in(names, layers), where.region, where.app_id), undo_keys_in(names, layers)
