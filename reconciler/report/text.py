"""A plan as text for people: what would change, by kind and thing, why it may not, what it costs; the summary line comes last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.model.change import Action
from reconciler.core.plan.schema import ChangeDocument, DriftDocument, NoteDocument, PlanDocument, SourceDocument
from reconciler.kinds import KINDS
from reconciler.report.fields import show_move
from reconciler.report.signs import BOLD, DIM, RED, YELLOW, cells, count, duration, pad, paint, signed
from reconciler.report.terminal import clean, guarded

SOURCE_COLUMN = 60
# From so many calls on it is worth saying what they are for.
LONG = 100
PER_TOPIC = 20
POLICY = "policy"
LINKS = (Action.ATTACH, Action.DETACH)
TOPICS: Mapping[str, str] = {
    POLICY: "the policy is another one",
    "approved": "would be refused, and is approved",
    "unused": "approvals for nothing in this plan",
    "missing": "not found, left out",
    "unproven": "unproven: not found, which proves nothing",
    "lag": "not found by search, which lags",
    "incomplete": "Intercom does not list all of these",
    "not read": "declared in files that were not given, left alone",
    "withheld": "held back",
    "waiting": "done, and Intercom is not there yet",
    "ineffective": "values that Intercom does not take",
    "shared": "values that two have",
    "excluded": "left out by --target and --exclude",
    "lookalike": "names that look alike",
    "former": "former names that are still live",
    "undeclared": "live, but not declared",
    "orphaned": "ours, and no longer declared",
    "foreign": "recorded under another name",
    "moved": "known by another name in Intercom now",
    "renamed": "what is new looks like what left the manifest",
    "not applied yet": "declared, and not applied yet",
    "free": "members are free",
    "changed since": "changed since the run, left alone",
    "cannot come back": "what cannot come back",
    "merged": "merged into another, which is taken for it",
    "pin": "no workspace is named",
}
# With one of these the workspace is not known to be as declared.
OPEN = frozenset({"missing", "unproven", "lag", "incomplete", "not read", "withheld", "ineffective", "excluded", "moved", "waiting"})


@dataclass(frozen=True, slots=True)
class _Look:
    color: bool
    width: int | None

    def paint(self, text: str, style: str) -> str:
        return paint(text, style, self.color)

    def sourced(self, left: str, source: SourceDocument | None, painted: str = "") -> str:
        """A line with where it was declared at its right: at a fixed column, or at the end of a known width."""
        place = placed(source)
        if not place:
            return painted or left
        start = SOURCE_COLUMN if self.width is None else self.width - cells(place)
        return f"{pad(left, start - 2, painted)}  {self.paint(place, DIM)}"


def render(document: PlanDocument, *, color: bool = False, width: int | None = None) -> str:
    """The whole report; the last line is the summary."""
    return "".join(line + "\n" for line in lines(document, color, width))


def lines(document: PlanDocument, color: bool = False, width: int | None = None) -> Iterator[str]:
    """The report line by line, so that a large plan need not be held as text."""
    look = _Look(color, width)
    for part in (_header, _policy, _changes, _notes, _calls, _cost, _refused):
        yield from map(guarded, part(document, look))
    yield guarded(look.paint(summary(document), BOLD))


def summary(document: PlanDocument) -> str:
    """The last line: a count per action, or that there is nothing to do."""
    counts = {**document["summary"]}
    if document.get("drift"):
        return _drift(document["drift"])
    if any(counts.values()):
        counts.setdefault(Action.DELETE, 0)
        told = [f"{number} to {clean(action)}" for action, number in counts.items() if number or action == Action.DELETE]
        return f"Plan: {', '.join(told)}."
    if document["refused"]:
        return "No changes are planned."
    if document.get("partial"):
        return "No changes in this part of the plan."
    if document.get("run"):
        return "No changes. Nothing of the run is left to take back."
    if unproven := document.get("unproven"):
        return f"No changes now: {count(len(unproven), 'thing')} unproven or held back, see above."
    settled = not any(note["topic"] in OPEN for note in document.get("notes", ()))
    return "No changes. The workspace is as declared" + ("." if settled else ", apart from what is noted above.")


def _drift(drift: DriftDocument) -> str:
    """The last line of a look for drift: never "no drift" where there is nothing to hold live against."""
    numbers = ((drift["moved"], "difference"), (drift["undeclared"], f"undeclared {KINDS.words['undeclared']}"))
    found = " and ".join(count(number, word) for number, word in numbers if number)
    if drift.get("blind"):
        return "Nothing can be said of this workspace."
    untold = f" Nothing can be said of {_entries(drift['refused'])}." if drift.get("refused") else ""
    untold += f" {count(drift['unproven'], 'thing')} unproven." if drift.get("unproven") else ""
    if not drift["recorded"]:
        return f"Unrecorded: {found or 'no differences'}. No apply is on record under this name, so nobody can say what drifted.{untold}"
    pending = f" {count(drift['pending'], 'change')} not applied yet." if drift["pending"] else ""
    return f"{f'Drift: {found}' if found else 'No drift seen' if untold else 'No drift'}.{untold}{pending}"


def _header(document: PlanDocument, look: _Look) -> Iterator[str]:
    workspace, paths = document["workspace"], declared_in(document)
    declared = f", declared in {', '.join(map(clean, paths))}" if paths else ""
    yield look.paint(f"{headed(document)} {clean(workspace['app_id'])} ({clean(workspace['region'])}){declared}", BOLD)
    if document.get("partial"):
        yield look.paint(f"partial plan: {narrowed(document)}; the rest is left as it is", YELLOW)
    if "applicable" in document:
        yield look.paint("A saved plan: it names the fields that change, without their values", DIM)
    yield ""


def headed(document: PlanDocument) -> str:
    """What a report is, up to the name of the workspace."""
    if document.get("run"):
        return f"Plan that undoes run {clean(document['run'])}, for workspace"
    return "Drift in workspace" if document.get("drift") else "Plan for workspace"


def declared_in(document: PlanDocument) -> Sequence[str]:
    """The paths of the manifest; none where the plan takes back a run."""
    return document["manifest"]["paths"] if "manifest" in document else ()


def narrowed(document: PlanDocument) -> str:
    """What a partial plan is limited to, as on the command line."""
    scope = document.get("scope")
    globs = [("target", glob) for glob in scope["target"]] + [("exclude", glob) for glob in scope["exclude"]] if scope else []
    return " ".join(f"--{word} {clean(glob)}" for word, glob in globs) or "limited to some addresses"


def _changes(document: PlanDocument, look: _Look) -> Iterator[str]:
    for kind, things in grouped(document["changes"]).items():
        yield look.paint(f"{clean(kind)} ({count(sum(map(len, things.values())), 'change')})", BOLD)
        for address, changes in things.items():
            yield from _thing(address, changes, look)
        yield ""


def grouped(changes: Iterable[ChangeDocument]) -> Mapping[str, Mapping[str, list[ChangeDocument]]]:
    """Kind, then address, both in the order in which the document first names them."""
    found: dict[str, dict[str, list[ChangeDocument]]] = {}
    for change in changes:
        kind = change["address"].partition("/")[0]
        found.setdefault(kind, {}).setdefault(change["address"], []).append(change)
    return found


def _thing(address: str, changes: Sequence[ChangeDocument], look: _Look) -> Iterator[str]:
    """All that happens to one thing: its own changes, then its links under it."""
    own = [change for change in changes if change["target"] is None]
    if not own:
        yield f"    {clean(address)}"
    for change in own:
        yield _line("  ", change, address, look)
        yield from _uses(change)
        yield from _fields(change)
    for change in changes:
        if change["target"] is not None:
            yield _line("      ", change, change["target"], look)


def _line(indent: str, change: ChangeDocument, name: str, look: _Look) -> str:
    rest = f" {clean(name)}{_remarks(change)}"
    action = doing(change)
    return look.sourced(f"{indent}{signed(action)}{rest}", change["source"], f"{indent}{signed(action, look.color)}{rest}")


def doing(change: ChangeDocument) -> str:
    """The action in words: a create may find somebody archived."""
    return clean(change["action"]) + (" (or bring back if archived)" if change.get("or") == "unarchive" else "")


def _remarks(change: ChangeDocument) -> str:
    found = remarks(change)
    return f" ({'; '.join(found)})" if found else ""


def remarks(change: ChangeDocument) -> Sequence[str]:
    """What to know of a change besides what it does."""
    found = []
    if change["people"] is not None and change["action"] not in LINKS:
        found.append(f"{change['people']} people" if change["people"] != 1 else "1 person")
    return found + [clean(text) for text in (change["cause"], change.get("origin"), change.get("remark")) if text]


def _uses(change: ChangeDocument) -> Iterator[str]:
    if places := used(change):
        yield f"      in use: {places}"


def used(change: ChangeDocument) -> str:
    """Where a thing that goes, or gets another name, is in use."""
    uses = change.get("uses") or {}
    least = change.get("at_least") or ()
    found = [_use(clean(where), number, where in least) for where, number in uses.items()]
    beyond = [f"{clean(where)} cannot be counted" for where in change.get("uncounted") or ()]
    return ", ".join(found + beyond) if uses else ""


def _use(where: str, number: int | None, least: bool) -> str:
    """`600 contacts`, `at least 1 company`: the words that come are plural, as Intercom's sections are."""
    if number is None:
        return f"{where}: unknown"
    word, _, rest = where.partition(" with ")
    word = word if number != 1 else f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
    return f"{'at least ' if least else ''}{number} {word}{f' with {rest}' if rest else ''}"


