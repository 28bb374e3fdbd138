"""What a rollout ends with, and its text: what needs people first, workspaces that are alike in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.fleet.report.json import document_of
from reconciler.fleet.report.text import LINES, lines
from reconciler.fleet.report.words import NAMED
from reconciler.fleet.shape import EMPTY, Line
from reconciler.fleet.states import State
from reconciler.fleet.view import One, View, exit_code

DONE = One("a1", None, "rest", State.DONE, 0, EMPTY, 0, 0, 3)
CHANGED = One("a2", None, "rest", State.DONE, 2, "5f2c91d04b7e", 1, 0, 3)
FAILED = One("a3", "eu", "rest", State.FAILED, 1, reason="GET host/me: 401 no (request 7)")
REFUSED = One("a4", "eu", "rest", State.REFUSED, 3, "5f2c91d04b7e", 1, 0, 3, reason="limits.deletes: 3\nmore")
HELD = One("a5", None, "rest", State.HELD)
STALE = One("a6", None, "rest", State.STALE, 4, "5f2c91d04b7e", 1, 0, 3)


def view(verb: str, *workspaces: One) -> View:
    return View(
        "acme",
        "R1",
        verb,
        "done",
        "",
        workspaces,
        {EMPTY: (), "5f2c91d04b7e": (Line("create", "tag/vip"), Line("attach", "contact", "tag/vip"))},
    )


@pytest.mark.parametrize(
    ("verb", "workspaces", "detailed", "plain"),
    [
        ("plan", (DONE,), 0, 0),
        ("plan", (DONE, CHANGED), 2, 0),
        ("plan", (CHANGED, REFUSED), 3, 0),
        ("plan", (REFUSED, FAILED), 1, 1),
        ("drift", (DONE,), 0, 0),
        ("drift", (DONE, CHANGED), 2, 2),
        ("drift", (CHANGED, REFUSED), 3, 3),
        ("drift", (CHANGED, FAILED), 1, 1),
        ("apply", (DONE,), 0, 0),
        ("apply", (DONE, FAILED), 5, 5),
        ("apply", (FAILED,), 5, 5),
        ("apply", (DONE, HELD), 5, 5),
        ("fix", (DONE, STALE), 5, 5),
        ("apply", (DONE, REFUSED), 5, 5),
        ("apply", (REFUSED, REFUSED), 3, 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst(verb: str, workspaces: tuple[One, ...], detailed: int, plain: int) -> None:
    shown = view(verb, *workspaces)
    assert (exit_code(shown), exit_code(shown, detailed=False)) == (detailed, plain)


def test_workspaces_that_are_alike_are_one_line_and_what_needs_people_comes_first() -> None:
    others = [replace(CHANGED, app_id=f"b{at}") for at in range(4901)]
    failed = [replace(FAILED, app_id=f"f{at}", reason=f"GET host/me: 401 no (request {at})") for at in range(7)]
    assert list(lines(view("plan", DONE, CHANGED, *others, *failed, REFUSED, STALE))) == [
        "7 workspaces failed (1): GET host/me: 401 no (request 0)",
        "    f0, f1, f2, f3, f4 and 2 more",
        "1 workspace refused (3): limits.deletes: 3",
        "    more",
        "    a4",
        "1 workspace stale: + create tag/vip",
        "                   + attach tag/vip to contact",
        "    shape 5f2c91d04b7e",
        "    a6",
        "4,902 workspaces: + create tag/vip",
        "                  + attach tag/vip to contact",
        "    shape 5f2c91d04b7e",
        "1 workspace: nothing to do",
        "plan R1: done; 4,903 done, 7 failed, 1 refused, 1 stale",
    ]


def test_what_is_shown_of_a_workspace_is_harmless() -> None:
    text = "\n".join(lines(view("plan", replace(FAILED, reason="\x1b[31m::error::x"))))
    assert "\x1b" not in text
    assert not any(line.startswith("::") for line in text.splitlines())


def test_the_document_has_a_count_for_every_state_and_no_reason() -> None:
    document = document_of(view("plan", DONE, FAILED))
    assert document["summary"] == {"held": 0, "queued": 0, "running": 0, "done": 1, "failed": 1, "refused": 0, "stale": 0}
    written = {"app_id": "a3", "group": "eu", "wave": "rest", "state": "failed", "exit": 1, "shape": None}
    assert document["workspaces"][1] == {**written, "changes": None, "people": None, "calls": None}


def test_a_reason_and_a_plan_have_so_many_lines_and_the_rest_is_counted() -> None:
    reason = "\n".join(f"line {at}" for at in range(20))
    failed = [replace(FAILED, app_id=f"f{at}", reason=reason) for at in range(NAMED + 1)]
    assert list(lines(view("plan", *failed)))[:-1] == [
        "6 workspaces failed (1): line 0",
        *(f"    line {at}" for at in range(1, 1 + LINES)),
        "    f0, f1, f2, f3, f4 and 1 more",
    ]
    for number, last in ((LINES, "create tag/11"), (LINES + 1, "and 1 more")):
        shapes = {"5f2c91d04b7e": tuple(Line("create", f"tag/{at:02}") for at in range(number))}
        *_, told, shape, _ = lines(replace(view("plan", CHANGED), shapes=shapes))
        assert (told.strip("+ "), shape) == (last, "    shape 5f2c91d04b7e")
