"""A plan as Markdown for a comment on a change request: summary first, the rest folded, never too long, all foreign text inert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from html import escape

from reconciler.core.plan.schema import ChangeDocument, NoteDocument, PlanDocument
from reconciler.report import PLAIN, Way, risk, words
from reconciler.report.blocks import LONGEST, Block, lay_out, size_of
from reconciler.report.moved import describe_moved
from reconciler.report.signs import count, sign
from reconciler.report.terminal import guard

# A pipeline finds the comment that it wrote before by this marker.
MARKER = "<!-- reconciler:plan -->"
# A longer line is words.cut: one long value must not push out all others.
LINE = 1_500
# The most bytes for the notes on one topic.
NOTES = 6_000
# So many lists of equal links are there to unfold; they have the room that all else leaves.
LISTS = 20
MOST_PATHS = 10

# In raw HTML only &, < and > mean something. The rest is for hosts that look for mentions, references and cells everywhere.
_INERT = {ord(char): f"&#{ord(char)};" for char in "@#|`[]!"}
# Words that mean nothing to Markdown, nor to what GitHub and GitLab link: no `.` inside, no GH-12 or JIRA-12, no commit.
_WORD = re.compile(
    r"""(?![0-9a-fA-F]{7}|[A-Za-z]+-[0-9]|[0-9]+[.)]+$|\S*www)"""
    r"""[("']?(?:[A-Za-z0-9\u00a1-\U0010ffff]|[-'](?=[A-Za-z])|[.,](?=[0-9]))+%?[)"',;.:?]*"""
)
_PART = re.compile(r"(?<!\S)`([^`\s][^`]*)`([,;.:)]*)(?!\S)|\S+")


def render(document: PlanDocument, way: Way = PLAIN) -> str:
    """The whole comment. It says what is left out of it."""
    sections = risk.by_risk(document["changes"])
    room = LONGEST - size_of(_top(document, way.head, 10**9))
    text, number_hidden = lay_out(room, [*_refusals(document), *_notes(document), *_changes(sections)], [*_lists(sections)])
    return _top(document, way.head, number_hidden) + text


# ── foreign text ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def raw(text: str) -> str:
    """Clean text inside raw HTML."""
    return escape(text, quote=False).translate(_INERT)


def code(text: str) -> str:
    """Clean text as a code span: there nothing is linked and nobody is mentioned (GitHub skips pre and code).

    A comment is broken up, or our marker could be text twice.
    """
    text = text.replace("<!--", "<! --")
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if not text.strip(" ") or text[0] in "` " or text[-1] in "` " else ""
    return f"{ticks}{pad}{text}{pad}{ticks}" if text else "` `"


def prose(text: str) -> str:
    """A clean sentence: plain words as they are, everything else as code, what it has in backticks without these."""
    return _PART.sub(lambda part: part[0] if _WORD.fullmatch(part[0]) else code(part[1] or part[0]) + (part[2] or ""), text)


def _cell(name: str) -> str:
    """A name in a table, where a bar would end the cell even in code."""
    return name if re.fullmatch(r"[a-z]+", name) else code(name.replace("|", "\u00a6"))


# ── the parts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _top(document: PlanDocument, head: str, number_hidden: int) -> str:
    policy = [f"> **policy:** {prose(words.cut_name(n['message']))}\n" for n in words.notes_by_topic(document).get(words.POLICY, ())[:5]]
    parts = [
        f"{MARKER}\n### {prose(words.describe_plan(document))}\n",
        f"{prose(words.cut(head))}\n" if head else "",
        "\n".join(policy),
        _outcome(document),
        _table(document),
        _facts(document, number_hidden),
    ]
    return "\n".join(part for part in parts if part)


def _outcome(document: PlanDocument) -> str:
    number = len(document["refused"])
    verdict = f"**Refused: {words.describe_verdict(document)}, for {count(number, 'reason')}.** " if number else ""
    return f"{verdict}{prose(words.summarize(document))}\n"


def _table(document: PlanDocument) -> str:
    """How many changes of each action, by kind."""
    kinds: dict[str, Counter[str]] = {}
    for change in document["changes"]:
        kinds.setdefault(risk.kind_of(change), Counter())[change["action"]] += 1
    return count_up("", kinds, risk.ORDER)


def count_up(what: str, counters: Mapping[str, Counter[str]], order: Iterable[str]) -> str:
    """A table of numbers: a row for each counter by its name, below `what`, and a column for whatever any of them counts, in this order."""
    columns = [column for column in order if any(counter[column] for counter in counters.values())]
    if not columns:
        return ""
    rows = [(_cell(words.cut(name, 40)), [counter[column] for column in columns]) for name, counter in [*counters.items()][:50]]
    if len(rows) > 1:
        rows.append(("**all**", [sum(counter[column] for counter in counters.values()) for column in columns]))
    head = f"| {what}{' ' if what else ''}| {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}\n"
    return head + "".join(f"| {name} | {' | '.join(f'{n:,}' if n else '' for n in numbers)} |\n" for name, numbers in rows)


def _facts(document: PlanDocument, number_hidden: int) -> str:
    number, people = words.count_losing(document)
    paths = [code(words.cut(path, 100)) for path in words.declared_in(document)]
    beyond = f" and {len(paths) - MOST_PATHS} more" if len(paths) > MOST_PATHS else ""
    scope = words.describe_scope(document)
    facts = (
        f"- **People:** {number} {people}" if people else "",
        f"- **Cost:** {words.describe_cost(document)}",
        f"- **Declared in** {', '.join(paths[:MOST_PATHS])}{beyond}" if paths else "",
        f"- **Partial plan:** {code(words.cut(scope))}; the rest is left as it is" if scope else "",
        f"- {words.SAVED}" if "applicable" in document else "",
        f"- **Not all of it fits here:** {number_hidden:,} lines are left out; the HTML and JSON reports are complete"
        if number_hidden
        else "",
    )
    return "".join(f"{fact}\n" for fact in facts if fact)


def _refusals(document: PlanDocument) -> Iterator[Block]:
    gates = words.refusals_by_gate(document)
    if not gates:
        return
    options = [code(words.cut(words.describe_option(word), 80)) for word in words.list_approvals(document)]
    yield Block("\n#### Refused\n\n")
    for gate, refusals in gates.items():
        first, *others = [prose(words.cut_name(refusal["message"], 600)) for refusal in refusals]
        head = f"- **{code(words.cut(gate, 60))}**" + (f" ({len(refusals):,})" if others else "")
        yield Block(f"{head}: {first}\n", partial(map, "  - {}\n".format, others), more="  - and {left:,} more\n")
    if options:
        yield Block(f"\nIf that is meant, add to `plan` or `apply`: {', '.join(options[:5])}\n")


def _notes(document: PlanDocument) -> Iterator[Block]:
    for name, notes in words.notes_by_topic(document).items():
        if name == words.POLICY:
            continue
        heading = raw(words.describe_topic(name, notes))
        head = f"\n<details><summary>note: {heading if name in words.TOPICS else f'<code>{heading}</code>'}</summary>\n\n"
        yield Block(head, partial(map, _note, list(words.gather_notes(notes))), "\n</details>\n", "- and {left:,} more\n", NOTES)


def _note(note: NoteDocument) -> str:
    about = f"{code(words.cut_name(note['address']))}: " if note["address"] else ""
    source = words.describe_place(note["source"])
    return f"- {about}{prose(words.cut_name(note['message'], 600))}{' — ' + code(words.cut(source, 120)) if source else ''}\n"


def _changes(sections: Mapping[str, Sequence[risk.Row]]) -> Iterator[Block]:
    """A part that folds for each risk; the first one, what takes away, stands open."""
    for heading, rows in sections.items():
        opening = " open" if risk.is_open(heading) else ""
        head = f"\n<details{opening}><summary>{heading}: {risk.count_changes(rows)}</summary>\n\n<pre>\n"
        yield Block(head, partial(map, _row, rows), "</pre>\n</details>\n", "… and {left:,} more lines, which are left out here\n")


def _lists(sections: Mapping[str, Sequence[risk.Row]]) -> Iterator[Block]:
    """The links themselves, of rows that only count them."""
    many = [row for rows in sections.values() for row in rows if len(row) > 1]
    for row in many[:LISTS]:
        text = f"{_sign(row[0])}{words.cut(_describe_target(row[0]))}{risk.describe_source(row)}"
        head = f"\n<details><summary><code>{raw(text)}</code></summary>\n\n<pre>\n"
        yield Block(head, partial(map, _one, row), "</pre>\n</details>\n", "… and {left:,} more, which are left out here\n")
    if len(many) > LISTS:
        yield Block("", partial(map, str, many[LISTS:]), more="\n… and {left:,} more lists of links, which are left out here\n", most=0)


def _sign(change: ChangeDocument, action: str = "") -> str:
    """The sign of what is done, with a blank; none of what moved, which somebody else did."""
    return "" if "moved" in change else f"{sign(action or change['action'])} "


def _describe_target(change: ChangeDocument) -> str:
    return risk.describe_target(change, "of" if "moved" in change else "")


def _row(row: risk.Row) -> str:
    """What happens to one thing, or a line for many equal links."""
    change = row[0]
    asides = "; ".join([*words.list_remarks(change), *words.list_asides(change)])
    subject = raw(words.cut(_describe_target(change))) + (_link(change) if len(row) == 1 else raw(risk.describe_source(row)))
    more = f" ({raw(words.cut(asides))})" if asides else ""
    line = f"{raw(_sign(change, words.describe_action(change)))}{subject}{more}{_place(row)}"
    return "\n".join([line, *(_cut(guard(f"      {part}")) for part in (*describe_moved(row), *words.describe_details(change)))]) + "\n"


def _one(change: ChangeDocument) -> str:
    return guard(f"  {_link(change)}{_place((change,))}\n")


def _place(row: risk.Row) -> str:
    place = risk.describe_places(row)
    return f"  {raw(words.cut(place, 120))}" if place else ""


def _link(change: ChangeDocument) -> str:
    url, address = words.page_of(change), raw(words.cut_name(change["address"]))
    return f'<a href="{escape(url)}">{address}</a>' if url else address


def _cut(line: str) -> str:
    return raw(line if len(line) <= LINE else line[:LINE] + "…")
