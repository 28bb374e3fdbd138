"""A view as text: a line for each shape, with how many workspaces have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from reconciler.fleet.report.groups import Group, group_alike
from reconciler.fleet.shape import Line
from reconciler.fleet.states import State
from reconciler.fleet.view import View
from reconciler.report.signs import SIGNS, UNKNOWN, paint
from reconciler.report.terminal import clean, guard

# So many workspaces are named, of a group that needs people.
NAMED = 5
# So many lines of one plan are shown.
LINES = 12


def lines(view: View, color: bool = False) -> Iterator[str]:
    """The text of a view, line by line."""
    for group in group_alike(view):
        yield from _group_lines(group, view, color)
    counts = ", ".join(f"{number:,} {state}" for state, number in view.summary.items() if number)
    head = f"{view.verb} {view.run}: {view.state}" if view.run else f"fleet {view.fleet}"
    reason = f" ({clean(view.reason)})" if view.reason else ""
    yield guard(f"{head}{reason}; {counts or 'no workspace'}")


def _group_lines(group: Group, view: View, color: bool) -> Iterator[str]:
    number = len(group.members)
    names = ", ".join(one.app_id for one in group.members[:NAMED]) + (f" and {number - NAMED:,} more" if number > NAMED else "")
    head = f"{number:,} {'workspace' if number == 1 else 'workspaces'}"
    if group.state in (State.FAILED, State.REFUSED):
        first, *more = group.reason.split("\n") or [""]
        code = group.members[0].exit
        yield guard(f"{head} {group.state}{f' ({code})' if code else ''}: {clean(first)}")
        yield from (f"    {clean(line)}" for line in islice(more, LINES))
        yield f"    {names}"
        return
    state = "" if group.state == State.DONE else f" {group.state}"
    shape = view.shapes.get(group.shape) if group.shape else None
    if shape is None:
        yield guard(f"{head}{state or ' done'}")
    elif not shape:
        yield f"{head}{state}: nothing to do"
    else:
        yield from _shape_lines(f"{head}{state}: ", shape, color)
        yield f"    shape {group.shape}"
    if group.state == State.STALE:
        yield f"    {names}"


def _shape_lines(head: str, shape: Sequence[Line], color: bool) -> Iterator[str]:
    for number, line in enumerate(shape[:LINES]):
        sign = SIGNS.get(line.action, UNKNOWN)
        yield guard(f"{' ' * len(head) if number else head}{paint(sign.symbol, sign.color, color)} {clean(str(line))}")
    if len(shape) > LINES:
        yield f"{' ' * len(head)}and {len(shape) - LINES:,} more"
