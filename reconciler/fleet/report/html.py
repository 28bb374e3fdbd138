"""A view as one self-contained page: workspaces that are alike as one, what failed first, and a table of all that can be searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.fleet.report.groups import ORDER, Group, group_alike
from reconciler.fleet.report.text import LINES
from reconciler.fleet.report.words import (
    describe_calls,
    describe_losing,
    describe_number,
    describe_phase,
    describe_states,
    describe_view,
    name_members,
)
from reconciler.fleet.shape import Line
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View
from reconciler.report import html
from reconciler.report.signs import SIGNS, UNKNOWN
from reconciler.report.words import cut

if TYPE_CHECKING:
    import jinja2

# So many groups of workspaces are listed, and can be chosen; the table has all.
GROUPS = 100
# So many lines of a plan stand in a row of the table.
SHORT = 3
# How a state looks.
LOOKS: Mapping[State, str] = {
    State.FAILED: "bad", State.REFUSED: "bad", State.STALE: "warn", State.HELD: "warn", State.DONE: "good",
}  # fmt: skip


def render(view: View, head: str = "") -> str:
    """The whole page; `head` says when it was made, and of what. All foreign text is escaped, as on the page of a plan."""
    groups = group_alike(view)
    shown = groups[:GROUPS]
    number_of = {one.app_id: number for number, group in enumerate(shown) for one in group.members}
    summary = view.summary
    return _template().render(
        view=view,
        head=head,
        title=describe_view(view),
        phase=describe_phase(view),
        summary=describe_states(view),
        states={state: summary[state] for state in ORDER if summary[state]},
        losing=describe_losing(view.workspaces).partition(" "),
        calls=describe_calls(view).partition(" "),
        groups=shown,
        more=len(groups) - len(shown),
        rows=[(one, number_of.get(one.app_id)) for group in groups for one in group.members],
        columns={what: values for what in ("group", "wave") if (values := _values(view, what))},
    )


def _values(view: View, what: str) -> Sequence[str]:
    """The groups, or the waves, in the order in which they come."""
    return list(dict.fromkeys(value for one in view.workspaces if (value := getattr(one, what)) is not None))


def _plan(view: View, shape: str | None) -> Sequence[Line] | None:
    """What a plan of this shape does; None where nobody knows."""
    return view.shapes.get(shape) if shape else None


def _reasons(reason: str) -> Sequence[str]:
    return [cut(line, 600) for line in reason.split("\n")[: 1 + LINES]] if reason else []


def _exit(one: One) -> str:
    return f" ({one.exit})" if one.exit and one.state != State.DONE else ""


def _brief(view: View, group: Group) -> str:
    """A group in a list to choose from: `4,902 done: create tag/vip`."""
    plan = _plan(view, group.shape)
    what = group.reason or ("" if plan is None else "; ".join(map(str, plan[:SHORT])) or "nothing to do")
    return cut(f"{len(group.members):,} {group.state}{f': {what}' if what else ''}", 80)


_WORDS: Mapping[str, Any] = {
    "sign": lambda line: SIGNS.get(line.action, UNKNOWN).symbol,
    "thing": lambda line: cut(str(line).removeprefix(line.action).strip()),
    "plan_of": _plan,
    "reasons": _reasons,
    "exit": _exit,
    "brief": _brief,
    "number": describe_number,
    "losing_in": describe_losing,
    "names": name_members,
    "looks": LOOKS,
    "LINES": LINES,
    "SHORT": SHORT,
}


@cache
def _template() -> jinja2.Template:
    folder = Path(__file__).parent / "page"
    return html.page("fleet.html", "plan.css", "table.css", "fleet.css", "shared.js", "table.js", folder=folder, **_WORDS)
