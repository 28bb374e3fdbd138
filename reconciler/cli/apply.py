"""The verb that writes: apply."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click

from reconciler.cli.asking import confirm
from reconciler.cli.connection import open_session
from reconciler.cli.help import Verb, refuse_writes
from reconciler.cli.ledger_choice import LedgerChoice, lock_workspace
from reconciler.cli.options import (
    ENV,
    FILE,
    FULL,
    PATHS,
    ApprovalOptions,
    Intercom,
    ManifestOptions,
    approval_options,
    gather,
    in_folder,
    intercom_options,
    lock_options,
    part,
    scope_options,
)
from reconciler.cli.output import fails_on_waiting, left_open, make, render
from reconciler.cli.planned import paths_of, read_manifest_of, showing_stale
from reconciler.cli.running import DECLINED, Stop, annotate, collect_again, stoppable
from reconciler.core.model.change import Change
from reconciler.core.model.live import WAITING
from reconciler.core.model.note import Note
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.privacy import hide, show_address
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import RULES, Scope
from reconciler.core.plan.work import Work, refuse_whole
from reconciler.errors import Incomplete, ReconcilerError, Usage
from reconciler.report import Way, outcomes
from reconciler.report.events import Events
from reconciler.report.progress import Progress, progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import document_of
from reconciler.workflow.planfile import applicable, planned_pin, read_plan
from reconciler.workflow.session import Session, watch
from reconciler.workflow.undo import prepare_undo


@dataclass(frozen=True)
class Setup:
    """What an apply works on, and under which rules."""

    # Which Intercom.
    intercom: Intercom
    # Which ledger.
    choice: LedgerChoice
    # What `--target` and `--exclude` leave of the manifest.
    scope: Scope
    # What was approved, and what it is held to.
    approvals: ApprovalOptions
    # Whether nobody is asked.
    auto_approve: bool
    # Whether the plan that is shown lists all.
    full: bool
    # What is no success either.
    fail_on: tuple[str, ...]


def _is_given(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    return value is not None


@click.command(cls=Verb)
@PATHS
@ENV
@click.option("--auto-approve", is_flag=True, help="Do not ask.")
@FULL
@click.option("--events", type=FILE, callback=in_folder, metavar="FILE", help="Write what happens, one JSON object a line.")
@click.option("--fail-on", multiple=True, type=click.Choice([WAITING]), help="Exit code 5 also if something only waits for Intercom.")
@part("--only", "rules", type=click.Choice([RULES]), callback=_is_given, help="Only who came and went under rules that were applied.")
@scope_options
@approval_options
@lock_options
@intercom_options
@gather(source=ManifestOptions, approvals=ApprovalOptions, scope=Scope, setup=Setup)
def apply(source: ManifestOptions, events: Path | None, setup: Setup) -> int:
    """Carry out a saved plan exactly, or plan, show, ask and carry out.

    \b
    Example:
      reconciler apply plan.json
      reconciler apply intercom/ --auto-approve
    """
    approvals = setup.approvals.read()
    saved_plan = _read_saved(source.paths, setup.scope)
    if saved_plan:
        # The folder is that of the manifest, wherever the plan lies.
        setup = replace(setup, choice=replace(setup.choice, paths=paths_of(saved_plan)))
    setup.choice.check_pipeline()
    with _events(events) as log:
        code = _apply_saved(saved_plan, source, setup, approvals, log) if saved_plan else _apply_manifest(source, setup, approvals, log)
        try:
            log.check()
        except ReconcilerError as failure:
            Terminal(sys.stderr).say(f"error: {failure}")
            code = code or failure.exit_code
        return code


@contextmanager
def _events(path: Path | None) -> Iterator[Events]:
    if path is None:
        yield Events(None)
        return
    with path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        yield Events(stream)


def _read_saved(paths: tuple[str, ...], scope: Scope) -> PlanDocument | None:
    """The saved plan that a path names; None where the paths are those of a manifest. Raises Usage, Invalid."""
    path = Path(paths[0])
    if len(paths) > 1 or path.is_dir() or paths[0].endswith((".yaml", ".yml")):
        return None
    if not scope.whole or scope.retry:
        raise Usage("a saved plan is applied whole, as it is; give --target, --exclude, --only and --retry-ineffective to `plan`")
    return applicable(read_plan(path), path)


def _apply_saved(saved_plan: PlanDocument, source: ManifestOptions, setup: Setup, approvals: Approvals, events: Events) -> int:
    _check_writes(len(saved_plan["changes"]), "nothing was sent")
    hold = partial(prepare_undo, saved_plan=saved_plan, approvals=approvals)
    if manifest := read_manifest_of(saved_plan, source.layers, setup.choice):
        hold = partial(prepare, saved_plan=saved_plan, manifest=manifest, approvals=approvals)
    with (
        open_session(setup.intercom, planned_pin(saved_plan), writes=True, choice=setup.choice, paths=paths_of(saved_plan)) as session,
        lock_workspace(session, setup.choice),
    ):
        with progress(sys.stderr, label="reading") as bar, showing_stale(events.stale):
            work = hold(watch(session, bar.reading))
        Terminal(sys.stderr).lines(f"note: {text}" for text in work.warnings)
        return _carry_out(session, work, events, bool(setup.fail_on))


def _apply_manifest(source: ManifestOptions, setup: Setup, approvals: Approvals, events: Events) -> int:
    if not setup.auto_approve and not (sys.stdin and sys.stdin.isatty()):
        raise Usage("there is no terminal to ask at; use --auto-approve, or save a plan and apply that")
    # What loads the client is for verbs that call.
    from reconciler.intercom.memory import Memory

    manifest, memory = source.read(), Memory()
    proposal = make(manifest, setup.intercom, setup.choice, setup.scope, approvals, memory)
    render(document_of(proposal.plan), "text", Way(setup.full))
    refuse_whole(proposal)
    _check_writes(len(proposal.plan.steps), "nothing was written")
    if proposal.plan.steps and not setup.auto_approve and not confirm("Apply this plan?"):
        Terminal(sys.stderr).say("Not applied; nothing was written.")
        return DECLINED
    with (
        open_session(setup.intercom, manifest.pin, writes=True, choice=setup.choice, paths=manifest.paths) as session,
        lock_workspace(session, setup.choice),
    ):
        # Without a change there is still something to remember: what was found as declared.
        if proposal.plan.steps or session.ledger:
            saved_plan = write_saved(
                session.kinds, proposal.plan, "in memory", Enclosure(None, proposal.as_declared, proposal.doubts, proposal.rules)
            )
            work = prepare(replace(session, memory=memory), saved_plan, manifest, approvals)
            return _carry_out(session, work, events, bool(setup.fail_on))
    annotate(left_open(proposal.plan, bool(setup.fail_on)))
    late = fails_on_waiting(bool(setup.fail_on), proposal.plan.waiting)
    return Incomplete.exit_code if proposal.plan.refusals or proposal.plan.unproven or late else 0


def _check_writes(changes: int, so: str) -> None:
    """Raises Usage where something would be written under --read-only."""
    if changes:
        number = "1 change" if changes == 1 else f"{changes:,} changes"
        refuse_writes(f"the plan has {number}, and {so}; look at it with `plan` or `show`, or leave --read-only out")


def _carry_out(session: Session, work: Work, events: Events, strict: bool) -> int:
    """Carry it out, telling on stdout and in the events; last what was planned against what it took."""
    stop = session.client.stop
    assert isinstance(stop, Stop)
    show = _Show(session, events, Terminal(sys.stdout))
    collect_again()
    with stoppable(stop):
        show.perform(work, stop)
    show.end(work, strict)
    stop.check()
    if show.unrecorded:
        raise show.unrecorded
    late = fails_on_waiting(strict, work.waiting)
    incomplete = work.refusals or work.unproven or late
    whole = all(outcome.status == Status.APPLIED for outcome in show.outcomes) and not incomplete
    return 0 if whole else Incomplete.exit_code


class _Show:
    """What is told of an apply while it goes on, and at its end."""

    def __init__(self, session: Session, events: Events, out: Terminal) -> None:
        self.session, self.events, self.out = session, events, out
        self.began, self.outcomes = time.monotonic(), list[outcomes.Outcome]()
        self.unrecorded: Incomplete | None = None

    def perform(self, work: Work, stop: Stop) -> None:
        with progress(sys.stderr, label="applying") as bar:
            bar.advance(0, total=len(work.proposal.plan.steps))
            try:
                for outcome in carry_out(self.session, work, stop, self._tell_start):
                    bar.advance()
                    self._tell_end(outcome, bar)
            except Incomplete as error:
                self.unrecorded = error
        for change in work.unmade:
            self.outcomes.append(outcomes.show_unmade(change))
            self.events.end(self.outcomes[-1])

    def _tell_start(self, change: Change) -> None:
        self.events.start(*outcomes.show_ends(change, self.session.here.app_id))

    def _tell_end(self, outcome: Outcome, bar: Progress) -> None:
        self.outcomes.append(outcomes.show_outcome(outcome, self.session.here.app_id))
        self.events.end(self.outcomes[-1])
        if outcome.reason or self.out.interactive:
            with bar.aside():
                self.out.lines([outcomes.outcome_line(self.outcomes[-1], color=self.out.color)])

    def end(self, work: Work, strict: bool) -> None:
        for heading, reasons in (
            ("Refused, and left out", [str(refusal) for refusal in work.refusals]),
            ("Unproven, or not done now", [self._note_line(note) for note in work.unproven]),
            ("Waiting for Intercom", [self._note_line(note) for note in work.waiting]),
            ("Left to the next run of rules", [self._note_line(note) for note in work.due]),
        ):
            self.out.lines(outcomes.list_left_out(heading, [str(hide(reason, False)) for reason in reasons], color=self.out.color))
        self.out.write(outcomes.summary(self.outcomes, time.monotonic() - self.began, color=self.out.color))
        if self.outcomes:
            self.out.write(f"Calls: {work.proposal.plan.calls} planned, {self.session.client.sent.total()} made.\n")
        refused = len({entry for refusal in work.refusals for entry in refusal.entries})
        self.events.summary(self.outcomes, refused=refused, unproven=len(work.unproven), waiting=len(work.waiting))
        self.out.flush()
        annotate(left_open(replace(work.proposal.plan, notes=(*work.unproven, *work.waiting)), strict))

    def _note_line(self, note: Note) -> str:
        return f"{show_address(note.address, self.session.here.app_id)}: {note.message}" if note.address else note.message
