"""Events: what an apply does, one JSON object a line, for machines; format 1.0."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from reconciler.core.model.privacy import hide
from reconciler.core.plan.document import FORMAT
from reconciler.report.json import in_ascii
from reconciler.report.outcomes import Outcome
from reconciler.report.terminal import Terminal

# The event of every other status is `done`: the call was answered, and `status` says with what effect.
ENDS = ("failed", "skipped")
# A longer reason is cut: it is no sentence of Intercom's, but perhaps the body of an answer.
LONGEST = 500


def _utc() -> datetime:
    return datetime.now(UTC)


class Events:
    """Writes events to a stream, or nowhere, from several threads. A failure to write never ends an apply; `check` raises it."""

    def __init__(self, stream: TextIO | None, now: Callable[[], datetime] = _utc) -> None:
        self._out = Terminal(stream, name="the events")
        self._now = now
        self._lock = threading.Lock()
        self._write("start")

    def start(self, action: str, address: str, target: str | None = None) -> None:
        """The calls of one change begin. Its ends are given masked."""
        self._write("started", action=action, address=address, target=target)

    def end(self, outcome: Outcome) -> None:
        """One change ended."""
        ends = {"action": outcome.action, "address": outcome.address, "target": outcome.target, "status": str(outcome.status)}
        kind = str(outcome.status) if outcome.status in ENDS else "done"
        self._write(kind, **ends, reason=_reason(outcome.reason), request_id=outcome.request_id)

    def stale(self, differences: Sequence[Mapping[str, Any]]) -> None:
        """Nothing was begun: the plan is another one now, and how it differs, as `diff --format json` says it."""
        self._write("stale", differences=differences)

    def summary(self, outcomes: Iterable[Outcome], **beside: int) -> None:
        """The run ended: how many changes ended how, and how much is left `beside` them, by the word for it."""
        counts = dict(sorted(Counter(str(outcome.status) for outcome in outcomes).items()))
        self._write("summary", counts=counts, **{word: number for word, number in beside.items() if number})

    def check(self) -> None:
        """Raise if something could not be written."""
        self._out.check()

    def _write(self, kind: str, **more: Any) -> None:
        """One line, on the disk before the next call starts: a killed run loses none that it finished."""
        head = {"format_version": FORMAT} if kind == "start" else {}
        with self._lock:
            at = self._now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._out.line(in_ascii({**head, "type": kind, "at": at, **more}))
            self._out.flush()


def _reason(text: str) -> str:
    """Intercom's own message, in which no e-mail is readable, not even one that the cut goes through."""
    if len(text) > 2 * LONGEST:
        text = text[: 2 * LONGEST].rsplit(None, 1)[0]
    reason = str(hide(text, False))
    return reason if len(reason) <= LONGEST else reason[:LONGEST] + "…"
