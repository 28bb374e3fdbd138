"""What `doctor` found, as lines and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.core.model.finding import Finding, State
from reconciler.report.signs import BOLD, GREEN, RED, pad, paint
from reconciler.report.terminal import clean

_COLORS = {State.OK: GREEN, State.NOTE: BOLD, State.MEND: RED}


def lines(findings: Sequence[Finding], color: bool) -> Iterator[str]:
    """One line for each finding."""
    states, topics = (max((len(getattr(f, name)) for f in findings), default=0) for name in ("state", "topic"))
    for finding in findings:
        text = f"{finding.message}; {finding.now}" if finding.now else finding.message
        state = paint(finding.state, _COLORS[finding.state], color)
        yield f"{pad(finding.state, states, state)}  {pad(finding.topic, topics)}  {clean(text)}"


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    rows = [{"topic": f.topic, "state": f.state.value, "message": f.message, "now": f.now} for f in findings]
    return {"format_version": "1.0", "ok": all(f.state is not State.MEND for f in findings), "findings": rows}
