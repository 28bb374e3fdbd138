"""What all reports say of a plan, in the same words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from reconciler.core.model.change import Action
from reconciler.core.model.kinds import join_words
from reconciler.core.plan.schema import (
    ChangeDocument,
    DriftDocument,
    NoteDocument,
    PlanDocument,
    QuestionDocument,
    RefusalDocument,
    SourceDocument,
    WayDocument,
)
from reconciler.errors import PLACES, gather
from reconciler.kinds import KINDS
from reconciler.report.fields import show_move
from reconciler.report.signs import count, duration
from reconciler.report.terminal import clean, reveal

SAVED = "A saved plan: it names the fields that change, without their values"
# From so many calls on, reports say what most of them are for.
LONG = 100
POLICY = "policy"
LINKS = (Action.ATTACH, Action.DETACH)
# The topics of notes, as headings.
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
    "held": "values that somebody in the archive keeps",
    "not counted": "too many to be counted",
    "not reviewed": "not in the plan that was reviewed",
    "not explained": "not explained by this branch, left out",
    "excluded": "left out by --target and --exclude",
    "lookalike": "names that look alike",
    "former": "former names that are still live",
    "undeclared": "live, but not declared",
    "orphaned": "ours, and no longer declared",
    "foreign": "recorded under another name",
    "ignored": "drift that the policy ignores",
    "ignored no more": "lines of ignore_drift that hide nothing now",
    "moved": "known by another name in Intercom now",
    "renamed": "what is new looks like what left the manifest",
    "not applied yet": "declared, and not applied yet",
    "free": "members are free",
    "changed since": "changed since the run, left alone",
    "cannot come back": "what cannot come back",
    "merging": "what goes into another one, and stays for now",
    "moving": "what is moved with calls of its own",
    "deprecated": "on the way out",
    "due": "people came and went under rules",
    "rule": "what rules were read as",
    "left to rules": "left out by --only rules",
    "merged": "merged into another, which is taken for it",
    "freshness": "how fresh the last look before the first write is",
    "pin": "no workspace is named",
}
# A note on one of these topics: nobody knows that the workspace is as declared.
OPEN = frozenset(
    {"missing", "unproven", "lag", "incomplete", "not read", "withheld", "ineffective", "excluded", "moved", "waiting", "merging"}
)
Item = TypeVar("Item")

# Reports that are pages cut a text that has more characters.
LONGEST_TEXT = 300
# Reports link to pages of Intercom only, whatever a plan file says.
_PAGE = re.compile(r"https://app(\.[a-z]{2})?\.intercom\.com/[A-Za-z0-9/._~%=&?-]*")


def cut(text: str, longest: int = LONGEST_TEXT) -> str:
    """Foreign text, clean and not too long."""
    return clean(_shorten(text, longest))


def cut_name(text: str, longest: int = LONGEST_TEXT) -> str:
    """The same of a name, or of a sentence with names in it, with what nobody can see in it."""
    return reveal(_shorten(text, longest))


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


def page_of(change: ChangeDocument) -> str | None:
    """The page of Intercom that shows the thing of a change, if there is one."""
    page = change.get("page")
    return page if isinstance(page, str) and _PAGE.fullmatch(page) else None


def describe_plan(document: PlanDocument) -> str:
    """The title of a report that is a page."""
    workspace = document["workspace"]
    return f"{describe_report(document)} {cut(str(workspace['app_id']), 80)} ({cut(str(workspace['region']), 20)})"


def count_losing(document: PlanDocument) -> tuple[str, str]:
    """How many people lose something, as a number and as the rest of the sentence; both are empty where the plan does not say."""
    people = document.get("people")
    if not people:
        return "", ""
    number = people["losing"]
    unknown = any(n is None for change in document["changes"] for n in (change.get("uses") or {}).values())
    limit = "" if people["exact"] or not number else "up to "
    rest = describe_losing(number)
    return f"{limit}{number:,}" if number else "0" if unknown else "no", rest + (", and some that could not be counted" if unknown else "")


def describe_losing(number: int) -> str:
    """`people lose a tag, …`: what follows their number."""
    return f"{'person loses' if number == 1 else 'people lose'} {KINDS.words['lost']}"


def describe_cost(document: PlanDocument) -> str:
    """`20,000 calls, about 2 minutes`."""
    calls = document["cost"]["calls"]
    if not calls:
        return "no calls"
    return f"{calls:,} {'call' if calls == 1 else 'calls'}, {duration(document['cost']['seconds'])}{describe_slowest(document)}"


def describe_slowest(document: PlanDocument) -> str:
    """`, most of it to PUT /contacts/{id}`: what takes the time of many calls; empty for few."""
    cost = document["cost"]
    slowest = cost.get("slowest") if cost["calls"] >= LONG else None
    return f", most of it to {clean(slowest)}" if slowest else ""


def describe_question(question: QuestionDocument) -> str:
    """`contact: 2,000 by external_id: search, 14 calls; not one by one, 2,000 calls`."""
    ways = sorted(question["ways"], key=lambda way: way["way"] != question["taken"])
    texts = [f"{'' if way['way'] == question['taken'] else 'not '}{way['way']}, {_describe_calls(way)}" for way in ways]
    about = f"by {question['by']}" if question["by"] else "declared"
    return f"{question['kind']}: {question['things']:,} {about}: {'; '.join(texts)}"


def _describe_calls(way: WayDocument) -> str:
    if way["calls"] is None:
        return "nobody knows how many calls"
    return f"{'at least ' if way['at_least'] else ''}{count(way['calls'], 'call')}"


def describe_topic(name: str, notes: Sequence[NoteDocument]) -> str:
    """The heading of the notes on one topic: `held back (3)`."""
    return f"{cut(TOPICS.get(name, name), 80)} ({len(notes):,})"


def refusals_by_gate(document: PlanDocument) -> Mapping[str, Sequence[RefusalDocument]]:
    """The refusals, by the gate that refuses."""
    return _group(document["refused"], lambda refusal: refusal["gate"])


def _group(items: Iterable[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """The items by a value that they have, in the order in which the document first names it."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def list_approvals(document: PlanDocument) -> Sequence[str]:
    """What a person may add to the command line to approve what was refused, each once."""
    return tuple(dict.fromkeys(word for refusal in document["refused"] if (word := refusal.get("approve"))))


