"""The verb that explains one thing: explain."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import click

from reconciler.cli import options
from reconciler.cli.completion import addresses_here
from reconciler.cli.connection import open_session
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, ManifestOptions
from reconciler.errors import Usage
from reconciler.kinds import KINDS
from reconciler.report import explaining
from reconciler.report.explain import Document, as_document
from reconciler.report.json import deep
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.adopt import read_addresses
from reconciler.workflow.explain import explain_one
from reconciler.workflow.session import watch


@dataclass(frozen=True)
class ViewOptions:
    """How it is shown."""

    # The format on stdout.
    form: str
    # Whether a text lists all of it.
    full: bool
    # Where personal values are shown: nowhere, `here`, or `ci` too.
    show_personal: str | None

    def show(self, document: Document) -> None:
        """One thing on stdout."""
        out = Terminal(sys.stdout)
        if self.form == "json":
            out.write(deep(document))
        else:
            out.lines(explaining.lines(document, full=self.full, color=out.color))
        out.check()


@click.command(cls=Verb)
@click.argument("address", shell_complete=addresses_here)
@options.PATHS_OR_HERE
@options.ENV
@click.option("--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True)
@options.FULL
@options.SHOW_PERSONAL
@options.POLICY
@options.ledger_options
@options.intercom_options
@options.gather(source=ManifestOptions, approvals=ApprovalOptions, view=ViewOptions)
def explain(
    address: str, source: ManifestOptions, view: ViewOptions, approvals: ApprovalOptions, choice: LedgerChoice, intercom: Intercom
) -> int:
    """Explain one thing: as declared, as applied, as live, and what the next plan would do with it. Reads only.

    ADDRESS is KIND/KEY, as the manifest writes it: tag/vip, company/6, contact/25, contact/zoe@acme.com, contact/id:ID. PATH is the
    manifest; default: the one here. It shows where the thing is declared, which run applied it and when, each field on all three sides,
    each link with since when and by whom, what decides about it, and which gate would stop the plan. It reads what that one thing needs.

    \b
    Example:
      reconciler explain contact/25 intercom/
      reconciler explain tag/vip --format json
    """
    options.check_personal(view.show_personal)
    (address_read,) = read_addresses([address])
    if not KINDS.declares(address_read.kind):
        raise Usage(f"{address}: nobody declares a {address_read.kind}; write one of {', '.join(kind.name for kind in KINDS)}")
    manifest = replace(source, paths=options.paths_or_here(source.paths)).read()
    choice, held_to = replace(choice, paths=manifest.paths), approvals.read()
    choice.check_name(manifest)
    with (
        progress(sys.stderr, label="reading") as bar,
        open_session(intercom, manifest.pin, writes=False, choice=choice, paths=manifest.paths) as session,
    ):
        one = explain_one(watch(session, bar.reading), manifest, address_read, held_to)
    view.show(as_document(one.sides, one.plan, one.limits, one.people, personal=view.show_personal is not None))
    choice.say_which()
    return 0
