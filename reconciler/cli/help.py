"""What all verbs have: how their help is laid out, with what many share in blocks of its own, and `--read-only`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, ClassVar

import click

from reconciler.errors import Usage

# Where the context of a verb that may only read keeps its calls.
_READS = "reconciler.reads"


class Shared(click.Option):
    """An option that several verbs have. `block` is the heading that it stands under in their help."""

    def __init__(self, *names: Any, block: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.block = block


def reads_here() -> Counter[str] | None:
    """Where the calls of the verb that runs are counted, by method, if it may only read; else None."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_READS) if context else None


def refuse_writes(why: str) -> None:
    """Raises Usage where the verb that runs may only read."""
    if reads_here() is not None:
        raise Usage(f"--read-only: {why}")


def _read_only(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        context.meta[_READS] = Counter()
        context.call_on_close(lambda: _say_reads(context.meta[_READS].total()))


def _say_reads(number: int) -> None:
    from reconciler.report.terminal import Terminal

    Terminal(sys.stderr).say(f"0 writes possible, {number:,} {'read' if number == 1 else 'reads'}")


class Verb(click.Command):
    """A verb: its own options come first in its help, then the shared ones, block by block."""

    # Whether it has `--read-only`.
    guarded: ClassVar[bool] = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.guarded:
            name, text = ["--read-only"], "Refuse every call that may change something in Intercom, before it is sent."
            self.params.append(Shared(name, block="Connection", is_flag=True, expose_value=False, callback=_read_only, help=text))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        blocks: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                blocks.setdefault(getattr(parameter, "block", "Options"), []).append(record)
        for heading, records in blocks.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class Family(click.Group):
    """Verbs of two words."""

    command_class = Verb


class LocalVerb(Verb):
    """A verb of the local workspace, which is there to be changed."""

    guarded = False
