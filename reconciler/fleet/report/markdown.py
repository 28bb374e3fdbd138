"""A view as Markdown for a comment on a change request: what failed first, workspaces that are alike in one line, never too long, all
foreign text inert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby, islice

from reconciler.fleet.report.groups import Group, group_alike
from reconciler.fleet.report.text import LINES, group_lines
from reconciler.fleet.report.words import (
    AMISS,
    STATES,
    count_states,
    describe_calls,
    describe_losing,
    describe_number,
    describe_phase,
    describe_states,
    describe_view,
    name_members,
)
from reconciler.fleet.view import View
from reconciler.report.blocks import Block, lay_out, size_of
from reconciler.report.markdown import code, count_up, prose, raw
from reconciler.report.words import cut

# A pipeline finds the comment that it wrote before by this marker.
MARKER = "<!-- reconciler:fleet -->"
# Bytes: under 60 kB, with room for a line of the pipeline's own.
LONGEST = 59_000
# Of that, so many at most are for reasons where there are plans too.
REASONS = 45_000
# So many plans stand open; more are folded.
OPEN = 20


def render(view: View, head: str = "") -> str:
    """The whole comment. It says what is left out of it."""
    room = LONGEST - size_of(_top(view, head, 10**9))
    text, hidden = lay_out(room, *_ranks(view))
    return _top(view, head, hidden) + text


def _top(view: View, head: str, hidden: int) -> str:
    phase = f"**{prose(describe_phase(view))}** — " if view.state else ""
    tables = [count_up(what, count_states(view, what), STATES) for what in ("wave", "group")]
    losing = describe_losing(view.workspaces)
    facts = (
        f"- **People:** {losing}\n" if losing else "",
        f"- **Calls:** {describe_calls(view)}\n",
        f"- **Not all of it fits here:** {hidden:,} lines are left out; the HTML report is complete\n" if hidden else "",
    )
    title, summary = f"{MARKER}\n### {prose(describe_view(view))}\n", f"{phase}{describe_states(view)}\n"
    parts = (title, f"{prose(cut(head))}\n" if head else "", summary, *tables, "".join(facts))
    return "\n".join(filter(None, parts))


def _ranks(view: View) -> tuple[Sequence[Block], Sequence[Block]]:
    """A part for each state, the failed first. Reasons take the room that they need, as far as some is left for plans."""
    amiss, plans = list[Block](), list[Block]()
    for state, members in groupby(group_alike(view), key=lambda group: group.state):
        groups = list(members)
        number = describe_number([one for group in groups for one in group.members])
        if state in AMISS:
            head = f"\n#### {state.capitalize()}: {number}\n\n"
            amiss.append(Block(head, partial(map, _reason, groups), more="- and {left:,} more reasons\n"))
            continue
        opening = "" if len(groups) > OPEN else " open"
        head = f"\n<details{opening}><summary>{state.capitalize()}: {number}</summary>\n\n<pre>\n"
        plans.append(Block(head, partial(_plans, groups, view), "</pre>\n</details>\n", "… and {left:,} more, which are left out here\n"))
    if plans:
        amiss = [replace(block, most=REASONS // len(amiss)) for block in amiss]
    return amiss, plans


def _reason(group: Group) -> str:
    """Why workspaces failed, or were refused, and which they are."""
    names, more = name_members(group)
    number, exit_code = describe_number(group.members), group.members[0].exit
    first, *rest = [prose(cut(line, 600)) for line in islice(group.reason.split("\n"), 1 + LINES)]
    told = ", ".join(code(cut(name, 80)) for name in names)
    lines = [f"- **{number}**{f' ({exit_code})' if exit_code else ''}: {first} — {told}{more}", *(f"  - {line}" for line in rest)]
    return "".join(f"{line}\n" for line in lines)


def _plans(groups: Sequence[Group], view: View) -> Iterator[str]:
    """What is done, or planned: the lines of the text, those of workspaces that are alike as one, which stands here whole or not at all."""
    for group in groups:
        yield "".join(f"{raw(cut(line, 600))}\n" for line in group_lines(group, view))
