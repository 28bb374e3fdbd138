"""A plan as text for people: what would change, what takes away first, why it may not, what it costs; the summary line comes last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from reconciler.core.plan.schema import NoteDocument, PlanDocument
from reconciler.kinds import KINDS
from reconciler.report import PLAIN, Way, risk, words
from reconciler.report.moved import describe_moved
from reconciler.report.signs import BOLD, DIM, RED, YELLOW, cells, count, duration, pad, paint, sign
from reconciler.report.terminal import clean, guard, reveal

# Where the place of a change begins, without a terminal.
SOURCE_COLUMN = 60
# Of the notes on one topic no more are shown.
PER_TOPIC = 20


@dataclass(frozen=True, slots=True)
class _Look:
    """How the report is shown."""

    # Whether it has colors.
    color: bool
    # The columns of the terminal; None where there is none.
    width: int | None
    # Whether all is listed, however much it is.
    full: bool

    def paint(self, text: str, style: str) -> str:
        return paint(text, style, self.color)

    def with_place(self, line: str, place: str, look: str = "") -> str:
        """A line with the place where it was declared, at a fixed column, or at the right of a terminal."""
        if not place:
            return look or line
        start = SOURCE_COLUMN if self.width is None else self.width - cells(place)
        return f"{pad(line, start - 2, look)}  {self.paint(place, DIM)}"


def render(document: PlanDocument, way: Way = PLAIN, *, color: bool = False, width: int | None = None) -> str:
    """The whole report; the last line is the summary."""
    return "".join(line + "\n" for line in lines(document, way, color, width))


def lines(document: PlanDocument, way: Way = PLAIN, color: bool = False, width: int | None = None) -> Iterator[str]:
    """The report line by line: a large plan is not held as text."""
    look = _Look(color, width, way.full)
    for part in (_header, _policy, _changes, _notes, _explain, _calls, _cost, _refusals):
        yield from map(guard, part(document, look))
    yield guard(look.paint(words.summarize(document), BOLD))


def _header(document: PlanDocument, look: _Look) -> Iterator[str]:
    workspace, paths = document["workspace"], words.declared_in(document)
    where = f", declared in {', '.join(map(clean, paths))}" if paths else ""
    yield look.paint(f"{words.describe_report(document)} {clean(workspace['app_id'])} ({clean(workspace['region'])}){where}", BOLD)
    if scope := words.describe_scope(document):
        yield look.paint(f"partial plan: {scope}; the rest is left as it is", YELLOW)
    if "applicable" in document:
        yield look.paint(words.SAVED, DIM)
    yield ""


def _changes(document: PlanDocument, look: _Look) -> Iterator[str]:
    for heading, rows in risk.by_risk(document["changes"]).items():
        yield look.paint(f"{heading} ({risk.count_changes(rows)})", BOLD)
        for row in rows:
            if len(row) > 1 and look.full:
                yield from chain.from_iterable(_row((change,), look) for change in row)
            else:
                yield from _row(row, look)
        yield ""


def _row(row: risk.Row, look: _Look) -> Iterator[str]:
    """What happens to one thing, or a line for many equal links."""
    change = row[0]
    asides, action = [*words.list_remarks(change), *words.list_asides(change)], words.describe_action(change)
    rest = f"{risk.describe_source(row)}" + (f" ({'; '.join(asides)})" if asides else "")
    if "moved" in change:
        yield look.with_place(f"  {risk.describe_target(change, 'of')}{rest}", risk.describe_places(row))
    else:
        rest = f" {risk.describe_target(change)}{rest}"
        yield look.with_place(f"  {sign(action)}{rest}", risk.describe_places(row), f"  {sign(action, look.color)}{rest}")
    if len(row) > 1:
        yield f"      {risk.name_some(row)} (--full lists them)"
    yield from (f"      {line}" for line in (*describe_moved(row), *words.describe_details(change)))


def _policy(document: PlanDocument, look: _Look) -> Iterator[str]:
    return _topic(words.POLICY, words.notes_by_topic(document).get(words.POLICY, ()), look)


def _notes(document: PlanDocument, look: _Look) -> Iterator[str]:
    for topic, notes in words.notes_by_topic(document).items():
        if topic != words.POLICY:
            yield from _topic(topic, notes, look)


def _topic(topic: str, notes: Sequence[NoteDocument], look: _Look) -> Iterator[str]:
    if not notes:
        return
    heading = f"note: {clean(words.TOPICS.get(topic, topic))} ({len(notes):,})"
    rows = notes if look.full else list(words.gather_notes(notes))
    first, more = (rows, "") if look.full else (rows[:PER_TOPIC], " (--full lists them)")
    if more and all(note["address"] and note["message"] == words.TOPICS.get(topic) for note in notes):
        yield look.paint(heading, YELLOW) + f": {risk.name_some(notes)}{more if len(notes) > risk.FEW else ''}"
    else:
        yield look.paint(heading, YELLOW) + (more if len(rows) < len(notes) else "")
        yield from (_note(note, look) for note in first)
        if len(first) < len(rows):
            yield f"    and {len(rows) - len(first):,} more{more}"
    yield ""


def _note(note: NoteDocument, look: _Look) -> str:
    about = f"{reveal(note['address'])}: " if note["address"] else ""
    return look.with_place(f"    {about}{reveal(note['message'])}", words.describe_place(note["source"]))


def _refusals(document: PlanDocument, look: _Look) -> Iterator[str]:
    rows = document["refused"]
    if not rows:
        return
    yield look.paint(f"REFUSED: {words.describe_verdict(document)}, for {count(len(rows), 'reason')}", f"{BOLD};{RED}")
    for refusal in rows:
        yield f"  ! {look.paint(clean(refusal['gate']), RED)}: {reveal(refusal['message'])}"
        if approve := refusal.get("approve"):
            # A look for drift takes no approval.
            where = "plan and apply take " if document.get("drift") else ""
            yield f"      if it is meant: {where}{words.describe_option(clean(approve))}"
    yield ""


def _explain(document: PlanDocument, look: _Look) -> Iterator[str]:
    """How live was read, where the plan says it."""
    if questions := document.get("explain"):
        yield look.paint(f"how the workspace was read ({len(questions)})", BOLD)
        yield from (f"    {clean(words.describe_question(question))}" for question in questions)
        yield ""


def _calls(document: PlanDocument, look: _Look) -> Iterator[str]:
    """The calls themselves, where the plan lists them."""
    if calls := document.get("calls"):
        yield look.paint(f"calls, in order ({len(calls)})", BOLD)
        yield from (f"    {clean(call)}" for call in calls)
        yield ""


def _cost(document: PlanDocument, look: _Look) -> Iterator[str]:
    cost = document["cost"]
    if cost["calls"]:
        yield f"Cost: {count(cost['calls'], 'call')}, {duration(cost['seconds'])}{words.describe_slowest(document)}."
    if (people := document.get("people")) and people["losing"]:
        some = "" if people["exact"] else "up to "
        yield f"People: {some}{people['losing']:,} {'loses' if people['losing'] == 1 else 'lose'} {KINDS.words['lost']}."
