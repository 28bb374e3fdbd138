"""Verbs about tags: report, and add, rename, merge and retire, which change the manifest and never Intercom."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click

from reconciler.cli import options
from reconciler.cli.completion import files
from reconciler.cli.connection import open_session, pin_of_folder, pin_with, refuse_other
from reconciler.cli.headline import headline
from reconciler.cli.help import Family
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import ApprovalOptions, Intercom, ManifestOptions, OutputOptions, WorkspaceOptions
from reconciler.cli.output import as_typed, leave, make, say_next
from reconciler.cli.running import in_ci, say_error
from reconciler.cli.tokens import NoToken
from reconciler.core.model.desired import Manifest
from reconciler.core.plan.scope import Scope
from reconciler.errors import Interrupted, Invalid, ReconcilerError, Usage
from reconciler.kinds import KINDS
from reconciler.ledger.folder import root_of
from reconciler.manifest import declaring
from reconciler.manifest.editing import Draft
from reconciler.manifest.files import find
from reconciler.manifest.here import found_from
from reconciler.manifest.layers import Layers
from reconciler.manifest.source import SUFFIXES
from reconciler.report.progress import progress
from reconciler.report.signs import DIM, GREEN, RED, count, paint
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow.inventory import look_at_all
from reconciler.workflow.session import watch

TAG = KINDS["tag"]
# So many lines of a diff are a screen or two.
LINES = 60
# A manifest may stand on one line.
LONGEST = 500

IN = click.option(
    "--in", "paths", multiple=True, metavar="PATH", shell_complete=files, help="The manifest; may be repeated. Default: the one here."
)


@click.group(cls=Family)
def tag() -> None:
    """Tags: see who uses them; add, rename, merge or retire one wherever the manifest names it. Intercom is only read.

    add, rename, merge and retire change the files, and keep their comments, order, quotes and line ends. They show the diff, then the plan
    that follows. Without a token they change the files and show no plan. What would make the manifest invalid changes nothing.

    \b
    Example:
      reconciler tag report
      reconciler tag rename Beta beta-2026 --in intercom/
    """


@tag.command()
@IN
@options.ENV
@click.option("--format", "form", type=click.Choice(["text", "csv", "json", "html"]), default="text", show_default=True)
@options.pin_options
@options.intercom_options
@options.gather(where=WorkspaceOptions)
def report(paths: tuple[str, ...], layers: Layers, form: str, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Show who uses each tag, and what is amiss with it.

    It counts contacts, companies, conversations and content, and says who applied the tag last, if Intercom shows that. A tag is amiss if
    it is dead (nobody uses it), like another one, undeclared, or not as the manifest has it. What is amiss comes first.

    \b
    Example:
      reconciler tag report --format csv > tags.csv
    """
    from reconciler.report.inventory import render

    read = paths or _found_here()
    manifest = ManifestOptions(tuple(read), layers).read() if read else None
    pin = pin_with(manifest.pin, where.region, where.app_id) if manifest else pin_of_folder(where.region, where.app_id)
    with progress(sys.stderr, label="reading") as bar, open_session(intercom, pin, writes=False, paths=read) as session:
        refuse_other(pin, session.here)
        inventory = look_at_all(watch(session, bar.reading), TAG, manifest)
    out = Terminal(sys.stdout)
    out.write(render(inventory, form, headline(read) if form == "html" else ""))
    out.check()
    if not manifest:
        Terminal(sys.stderr).say("there is no manifest here: nothing is said of what is declared; --in PATH names one")
    return 0


@dataclass(frozen=True)
class EditOptions:
    """Which manifest is edited, and what becomes of the plan that follows."""

    # The paths; none: the manifest that is found here.
    paths: tuple[str, ...]
    # Where the plan is saved.
    out: Path | None
    # Whether diff and plan are shown whole.
    full: bool