def _fields(change: ChangeDocument) -> Iterator[str]:
    named = [clean(field["path"]) for field in change["fields"] if "after" not in field]
    if named:
        yield f"      sets {', '.join(named)}"
    for field in change["fields"]:
        if "after" in field:
            yield f"      {clean(field['path'])}: {show_move(change, field)}"


def placed(source: SourceDocument | None) -> str:
    """`growth.yaml:12`, where a change was declared."""
    if not source or not source["file"]:
        return ""
    return clean(f"{source['file']}:{source['line']}" if source["line"] else source["file"])


def topics(document: PlanDocument) -> Mapping[str, Sequence[NoteDocument]]:
    """The notes by topic, in the order in which the document first names them, but a change of policy before all others."""
    found: dict[str, list[NoteDocument]] = {}
    for note in document.get("notes", ()):
        found.setdefault(note["topic"], []).append(note)
    return dict(sorted(found.items(), key=lambda item: item[0] != POLICY))


def _policy(document: PlanDocument, look: _Look) -> Iterator[str]:
    return _told(topics(document), lambda topic: topic == POLICY, look)


def _notes(document: PlanDocument, look: _Look) -> Iterator[str]:
    return _told(topics(document), lambda topic: topic != POLICY, look)


def _told(by_topic: Mapping[str, Sequence[NoteDocument]], wanted: Callable[[str], bool], look: _Look) -> Iterator[str]:
    for topic, notes in by_topic.items():
        if not wanted(topic):
            continue
        yield look.paint(f"note: {clean(TOPICS.get(topic, topic))} ({len(notes)})", YELLOW)
        yield from (_note(note, look) for note in notes[:PER_TOPIC])
        if len(notes) > PER_TOPIC:
            yield f"    and {len(notes) - PER_TOPIC} more (all are in --format json)"
        yield ""


