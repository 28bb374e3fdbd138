"""Plans and reports as a verb leaves them: on stdout, in files, and as annotations."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.cli.connection import connected
from reconciler.cli.ledger_choice import LedgerChoice
from reconciler.cli.options import Intercom
from reconciler.cli.running import Annotation
from reconciler.core.compare.origin import Origin
from reconciler.core.model.desired import Manifest
from reconciler.core.model.privacy import shown
from reconciler.core.plan.approvals import Rules
from reconciler.core.plan.document import MASKED, View, list_calls
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.core.plan.work import Proposal
from reconciler.errors import Usage
from reconciler.report import RENDERERS, text
from reconciler.report.progress import progress
from reconciler.report.terminal import Terminal
from reconciler.workflow.plan import document_of, propose
from reconciler.workflow.planfile import save, write_whole
from reconciler.workflow.session import watched

# How a message begins that is about one entry: file, line and column.
_PLACE = re.compile(r"(.+?:\d+:\d+): ")


@dataclass(frozen=True)
class Wanted:
    """What plan is to leave behind."""

    form: str
    out: Path | None
    embed: bool
    reports: tuple[tuple[str, Path], ...]
    view: View
    calls: bool


def wanted_reports(form: str, out: Path | None, reports: Sequence[str]) -> Wanted:
    """What a verb without the options of `plan` is to leave behind. Raises Usage."""
    return Wanted(form, out, False, tuple(read_reports(reports)), MASKED, False)


def read_reports(written: Sequence[str]) -> list[tuple[str, Path]]:
    """`--report markdown=plan.md` as a format and a file; a wrong one ends the run before anything is read."""
    found = []
    for report in written:
        name, equals, path = report.partition("=")
        if name not in RENDERERS or not equals or not path:
            raise Usage(f"--report {report}: write FORMAT=FILE, with one of {', '.join(sorted(RENDERERS))}")
        in_folder("--report", Path(path))
        found.append((name, Path(path)))
    return found


def in_folder(option: str, path: Path) -> None:
    """Raises Usage where a file that is to be written has no folder: before anything is read, not after."""
    if not path.parent.is_dir():
        raise Usage(f"{option} {path}: the folder does not exist; make it first")


def make(manifest: Manifest, intercom: Intercom, memory: LedgerChoice, scope: Scope, rules: Rules) -> Proposal:
    """Plan, with progress on stderr."""
    memory.check_name(manifest)
    with progress(sys.stderr, label="reading") as bar, connected(intercom, manifest.pin, writes=False, memory=memory) as session:
        return propose(watched(session, lambda what: bar.advance(label=what)), manifest, scope, rules)


def leave(planned: Proposal, wanted: Wanted, found: tuple[Origin, ...]) -> None:
    """The plan, its reports, and last what is shown: files are there before anything can go wrong with the screen."""
    view = View(wanted.view.personal, tuple(origin.value for origin in found))
    made = document_of(planned.plan, view)
    if wanted.calls:
        made["calls"] = list_calls(planned.plan)
    if wanted.out:
        save(planned, wanted.out, embed=wanted.embed)
    for name, path in wanted.reports:
        write_whole(path, RENDERERS[name](made), 0o600 if wanted.view.personal else 0o644)
    render(made, wanted.form)


def render(found: PlanDocument, form: str) -> None:
    """A plan's document on stdout."""
    out = Terminal(sys.stdout)
    if form == "text":
        out.lines(text.lines(found, color=out.color, width=out.width))
    else:
        out.write(RENDERERS[form](found))
    out.check()


def refusals(planned: Proposal) -> Iterator[Annotation]:
    """Every refusal, with the place of the first change that it stops, else of the entry that its message begins with."""
    places = {str(resource.mark): resource.mark for resource in planned.manifest.resources.values()}
    for refusal in planned.plan.refused:
        told = _PLACE.match(refusal.message)
        yield str(refusal), next((change.mark for change in refusal.changes), places.get(told[1]) if told else None), "error"


def left_open(plan: Plan) -> Iterator[Annotation]:
    """What is unproven, and what only waits, at the places of their entries."""
    for notes, level in ((plan.unproven, "warning"), (plan.waiting, "notice")):
        for note in notes:
            about = f"{shown(note.address, plan.workspace.app_id)}: " if note.address else ""
            yield f"{note.topic}: {about}{note.message}", note.mark, level
