"""How the verbs for many workspaces show them: on stdout, and in files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.headline import headline_for
from reconciler.cli.options import report_option
from reconciler.fleet.report.formats import RENDERERS
from reconciler.report.terminal import Terminal

if TYPE_CHECKING:
    from reconciler.fleet.fleet import Fleet
    from reconciler.fleet.view import View

FORMAT = click.option("--format", "form", type=click.Choice(sorted(RENDERERS)), default="text", show_default=True)
REPORTS = report_option(RENDERERS)


@dataclass(frozen=True)
class FleetOptions:
    """Which fleet, and how it is shown."""

    # Its file.
    file: Path
    # The format on stdout.
    form: str = "text"
    # How many workspaces are run at the same time.
    jobs: int = 8
    # Other reports: their formats and their files.
    reports: Sequence[tuple[str, Path]] = ()


def show(view: View, fleet_options: FleetOptions) -> None:
    """The reports of a view, and last what is shown: files are there before anything can go wrong with the screen."""
    from reconciler.workflow.planfile import write_whole

    head = headline_for([fleet_options.form, *(name for name, _ in fleet_options.reports)], [str(fleet_options.file)])
    for name, path in fleet_options.reports:
        write_whole(path, RENDERERS[name](view, head), 0o644)
    write(view, fleet_options.form, head)


def write(view: View, form: str, head: str = "") -> None:
    """A view on stdout."""
    from reconciler.fleet.report import text

    out = Terminal(sys.stdout)
    if form == "text":
        out.lines(text.lines(view, out.color))
    else:
        out.write(RENDERERS[form](view, head))
    out.check()


def note_empty(fleet: Fleet) -> None:
    """Say which groups are empty, on stderr: a canary of which a label is mistyped lets the others go first."""
    for name in fleet.groups:
        if not fleet.within(name):
            Terminal(sys.stderr).say(f"note: no workspace is in the group {name}; see to its `match:`")
