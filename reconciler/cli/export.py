"""The verbs that begin with what is live: export, init."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.asking import prompt
from reconciler.cli.connection import check_pin, name_in_folder, open_session, pin_of_folder, pin_with, refuse_other
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import VARIABLE, LedgerChoice, lock_workspace
from reconciler.cli.login import ask_hidden, ask_whose, describe_workspace, keep_token, somebody_watches
from reconciler.cli.options import Intercom, WorkspaceOptions
from reconciler.cli.output import as_typed, make, render
from reconciler.cli.tokens import NoToken, stored_tokens, storeless_credential
from reconciler.core.model.desired import Pin
from reconciler.core.plan.approvals import NO_APPROVALS
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid, ReconcilerError, Refused, Usage
from reconciler.intercom import me
from reconciler.intercom.http.token import parse
from reconciler.manifest.accepting import Acceptance
from reconciler.manifest.layers import Layers
from reconciler.manifest.read import merge
from reconciler.report import Way
from reconciler.report.exporting import count_sections, list_accepted, list_kept, list_left_out, list_written
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal, clean
from reconciler.workflow import export as exporting
from reconciler.workflow.export import ExportScope, Target, aim, by_default, exportable, searchable
from reconciler.workflow.init import find_ground, remember
from reconciler.workflow.lookup import blind_spot, read_where
from reconciler.workflow.pipelines import PIPELINES
from reconciler.workflow.plan import document_of, propose
from reconciler.workflow.planfile import read_enclosed
from reconciler.workflow.session import Session, watch


def _only(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    return None if text is None else _sections(text)


def _sections(text: str) -> tuple[str, ...]:
    """`tags,companies` as sections, in the order of the kinds. Raises Usage."""
    names = {name.strip() for name in text.split(",")}
    if unknown := names - {*exportable()}:
        raise Usage(f"--only {text}: {', '.join(sorted(unknown)) or 'nothing'} cannot be exported; write some of {','.join(exportable())}")
    return tuple(section for section in exportable() if section in names)


_SEARCHED = " or ".join(searchable())
ONLY = click.option(
    "--only", callback=_only, metavar="SECTIONS", help=f"Some of {','.join(exportable())}; default: {','.join(by_default())}."
)


@dataclass(frozen=True)
class Selection:
    """What the command line asks for."""

    # Sections; None for those that hold no people.
    only: tuple[str, ...] | None
    # Only people for whom this holds.
    condition: str | None = None
    # Whether links are written too.
    with_links: bool = False

    def read(self, version: str) -> ExportScope:
        """What is to be exported. Raises Usage."""
        sections = self.only or by_default()
        if self.condition is None:
            return ExportScope(sections, with_links=self.with_links)
        targets = [section for section in searchable() if section in sections or self.only is None]
        if not targets:
            raise Usage(f"--where narrows {_SEARCHED} alone, which --only leaves out")
        every = tuple(section for section in exportable() if section in {*sections, *targets})
        return ExportScope(every, read_where(targets[0], self.condition, version), self.with_links)


@click.command(cls=Verb)
@click.option(
    "-o",
    "out",
    type=click.Path(path_type=Path),
    callback=options.in_folder,
    metavar="DIR|FILE",
    help="Where to write; a FILE ends in .yaml or .yml.",
)
@ONLY
@click.option("--where", "condition", metavar="CONDITION", help=f"Only {_SEARCHED} for which this holds, as in `get --where`.")
@click.option("--with-links", is_flag=True, help="Also the links to what is exported or declared.")
@click.option("--drifted", is_flag=True, help="Write what live has into the manifest at -o, where it drifted; comments stay.")
@options.NAME
@options.pin_options
@options.ledger_options
@options.intercom_options
@options.gather(selection=Selection, where=WorkspaceOptions)
def export(
    out: Path | None,
    selection: Selection,
    drifted: bool,
    name: str | None,
    where: WorkspaceOptions,
    choice: LedgerChoice,
    intercom: Intercom,
) -> int:
    """Write what is live as a manifest. Reads only.

    -o DIR writes a file for each section, and one with the name and the pin; without -o everything goes to stdout. A manifest that is
    there gets only what it does not declare: nothing that is written changes, and what differs is listed. What no manifest can hold is
    listed too.

    With --drifted nothing is added: what `drift` finds is accepted, so that the manifest says what live has.

    \b
    Example:
      reconciler export -o intercom/
      reconciler export -o intercom/ --drifted
      reconciler export -o vips.yaml --only tags,contacts --where 'email_domain = acme.com' --with-links
    """
    if drifted:
        if out is None or selection != Selection(None) or name or where != WorkspaceOptions(None, None):
            raise Usage("--drifted takes a manifest alone: export -o intercom/ --drifted")
        return _accept(out, choice, intercom)
    return _write(None if out == Path("-") else out, selection.read(intercom.api_version), name, where, intercom)


def _write(out: Path | None, scope: ExportScope, name: str | None, where: WorkspaceOptions, intercom: Intercom) -> int:
    """Write what is live, or what of it a manifest does not have."""
    target = aim(out, Layers.of("", os.environ)) if out else None
    pin, name = _pin(target, where), _name(target, name)
    with open_session(intercom, pin, writes=False, paths=[str(out)] if out else []) as session:
        check_pin(pin, session)
        with progress(sys.stderr, label="reading") as bar:
            export = exporting.export(watch(session, bar.reading), scope, target.manifest if target else None)
        here = Pin(session.here.app_id, session.here.region)
        if target:
            _say(list_written(target.write(export, name, here)))
        else:
            terminal = Terminal(sys.stdout)
            terminal.write(exporting.text_of(export, name, here))
            terminal.check()
        _say(list_kept(export.changes, session.here.app_id))
        _say_left_out(session, scope, export)
    return 0


def _accept(out: Path, choice: LedgerChoice, intercom: Intercom) -> int:
    """Write what drifted into a manifest. Raises Refused where nothing can be said of the workspace, Usage where there is no manifest."""
    target = aim(out, Layers.of("", os.environ))
    if target.manifest is None or target.draft is None:
        raise Usage(f"-o {out}: there is no manifest, so nothing drifted from it")
    proposal = make(target.manifest, intercom, replace(choice, must=True), Scope(moved=True), NO_APPROVALS)
    plan, drift = proposal.plan, proposal.plan.drift
    if drift is None or drift.blind:
        raise Refused(map(str, plan.refusals))
    if not drift.recorded:
        raise ReconcilerError("no apply or adoption is on record under this name, so nobody can say what drifted; see `reconciler adopt`")
    acceptance = Acceptance(proposal.comparison.kinds, proposal.manifest, target.draft, plan.times)
    acceptance.accept(plan.changes)
    try:
        target.draft.manifest()
    except Invalid:
        Terminal(sys.stderr).say("nothing was changed, because the manifest would not be valid:")
        raise
    files = target.draft.write()
    app_id = plan.workspace.app_id
    _say(list_accepted(acceptance.changes, app_id))
    _say(list_left_out(((omission.address, omission.why) for omission in acceptance.omissions), app_id))
    _say([clean(f"changed: {', '.join(files)}" if files else "nothing is changed")])
    return 0


def _folder(target: Target | None) -> Path:
    """Where the manifest lies that an export belongs to."""
    return target.path.parent if target and target.is_file else Path()


def _pin(target: Target | None, where: WorkspaceOptions) -> Pin:
    """The workspace that is meant: by the options, the manifest that is there, or the one beside it."""
    if target and target.manifest and target.manifest.pin:
        return pin_with(target.manifest.pin, where.region, where.app_id)
    return pin_of_folder(where.region, where.app_id, _folder(target))


def _name(target: Target | None, name: str | None) -> str:
    """Whose the manifest is. Raises Usage where that is written otherwise."""
    if target is None or target.manifest is None:
        return name or name_in_folder(_folder(target)) or "default"
    if name not in (None, target.manifest.name):
        raise Usage(f"--name {name}: the manifest that is there says `name: {target.manifest.name}`; leave --name out")
    return target.manifest.name


def _say(lines: Iterable[str]) -> None:
    terminal = Terminal(sys.stderr)
    for line in lines:
        terminal.say(line)


def _say_left_out(session: Session, scope: ExportScope, export: exporting.Export) -> None:
    _say(list_left_out(((omission.address, omission.why) for omission in export.omissions), session.here.app_id))
    _say(export.notes)
    unfiltered = [section for section in scope.sections if not (scope.where and session.kinds.by_section[section].search)]
    _say(filter(None, (blind_spot(session, section) for section in unfiltered)))


@dataclass(frozen=True)
class Start:
    """What the command line says of a beginning."""

    # Where the manifest is to be.
    folder: Path
    # Sections; None for those that hold no people.
    only: tuple[str, ...] | None
    # The service whose pipeline is written, or `none`; None: it is asked for.
    service: str | None
    # Whether nobody is asked.
    yes: bool

    def ask(self) -> Start:
        """The same, with answers to what it does not say."""
        only, service = self.only, self.service
        if only is None:
            only = prompt(f"Which sections of {','.join(exportable())}", default=",".join(by_default()), value_proc=_answer, err=True)
        if service is None:
            service = prompt("Which pipeline", default="none", type=click.Choice(list(PIPELINES)), err=True)
        return replace(self, only=only, service=service)


def _answer(text: str) -> tuple[str, ...]:
    """As `_sections`; what is wrong is asked again."""
    try:
        return _sections(text)
    except Usage as error:
        raise click.BadParameter(str(error)) from None


def _ask_for_token(intercom: Intercom, pin: Pin) -> None:
    """Take in a token where there is none."""
    try:
        if not storeless_credential(intercom):
            stored_tokens(intercom, pin)
    except NoToken as missing:
        terminal = Terminal(sys.stderr)
        terminal.say(str(missing))
        token = parse(ask_hidden("Access token"), "the prompt")
        answer = ask_whose(intercom, token, pin)
        refuse_other(pin, answer.here)
        terminal.say(keep_token(intercom, answer, token))


@click.command(cls=Verb)
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    callback=options.in_folder,
    default=Path("intercom"),
    metavar="DIR",
    help="A new folder; default: intercom.",
)
@ONLY
@click.option("--ci", "service", type=click.Choice(list(PIPELINES)), help="The pipeline to write; default: none.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@options.NAME
@options.pin_options
@options.lock_options
@options.intercom_options
@options.gather(where=WorkspaceOptions, start=Start)
def init(start: Start, name: str | None, where: WorkspaceOptions, choice: LedgerChoice, intercom: Intercom) -> int:
    """Begin: write what is live as a manifest, with a policy and a pipeline, and show that its plan is empty. Writes nothing to Intercom.

    It asks for what it needs, also for a token. The manifest goes into a new folder, the policy and the pipeline into the repository around
    it. The ledger remembers what was exported, as the base of drift. None of it is owned: `adopt` does that.

    \b
    Example:
      reconciler init
      reconciler init -o intercom --only tags,companies --ci github --yes
    """
    if not start.yes and not somebody_watches():
        raise Usage("there is no terminal to ask at; use --yes, with --only and --ci where the defaults are not what is meant")
    choice = replace(choice, paths=(str(start.folder),))
    choice.check_pipeline()
    find_ground(start.folder, start.service or "none")
    pin = pin_of_folder(where.region, where.app_id)
    if not start.yes:
        _ask_for_token(intercom, pin)
    with open_session(intercom, pin, writes=True, choice=choice) as session:
        check_pin(pin, session)
        answer, terminal = me.ask(session.client), Terminal(sys.stderr)
        terminal.say(f"workspace {describe_workspace(answer)}, region {session.here.region}, as {session.admin}")
        if answer.of_person:
            terminal.say(f"warning: {me.PERSONAL}")
        _begin(session, start if start.yes else start.ask(), name or name_in_folder() or "default", choice)
    return 0


def _begin(session: Session, start: Start, name: str, choice: LedgerChoice) -> None:
    """Lay everything down, show the first plan, and remember what it found."""
    ground, scope, terminal = (
        find_ground(start.folder, start.service or "none"),
        ExportScope(start.only or by_default()),
        Terminal(sys.stderr),
    )
    with progress(sys.stderr, label="reading") as bar:
        session = watch(session, bar.reading)
        export = exporting.export(session, scope)
        texts = ground.texts(export, name, Pin(session.here.app_id, session.here.region))
        manifest = merge(read_enclosed(texts), [str(start.folder)])
        proposal = propose(session, manifest)
    paths = ground.lay(texts)
    terminal.say(f"exported {count_sections(export.counts) or 'nothing: nothing is live'}")
    _say_left_out(session, scope, export)
    render(document_of(proposal.plan), "text", Way())
    if proposal.plan.steps:
        terminal.say("note: Intercom moved while it was read; nothing is remembered as the base of drift before the first apply")
    elif session.ledger:
        with lock_workspace(session, choice):
            remember(session, manifest, proposal)
    terminal.say(f"written: {', '.join(map(os.path.relpath, paths))}")
    if session.ledger and not choice.address and PIPELINES[start.service or "none"]:
        terminal.say(f"note: this ledger is a file of this machine, and that of the pipeline is in git; set {VARIABLE}=git before `adopt`")
    mine = f"; `{as_typed('adopt', '--all', str(start.folder))}` makes what is live yours to prune" if session.ledger else ""
    terminal.say(f"next: commit them{mine}")
