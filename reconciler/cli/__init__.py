"""The command line: options → workflow → report → exit code."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from types import MappingProxyType
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from reconciler import __version__

# Modules are imported when their verb runs, so that help and completion answer at once: group → verb → module, first line of its help.
GROUPS = MappingProxyType(
    {
        "Every day": {
            "validate": ("manifest", "Check a manifest offline: everything that can be seen without Intercom."),
            "plan": ("plan", "Show what apply would do. Reads only."),
            "show": ("plan", "Show a saved plan again, in any format; no network."),
            "apply": ("apply", "Carry out a saved plan exactly, or plan, show, ask and carry out."),
            "drift": ("drift", "Show what changed in Intercom since the last apply."),
            "fleet": ("fleet", "Many workspaces: the same verbs for all of them, in waves, and how they are."),
        },
        "Adopting": {
            "auth": ("auth", "Access tokens: keep one, show whose it is, remove it."),
            "schema": ("manifest", "Print the JSON Schema of manifests, for editors."),
            "init": ("export", "Begin: write what is live as a manifest, with a policy and a pipeline, and show that its plan is empty."),
            "export": ("export", "Write what is live as a manifest. Reads only."),
            "adopt": ("ledger", "Take live things into the ledger as ours; nothing is changed in Intercom."),
            "sandbox": ("sandbox", "A local workspace that behaves like Intercom, for trying things out."),
        },
        "Tidying": {
            "fmt": ("tidy", "Write manifests in their canonical form, overlays too."),
            "lint": ("tidy", "Say what is amiss with names, owners, descriptions and tombstones."),
            "docs": ("docs", "Write the page of the taxonomy: what each tag means, whose it is, and what to use instead."),
            "codeowners": ("codeowners", "The file CODEOWNERS, by which reviews are asked for: written from the `owner:` of tags."),
            "tag": ("tag", "Tags: see who uses them; add, rename, merge or retire one wherever the manifest names it."),
        },
        "Looking": {
            "explain": ("explain", "Explain one thing: as declared, as applied, as live, and what the next plan would do with it."),
            "rehearse": ("rehearse", "Carry out a saved plan on a private copy of what it reads, and plan again. Reads only."),
            "history": ("ledger", "List all runs, newest first, or show one of them."),
            "diff": ("diff", "Show what two plans, two exports or two runs do not have in common; no network."),
            "get": ("lookup", "Look up what is live: all that Intercom lists, or these keys."),
            "api": ("lookup", "Make a raw call to Intercom, with the same token, version and rate limit."),
            "doctor": ("doctor", "Check all that a run needs: token, pin, clock, ledger, key, pipelines."),
        },
        "Mending": {
            "undo": ("undo", "Plan what takes a run back. Reads only."),
            "forget": ("ledger", "Let things go: they are no longer ours; nothing is changed in Intercom."),
        },
    }
)
VERBS = MappingProxyType({name: text for verbs in GROUPS.values() for name, text in verbs.items()})


class Verbs(click.Group):
    """A group whose commands are found by name, in the order of the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(import_module(f"reconciler.cli.{VERBS[cmd_name][0]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        widest = max(map(len, VERBS))
        for group, verbs in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(widest), text) for name, (_, text) in verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """From the table: click would import the module of every verb."""
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=text) for name, (_, text) in VERBS.items() if name.startswith(incomplete)), *options]


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="reconciler")
def cli() -> None:
    """Plan-then-apply for Intercom: YAML files in Git say what the workspace should have.

    \b
    Example:
      reconciler plan intercom/ -o plan.json
      reconciler apply plan.json

    \b
    TAB completes verbs, options, files, addresses and runs, once this line is in ~/.bashrc (for zsh and fish: zsh_source, fish_source):
      eval "$(_RECONCILER_COMPLETE=bash_source reconciler)"
    """


def main() -> NoReturn:
    """The entry point: runs a verb and ends the process with its exit code."""
    from reconciler.cli.running import run

    # What is read lives until a plan is made: to look for garbage among it takes as long as all the rest. A library leaves its host's on.
    gc.disable()
    _leave(run(cli, sys.argv[1:]))


def _leave(code: int) -> NoReturn:
    """End the process. What was open is closed by now: taking Python apart as well would be a fifth of a short run, and would wait for
    calls that nobody waits for any more, after a signal."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