def _edits(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a verb that edits; it gets them as `wanted`, `choice` and `intercom`."""
    verb = options.gather(wanted=EditOptions)(verb)
    return IN(options.OUT(options.FULL(options.ledger_options(options.intercom_options(verb)))))


@tag.command()
@click.argument("name")
@_edits
def add(name: str, wanted: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Declare a tag.

    It goes into the file that declares the other tags, else into a new one. A tombstone becomes a tag again.

    \b
    Example:
      reconciler tag add vip --in intercom/
    """
    return _edit(wanted, choice, intercom, lambda draft: declaring.declare(draft, TAG, name), new=True)


@tag.command()
@click.argument("old")
@click.argument("new")
@_edits
def rename(old: str, new: str, wanted: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Rename a tag, wherever it stands.

    Its entry keeps the old name as `renamed_from`. `apply` then renames the live tag in one call: it keeps its id and its people.

    \b
    Example:
      reconciler tag rename Beta beta-2026
    """
    return _edit(wanted, choice, intercom, lambda draft: declaring.rename(draft, TAG, old, new))


@tag.command()
@click.argument("old", nargs=-1, required=True)
@click.option("--into", required=True, metavar="NEW", help="The tag that stays.")
@_edits
def merge(old: tuple[str, ...], into: str, wanted: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Merge tags into one, wherever they stand.

    The entry of NEW gets `merged_from`, in place of the entries of the OLD tags, and every list that names one of these names NEW. `apply`
    then gives NEW to everybody who has one of them, and deletes them. It does not move tags of conversations and content, and the plan says
    where there are some.

    \b
    Example:
      reconciler tag merge "VIP client" gold --into vip
    """
    return _edit(wanted, choice, intercom, lambda draft: declaring.merge(draft, TAG, list(dict.fromkeys(old)), into))


@tag.command()
@click.argument("name")
@_edits
def retire(name: str, wanted: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Declare a tag absent, and take it out of every list.

    Its entry becomes a tombstone (`state: absent`): `apply` then deletes the tag.

    \b
    Example:
      reconciler tag retire old-promo
    """
    return _edit(wanted, choice, intercom, lambda draft: declaring.retire(draft, TAG, name))


def _found_here() -> Sequence[str]:
    """The paths of the manifest that is meant in this folder; none where there is none. Raises Usage."""
    here = Path.cwd()
    return found_from(here, root_of(here) or here)


def _edit(wanted: EditOptions, choice: LedgerChoice, intercom: Intercom, edit: Callable[[Draft], str], *, new: bool = False) -> int:
    """Edit the files, show what changed in them, then the plan. Raises Invalid, and nothing is changed, where they would not be valid."""
    paths, terminal = wanted.paths or _found_here(), Terminal(sys.stderr)
    if not paths:
        raise Usage("there is no manifest here, nor above up to the root of the repository; say which with --in PATH")
    if new:
        # A file may be new, a folder is not.
        find([path for path in paths if not path.lower().endswith(SUFFIXES) and not Path(path).is_dir()])
    draft = Draft.read(paths, layers=Layers.of("", os.environ), new=new)
    said = edit(draft)
    try:
        manifest = draft.manifest()
    except Invalid:
        terminal.say("nothing was changed, because the manifest would not be valid:")
        raise
    changed = draft.write()
    if not changed:
        terminal.say(f"nothing is changed: {said}")
        return 0
    _show_diff(draft, wanted.full)
    terminal.say(f"changed {', '.join(changed)}: {said}")
    return _show_plan(manifest, wanted, choice, intercom, draft.environments(changed))


def _show_diff(draft: Draft, full: bool) -> None:
    """The diff on stdout, cut unless all of it is wanted. A log of a pipeline gets the numbers alone: what is masked line by line may go on
    below."""
    out, lines = Terminal(sys.stdout), draft.diff()
    if in_ci():
        for file, edits in draft.count_lines().items():
            out.line(clean(f"{file}: {count(edits, 'line')} changed"))
        return
    for line in lines if full else islice(lines, LINES):
        style = {"+": GREEN, "-": RED, "@": DIM}.get(line[:1], "")
        out.line(paint(clean(line if full or len(line) <= LONGEST else f"{line[:LONGEST]}..."), style, out.color and bool(style)))
    if more := sum(1 for _ in lines):
        out.line(f"... and {count(more, 'line')} more (--full lists them)")
    out.line("")


def _show_plan(manifest: Manifest, wanted: EditOptions, choice: LedgerChoice, intercom: Intercom, envs: Sequence[str]) -> int:
    """Show the plan of the base; what an edit of overlays leads to is a plan of their environments, which are named."""
    terminal = Terminal(sys.stderr)
    try:
        planned = make(manifest, intercom, choice, Scope(), ApprovalOptions(None).read())
    except NoToken as error:
        terminal.say(f"no plan can be shown: {error}")
        return 0
    except Interrupted:
        raise
    except ReconcilerError as error:
        # The exit code of a manifest that is refused would say that nothing was changed.
        terminal.say("no plan can be shown:")
        say_error(str(error))
        return ReconcilerError.exit_code
    output = OutputOptions("text", (), wanted.out, full=wanted.full)
    leave(planned, output)
    if not envs:
        say_next(planned, output, manifest.paths)
    for env in envs:
        terminal.say(f"this is the plan of the base; next: {as_typed('plan', *manifest.paths, '--env', env)}")
    return 0
