"""Verbs about tags: report, and add, rename, merge and retire, which change the manifest and never Intercom."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from reconciler.core.compare.retiring import Retiring, Stage, describe_held
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.privacy import hide
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
from reconciler.workflow.retiring import find_retiring
from reconciler.workflow.session import watch

TAG = KINDS["tag"]
# What a merge moves beside what is declared, where that is asked for.
_MOVED = [KINDS[members.link.source].section for members in TAG.merge.others] if TAG.merge else []
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
@click.option("--due", is_flag=True, help="Only the deprecated tags that are due to go.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json", "html"]), default="text", show_default=True)
@options.pin_options
@options.ledger_options
@options.intercom_options
@options.gather(source=ManifestOptions, where=WorkspaceOptions)
def report(source: ManifestOptions, due: bool, form: str, where: WorkspaceOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Show who uses each tag, and what is amiss with it.

    It counts contacts, companies, conversations and content, and says who applied the tag last, if Intercom shows that. A tag is amiss if
    it is dead (nobody uses it), like another one, undeclared, or not as the manifest has it. What is amiss comes first.

    With --due it lists the deprecated tags that nobody has used anew for as long as their `retire_after` says. It writes nothing.

    \b
    Example:
      reconciler tag report --format csv > tags.csv
      reconciler tag report --due
    """
    from reconciler.report.inventory import render

    paths = source.paths or _found_here()
    manifest = ManifestOptions(tuple(paths), source.layers).read() if paths else None
    if due and not manifest:
        raise Usage("there is no manifest here, and so nothing that is due; say which with --in PATH")
    choice = replace(choice, paths=tuple(paths))
    pin = pin_with(manifest.pin, where.region, where.app_id) if manifest else pin_of_folder(where.region, where.app_id)
    ledger = choice if due else None
    with progress(sys.stderr, label="reading") as bar, open_session(intercom, pin, writes=False, choice=ledger, paths=paths) as session:
        refuse_other(pin, session.here)
        session = watch(session, bar.reading)
        leaving = list(find_retiring(session, manifest).values()) if due and manifest else None
        inventory = look_at_all(session, TAG, manifest, leaving and [one for one in leaving if one.stage is Stage.DUE])
    out = Terminal(sys.stdout)
    out.write(render(inventory, form, headline(paths) if form == "html" else ""))
    out.check()
    if leaving is not None:
        _tell_stages(leaving)
    if not manifest:
        Terminal(sys.stderr).say("there is no manifest here: nothing is said of what is declared; --in PATH names one")
    return 0


def _tell_stages(leaving: Sequence[Retiring]) -> None:
    """How far all are that go out of use, and what it is that nobody knows."""
    sums = Counter(one.stage for one in leaving)
    sorts = ", ".join(f"{sums[stage]:,} {stage}" for stage in Stage if sums[stage])
    terminal = Terminal(sys.stderr)
    terminal.say(f"of {count(len(leaving), f'deprecated {TAG.name}')} with `retire_after`: {sorts or 'none'}")
    terminal.lines(f"{one.resource.address}: {one.text}" for one in leaving if one.stage is Stage.UNKNOWN)


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
    verb = options.gather(edit_options=EditOptions)(verb)
    return IN(options.OUT(options.FULL(options.ledger_options(options.intercom_options(verb)))))


