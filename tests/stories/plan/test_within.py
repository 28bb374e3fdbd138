"""`plan --within REVIEWED.json`: what a plan has that nobody reviewed is named, and ends with 4; a part of what was reviewed is no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.core.plan.saved import seal
from tests.desk.desk import Desk

MANIFEST = """\
workspace: {app_id: sandbox1}
policy: {limits: {deletes: 1}}
tags: [vip, {name: old, state: absent}]
companies: [{company_id: '6', plan: pro}]
contacts:
- {external_id: '25', name: Hoban, tags: [vip]}
- {external_id: '26', name: Zoe}
"""
LIVE: dict[str, Any] = {
    "tags": ["vip", "old"],
    "companies": [{"company_id": "6", "plan": "free"}],
    "contacts": [{"external_id": "25", "name": "Wash", "tags": ["old"]}, {"external_id": "26", "name": "Zoë"}],
}


@pytest.fixture
def reviewed(desk: Desk) -> Desk:
    """A plan that somebody reviewed, in plan.json."""
    desk.seed(**LIVE)
    assert desk.plan(m=MANIFEST) == 2
    return desk


def delete_contact(desk: Desk, external_id: str) -> None:
    desk("api", "DELETE", f"/contacts/{desk.id('contact', external_id=external_id)}")


def new(desk: Desk, *options: str) -> tuple[int, list[str]]:
    """How the plan ends that is made now, and what it has that was not reviewed."""
    code = desk("plan", "m.yaml", "-o", "again.json", "--detailed-exitcode", "--within", "plan.json", *options)
    return code, [f"{n['address']} {n['message']}" for n in desk.saved("again.json")["notes"] if n["topic"] == "not reviewed"]


def test_the_same_plan_and_a_part_of_it_were_reviewed(reviewed: Desk) -> None:
    assert new(reviewed) == (2, [])
    delete_contact(reviewed, "26")
    assert reviewed("apply", "plan.json") == 4
    assert new(reviewed) == (2, [])
    assert reviewed("apply", "again.json") == 0, reviewed.err
    assert new(reviewed) == (0, [])


def api(*arguments: str) -> Callable[[Desk], None]:
    def call(desk: Desk) -> None:
        assert desk("api", *arguments) == 0, desk.err

    return call


def many_have_it(desk: Desk) -> None:
    desk.seed(contacts=[{"external_id": f"x{n}", "tags": ["old"]} for n in range(3)])


def another_of_its_name(desk: Desk) -> None:
    api("DELETE", f"/companies/{desk.id('company', company_id='6')}")(desk)
    desk.seed(companies=[{"company_id": "6", "plan": "free"}])


PLAN_OF_6 = "company/6 update plan is no longer what it was when this was planned"
MOVES: tuple[tuple[str, Callable[[Desk], None], str], ...] = (
    ("a value before it", api("POST", "/companies", "-f", "company_id=6", "-f", "plan=basic"), PLAN_OF_6),
    (
        "another field",
        lambda d: d.write("m.yaml", MANIFEST.replace("pro", "pro, size: 3")),
        "None the reviewed plan is of another manifest",
    ),
    ("a thing that is gone", lambda d: api("DELETE", f"/tags/{d.id('tag', name='vip')}")(d), "tag/vip create was not in the plan"),
    ("more people", many_have_it, "tag/old delete touches 4 people, and 1 when this was planned"),
    ("another thing of the name", another_of_its_name, "company/6 update another thing has this name now"),
)


@pytest.mark.parametrize(("what", "move", "message"), MOVES, ids=[what for what, _, _ in MOVES])
def test_what_nobody_reviewed_is_named(what: str, move: Callable[[Desk], None], message: str, reviewed: Desk) -> None:
    move(reviewed)
    code, said = new(reviewed)
    assert code == 4
    assert [line[: len(message)] for line in said] == [message]
    assert "--within plan.json: 1 change of this plan is not in it" in reviewed.err
    assert "not in the plan that was reviewed (1)" in reviewed.out
    # What it names may be applied all the same, by whoever decides so.
    assert reviewed("apply", "again.json") == 0, reviewed.err


def test_what_is_refused_comes_first_and_needs_its_approval_anew(desk: Desk) -> None:
    """A plan file is no proof that somebody approved."""
    desk.seed(**LIVE | {"tags": ["vip", "old", "older"]})
    assert desk.plan(m=MANIFEST.replace("tags: [vip, {", "tags: [vip, {name: older, state: absent}, {")) == 3
    word = ("--approve", desk.word())
    assert desk.plan(*word) == 2
    assert new(desk) == (3, [])
    assert new(desk, *word) == (2, [])
    assert desk("apply", "again.json") == 3
    assert desk("apply", "again.json", *word) == 0, desk.err


def test_only_a_saved_plan_of_a_manifest_can_have_been_reviewed(reviewed: Desk) -> None:
    (reviewed.folder / "look.json").write_text(json.dumps({**reviewed.saved(), "applicable": False}), encoding="utf-8")
    assert reviewed("plan", "m.yaml", "--within", "look.json") == 65
    assert reviewed("apply", "plan.json") == 0, reviewed.err
    assert reviewed("undo", "last", "-o", "undo.json") == 0, reviewed.err
    assert reviewed("plan", "m.yaml", "--within", "undo.json") == 64
    assert "takes a run back" in reviewed.err


def test_a_plan_of_another_workspace_was_not_reviewed_here(reviewed: Desk) -> None:
    other = reviewed.saved() | {"workspace": {"app_id": "other1", "region": "us"}}
    (reviewed.folder / "plan.json").write_text(json.dumps(other | {"seal": seal(other)}), encoding="utf-8")
    assert new(reviewed) == (4, ["None the reviewed plan is for workspace other1"])
