"""A plan as text for people: what would change, by kind and thing, why it may not, what it costs; the summary line comes last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.core.plan.schema import ChangeDocument, NoteDocument, PlanDocument, SourceDocument
from reconciler.kinds import KINDS
from reconciler.report import words
from reconciler.report.signs import BOLD, DIM, RED, YELLOW, cells, count, duration, pad, paint, signed
from reconciler.report.terminal import clean, guarded

# Where the place of a change begins, without a terminal.
SOURCE_COLUMN = 60
# Of the notes on one topic no more are shown.
PER_TOPIC = 20


@dataclass(frozen=True, slots=True)
class _Look:
    """How the report is shown."""

    color: bool
    # The columns of the terminal; None where there is none.
    width: int | None

    def paint(self, text: str, style: str) -> str:
        return paint(text, style, self.color)

    def with_place(self, line: str, source: SourceDocument | None, painted: str = "") -> str:
        """A line with the place where it was declared, at a fixed column, or at the right of a terminal."""
        place = words.describe_place(source)
        if not place:
            return painted or line
        start = SOURCE_COLUMN if self.width is None else self.width - cells(place)
        return f"{pad(line, start - 2, painted)}  {self.paint(place, DIM)}"


def render(document: PlanDocument, *, color: bool = False, width: int | None = None) -> str:
    """The whole report; the last line is the summary."""
    return "".join(line + "\n" for line in lines(document, color, width))


def lines(document: PlanDocument, color: bool = False, width: int | None = None) -> Iterator[str]:
    """The report line by line: a large plan is not held as text."""
    look = _Look(color, width)
    for part in (_header, _policy, _changes, _notes, _calls, _cost, _refused):
        yield from map(guarded, part(document, look))
    yield guarded(look.paint(words.summarize(document), BOLD))


def _header(document: PlanDocument, look: _Look) -> Iterator[str]:
    workspace, paths = document["workspace"], words.declared_in(document)
    declared = f", declared in {', '.join(map(clean, paths))}" if paths else ""
    yield look.paint(f"{words.describe_report(document)} {clean(workspace['app_id'])} ({clean(workspace['region'])}){declared}", BOLD)
    if scope := words.describe_scope(document):
        yield look.paint(f"partial plan: {scope}; the rest is left as it is", YELLOW)
    if "applicable" in document:
        yield look.paint(words.SAVED, DIM)
    yield ""


def _changes(document: PlanDocument, look: _Look) -> Iterator[str]:
    for kind, things in words.group_by_thing(document["changes"]).items():
        yield look.paint(f"{clean(kind)} ({count(sum(map(len, things.values())), 'change')})", BOLD)
        for address, changes in things.items():
            yield from _thing(address, changes, look)
        yield ""


def _thing(address: str, changes: Sequence[ChangeDocument], look: _Look) -> Iterator[str]:
    """All that happens to one thing: its own changes, then its links under it."""
    own = [change for change in changes if change["target"] is None]
    if not own:
        yield f"    {clean(address)}"
    for change in own:
        yield _line("  ", change, address, look)
        yield from (f"      {line}" for line in words.describe_details(change))
    for change in changes:
        if change["target"] is not None:
            yield _line("      ", change, change["target"], look)


def _line(indent: str, change: ChangeDocument, name: str, look: _Look) -> str:
    remarks, action = words.list_remarks(change), words.describe_action(change)
    rest = f" {clean(name)}" + (f" ({'; '.join(remarks)})" if remarks else "")
    return look.with_place(f"{indent}{signed(action)}{rest}", change["source"], f"{indent}{signed(action, look.color)}{rest}")


def _policy(document: PlanDocument, look: _Look) -> Iterator[str]:
    return _topic(words.POLICY, words.notes_by_topic(document).get(words.POLICY, ()), look)


def _notes(document: PlanDocument, look: _Look) -> Iterator[str]:
    for topic, notes in words.notes_by_topic(document).items():
        if topic != words.POLICY:
            yield from _topic(topic, notes, look)


def _topic(topic: str, notes: Sequence[NoteDocument], look: _Look) -> Iterator[str]:
    if notes:
        yield look.paint(f"note: {clean(words.TOPICS.get(topic, topic))} ({len(notes)})", YELLOW)
        yield from (_note(note, look) for note in notes[:PER_TOPIC])
        if len(notes) > PER_TOPIC:
            yield f"    and {len(notes) - PER_TOPIC} more (all are in --format json)"
        yield ""


def _note(note: NoteDocument, look: _Look) -> str:
    about = f"{clean(note['address'])}: " if note["address"] else ""
    return look.with_place(f"    {about}{clean(note['message'])}", note["source"])


def _refused(document: PlanDocument, look: _Look) -> Iterator[str]:
    refused = document["refused"]
    if not refused:
        return
    yield look.paint(f"REFUSED: {words.describe_verdict(document)}, for {count(len(refused), 'reason')}", f"{BOLD};{RED}")
    for refusal in refused:
        yield f"  ! {look.paint(clean(refusal['gate']), RED)}: {clean(refusal['message'])}"
        if approve := refusal.get("approve"):
            # A look for drift takes no approval.
            where = "plan and apply take " if document.get("drift") else ""
            yield f"      if it is meant: {where}{words.describe_option(clean(approve))}"
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
