"""A rehearsal as text: what would be refused first, then the calls, what is left, what a kill leaves, and what it all rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.report.outcomes import ENDS
from reconciler.report.signs import BOLD, DIM, GREEN, RED, YELLOW, count, duration, paint, sign
from reconciler.report.terminal import clean, guard, reveal

Document = Mapping[str, Any]
# Without `--full` so many rows of one sort are listed, and so many addresses of one row.
ROWS, NAMES = 20, 3


@dataclass(frozen=True, slots=True)
class _Look:
    """How it is shown."""

    # Whether it has colors.
    color: bool
    # Whether all is listed.
    full: bool

    def section(self, heading: str, rows: Sequence[str], style: str) -> Iterator[str]:
        """A heading with its rows, if there are any."""
        if not rows:
            return
        yield paint(f"{heading} ({len(rows):,}):", style, self.color)
        first = rows if self.full else rows[:ROWS]
        yield from (f"  {row}" for row in first)
        if len(first) < len(rows):
            yield f"  and {len(rows) - len(first):,} more (--full lists them)"
        yield ""

    def changes(self, rows: Sequence[Document], key: str) -> list[str]:
        return [f"{sign(row['action'], self.color)} {_name_ends(row)}: {reveal(row[key])}" for row in rows]

    def names(self, addresses: Sequence[str]) -> str:
        first = addresses if self.full else addresses[:NAMES]
        more = len(addresses) - len(first)
        return ", ".join(map(reveal, first)) + (f" and {more:,} more" if more else "")


def lines(document: Document, *, full: bool = False, color: bool = False) -> Iterator[str]:
    """The report line by line; the last line is the summary."""
    look = _Look(color, full)
    for part in (_head, _outcomes, _calls, _again, _kill, _rests):
        yield from map(guard, part(document, look))
    yield guard(paint(_summarize(document), BOLD, color))


def _head(document: Document, look: _Look) -> Iterator[str]:
    workspace = document["workspace"]
    where = f"{clean(workspace['app_id'])} ({clean(workspace['region'])})"
    yield paint(f"Rehearsal on a private copy of {where}; nothing was written", BOLD, look.color)
    yield ""


def _outcomes(document: Document, look: _Look) -> Iterator[str]:
    yield from look.section("Refused by a gate, and left out", [f"! {clean(gate)}" for gate in document["gates"]], RED)
    yield from look.section("Would be refused", look.changes(document["refused"], "reason"), RED)
    yield from look.section("Would not be tried", look.changes(document["skipped"], "reason"), YELLOW)
    yield from look.section("Would be accepted without effect", look.changes(document["ineffective"], "reason"), YELLOW)


def _calls(document: Document, look: _Look) -> Iterator[str]:
    calls = document["calls"]
    yield f"An apply makes {count(calls['total'], 'call')}, in {duration(calls['seconds'])} at the limit."
    for when, routes in (("before its first write", calls["before"]), ("from then on", calls["during"])):
        if routes:
            yield f"  {when} ({sum(routes.values()):,}):"
            yield from (f"    {number:>5,}  {clean(route)}" for route, number in routes.items())
    yield ""


def _again(document: Document, look: _Look) -> Iterator[str]:
    again = document["again"]
    if again["empty"]:
        yield paint("A second plan is empty.", GREEN, look.color)
        yield ""
    yield from look.section("Left for a second plan", look.changes(again["changes"], "why"), YELLOW)
    yield from look.section("A second plan is refused", [f"! {reveal(reason)}" for reason in again["refused"]], RED)


def _kill(document: Document, look: _Look) -> Iterator[str]:
    kill = document["kill"]
    if kill is None:
        return
    yield f"Killed after write {kill['after']:,} of {kill['of']:,}, before its answer came:"
    if kill["ledger"] is not None:
        rows = ", ".join(f"{number:,} {word}" for word, number in sorted(kill["ledger"].items()))
        yield f"  the ledger has {rows}"
    after = kill["next"]
    calls = sum(after["calls"].values())
    if calls:
        did = f"{count(after['changes'], 'change')}, {len(after['not_applied']):,} not applied, by {count(calls, 'call')}"
        yield f"  the next apply: {did}; {_describe_left(after)}"
    else:
        yield f"  the next apply is refused: {'; '.join(map(clean, after['refused']))}"
    yield ""


def _describe_left(after: Document) -> str:
    parts = [count(after["left"], "change")] if after["left"] else []
    parts += [f"{after['unproven']:,} unproven"] if after["unproven"] else []
    parts += [f"{len(after['refused']):,} refused"] if after["refused"] else []
    return f"then {', '.join(parts)} left" if parts else "then nothing is left"


def _rests(document: Document, look: _Look) -> Iterator[str]:
    rows = [f"{r['what']}: {r['here']} ({look.names(r['addresses'])})" for r in document["rests_on"]]
    yield from look.section("Rests on assumptions", rows, DIM)
    yield from look.section("Not read", [clean(text) for text in document["unread"]], YELLOW)


def _name_ends(row: Document) -> str:
    address, target = reveal(row["address"]), row["target"]
    return address if target is None else f"{reveal(target)} {ENDS.get(row['action'], 'and')} {address}"


def _summarize(document: Document) -> str:
    summary, again = document["summary"], document["again"]
    words = {"applied": "applied", "failed": "refused", "skipped": "not tried", "ineffective": "without effect"}
    parts = [f"{summary[key]:,} {word}" for key, word in words.items() if summary[key] or key in ("applied", "failed")]
    parts += [f"{count(len(document['gates']), 'gate')} refused"] if document["gates"] else []
    rests = len(document["rests_on"])
    rest = "a second plan is empty" if again["empty"] else f"{count(len(again['changes']), 'change')} left"
    return f"Rehearsal: {', '.join(parts)}; {rest}; rests on {count(rests, 'assumption')}."
