"""The verb that writes the page of the taxonomy: docs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.connection import open_session, refuse_other
from reconciler.cli.headline import headline
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import Intercom, ManifestOptions
from reconciler.core.compare.inventory import Row
from reconciler.core.compare.taxonomy import TaxonomyFacts, describe_taxonomy
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest, Pin
from reconciler.errors import Usage
from reconciler.kinds import KINDS
from reconciler.report.progress import progress
from reconciler.report.taxonomy import MARKDOWN, MARKER, PAGE, as_markdown, as_page, summarize
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.docs import differs, look_up_since, write_ours
from reconciler.workflow.session import watch

TAG = KINDS["tag"]
# The exit code where something would change.
DIFFERS = 2


@click.command(cls=Verb)
@options.PATHS_OR_HERE
@options.ENV
@click.option(
    "-o",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    callback=options.in_folder,
    default=Path(),
    metavar="DIR",
    help="Where the files go; default: here.",
)
@click.option("--live", is_flag=True, help="Also count in the workspace who has each tag.")
@click.option("--check", is_flag=True, help=f"Write nothing; exit code 2 where {MARKDOWN} would change.")
@options.ledger_options
@options.intercom_options
@options.gather(source=ManifestOptions)
def docs(source: ManifestOptions, folder: Path, live: bool, check: bool, choice: LedgerChoice, intercom: Intercom) -> int:
    """Write the page of the taxonomy: what each tag means, whose it is, and what to use instead.

    PATH is the manifest; default: the one here. TAXONOMY.md is for the repository: it says what is declared, and changes with the manifest
    alone. taxonomy.html is for people: it can be searched and sorted, says since when a tag is on record, and, with --live, who has it now.
    Without --live nothing is asked of Intercom.

    \b
    Example:
      reconciler docs intercom/
      reconciler docs intercom/ --check
      reconciler docs intercom/ --live -o site/
    """
    if check and live:
        raise Usage(f"--check looks at {MARKDOWN}, which says nothing of what is live; leave --live out")
    source = replace(source, paths=options.paths_or_here(source.paths))
    manifest, out, terminal = source.read(), Terminal(sys.stdout), Terminal(sys.stderr)
    text = as_markdown(describe_taxonomy(TAG, manifest, TaxonomyFacts()))
    if check:
        changes = differs(folder / MARKDOWN, text)
        terminal.say(
            f"{folder / MARKDOWN} {'would change: run `reconciler docs`, and commit it' if changes else 'is as the manifest says'}"
        )
        return DIFFERS if changes else 0
    taxonomy = describe_taxonomy(TAG, manifest, TaxonomyFacts(_look_up(manifest, choice), _look_live(manifest, intercom) if live else None))
    texts = {folder / MARKDOWN: text, folder / PAGE: as_page(taxonomy, headline(manifest.paths))}
    write_ours(texts, MARKER)
    out.lines(clean(str(path)) for path in texts)
    out.check()
    terminal.say(f"{summarize(taxonomy)}{'' if live else '; members: not read (--live reads them)'}")
    return 0


def _look_up(manifest: Manifest, choice: LedgerChoice) -> dict[Address, float]:
    """Since when tags are on record, if there is a ledger."""
    ledger = replace(choice, paths=manifest.paths).open(create=False)
    if ledger is None:
        return {}
    with ledger:
        return dict(look_up_since(ledger, manifest, TAG))


def _look_live(manifest: Manifest, intercom: Intercom) -> list[Row]:
    from reconciler.workflow.inventory import count_all

    with progress(sys.stderr, label="reading") as bar, open_session(intercom, manifest.pin, writes=False, paths=manifest.paths) as session:
        refuse_other(manifest.pin or Pin(), session.here)
        return list(count_all(watch(session, bar.reading), TAG, manifest))
