"""How help is laid out: the verbs in groups, and what many verbs share in blocks of its own."""

from __future__ import annotations

from typing import Any

import click


class Shared(click.Option):
    """An option that several verbs have. `block` is the heading that it stands under in their help."""

    def __init__(self, *names: Any, block: str, **how: Any) -> None:
        super().__init__(*names, **how)
        self.block = block


class Verb(click.Command):
    """A verb: its own options come first in its help, then the shared ones, block by block."""

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
