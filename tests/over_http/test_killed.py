"""A run that ends in the middle, at its worst moment: while calls are under way that arrive only when the next run is at work."""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.over_http import story
from tests.over_http.driving import Desk, Workspace, until

LIMIT = 8  # calls in flight
DELAY = 3.0


@pytest.fixture(scope="session")
def undisturbed(server: str, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """What the writes of one apply do that nothing disturbs."""
    desk = Desk(Path(tmp_path_factory.mktemp("undisturbed")), Workspace(server))
    desk.workspace.start_anew(story.seed())
    desk.ends(0, "apply", desk.write(story.written()), "--auto-approve")
    return story.done(desk.workspace.writes, story.names(desk.workspace))


SAVED, PATH = ("plan.json",), ("intercom.yaml", "--auto-approve")
LATE = {
    "contacts": ("^/contacts$", SAVED),
    "members": ("^/contacts/[0-9a-f]{24}/companies$", PATH),
}


@pytest.mark.parametrize(("late", "again"), LATE.values(), ids=LATE)
def test_what_was_under_way_arrives_during_the_next_run(
    undisturbed: Counter[str], desk: Desk, late: str, again: tuple[str, ...]
) -> None:
    desk.workspace.start_anew(story.seed())
    desk.ends(0, "plan", desk.write(story.written()), "-o", "plan.json")
    desk.workspace.tell("POST", "faults", {"method": "POST", "path": late, "delay": 1.2, "times": LIMIT})
    with desk.under_way("apply", "plan.json") as killed:
        until(lambda: desk.workspace.striking() >= 3)
        killed.kill()
    desk.ends(0, "apply", *again)
    time.sleep(0.2)
    assert story.live(desk.workspace) == story.declared()
    done = story.done(desk.workspace.writes, story.names(desk.workspace))
    assert undisturbed - done == Counter()
    assert sum((done - undisturbed).values()) <= LIMIT, done - undisturbed
    desk.workspace.forget()
    desk.ends(0, "plan", "intercom.yaml", "--detailed-exitcode")


def test_a_second_signal_does_not_wait_for_the_calls_under_way(own_desk: Desk) -> None:
    manifest = own_desk.write("tags: [a, b, c]\n")
    own_desk.workspace.tell("POST", "faults", {"method": "POST", "path": "^/tags$", "delay": DELAY, "times": None})
    with own_desk.under_way("apply", manifest, "--auto-approve") as process:
        until(lambda: own_desk.workspace.striking() >= 3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        assert process.poll() is None, "the first one waits for them"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert own_desk.workspace.writes == [], "they are still under way"
    assert own_desk.unanswered() == 3
    own_desk.workspace.mend()
    own_desk.ends(0, "apply", manifest, "--auto-approve")
    time.sleep(max(0.0, began + DELAY + 0.2 - time.monotonic()))
    own_desk.ends(0, "plan", manifest, "--detailed-exitcode")
    assert sorted(tag["name"] for tag in own_desk.workspace.ask("GET", "/tags")["data"]) == ["a", "b", "c"]


@pytest.mark.parametrize("counted", [False, True])
def test_a_signal_while_reading_ends_at_once(own_desk: Desk, counted: bool) -> None:
    """Whether search does not answer, or the counting of who loses a tag."""
    own_desk.workspace.start_anew({"tags": ["old"], "contacts": [{"external_id": "1"}]})
    manifest = own_desk.write("tags: [{name: old, state: absent}]\ncontacts: [{external_id: '1'}]\n")
    path = "^/(conversations|content)/" if counted else "^/contacts/search$"
    own_desk.workspace.tell("POST", "faults", {"path": path, "delay": 10, "times": None})
    with own_desk.under_way("apply", manifest, "--auto-approve") as process:
        until(own_desk.workspace.striking)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.strip()) == (130, "", "error: interrupted")
    assert time.monotonic() - began < 5
    assert own_desk.workspace.writes == []
