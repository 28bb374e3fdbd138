"""The verbs that are about the ledger alone: adopt, forget, history."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import click

from reconciler.cli import options
from reconciler.cli.asking import confirm
from reconciler.cli.completion import runs
from reconciler.cli.connection import name_in_folder, open_session, pin_of_folder, refuse_other
from reconciler.cli.help import Verb
from reconciler.cli.ledger_choice import LedgerChoice, lock_workspace, say_taken_over
from reconciler.cli.options import Intercom, ManifestOptions, WorkspaceOptions
from reconciler.cli.running import DECLINED, whoever
from reconciler.core.model.address import Address
from reconciler.core.model.live import Workspace
from reconciler.core.model.past import WRITING
from reconciler.core.model.privacy import show_address
from reconciler.core.record.adoption import Adoption, Standing
from reconciler.errors import ReconcilerError, Refused, Usage
from reconciler.report import adopting
from reconciler.report import history as past
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.adopt import Candidates, judge, let_go, other_names, read_addresses, records_of, seek_declared, seek_named, take_in
from reconciler.workflow.recall import waiting
from reconciler.workflow.session import Session, watch
from reconciler.workflow.undoable import look_at_run

if TYPE_CHECKING:
    from reconciler.core.model.desired import Manifest
    from reconciler.core.model.past import Run
    from reconciler.ledger.ledger import Ledger
    from reconciler.manifest.layers import Layers


@dataclass(frozen=True)
class OwnerOptions(WorkspaceOptions):
    """Whose a thing becomes, and in which workspace."""

    # The name of a manifest.
    name: str | None


@click.command(cls=Verb)
@click.argument("arguments", metavar="ADDRESS... | --all PATH...", nargs=-1, required=True)
@options.ENV
@click.option("--all", "everything", is_flag=True, help="All that these files and folders declare and that is live.")
@click.option("--auto-approve", is_flag=True, help="Do not ask before --all.")
@options.NAME
@options.pin_options
@options.lock_options
@options.intercom_options
@options.gather(owner=OwnerOptions)
def adopt(
    arguments: tuple[str, ...],
    layers: Layers,
    everything: bool,
    auto_approve: bool,
    choice: LedgerChoice,
    intercom: Intercom,
    owner: OwnerOptions,
) -> int:
    """Take live things into the ledger as ours; nothing is changed in Intercom.

    An ADDRESS (tag/vip, company/6, contact/25, contact/an e-mail, contact/id:ID) takes that thing alone. --all takes everything that the
    files at PATH declare and that is live, with its declared links; it lists them and asks first. What another name owns is listed and
    left alone. A ledger file that is damaged is moved aside, and a new one begins.

    \b
    Example:
      reconciler adopt tag/vip company/6
      reconciler adopt --all intercom/
    """
    choice.require("adopt")
    if everything and any(astuple(owner)):
        raise Usage("adopt --all takes name and workspace from the manifest; leave --name, --region and --app-id out")
    if everything and not auto_approve and not (sys.stdin and sys.stdin.isatty()):
        raise Usage("there is no terminal to ask at; use --auto-approve, or name what is meant: reconciler adopt ADDRESS")
    choice = replace(choice, paths=arguments if everything else ())
    choice.check_pipeline(without=False)
    if everything:
        return _adopt_declared(ManifestOptions(arguments, layers).read(), intercom, choice, auto_approve)
    if layers.env:
        raise Usage("--env goes with --all; an ADDRESS is one of a workspace, which --app-id names")
    return _adopt_named(arguments, intercom, choice, owner)


def _adopt_declared(manifest: Manifest, intercom: Intercom, choice: LedgerChoice, auto_approve: bool) -> int:
    choice.check_name(manifest)
    with open_session(intercom, manifest.pin, writes=False, paths=manifest.paths) as session, _remembering(session, choice) as books:
        with progress(sys.stderr, label="reading") as bar:
            candidates = seek_declared(watch(books.session, bar.reading), manifest)
        adoption = judge(books.session, candidates)
        _list(adoption, books)
        if adoption.omissions:
            Terminal(sys.stderr).say(f"not listed: {adopting.left_out(adoption)}")
        question = f"Take {adoption.takes} of these into the ledger, as name: {manifest.name}?"
        if adoption.takes and not auto_approve and not confirm(question):
            Terminal(sys.stderr).say("Not adopted; nothing was written.")
            return DECLINED
        _take(books, candidates, adoption)
    return 0


def _adopt_named(words: tuple[str, ...], intercom: Intercom, choice: LedgerChoice, owner: OwnerOptions) -> int:
    addresses = read_addresses(words)
    pin, name = pin_of_folder(owner.region, owner.app_id), choice.whose(owner.name or name_in_folder())
    with open_session(intercom, pin, writes=False) as session, _remembering(session, choice) as books:
        refuse_other(pin, session.here)
        candidates = seek_named(books.session, addresses, name)
        adoption = judge(books.session, candidates)
        if foreign := [find for find in adoption.finds if find.standing is Standing.FOREIGN]:
            raise Refused(f"owner: {show_address(find.address, session.here.app_id)} {adopting.says(find)}" for find in foreign)
        others = other_names(books.session.ledger, session.here.app_id, name)
        _take(books, candidates, adoption)
        _list(adoption, books)
    if others:
        text = f"nothing was ever applied here as name: {name}, but as {', '.join(others)}"
        Terminal(sys.stderr).say(f"note: {text}; --name says whose it is")
    return 0


@dataclass
class _Books:
    """A session with the ledger that is there, which may be none yet."""

    # The connection.
    session: Session
    # Which ledger.
    choice: LedgerChoice
    # What is closed at the end.
    stack: ExitStack

    def begin(self) -> None:
        """Have a ledger in any case."""
        if self.session.ledger is None:
            ledger = self.choice.begin("reconciler adopt", waiting(self.session, self.choice.timeout))
            self.session = replace(self.session, ledger=self.stack.enter_context(ledger))


@contextmanager
def _remembering(session: Session, choice: LedgerChoice) -> Iterator[_Books]:
    with ExitStack() as stack:
        ledger = choice.usable()
        yield _Books(replace(session, ledger=stack.enter_context(ledger) if ledger else None), choice, stack)


def _list(adoption: Adoption, books: _Books) -> None:
    out = Terminal(sys.stdout)
    out.lines(adopting.lines(adoption, books.session.here.app_id))
    out.check()


def _take(books: _Books, candidates: Candidates, adoption: Adoption) -> None:
    owner = f"name: {candidates.manifest.name} in {books.session.here.app_id}"
    if adoption.takes:
        books.begin()
        with lock_workspace(books.session, books.choice):
            take_in(books.session, candidates, adoption)
    Terminal(sys.stderr).say(f"adopted: {adoption.takes}, as {owner}" if adoption.takes else f"nothing to adopt, as {owner}")


@click.command(cls=Verb)
@click.argument("words", metavar="ADDRESS...", nargs=-1, required=True)
@options.NAME
@options.APP_ID
@options.lock_options
def forget(words: tuple[str, ...], choice: LedgerChoice, name: str | None, app_id: str | None) -> None:
    """Let things go: they are no longer ours; nothing is changed in Intercom.

    An ADDRESS is as plans show it, or KIND/id:ID with the id that Intercom gave. Either all of them are let go, or none.

    \b
    Example:
      reconciler forget tag/vip contact/25
    """
    choice.require("forget")
    addresses = read_addresses(words)
    choice.check_pipeline(without=False)
    name = choice.whose(name or name_in_folder())
    ledger = choice.open_plainly(create=False)
    if ledger is None:
        choice.warn_of_loss()
        raise ReconcilerError("there is no ledger here, so nothing was forgotten")
    with ledger:
        here = _workspace(ledger, app_id)
        with _lock(ledger, here, choice):
            by_address = records_of(ledger, here.app_id, name, addresses)
            let_go(ledger, here, name, whoever(), [record for records in by_address.values() for record in records])
        _say_forgotten(by_address, here)


def _workspace(ledger: Ledger, app_id: str | None) -> Workspace:
    """The workspace that is meant: as told, as the manifest in this folder says, else the only one of the ledger."""
    app_ids, chosen_id = ledger.workspaces(), pin_of_folder(None, app_id).app_id
    if chosen_id is None and len(app_ids) != 1:
        several = f"several workspaces ({', '.join(sorted(app_ids))})" if app_ids else "no workspace yet"
        raise Usage(f"the ledger knows {several}; say which with --app-id")
    chosen_id = chosen_id or next(iter(app_ids))
    return Workspace(chosen_id, app_ids.get(chosen_id, ""))


@contextmanager
def _lock(ledger: Ledger, here: Workspace, choice: LedgerChoice) -> Iterator[None]:
    from reconciler.ledger.homes.home import Waiting

    waits = Waiting(choice.timeout, time.sleep, time.monotonic, time.time).aloud(Terminal(sys.stderr).say)
    with ledger.lock(here.app_id, whoever(), waits) as lock:
        say_taken_over(lock)
        yield


def _say_forgotten(addresses: Iterable[Address], here: Workspace) -> None:
    out = Terminal(sys.stdout)
    for address in addresses:
        out.say(f"{show_address(address, here.app_id)}: no longer ours; nothing was changed in Intercom")
    out.check()


@click.command(cls=Verb)
@click.argument("run", metavar="[RUN]", required=False, shell_complete=runs)
@click.option("--format", "form", type=click.Choice(["json", "text"]), default="text", show_default=True)
@options.ledger_options
def history(run: str | None, form: str, choice: LedgerChoice) -> None:
    """List all runs, newest first, or show one of them with its changes; no network.

    RUN is the first word of a line of that list, or `last`. The list is kept for ever, and what each run did for thirty days.

    \b
    Example:
      reconciler history
      reconciler history last --format json
    """
    ledger = None if choice.none else choice.open_plainly(create=False)
    if ledger is None:
        if not choice.none:
            choice.warn_of_loss()
        Terminal(sys.stderr).say("no ledger here")
    with ledger or ExitStack():
        runs = ledger.runs() if ledger else []
        one = _one(runs, run) if run else None
        if ledger and not runs:
            Terminal(sys.stderr).say("no runs here yet")
        changes = ledger.read_done(one.run) if ledger and one else []
        undoable = look_at_run(ledger.images, one.run, time.time()) if ledger and one and one.verb in WRITING else None
    _show(runs, past.OneRun(one, changes, undoable) if one else None, form)


def _one(runs: list[Run], run: str) -> Run:
    matches = runs[:1] if run == "last" else [one for one in runs if one.run == run]
    if not matches:
        raise Usage(f"{run}: no such run; `reconciler history` lists them")
    return matches[0]


def _show(runs: list[Run], one: past.OneRun | None, form: str) -> None:
    out = Terminal(sys.stdout)
    if form == "json":
        out.write(past.run_as_json(one) if one else past.runs_as_json(runs))
    else:
        out.lines(past.run_as_text(one, color=out.color) if one else past.runs_as_text(runs))
    out.check()
    _say_dropped(one.run if one else None)


def _say_dropped(run: Run | None) -> None:
    from reconciler.ledger.run import KEPT

    if run and run.started < time.time() - KEPT:
        Terminal(sys.stderr).say("what was done more than thirty days ago is not kept: only what was not done is listed")
