"""A plan as Markdown for a comment on a change request: summary first, the rest folded, never too long, all foreign text inert."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from reconciler.core.plan.schema import ChangeDocument, NoteDocument, PlanDocument
from reconciler.report import PLAIN, Way, risk, words
from reconciler.report.moved import describe_moved
from reconciler.report.signs import count, sign
from reconciler.report.terminal import guard

# A pipeline finds the comment that it wrote before by this marker.
MARKER = "<!-- reconciler:plan -->"
# GitHub takes 65,536 characters. No host counts more than bytes, and the pipeline has room for a line of its own.
LONGEST = 64_000
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


@dataclass(frozen=True)
class _Block:
    """A part of the report."""

    # What must be there before the lines.
    head: str
    # Makes the lines anew: a large plan is not held as text.
    lines: Callable[[], Iterable[str]] = tuple
    # What must be there after them.
    tail: str = ""
    # Says how many lines are left out, in place of `{left}`.
    more: str = ""
    # The most bytes that the lines may take.
    most: int = LONGEST

    def render(self, room: int) -> tuple[str, int]:
        """The block with the lines that fit into so many bytes, and how many do not."""
        lines, hidden = _fitting(self.lines(), room)
        return self.head + "".join(lines) + (self.more.format(left=hidden) if hidden else "") + self.tail, hidden

    @property
    def fixed_size(self) -> int:
        """How many bytes the block takes without its lines."""
        return _size(self.head + self.tail + self.more.format(left=10**9))


def render(document: PlanDocument, way: Way = PLAIN) -> str:
    """The whole comment. It says what is left out of it."""
    sections = risk.by_risk(document["changes"])
    first = [*_refusals(document), *_notes(document), *_changes(sections)]
    blocks = [*first, *_lists(sections)]
    room = LONGEST - _size(_top(document, way.head, 10**9))
    least = _least(blocks, room)
    room -= sum(block.fixed_size for block in least)
    shares = _shares([_needs(block) for block in least[: len(first)]], room)
    shares += _shares([_needs(block) for block in least[len(first) :]], room - sum(shares))
    parts = [block.render(share) for block, share in zip(least, shares, strict=True)]
    hidden = sum(hidden for _, hidden in parts) + len(blocks) - len(least)
    return _top(document, way.head, hidden) + "".join(part for part, _ in parts)


def _least(blocks: Sequence[_Block], room: int) -> Sequence[_Block]:
    """The blocks whose heads fit: all, unless somebody made the plan to break this."""
    blocks_that_fit = []
    for block in blocks:
        room -= block.fixed_size
        if room < 0:
            break
        blocks_that_fit.append(block)
    return blocks_that_fit


def _needs(block: _Block) -> int:
    """How many bytes the lines would take, at most as many as they may."""
    total = 0
    for line in block.lines():
        total += _size(line)
        if total > block.most:
            return block.most
    return total


def _shares(needs: Sequence[int], room: int) -> list[int]:
    """Room for each: small ones are whole, and large ones share the rest."""
    shares = [0] * len(needs)
    for place, i in enumerate(sorted(range(len(needs)), key=lambda i: needs[i])):
        shares[i] = min(needs[i], room // (len(needs) - place))
        room -= shares[i]
    return shares


def _fitting(lines: Iterable[str], room: int) -> tuple[list[str], int]:
    """The first lines that fit into so many bytes, and how many do not."""
    fitting, hidden = [], 0
    for line in lines:
        room -= _size(line)
        if room >= 0 and not hidden:
            fitting.append(line)
        else:
            hidden += 1
    return fitting, hidden


def _size(line: str) -> int:
    return len(line) if line.isascii() else len(line.encode("utf-8"))


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
    """The name of a kind in a table, where a bar would end the cell even in code."""
    return name if re.fullmatch(r"[a-z]+", name) else code(name.replace("|", "\u00a6"))


# ── the parts ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _top(document: PlanDocument, head: str, hidden: int) -> str:
    policy = [f"> **policy:** {prose(words.cut(n['message']))}\n" for n in words.notes_by_topic(document).get(words.POLICY, ())[:5]]
    parts = [
        f"{MARKER}\n### {prose(words.describe_plan(document))}\n",
        f"{prose(words.cut(head))}\n" if head else "",
        "\n".join(policy),
        _outcome(document),
        _table(document),
        _facts(document, hidden),
    ]
    return "\n".join(part for part in parts if part)


def _outcome(document: PlanDocument) -> str:
    refused = len(document["refused"])
    verdict = f"**Refused: {words.describe_verdict(document)}, for {count(refused, 'reason')}.** " if refused else ""
    return f"{verdict}{prose(words.summarize(document))}\n"


def _table(document: PlanDocument) -> str:
    """How many changes of each action, by kind."""
    kinds: dict[str, Counter[str]] = {}
    for change in document["changes"]:
        kinds.setdefault(risk.kind_of(change), Counter())[change["action"]] += 1
    actions = [action for action in risk.ORDER if any(counts[action] for counts in kinds.values())]
    if not actions:
        return ""
    rows = [(_cell(words.cut(kind, 40)), [counts[action] for action in actions]) for kind, counts in [*kinds.items()][:50]]
    if len(rows) > 1:
        rows.append(("**all**", [sum(counts[action] for counts in kinds.values()) for action in actions]))
    head = f"| | {' | '.join(actions)} |\n|---|{'--:|' * len(actions)}\n"
    return head + "".join(f"| {name} | {' | '.join(f'{n:,}' if n else '' for n in numbers)} |\n" for name, numbers in rows)


def _facts(document: PlanDocument, hidden: int) -> str:
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
        f"- **Not all of it fits here:** {hidden:,} lines are left out; the HTML and JSON reports are complete" if hidden else "",
    )
    return "".join(f"{fact}\n" for fact in facts if fact)


def _refusals(document: PlanDocument) -> Iterator[_Block]:
    gates = words.refusals_by_gate(document)
    if not gates:
        return
    options = [code(words.cut(words.describe_option(word), 80)) for word in words.list_approvals(document)]
    yield _Block("\n#### Refused\n\n")
    for gate, refusals in gates.items():
        first, *others = [prose(words.cut(refusal["message"], 600)) for refusal in refusals]
        head = f"- **{code(words.cut(gate, 60))}**" + (f" ({len(refusals):,})" if others else "")
        yield _Block(f"{head}: {first}\n", partial(map, "  - {}\n".format, others), more="  - and {left:,} more\n")
    if options:
        yield _Block(f"\nIf that is meant, add to `plan` or `apply`: {', '.join(options[:5])}\n")


def _notes(document: PlanDocument) -> Iterator[_Block]:
    for name, notes in words.notes_by_topic(document).items():
        if name == words.POLICY:
            continue
        heading = raw(words.describe_topic(name, notes))
        head = f"\n<details><summary>note: {heading if name in words.TOPICS else f'<code>{heading}</code>'}</summary>\n\n"
        yield _Block(head, partial(map, _note, list(words.gather_notes(notes))), "\n</details>\n", "- and {left:,} more\n", NOTES)


def _note(note: NoteDocument) -> str:
    about = f"{code(words.cut(note['address']))}: " if note["address"] else ""
    source = words.describe_place(note["source"])
    return f"- {about}{prose(words.cut(note['message'], 600))}{' — ' + code(words.cut(source, 120)) if source else ''}\n"


def _changes(sections: Mapping[str, Sequence[risk.Row]]) -> Iterator[_Block]:
    """A part that folds for each risk; the first one, what takes away, stands open."""
    for heading, rows in sections.items():
        opening = " open" if risk.is_open(heading) else ""
        head = f"\n<details{opening}><summary>{heading}: {risk.count_changes(rows)}</summary>\n\n<pre>\n"
        yield _Block(head, partial(map, _row, rows), "</pre>\n</details>\n", "… and {left:,} more lines, which are left out here\n")


def _lists(sections: Mapping[str, Sequence[risk.Row]]) -> Iterator[_Block]:
    """The links themselves, of rows that only count them."""
    many = [row for rows in sections.values() for row in rows if len(row) > 1]
    for row in many[:LISTS]:
        text = f"{_sign(row[0])}{words.cut(_describe_target(row[0]))}{risk.describe_source(row)}"
        head = f"\n<details><summary><code>{raw(text)}</code></summary>\n\n<pre>\n"
        yield _Block(head, partial(map, _one, row), "</pre>\n</details>\n", "… and {left:,} more, which are left out here\n")
    if len(many) > LISTS:
        yield _Block("", partial(map, str, many[LISTS:]), more="\n… and {left:,} more lists of links, which are left out here\n", most=0)


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
    url, address = words.page_of(change), raw(words.cut(change["address"]))
    return f'<a href="{escape(url)}">{address}</a>' if url else address


def _cut(line: str) -> str:
    return raw(line if len(line) <= LINE else line[:LINE] + "…")
