"""What became of an apply: a line for each change as it ends, and a summary that says what to do now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.report.signs import BOLD, DIM, GREEN, RED, YELLOW, duration, paint, signed
from reconciler.report.terminal import clean

LISTED = 50
STYLES = {"applied": GREEN, "unchanged": DIM, "ineffective": YELLOW, "failed": RED, "skipped": YELLOW}
# What needs a look, the gravest last: that is where people look first.
HEADINGS = {
    "ineffective": "Intercom accepted these calls, but its answers do not show the change",
    "skipped": "These were not tried",
    "failed": "These failed",
}
ENDS = {"attach": "to", "detach": "from"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, with both ends as shown: masked. `reason` and `request_id` are Intercom's own."""

    action: str
    address: str
    target: str | None
    status: str
    reason: str = ""
    request_id: str | None = None


def outcome_line(outcome: Outcome, *, color: bool = False) -> str:
    """`applied      + attach    tag/vip to contact/25`."""
    return paint(f"{outcome.status:<11}", STYLES.get(outcome.status, BOLD), color) + "  " + _told(outcome, color)


def summary(outcomes: Iterable[Outcome], seconds: float, *, color: bool = False) -> str:
    """Everything that needs a look, then what to do now; the counts are the last line."""
    seen = tuple(outcomes)
    lines = [*_sections(seen, color), *_advice(seen), paint(_counts(seen, seconds), BOLD, color)]
    return "\n".join(lines) + "\n"


def left(heading: str, reasons: Sequence[str], *, color: bool = False) -> Iterator[str]:
    """What was not done, beside what was, and why."""
    if reasons:
        yield paint(f"{heading} ({len(reasons)}):", YELLOW, color)
        yield from (f"  ! {clean(reason)}" for reason in reasons[:LISTED])
        if len(reasons) > LISTED:
            yield f"  and {len(reasons) - LISTED} more"
        yield ""


def _sections(seen: Sequence[Outcome], color: bool) -> Iterator[str]:
    for status, heading in HEADINGS.items():
        concerned = [outcome for outcome in seen if outcome.status == status]
        if concerned:
            yield paint(f"{heading} ({len(concerned)}):", STYLES[status], color)
            yield from (f"  {_told(outcome, color)}" for outcome in concerned[:LISTED])
            if len(concerned) > LISTED:
                yield f"  and {len(concerned) - LISTED} more"
            yield ""


def _advice(seen: Sequence[Outcome]) -> Iterator[str]:
    left = {outcome.status for outcome in seen} & set(HEADINGS)
    if "failed" in left or "skipped" in left:
        yield "What was done is recorded. Mend what the messages name, then run again to finish: nothing is done twice."
    elif "ineffective" in left:
        yield "Running again will not change what Intercom does not accept: look at these in Intercom, or correct the manifest."


def _counts(seen: Sequence[Outcome], seconds: float) -> str:
    if not seen:
        return "Apply: nothing to do."
    by_status = Counter(outcome.status for outcome in seen)
    shown = {"applied": by_status["applied"], "ineffective": 0, "failed": 0, "skipped": 0} | dict(sorted(by_status.items()))
    counts = [f"{number} {status}" for status, number in shown.items() if status != "unchanged"]
    if by_status["unchanged"]:
        counts.append(f"{by_status['unchanged']} already as planned")
    return f"Apply: {', '.join(counts)}, in {duration(seconds)}."


def _told(outcome: Outcome, color: bool) -> str:
    ends = clean(outcome.address)
    if outcome.target is not None:
        ends = f"{clean(outcome.target)} {ENDS.get(outcome.action, 'and')} {ends}"
    reason = f": {clean(outcome.reason)}" if outcome.reason else ""
    request = paint(f" (request id {clean(outcome.request_id)})", DIM, color) if outcome.request_id else ""
    return f"{signed(clean(outcome.action), color)} {ends}{reason}{request}"
