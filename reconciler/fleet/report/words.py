"""What all reports say of many workspaces, in the same words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from reconciler.fleet.report.groups import ORDER, Group
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View
from reconciler.report import words
from reconciler.report.signs import count

# So many workspaces are named, of a group that needs people.
NAMED = 5
# What people look into: a reason says why.
AMISS = (State.FAILED, State.REFUSED)


def describe_number(members: Sequence[One]) -> str:
    """`4,902 workspaces`."""
    return count(len(members), "workspace")


def name_members(group: Group) -> tuple[Sequence[str], str]:
    """The first workspaces of a group, and ` and 2 more`, which is empty where these are all."""
    number = len(group.members) - NAMED
    return [one.app_id for one in group.members[:NAMED]], f" and {number:,} more" if number > 0 else ""


def describe_states(view: View) -> str:
    """`4,902 done, 7 failed`."""
    return ", ".join(f"{number:,} {state}" for state, number in view.summary.items() if number) or "no workspace"


def describe_view(view: View) -> str:
    """The title of a report that is a page."""
    return f"Fleet {words.cut(view.fleet, 80)}" + (f": {view.verb} {words.cut(view.run, 80)}" if view.run else "")


def describe_phase(view: View) -> str:
    """`stopped: over the budget`; empty for what is known of a fleet now."""
    return f"{view.state}{f': {words.cut(view.reason)}' if view.reason else ''}"


def describe_losing(members: Iterable[One]) -> str:
    """`12 people lose a tag, …`; empty where nobody does."""
    number = sum(one.people or 0 for one in members)
    return f"{number:,} {words.describe_losing(number)}" if number else ""


def describe_calls(view: View) -> str:
    """`15,000 calls`."""
    return count(sum(one.calls or 0 for one in view.workspaces), "call")


def count_states(view: View, what: str) -> Mapping[str, Counter[str]]:
    """How many workspaces are in each state, in each `wave` or each `group`; nothing where all are in the same."""
    counters: dict[str, Counter[str]] = {}
    for one in view.workspaces:
        counters.setdefault(getattr(one, what) or "none", Counter())[str(one.state)] += 1
    return counters if len(counters) > 1 else {}


STATES = tuple(map(str, ORDER))
