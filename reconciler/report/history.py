"""What was done: runs, and one run with its changes, as text or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from reconciler.core.model.past import Done, Run
from reconciler.report.json import deep
from reconciler.report.outcomes import Outcome, outcome_line
from reconciler.report.signs import DIM, cells, paint
from reconciler.report.terminal import clean, guarded


def document(run: Run) -> dict[str, Any]:
    """A run as programs read it."""
    return {
        "run": run.run,
        "verb": run.verb,
        "workspace": {"app_id": run.app_id, "region": run.region},
        "name": run.name,
        "who": run.who,
        "started": moment(run.started),
        "ended": moment(run.ended),
        "exit_code": run.exit_code,
        "counts": dict(run.counts),
        "revision": run.revision,
        "manifest_digest": run.manifest_digest,
        "plan_digest": run.plan_digest,
        "files": list(run.files),
    }


def _change(done: Done) -> dict[str, Any]:
    return {
        "action": done.action,
        "address": done.address,
        "target": done.target,
        "outcome": done.outcome,
        "fields": list(done.fields),
        "id": done.id,
    }


def moment(at: float | None) -> str | None:
    """Unix seconds as ISO 8601, in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def runs_as_json(runs: Sequence[Run]) -> str:
    """One array, newest first."""
    return deep([document(run) for run in runs])


def run_as_json(run: Run, changes: Sequence[Done]) -> str:
    """One object."""
    return deep({**document(run), "changes": [_change(done) for done in changes]})


def runs_as_text(runs: Sequence[Run]) -> Iterator[str]:
    """A line a run, newest first, in columns."""
    rows = [(run.run, str(moment(run.started)), run.verb, run.app_id, run.name, _end(run), _counts(run)) for run in runs]
    cleaned = [[clean(cell) for cell in row] for row in rows]
    wide = [max(cells(row[column]) for row in cleaned) for column in range(len(cleaned[0]))] if cleaned else []
    for row in cleaned:
        yield guarded("  ".join(cell + " " * (width - cells(cell)) for cell, width in zip(row, wide, strict=True)).rstrip())


def run_as_text(run: Run, changes: Sequence[Done], *, color: bool = False) -> Iterator[str]:
    """What is known of a run, then a line a change."""
    told = document(run) | {"workspace": f"{run.app_id} in {run.region}", "ended": moment(run.ended) or _end(run), "counts": _counts(run)}
    for name, value in told.items():
        text = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
        if text:
            yield guarded(f"{name.replace('_', ' ')}: {clean(text)}")
    for done in changes:
        fields = paint(f" ({clean(', '.join(done.fields))})", DIM, color) if done.fields else ""
        yield outcome_line(Outcome(done.action, done.address, done.target, done.outcome), color=color) + fields


def _end(run: Run) -> str:
    return "killed, or goes on" if run.ended is None else f"exit {run.exit_code}"


def _counts(run: Run) -> str:
    told = ", ".join(f"{number} {what}" for what, number in run.counts.items())
    return told or ("nothing to do" if run.ended is not None else "")