def summarize(document: PlanDocument) -> str:
    """The last line of a report: how many changes of each action, or that there is nothing to do."""
    counts = {**document["summary"]}
    if document.get("drift"):
        return _summarize_drift(document["drift"])
    if any(counts.values()):
        counts.setdefault(Action.DELETE, 0)
        parts = [f"{number:,} to {clean(action)}" for action, number in counts.items() if number or action == Action.DELETE]
        return f"Plan: {', '.join(parts)}."
    if document["refused"]:
        return "No changes are planned."
    if document.get("partial"):
        return "No changes in this part of the plan."
    if document.get("run"):
        return "No changes. Nothing of the run is left to take back."
    if unproven := document.get("unproven"):
        return f"No changes now: {count(len(unproven), 'thing')} unproven or held back, see above."
    is_settled = not any(note["topic"] in OPEN for note in document.get("notes", ()))
    return "No changes. The workspace is as declared" + ("." if is_settled else ", apart from what is noted above.")


def _summarize_drift(drift: DriftDocument) -> str:
    """The last line of a drift report: never "no drift" where no record says what was applied."""
    numbers = ((drift["moved"], "difference"), (drift["undeclared"], f"undeclared {KINDS.words['undeclared']}"))
    differences = " and ".join(count(number, word) for number, word in numbers if number)
    if drift.get("blind"):
        return "Nothing can be said of this workspace."
    beyond = f" Nothing can be said of {_count_entries(drift['refused'])}." if drift.get("refused") else ""
    also = f" {count(drift['ignored'], 'place')} ignored by the policy." if drift.get("ignored") else ""
    beyond += f" {count(drift['unproven'], 'thing')} unproven." if drift.get("unproven") else ""
    if not drift["recorded"]:
        reason = "No apply or adoption is on record under this name, so nobody can say what drifted."
        return f"Unrecorded: {differences or 'no differences'}. {reason}{beyond}{also}"
    pending = f" {count(drift['pending'], 'change')} not applied yet." if drift["pending"] else ""
    return f"{f'Drift: {differences}' if differences else 'No drift seen' if beyond else 'No drift'}.{beyond}{also}{pending}"


def describe_report(document: PlanDocument) -> str:
    """The first words of a report, up to the name of the workspace."""
    if document.get("run"):
        return f"Plan that undoes run {clean(document['run'])}, for workspace"
    return "Drift in workspace" if document.get("drift") else "Plan for workspace"


def declared_in(document: PlanDocument) -> Sequence[str]:
    """The paths of the manifest, and the environment that it was read for; none where a plan takes back a run."""
    if "manifest" not in document:
        return ()
    env = document["manifest"].get("env")
    return [*document["manifest"]["paths"], *([f"--env {env}"] if env else [])]


def describe_scope(document: PlanDocument) -> str:
    """What a partial plan is limited to, as on the command line; empty for a whole plan."""
    scope = document.get("scope")
    globs = [("target", glob) for glob in scope["target"]] + [("exclude", glob) for glob in scope["exclude"]] if scope else []
    only = [("only", scope["only"])] if scope and "only" in scope else []
    limits = " ".join(f"--{word} {clean(text)}" for word, text in (*only, *globs)) or "limited to some addresses"
    return limits if document.get("partial") else ""


