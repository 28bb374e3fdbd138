"""What was done: runs, and one run with its changes, as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from reconciler.core.model.past import Done, Run
from reconciler.core.model.times import format_time
from reconciler.report.json import deep
from reconciler.report.outcomes import Outcome, outcome_line
from reconciler.report.signs import DIM, columns, paint
from reconciler.report.terminal import clean, guard


def document(run: Run) -> dict[str, Any]:
    """A run as programs read it."""
    return {**asdict(run), "started": format_time(run.started), "ended": format_time(run.ended)}


def runs_as_json(runs: Sequence[Run]) -> str:
    """One array, newest first."""
    return deep([document(run) for run in runs])


def run_as_json(run: Run, changes: Sequence[Done]) -> str:
    """One object."""
    shown = [{name: value for name, value in asdict(done).items() if name != "met"} for done in changes]
    return deep({**document(run), "changes": shown})


def runs_as_text(runs: Sequence[Run]) -> Iterator[str]:
    """A line a run, newest first, in columns."""
    return columns((r.run, format_time(r.started), r.verb, r.workspace.app_id, r.name, _end(r), _counts(r)) for r in runs)


def run_as_text(run: Run, changes: Sequence[Done], *, color: bool = False) -> Iterator[str]:
    """What is known of a run, then a line a change."""
    facts = document(run) | {
        "workspace": f"{run.workspace.app_id} in {run.workspace.region}",
        "ended": format_time(run.ended) or _end(run),
        "counts": _counts(run),
    }
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        if text:
            yield guard(f"{name.replace('_', ' ')}: {clean(text)}")
    for done in changes:
        fields = paint(f" ({clean(', '.join(done.fields))})", DIM, color) if done.fields else ""
        yield outcome_line(Outcome(done.action, done.address, done.target, done.outcome), color=color) + fields


def _end(run: Run) -> str:
    return "killed, or goes on" if run.ended is None else f"exit {run.exit_code}"


def _counts(run: Run) -> str:
    text = ", ".join(f"{number} {what}" for what, number in run.counts.items())
    return text or ("nothing to do" if run.ended is not None else "")
