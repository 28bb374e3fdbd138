"""What was done: runs, and one run with its changes, as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from reconciler.core.model.past import Done, Run, Undoable, Way
from reconciler.core.model.times import format_time
from reconciler.report.json import deep
from reconciler.report.outcomes import Outcome, outcome_line
from reconciler.report.signs import DIM, columns, paint
from reconciler.report.terminal import clean, guard


@dataclass(frozen=True, slots=True)
class OneRun:
    """One run, with what is told of it."""

    # The run.
    run: Run
    # What became of each of its changes.
    changes: Sequence[Done]
    # From where it can be undone; None of a run that writes nothing to Intercom.
    undoable: Undoable | None


def document(run: Run) -> dict[str, Any]:
    """A run as programs read it."""
    return {**asdict(run), "started": format_time(run.started), "ended": format_time(run.ended)}


def runs_as_json(runs: Sequence[Run]) -> str:
    """One array, newest first."""
    return deep([document(run) for run in runs])


def run_as_json(one: OneRun) -> str:
    """One object."""
    rows = [{name: value for name, value in asdict(change).items() if name != "met"} for change in one.changes]
    undo = one.undoable and {**asdict(one.undoable), "until": format_time(one.undoable.until)}
    return deep({**document(one.run), "undo": undo, "changes": rows})


def runs_as_text(runs: Sequence[Run]) -> Iterator[str]:
    """A line a run, newest first, in columns."""
    return columns((r.run, format_time(r.started), r.verb, r.workspace.app_id, r.name, _end(r), _counts(r)) for r in runs)


def run_as_text(one: OneRun, *, color: bool = False) -> Iterator[str]:
    """What is known of a run, then a line a change."""
    run = one.run
    facts = document(run) | {
        "workspace": f"{run.workspace.app_id} in {run.workspace.region}",
        "ended": format_time(run.ended) or _end(run),
        "counts": _counts(run),
        "undo": _say_undoable(one.undoable) if one.undoable else "",
    }
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        if text:
            yield guard(f"{name.replace('_', ' ')}: {clean(text)}")
    for change in one.changes:
        fields = paint(f" ({clean(', '.join(change.fields))})", DIM, color) if change.fields else ""
        yield outcome_line(Outcome(change.action, change.address, change.target, change.outcome), color=color) + fields


def _say_undoable(undoable: Undoable) -> str:
    words = {
        Way.ANYWHERE: "from anywhere",
        Way.KEY: f"from anywhere, with the private key of {' or '.join(undoable.keys)}",
        Way.HERE: "on this machine",
        Way.ELSEWHERE: "in part: what people had lies on the machine of that run",
        Way.NONE: "no: nothing is kept of what it destroyed, or not any more",
    }
    return words[undoable.way] + (f", until {format_time(undoable.until)}" if undoable.until else "")


def _end(run: Run) -> str:
    return "killed, or goes on" if run.ended is None else f"exit {run.exit_code}"


def _counts(run: Run) -> str:
    text = ", ".join(f"{number} {word}" for word, number in run.counts.items())
    # A run that was stopped, refused or ended by what nobody foresaw did not count.
    return text or ("nothing to do" if run.ended is not None and run.exit_code == 0 else "")