def describe_action(change: ChangeDocument) -> str:
    """The action in words. A create says that it may find somebody archived."""
    return clean(change["action"]) + (" (or bring back if archived)" if change.get("or") == "unarchive" else "")


def list_remarks(change: ChangeDocument) -> Sequence[str]:
    """What to know of a change besides what it does."""
    people = change["people"] if change["action"] not in LINKS else None
    remarks = [] if people is None else ["1 person" if people == 1 else f"{people} people"]
    return remarks + [reveal(text) for text in (change["cause"], change.get("origin"), change.get("remark")) if text]


def is_short(change: ChangeDocument) -> bool:
    """Whether it is told on one line: a create with one field."""
    return change["action"] == Action.CREATE and len(change["fields"]) == 1


def list_asides(change: ChangeDocument) -> Sequence[str]:
    """What a create with one field sets, unless its address says so."""
    if not is_short(change):
        return ()
    (field,) = change["fields"]
    repeats_address = "after" in field and field["after"] == change["address"].partition("/")[2]
    return () if repeats_address else tuple(_list_fields(change))


def describe_details(change: ChangeDocument) -> Iterator[str]:
    """Where the thing is in use, and each field with its move; only the names of the fields in a saved plan."""
    if places := describe_uses(change):
        yield f"in use: {places}"
    if not is_short(change):
        yield from _list_fields(change)


def _list_fields(change: ChangeDocument) -> Iterator[str]:
    if names := [clean(field["path"]) for field in change["fields"] if "after" not in field]:
        yield f"sets {', '.join(names)}"
    yield from (f"{clean(field['path'])}: {show_move(change, field)}" for field in change["fields"] if "after" in field)


def describe_uses(change: ChangeDocument) -> str:
    """Where a thing that goes, or gets another name, is in use; empty where that is not said."""
    return list_uses(change.get("uses") or {}, change.get("at_least") or (), change.get("uncounted") or ())


def list_uses(uses: Mapping[str, int | None], least: Sequence[str], unseen: Sequence[str]) -> str:
    """How often a thing is used, by where; at which of these places at `least` so often, and where it may be used `unseen`."""
    texts = [_describe_use(clean(where), number, where in least) for where, number in uses.items()]
    unknown = [f"{join_words(map(clean, unseen), 'and')} cannot be counted"] if unseen else []
    return ", ".join(texts + unknown) if uses else ""


def _describe_use(where: str, number: int | None, least: bool) -> str:
    """`600 contacts`, `at least 1 company`. The words of a plan are plural, as the names of Intercom's sections are."""
    if number is None:
        return f"{where}: unknown"
    word, _, rest = where.partition(" with ")
    word = word if number != 1 else f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")
    return f"{'at least ' if least else ''}{number} {word}{f' with {rest}' if rest else ''}"


def describe_place(source: SourceDocument | None) -> str:
    """`growth.yaml:12`, where a change was declared."""
    if not source or not source["file"]:
        return ""
    return clean(f"{source['file']}:{source['line']}" if source["line"] else source["file"])


def gather_notes(notes: Sequence[NoteDocument]) -> Iterator[NoteDocument]:
    """The notes on a topic; those that say the same of many things, or what is alike, as one, which names the first three of these."""
    for group in gather(notes, lambda note: note["message"]):
        first, names = group[0].copy(), [note["address"] or "" for note in group[:PLACES]]
        if len(group) > 1 and len({note["message"] for note in group}) > 1:
            first["message"] += f" (and {len(group) - 1:,} more like it, as of {', '.join(names[1:])})"
        elif len(group) > 1:
            first["address"] = f"{', '.join(names)} and {len(group) - PLACES:,} more"
        yield first


def notes_by_topic(document: PlanDocument) -> Mapping[str, Sequence[NoteDocument]]:
    """The notes by topic, a change of policy before all others."""
    return dict(sorted(_group(document.get("notes", ()), lambda note: note["topic"]).items(), key=lambda item: item[0] != POLICY))


def describe_verdict(document: PlanDocument) -> str:
    """What the refusals mean for an apply, or for a drift report."""
    if drift := document.get("drift"):
        if drift.get("blind"):
            return "nothing can be said of this workspace"
        if drift.get("refused"):
            return f"nothing can be said of {_count_entries(drift['refused'])}"
    # What stops a whole plan concerns no entry of it.
    partly = document.get("held") and all(refusal.get("entries") for refusal in document["refused"])
    return "apply would leave this out" if partly else "apply would write nothing"


def _count_entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def describe_option(approve: str) -> str:
    """What to add to the command line."""
    return approve if approve.startswith("--") else f"--approve {approve}"