@tag.command()
@click.argument("name")
@_edits
def add(name: str, edit_options: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Declare a tag.

    It goes into the file that declares the other tags, else into a new one. A tombstone becomes a tag again.

    \b
    Example:
      reconciler tag add vip --in intercom/
    """
    return _edit(edit_options, choice, intercom, lambda draft: declaring.declare(draft, TAG, name), new=True)


@tag.command()
@click.argument("old")
@click.argument("new")
@_edits
def rename(old: str, new: str, edit_options: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Rename a tag, wherever it stands.

    Its entry keeps the old name as `renamed_from`. `apply` then renames the live tag in one call: it keeps its id and its people.

    \b
    Example:
      reconciler tag rename Beta beta-2026
    """
    return _edit(edit_options, choice, intercom, lambda draft: declaring.rename(draft, TAG, old, new))


@tag.command()
@click.argument("old", nargs=-1, required=True)
@click.option("--into", required=True, metavar="NEW", help="The tag that stays.")
@click.option("--also", multiple=True, type=click.Choice(_MOVED), help="What else is moved to it, with two calls each. May be repeated.")
@_edits
def merge(
    old: tuple[str, ...], into: str, also: tuple[str, ...], edit_options: EditOptions, choice: LedgerChoice, intercom: Intercom
) -> int:
    """Merge tags into one, wherever they stand.

    The entry of NEW gets `merged_from`, in place of the entries of the OLD tags, and every list that names one of these names NEW. `apply`
    then gives NEW to everybody who has one of them, and deletes them. Conversations get it with `--also conversations`, content in no
    way: a tag that something still has stays, and the plan says what that is.

    \b
    Example:
      reconciler tag merge "VIP client" gold --into vip
      reconciler tag merge gold --into vip --also conversations
    """
    return _edit(edit_options, choice, intercom, lambda draft: declaring.merge(draft, TAG, list(dict.fromkeys(old)), into, also))


@tag.command()
@click.argument("name", required=False)
@click.option("--due", is_flag=True, help="The deprecated tags that are due to go and whose `used_by` is empty.")
@options.ENV
@_edits
def retire(name: str | None, due: bool, layers: Layers, edit_options: EditOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Declare a tag absent, and take it out of every list.

    Its entry becomes a tombstone (`state: absent`): `apply` then deletes the tag. With --due these are the tags that `tag report --due`
    lists, for the change request of a nightly pipeline; --env says for which environment that is asked.

    \b
    Example:
      reconciler tag retire old-promo
      reconciler tag retire --due
    """
    if due is (name is not None):
        raise Usage("say which tag, or --due")
    if name is not None:
        if layers.env:
            raise Usage("--env belongs to --due; a tag that is named is retired wherever it stands")
        return _edit(edit_options, choice, intercom, lambda draft: declaring.retire(draft, TAG, name))
    leaving = _find_retiring(edit_options, layers, choice, intercom)
    going = [one for one in leaving if one.stage is Stage.DUE]
    _tell_stages(leaving)
    Terminal(sys.stderr).lines(str(hide(f"{one.resource.address} stays, {describe_held(one)}", False)) for one in going if one.is_held)
    ready = [one.resource for one in going if not one.is_held]
    if not ready:
        Terminal(sys.stderr).say("nothing is changed: nothing is to be retired now")
        return 0
    return _edit(edit_options, choice, intercom, lambda draft: declaring.retire_due(draft, TAG, ready), layers=layers)


def _find_retiring(edit_options: EditOptions, layers: Layers, choice: LedgerChoice, intercom: Intercom) -> Sequence[Retiring]:
    """How far all are that go out of use. Raises Usage, Invalid, IntercomError."""
    paths = tuple(edit_options.paths or _found_here())
    if not paths:
        raise Usage("there is no manifest here, nor above up to the root of the repository; say which with --in PATH")
    manifest, choice = ManifestOptions(paths, layers).read(), replace(choice, paths=paths)
    with (
        progress(sys.stderr, label="reading") as bar,
        open_session(intercom, manifest.pin, writes=False, choice=choice, paths=paths) as session,
    ):
        refuse_other(manifest.pin or Pin(), session.here)
        return list(find_retiring(watch(session, bar.reading), manifest).values())


def _found_here() -> Sequence[str]:
    """The paths of the manifest that is meant in this folder; none where there is none. Raises Usage."""
    here = Path.cwd()
    return found_from(here, root_of(here) or here)


def _edit(
    edit_options: EditOptions,
    choice: LedgerChoice,
    intercom: Intercom,
    edit: Callable[[Draft], str],
    *,
    new: bool = False,
    layers: Layers | None = None,
) -> int:
    """Edit the files, show what changed in them, then the plan. Raises Invalid, and nothing is changed, where they would not be valid."""
    paths, terminal = edit_options.paths or _found_here(), Terminal(sys.stderr)
    if not paths:
        raise Usage("there is no manifest here, nor above up to the root of the repository; say which with --in PATH")
    if new:
        # A file may be new, a folder is not.
        find([path for path in paths if not path.lower().endswith(SUFFIXES) and not Path(path).is_dir()])
    draft = Draft.read(paths, layers=layers or Layers.of("", os.environ), new=new)
    lines = edit(draft)
    try:
        manifest = draft.manifest()
    except Invalid:
        terminal.say("nothing was changed, because the manifest would not be valid:")
        raise
    files = draft.write()
    if not files:
        terminal.say(f"nothing is changed: {lines}")
        return 0
    _show_diff(draft, edit_options.full)
    terminal.say(f"changed {', '.join(files)}: {lines}")
    return _show_plan(manifest, edit_options, choice, intercom, draft.environments(files))


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


def _show_plan(manifest: Manifest, edit_options: EditOptions, choice: LedgerChoice, intercom: Intercom, envs: Sequence[str]) -> int:
    """Show the plan of the base, or of the environment that was asked for; other environments whose overlays were edited are named."""
    terminal = Terminal(sys.stderr)
    try:
        proposal = make(manifest, intercom, choice, Scope(), ApprovalOptions(None).read())
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
    output = OutputOptions("text", (), edit_options.out, full=edit_options.full)
    leave(proposal, output)
    others = [env for env in envs if env != manifest.env]
    if not others:
        say_next(proposal, output, (*manifest.paths, *(("--env", manifest.env) if manifest.env else ())))
    for env in others:
        terminal.say(f"this is the plan of the base; next: {as_typed('plan', *manifest.paths, '--env', env)}")
    return 0
