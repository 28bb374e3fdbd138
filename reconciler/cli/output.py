"""Plans and reports as a verb leaves them: on stdout, in files, and as annotations."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from reconciler.cli.connection import open_session
from reconciler.cli.headline import headline_for
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import Intercom, OutputOptions
from reconciler.cli.running import Annotation, say_error
from reconciler.core.compare.origin import Origin
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import show_address
from reconciler.core.model.times import format_time
from reconciler.core.plan.approvals import Approvals
from reconciler.core.plan.document import View, explain_reads, list_calls
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.rehearsal import Rehearsal
from reconciler.core.plan.rehearsal import document as show
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.core.plan.work import Proposal
from reconciler.errors import gather
from reconciler.report import RENDERERS, Way, rehearsal, text
from reconciler.report.json import deep
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.plan import document_of, propose
from reconciler.workflow.planfile import save, write_whole
from reconciler.workflow.session import watch

if TYPE_CHECKING:
    from reconciler.intercom.memory import Memory

# How a message begins that is about one entry: file, line and column.
_PLACE = re.compile(r"(.+?:\d+:\d+): ")
# The options that a verb shares with the one that comes next.
SHARED = frozenset({"policy", "approve", "max_calls", "ledger", "base_url", "sandbox", "api_version", "share"})


def make(
    manifest: Manifest, intercom: Intercom, choice: LedgerChoice, scope: Scope, approvals: Approvals, memory: Memory | None = None
) -> Proposal:
    """Plan, with progress on stderr. What was seen is kept in the `memory` of who applies it at once."""
    choice.check_name(manifest)
    with (
        progress(sys.stderr, label="reading") as bar,
        open_session(intercom, manifest.pin, writes=False, choice=choice, paths=manifest.paths) as session,
    ):
        return propose(replace(watch(session, bar.reading), memory=memory), manifest, scope, approvals)


def leave(
    proposal: Proposal, output: OutputOptions, origins: Sequence[Origin] = (), rehearse: Callable[[], Rehearsal] | None = None
) -> Rehearsal | None:
    """The plan, its reports, and last what is shown: files are there before anything can go wrong with the screen. `rehearse` carries the
    plan out on a copy; the answer is what became of it."""
    way = way_of([output.form, *(name for name, _ in output.reports)], output.full, proposal.plan.paths)
    view = View(output.show_personal is not None, tuple(origin.value for origin in origins))
    document = document_of(proposal.plan, view)
    if output.calls:
        document["calls"] = list_calls(proposal.plan)
    if output.explain:
        document["explain"] = explain_reads(proposal.plan)
    if output.out:
        save(proposal, output.out, embed=output.embed_values)
    for name, path in output.reports:
        write_whole(path, RENDERERS[name](document, way), 0o600 if view.personal else 0o644)
    if rehearse is None:
        render(document, output.form, way)
        return None
    if output.form != "json":
        render(document, output.form, way)
        rehearsal = rehearse()
        Terminal(sys.stdout).write("\n")
        return show_rehearsal(rehearsal, output.form, full=output.full)
    try:
        rehearsal = rehearse()
        document["rehearsal"] = show(rehearsal)
    finally:
        render(document, output.form, way)
    return rehearsal


def show_rehearsal(done: Rehearsal, form: str, *, full: bool) -> Rehearsal:
    """A rehearsal on stdout."""
    out, document = Terminal(sys.stdout), show(done)
    if form == "json":
        out.write(deep(document))
    else:
        out.lines(rehearsal.lines(document, full=full, color=out.color))
    out.check()
    return done


def say_next(proposal: Proposal, output: OutputOptions, paths: Sequence[str] = ()) -> None:
    """The command that carries out the plan that was saved, else that of these paths, if there is anything to carry out."""
    plan, arguments = proposal.plan, [str(output.out)] if output.out else paths
    if arguments and plan.steps and (plan.held or not plan.refusals):
        Terminal(sys.stderr).say(f"next: {as_typed('apply', *arguments)}")


def as_typed(*words: str) -> str:
    """A command that comes next, as typed: with what it takes too and was given here. A URL with a password was refused before."""
    context, command = click.get_current_context(), ["reconciler", *words]
    for option in context.command.params:
        name = option.name or ""
        if name not in SHARED or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        values = context.params[name]
        for value in values if isinstance(values, tuple) else (values,):
            command += [option.opts[0]] if value is True else [option.opts[0], str(value)]
    return shlex.join(command)


def way_of(forms: Iterable[str], full: bool, paths: Sequence[str] = ()) -> Way:
    """How the reports of these forms are shown; pages begin with a line on the commit of these paths. Raises Usage."""
    return Way(full, headline_for(forms, paths))


def render(document: PlanDocument, form: str, way: Way) -> None:
    """A plan's document on stdout."""
    out = Terminal(sys.stdout)
    if form == "text":
        out.lines(text.lines(document, way, out.color, out.width))
    else:
        out.write(RENDERERS[form](document, way))
    out.check()


def refusals(proposal: Proposal) -> Iterator[Annotation]:
    """Every refusal, with the place of the first change that it stops, else of the entry that its message begins with."""
    places = {str(resource.mark): resource.mark for resource in proposal.manifest.resources.values()} if proposal.plan.refusals else {}
    for refusal in proposal.plan.refusals:
        place = _PLACE.match(refusal.message)
        yield str(refusal), next((change.mark for change in refusal.changes), places.get(place[1]) if place else None), "error"


def fails_on_waiting(strict: bool, waiting: Sequence[Note]) -> bool:
    """Whether something only waits for Intercom where that is no success either; one line on stderr says so then."""
    if not (strict and waiting):
        return False
    until = max((note.until for note in waiting if note.until), default=None)
    now = f"run this again after {format_time(until)}" if until else "run this again later"
    say_error(f"--fail-on waiting: {len(waiting):,} {'entry waits' if len(waiting) == 1 else 'entries wait'} for Intercom; {now}")
    return True


def left_open(plan: Plan, strict: bool = False) -> Iterator[Annotation]:
    """What is unproven, and what only waits, at the places of their entries; `strict`: what waits is an error too."""
    for notes, level in ((plan.unproven, "warning"), (plan.waiting, "error" if strict else "notice")):
        for note, *others in gather(notes, lambda note: f"{note.topic}: {note.message}"):
            about = f"{show_address(note.address, plan.workspace.app_id)}: " if note.address else ""
            more = f" (and {len(others):,} more like it)" if others else ""
            yield f"{note.topic}: {about}{note.message}{more}", note.mark, level
