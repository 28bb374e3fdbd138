"""What became of an apply: a line for each change as it ends, and a summary that says what to do now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.model.change import Change
from reconciler.core.model.outcome import Outcome as Done
from reconciler.core.model.outcome import Status
from reconciler.core.model.privacy import hide, show_address
from reconciler.core.plan.touched import Subject
from reconciler.errors import PLACES, gather
from reconciler.report.signs import BOLD, DIM, GREEN, RED, YELLOW, duration, paint, sign
from reconciler.report.terminal import clean, reveal

# Of one status no more changes are listed.
LISTED = 50
STYLES = {"applied": GREEN, "unchanged": DIM, "ineffective": YELLOW, "failed": RED, "skipped": YELLOW}
# What needs a look, the gravest last, where people look first.
HEADINGS = {
    "ineffective": "Intercom accepted these calls, but its answers do not show the change",
    "skipped": "These were not tried",
    "failed": "These failed",
}
ENDS = {"attach": "to", "detach": "from"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, as it is shown."""

    # What was to be done.
    action: str
    # The thing, or the source of a link, masked.
    address: str
    # The other end of a link, masked; None for a thing.
    target: str | None
    # What became of it.
    status: str
    # Intercom's own message, where it gave one.
    reason: str = ""
    # The id of that answer.
    request_id: str | None = None


def show_outcome(outcome: Done, app_id: str) -> Outcome:
    """An outcome as people see it: addresses masked, Intercom's message without e-mails."""
    reason = str(hide(outcome.reason, False))
    return Outcome(*show_ends(outcome.change, app_id), outcome.status, reason, outcome.request_id)


def show_ends(change: Change, app_id: str) -> tuple[str, str, str | None]:
    """A change as people see it: addresses masked."""
    return change.action, show_address(change.address, app_id), show_address(change.target, app_id) if change.target else None


def show_unmade(change: Subject) -> Outcome:
    """What a saved plan has and cannot be done now."""
    return Outcome(change.action, change.address, None, Status.SKIPPED, "held back; plan again to see why")


def outcome_line(outcome: Outcome, *, color: bool = False) -> str:
    """`applied      + attach    tag/vip to contact/25`."""
    return paint(f"{outcome.status:<11}", STYLES.get(outcome.status, BOLD), color) + "  " + _describe(outcome, color)


def summary(outcomes: Iterable[Outcome], seconds: float, *, color: bool = False) -> str:
    """Everything that needs a look, then what to do now; the counts are the last line."""
    outcomes = tuple(outcomes)
    lines = [*_sections(outcomes, color), *_advice(outcomes), paint(_count(outcomes, seconds), BOLD, color)]
    return "\n".join(lines) + "\n"


def list_left_out(heading: str, reasons: Sequence[str], *, color: bool = False) -> Iterator[str]:
    """What was not done, beside what was, and why."""
    return _list(heading, [f"! {reveal(reason)}" for reason in reasons], YELLOW, color)


def _list(heading: str, lines: Sequence[str], style: str, color: bool) -> Iterator[str]:
    if lines:
        yield paint(f"{heading} ({len(lines)}):", style, color)
        # The first three of those that are alike; what failed was told as it did.
        rows = [row for group in gather(lines, str) for row in (*group[: len(group) if len(group) == 1 else PLACES], *_rest(group))]
        yield from (f"  {row}" for row in rows[:LISTED])
        if len(rows) > LISTED:
            yield f"  and {len(rows) - LISTED} more"
        yield ""


def _rest(group: Sequence[str]) -> Iterator[str]:
    if len(group) > 1:
        yield f"and {len(group) - PLACES:,} more like these"


def _sections(outcomes: Sequence[Outcome], color: bool) -> Iterator[str]:
    for status, heading in HEADINGS.items():
        lines = [_describe(outcome, color) for outcome in outcomes if outcome.status == status]
        yield from _list(heading, lines, STYLES[status], color)


def _advice(outcomes: Sequence[Outcome]) -> Iterator[str]:
    statuses = {outcome.status for outcome in outcomes}
    if statuses & {"failed", "skipped"}:
        yield "What was done is recorded. Mend what the messages name, then run again to finish: nothing is done twice."
    elif "ineffective" in statuses:
        yield "Running again will not change what Intercom does not accept: look at these in Intercom, or correct the manifest."


def _count(outcomes: Sequence[Outcome], seconds: float) -> str:
    if not outcomes:
        return "Apply: nothing to do."
    by_status = Counter(outcome.status for outcome in outcomes)
    numbers = {"applied": by_status["applied"], "ineffective": 0, "failed": 0, "skipped": 0} | dict(sorted(by_status.items()))
    counts = [f"{number} {status}" for status, number in numbers.items() if status != "unchanged"]
    if by_status["unchanged"]:
        counts.append(f"{by_status['unchanged']} already as planned")
    return f"Apply: {', '.join(counts)}, in {duration(seconds)}."


def _describe(outcome: Outcome, color: bool) -> str:
    ends = reveal(outcome.address)
    if outcome.target is not None:
        ends = f"{reveal(outcome.target)} {ENDS.get(outcome.action, 'and')} {ends}"
    reason = f": {reveal(outcome.reason)}" if outcome.reason else ""
    request = paint(f" (request id {clean(outcome.request_id)})", DIM, color) if outcome.request_id else ""
    return f"{sign(clean(outcome.action), color)} {ends}{reason}{request}"
