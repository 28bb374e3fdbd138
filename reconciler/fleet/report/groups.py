"""Workspaces in groups of one kind: those that need people first, then by the shape of their plans, the most first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import likeness
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View

# So many characters of a reason say which others are like it: the pattern takes time by their square.
ALIKE = 600
# What people look at first.
ORDER = (State.FAILED, State.REFUSED, State.STALE, State.HELD, State.RUNNING, State.QUEUED, State.DONE)


@dataclass(frozen=True)
class Group:
    """Workspaces that are alike: of one state, with one reason or one shape."""

    # How far they are.
    state: State
    # Why they are not done, as the first of them has it; empty where they are.
    reason: str
    # The shape of their plans; None where there is none.
    shape: str | None
    # The workspaces.
    members: Sequence[One]


def group_alike(view: View) -> list[Group]:
    """The workspaces of a view in groups, what needs people first, and then the largest."""
    groups: dict[tuple[State, str, str | None], list[One]] = {}
    for one in view.workspaces:
        # Of one cause the messages differ in what is quoted and in numbers.
        shape = one.shape if one.shape in view.shapes and one.state not in (State.FAILED, State.REFUSED) else None
        groups.setdefault((one.state, likeness(one.reason[:ALIKE]), shape), []).append(one)
    told = [Group(state, members[0].reason, shape, members) for (state, _, shape), members in groups.items()]
    return sorted(told, key=lambda group: (ORDER.index(group.state), -len(group.members), group.shape or "", group.members[0].app_id))
