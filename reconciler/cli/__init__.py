"""The command line: options → workflow → report → exit code."""

from __future__ import annotations

import sys

import click

from reconciler import __version__
from reconciler.cli.lookup import api, get
from reconciler.cli.manifest import schema, validate
from reconciler.cli.plan import apply, plan, show
from reconciler.cli.running import run
from reconciler.cli.sandbox import sandbox


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="reconciler")
def cli() -> None:
    """Plan-then-apply for Intercom: YAML in Git is what the workspace should have.

    \b
    Example:
      reconciler plan intercom/ -o plan.json
      reconciler apply plan.json
    """


for command in (validate, schema, plan, show, apply, get, api, sandbox):
    cli.add_command(command)


def main() -> None:
    """The entry point: runs a verb and ends the process with its exit code."""
    sys.exit(run(cli, sys.argv[1:]))
