"""Verbs that keep a manifest tidy: lint, fmt. Intercom is read at most."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.connection import open_session, refuse_other
from reconciler.cli.help import LocalVerb, Verb
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, ManifestOptions
from reconciler.cli.running import annotate
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.policy import tighten
from reconciler.errors import Invalid
from reconciler.kinds import KINDS
from reconciler.ledger.folder import root_of
from reconciler.manifest.files import find, read_bytes, replace_all
from reconciler.report.progress import progress
from reconciler.report.signs import count
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.session import watch

if TYPE_CHECKING:
    from reconciler.core.compare.lint import LintFacts

# The exit code where something would change.
DIFFERS = 2


@dataclass(frozen=True)
class LintOptions(ApprovalOptions):
    """What is looked at, and how it is told."""

    # Whether the workspace is asked.
    live: bool = False
    # The format.
    form: str = "text"
    # Whether a text lists every place.
    full: bool = False


@click.command(cls=Verb)
@options.PATHS_OR_HERE
@options.ENV
@click.option("--live", is_flag=True, help="Also ask the workspace what is dead, and which tombstones are done.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@options.FULL
@options.POLICY
@options.intercom_options
@options.gather(source=ManifestOptions, look=LintOptions)
def lint(source: ManifestOptions, look: LintOptions, intercom: Intercom) -> int:
    """Say what is amiss with names, owners, descriptions and tombstones.

    It works offline, unless --live is given. PATH is the manifest; default: the one here. Each rule is error, warning or off under
    `policy: {lint: {…}}`: naming (patterns), similar (names that may be one), owner, description, dead (nobody uses it; with --live), done
    (a tombstone of what is gone, as the ledger in .reconciler/ says, or --live). Exit code 65 with errors, 0 with warnings.

    \b
    Example:
      reconciler lint intercom/
      reconciler lint intercom/ --live --format sarif > lint.sarif
    """
    from reconciler.core.compare.lint import find_remarks
    from reconciler.report.lint import FORMS, summary

    source = replace(source, paths=options.paths_or_here(source.paths))
    manifest, terminal = source.read(), Terminal(sys.stderr)
    policy = manifest.policy
    if (base := look.read().base) is not None:
        policy, refusals = tighten(base, policy)
        terminal.lines(f"note: {line}; the rule of {look.policy} holds" for line in refusals if line.startswith("lint."))
    remarks = find_remarks(KINDS, manifest, policy, _look_live(manifest, intercom) if look.live else _look_up(manifest))
    here = Path.cwd()
    out = Terminal(sys.stdout)
    out.write(FORMS[look.form](remarks, root_of(here) or here, look.full))
    out.check()
    terminal.say(summary(remarks))
    annotate((f"{r.problem.what}; {r.problem.now}", r.problem.mark, r.level) for r in remarks)
    return Invalid.exit_code if any(remark.level == "error" for remark in remarks) else 0


@click.command(cls=LocalVerb)
@options.PATHS_OR_HERE
@click.option("--check", is_flag=True, help="Write nothing; exit code 2 where something would change.")
def fmt(paths: tuple[str, ...], check: bool) -> int:
    """Write manifests in their canonical form, overlays too.

    PATH is the manifest; default: the one here. Sections and keys get the order of the reference; entries and comments stay where they are.
    What fits on a line stays in brackets. It lists the files that change; their meaning stays.

    \b
    Example:
      reconciler fmt intercom/
      reconciler fmt --check intercom/
    """
    from reconciler.manifest.canonical import canonical_files

    data = {file: read_bytes(file) for file in find(options.paths_or_here(paths))}
    files, reasons = canonical_files(data)
    out, terminal = Terminal(sys.stdout), Terminal(sys.stderr)
    if not check:
        replace_all(data, files)
    out.lines(map(clean, files))
    out.check()
    for file, why in reasons.items():
        terminal.say(f"{file} stays as it is: {why}")
    terminal.say(f"{count(len(files), 'file')} {'would change' if check else 'changed'}, of {len(data):,}")
    return DIFFERS if check and files else 0


def _look_up(manifest: Manifest) -> LintFacts:
    """What the ledger in the folder knows, if there is one."""
    from reconciler.core.compare.lint import LintFacts
    from reconciler.workflow.lint import look_up

    if not any(resource.state == "absent" for resource in manifest.resources.values()):
        return LintFacts()
    ledger = LedgerChoice(paths=manifest.paths).open(create=False)
    if ledger is None:
        return LintFacts()
    with ledger:
        return look_up(ledger, manifest)


def _look_live(manifest: Manifest, intercom: Intercom) -> LintFacts:
    from reconciler.workflow.lint import look_live

    with progress(sys.stderr, label="reading") as bar, open_session(intercom, manifest.pin, writes=False, paths=manifest.paths) as session:
        refuse_other(manifest.pin or Pin(), session.here)
        return look_live(watch(session, bar.reading), manifest)