def _note(note: NoteDocument, look: _Look) -> str:
    about = f"{clean(note['address'])}: " if note["address"] else ""
    return look.sourced(f"    {about}{clean(note['message'])}", note["source"])


def _refused(document: PlanDocument, look: _Look) -> Iterator[str]:
    refused = document["refused"]
    if not refused:
        return
    yield look.paint(f"REFUSED: {verdict(document)}, for {count(len(refused), 'reason')}", f"{BOLD};{RED}")
    for refusal in refused:
        yield f"  ! {look.paint(clean(refusal['gate']), RED)}: {clean(refusal['message'])}"
        if approve := refusal.get("approve"):
            # A look for drift takes no approval.
            where = "plan and apply take " if document.get("drift") else ""
            yield f"      if it is meant: {where}{option(clean(approve))}"
    yield ""


def verdict(document: PlanDocument) -> str:
    """What the refusals come to."""
    if drift := document.get("drift"):
        if drift.get("blind"):
            return "nothing can be said of this workspace"
        if drift.get("refused"):
            return f"nothing can be said of {_entries(drift['refused'])}"
    # What stops a whole plan concerns no entry of it.
    held = document.get("held") and all(refusal.get("entries") for refusal in document["refused"])
    return "apply would leave this out" if held else "apply would write nothing"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def option(approve: str) -> str:
    """What to add to the command line."""
    return approve if approve.startswith("--") else f"--approve {approve}"


def _calls(document: PlanDocument, look: _Look) -> Iterator[str]:
    """The calls themselves, where they were asked for."""
    if calls := document.get("calls"):
        yield look.paint(f"calls, in order ({len(calls)})", BOLD)
        yield from (f"    {clean(call)}" for call in calls)
        yield ""


def _cost(document: PlanDocument, look: _Look) -> Iterator[str]:
    cost = document["cost"]
    if cost["calls"]:
        slowest = cost.get("slowest") if cost["calls"] >= LONG else None
        most = f", most of it to {clean(slowest)}" if slowest else ""
        yield f"Cost: {count(cost['calls'], 'call')}, {duration(cost['seconds'])}{most}."
    if (people := document.get("people")) and people["losing"]:
        some = "" if people["exact"] else "up to "
        yield f"People: {some}{people['losing']:,} {'loses' if people['losing'] == 1 else 'lose'} {KINDS.words['lost']}."
