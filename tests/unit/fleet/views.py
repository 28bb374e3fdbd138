"""Views of many workspaces for the reports: large ones, and hostile ones."""

from __future__ import annotations

from reconciler.fleet.shape import EMPTY, Line
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View
from tests.unit.report.big import HOSTILE

VIP, OLD = "5f2c91d04b7e", "0d5e7c21aa90"
RUN = "20261130T101500123-5d2c8a01"
SHAPES = {
    EMPTY: (),
    VIP: (Line("create", "tag/vip"),),
    OLD: (Line("delete", "tag/old"), Line("update", "company", fields=("name", "plan"))),
}


def a_view(*workspaces: One, verb: str = "apply", state: str = "stopped", reason: str = "the wave canary has 2 failures") -> View:
    return View("acme", RUN, verb, state, reason, workspaces, SHAPES)


def a_large_view(number: int) -> View:
    """Most have the same plan; a few failed for the same reason, were refused, moved, or wait."""
    kinds = [
        (State.FAILED, 1, None, "GET https://api.intercom.io/me: 401 Access Token Invalid (request {})"),
        (State.REFUSED, 3, OLD, "limits.deletes: 12 deletes, the limit is 10\nlimits.people: 300 people, the limit is 100"),
        (State.STALE, 4, OLD, ""),
        (State.HELD, None, None, ""),
        (State.DONE, 0, EMPTY, ""),
    ]
    workspaces = []
    for at in range(number):
        state, code, shape, reason = kinds[at // 7] if at < 35 else (State.DONE, 2, VIP, "")
        group, wave = ("canary", "canary") if at % 7 == 0 else (None if at % 7 == 1 else "eu", "rest")
        changes = None if shape is None else len(SHAPES[shape])
        people = 3 if shape == OLD else 0
        workspaces.append(One(f"ws{at:04}", group, wave, state, code, shape, changes, people, 4, reason.format(at)))
    return a_view(*workspaces)


def a_hostile_view() -> View:
    """Every name that somebody could write is one that means something to a host, a browser or a terminal."""
    shapes = {f"{at:012x}": (Line("create", f"tag/{text}"), Line("attach", "contact", f"tag/{text}")) for at, text in enumerate(HOSTILE)}
    workspaces = []
    for at, text in enumerate(HOSTILE):
        for state in (State.FAILED, State.STALE, State.DONE):
            workspaces.append(One(f"{text}{state}", text, text, state, 1, f"{at:012x}", 1, 1, 1, text if state is State.FAILED else ""))
    return View("".join(HOSTILE)[:70], RUN, "apply", "stopped", " ".join(HOSTILE), workspaces, shapes)
