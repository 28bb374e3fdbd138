"""What carries out a plan that was saved is said last, on stderr, as somebody can type it; nothing where nothing is to be carried out."""

from __future__ import annotations

import shlex

import pytest

from tests.desk.desk import Desk

MANIFEST = "workspace: {app_id: sandbox1}\ntags: [vip]\n"
GONE = "workspace: {app_id: sandbox1}\npolicy: {limits: {deletes: 0}}\ntags: [vip, {name: old, state: absent}]\n"


def read_next(desk: Desk) -> str:
    """The command, which is the last line."""
    *_, last = desk.err.splitlines()
    return last.removeprefix("next: ") if last.startswith("next: ") else ""


def test_what_is_said_is_what_can_be_typed(desk: Desk) -> None:
    desk.write("rules.yaml", "policy: {limits: {creates: 9}}\n")
    shared = ("--policy", "rules.yaml", "--max-calls", "50", "--rate-share", "0.5")
    assert desk("plan", "m.yaml", "-o", "the plan.json", "--target", "tag/*", "--format", "json", *shared, m=MANIFEST) == 0
    assert shlex.split(read_next(desk)) == ["reconciler", "apply", "the plan.json", *shared]
    assert desk(*shlex.split(read_next(desk))[1:]) == 0, desk.err
    assert desk.written() == ["POST /tags"]
    # A user is no secret, and needed.
    desk.write("n.yaml", "name: ours\n" + MANIFEST.replace("vip", "new"))
    assert desk("plan", "n.yaml", "-o", "plan.json", "--ledger", "postgresql://wash@127.0.0.1:1/x") == 0
    assert read_next(desk) == "reconciler apply plan.json --ledger postgresql://wash@127.0.0.1:1/x"
    # Nothing is left to do.
    assert desk("plan", "m.yaml", "-o", "plan.json") == 0
    assert "next:" not in desk.err
    (desk.folder / "n.yaml").unlink()
    assert desk("undo", "last", "-o", "undo.json", "--app-id", "sandbox1") == 0
    assert read_next(desk) == "reconciler apply undo.json"


def test_what_is_refused_has_no_next_command_unless_the_rest_is_applied(desk: Desk) -> None:
    desk.seed(tags=["old"])
    assert desk("plan", "m.yaml", "-o", "plan.json", m=GONE) == 0
    assert "next:" not in desk.err
    approved = ("--approve", desk.word())
    assert desk("plan", "m.yaml", "-o", "plan.json", *approved) == 0
    assert read_next(desk) == f"reconciler apply plan.json --approve {approved[1]}"
    held = GONE.replace("policy: {limits: {deletes: 0}}", "policy: {refused_entries: hold}") + "contacts: [{email: a@x.example, name: A}]\n"
    desk.seed(contacts=[{"email": "a@x.example", "role": "user"}, {"email": "a@x.example", "role": "user"}])
    assert desk("plan", "m.yaml", "-o", "plan.json", m=held) == 0
    assert ("REFUSED: apply would leave this out" in desk.out, read_next(desk)) == (True, "reconciler apply plan.json")


@pytest.mark.parametrize("verb", [("plan", "m.yaml"), ("show", "plan.json"), ("drift", "m.yaml")])
def test_without_a_saved_plan_nothing_is_said(verb: tuple[str, ...], desk: Desk) -> None:
    assert desk("plan", "m.yaml", "-o", "plan.json", m=MANIFEST) == 0
    assert read_next(desk)
    assert desk(*verb) in (0, 2)
    assert "next:" not in desk.out + desk.err
