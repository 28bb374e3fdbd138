"""A view as text: a line for each shape, with how many workspaces have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from reconciler.fleet.report.groups import Group, group_alike
from reconciler.fleet.report.words import AMISS, describe_losing, describe_number, describe_states, name_members
from reconciler.fleet.shape import Line
from reconciler.fleet.states import State
from reconciler.fleet.view import View
from reconciler.report.signs import SIGNS, UNKNOWN, paint
from reconciler.report.terminal import clean, guard

# So many lines of one plan are shown.
LINES = 12


def render(view: View, _: str = "") -> str:
    """The text as a file."""
    return "".join(f"{line}\n" for line in lines(view))


def lines(view: View, color: bool = False) -> Iterator[str]:
    """The text of a view, line by line."""
    for group in group_alike(view):
        yield from group_lines(group, view, color)
    head = f"{view.verb} {view.run}: {view.state}" if view.run else f"fleet {view.fleet}"
    reason = f" ({clean(view.reason)})" if view.reason else ""
    yield guard(f"{head}{reason}; {describe_states(view)}")


def group_lines(group: Group, view: View, color: bool = False) -> Iterator[str]:
    """What is said of workspaces that are alike, line by line."""
    head, (names, more) = describe_number(group.members), name_members(group)
    named = guard(f"    {', '.join(map(clean, names))}{more}")
    if group.state in AMISS:
        first, *rest = group.reason.split("\n") or [""]
        code = group.members[0].exit
        yield guard(f"{head} {group.state}{f' ({code})' if code else ''}: {clean(first)}")
        yield from (f"    {clean(line)}" for line in islice(rest, LINES))
        yield named
        return
    state = "" if group.state == State.DONE else f" {group.state}"
    shape = view.shapes.get(group.shape) if group.shape else None
    if shape is None:
        yield guard(f"{head}{state or ' done'}")
    elif not shape:
        yield f"{head}{state}: nothing to do"
    else:
        losing = describe_losing(group.members)
        yield from _shape_lines(f"{head}{state}: ", shape, color)
        yield f"    shape {group.shape}{f'; {losing}' if losing else ''}"
    if group.state == State.STALE:
        yield named


def _shape_lines(head: str, shape: Sequence[Line], color: bool) -> Iterator[str]:
    for number, line in enumerate(shape[:LINES]):
        sign = SIGNS.get(line.action, UNKNOWN)
        yield guard(f"{' ' * len(head) if number else head}{paint(sign.symbol, sign.color, color)} {clean(str(line))}")
    if len(shape) > LINES:
        yield f"{' ' * len(head)}and {len(shape) - LINES:,} more"
