"""The verb that holds two things of one sort side by side: diff."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.completion import files
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.core.plan.side_by_side import Unlike, compare_manifests, compare_plans, compare_runs
from reconciler.errors import Usage
from reconciler.kinds import KINDS
from reconciler.manifest.layers import Layers
from reconciler.manifest.read import read_manifest
from reconciler.report import side_by_side
from reconciler.report.terminal import Terminal
from reconciler.workflow.planfile import read_plan

_FORMATS = click.Choice(["json", "text"])


@click.command(cls=Verb)
@click.argument("a", metavar="A", shell_complete=files)
@click.argument("b", metavar="B", shell_complete=files)
@options.ENV
@click.option("--format", "form", type=_FORMATS, default="text", show_default=True)
@options.ledger_options
def diff(a: str, b: str, layers: Layers, form: str, choice: LedgerChoice) -> int:
    """Show what two plans, two exports or two runs do not have in common; no network.

    A and B are plans (JSON, as `plan -o` or `plan --format json` writes them), manifests (YAML files or folders, as `export` writes them),
    or runs, as `history` lists them. The exit code is 2 where they differ. Personal values are masked.

    \b
    Example:
      reconciler diff reviewed.json plan.json
    """
    unlike = _compare(a, b, layers, choice)
    out = Terminal(sys.stdout)
    if form == "json":
        out.write(side_by_side.as_json(unlike))
    else:
        out.lines(side_by_side.lines(unlike, color=out.color))
    return 2 if unlike else 0


def _compare(a: str, b: str, layers: Layers, choice: LedgerChoice) -> list[Unlike]:
    """What A and B do not have in common. Raises Usage, Invalid."""
    sorts = {_sort_of(a), _sort_of(b)}
    if sorts == {"plan"}:
        return compare_plans(read_plan(Path(a)), read_plan(Path(b)))
    if sorts == {"manifest"}:
        return compare_manifests(KINDS, read_manifest([a], layers=layers), read_manifest([b], layers=layers))
    if sorts != {"run"}:
        raise Usage(f"{a} is a {_sort_of(a)} and {b} is a {_sort_of(b)}; give two of one sort")
    choice.require("diff of runs")
    ledger = choice.sound(create=False)
    if ledger is None:
        raise Usage(f"{a}: there is no such file, and no ledger that could know such a run")
    with closing(ledger):
        runs = {run.run for run in ledger.runs()}
        if missing := [run for run in (a, b) if run not in runs]:
            raise Usage(f"{missing[0]}: there is no such file, and no such run; `reconciler history` lists them")
        return compare_runs(ledger.read_done(a), ledger.read_done(b))


def _sort_of(name: str) -> str:
    if os.path.isdir(name) or name.lower().endswith((".yaml", ".yml")):
        return "manifest"
    return "plan" if os.path.exists(name) or name.lower().endswith(".json") else "run"
