"""A run that ends at its worst moment: while calls are under way that arrive when nobody waits for them, or while the next run works."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk.driving import Shell, ended, outcomes_of, served, until
from tests.processes.story import assert_as_declared, ids, told

LIMIT = 8  # calls in flight
DELAY = 3.0
LATE = {
    "contacts": ("^/contacts$", ("plan.json",)),
    "members": ("^/contacts/[0-9a-f]{24}/companies$", ("intercom.yaml", "--auto-approve")),
}


@pytest.mark.parametrize(("late", "again"), LATE.values(), ids=LATE)
def test_what_was_under_way_arrives_during_the_next_run(story: Shell, undisturbed: Counter[str], late: str, again: tuple[str, ...]) -> None:
    before = ids(story.box)
    assert story.run("plan", "intercom.yaml", "-o", "plan.json").code == 0
    story.box.forget()
    story.box.fault(method="POST", path=late, delay=1.2, times=LIMIT)
    apply = story.spawn("apply", "plan.json")
    until(lambda: story.box.hits() >= 3)
    apply.kill()
    assert ended(apply).code == -signal.SIGKILL
    finished = story.run("apply", *again)
    assert finished.code == 0, finished.out + finished.err
    time.sleep(0.2)
    assert_as_declared(story.box)
    done = told(story.box, story.box.writes(), before)
    assert undisturbed - done == Counter()
    assert sum((done - undisturbed).values()) <= LIMIT, done - undisturbed
    assert story.run("plan", "intercom.yaml", "--detailed-exitcode").code == 0


def test_a_second_signal_does_not_wait_for_the_calls_under_way(shell: Shell) -> None:
    shell.write("m.yaml", "tags: [a, b, c]\n")
    shell.box.fault(method="POST", path="^/tags$", delay=DELAY, times=None)
    apply = shell.spawn("apply", "m.yaml", "--auto-approve")
    until(lambda: shell.box.hits() >= 3)
    began = time.monotonic()
    apply.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert apply.poll() is None, "the first one waits for them"
    apply.send_signal(signal.SIGTERM)
    assert ended(apply).code == 143
    assert shell.box.writes() == [], "they are still under way"
    assert outcomes_of(shell.folder) == [None] * 3
    shell.box.calm()
    assert shell.run("apply", "m.yaml", "--auto-approve").code == 0
    time.sleep(max(0.0, began + DELAY + 0.2 - time.monotonic()))
    assert shell.run("plan", "m.yaml", "--detailed-exitcode").code == 0
    assert sorted(tag["name"] for tag in shell.box.call("GET", "/tags")["data"]) == ["a", "b", "c"]


@pytest.fixture
def own(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Before a box of its own: what is under way for longer than a test arrives nowhere else."""
    with served(tmp_path_factory.mktemp("own") / "sandbox.db") as box:
        yield Shell(tmp_path, box)


@pytest.mark.parametrize(
    ("path", "verb"),
    [
        ("^/contacts/search$", ("plan", "m.yaml", "-o", "plan.json")),
        ("^/contacts/search$", ("apply", "m.yaml", "--auto-approve")),
        ("^/(conversations|content)/", ("apply", "m.yaml", "--auto-approve")),
    ],
)
@pytest.mark.parametrize(("signum", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_while_reading_ends_at_once(own: Shell, path: str, verb: tuple[str, ...], signum: int, code: int, said: str) -> None:
    """Whether search does not answer, or the counting of who loses a tag."""
    own.box.start({"tags": ["old"], "contacts": [{"external_id": "1"}]})
    own.write("m.yaml", "tags: [{name: old, state: absent}]\ncontacts: [{external_id: '1'}]\n")
    own.box.fault(path=path, delay=10, times=None)
    process = own.spawn(*verb)
    until(own.box.hits)
    began = time.monotonic()
    process.send_signal(signum)
    done = ended(process)
    assert (done.code, done.out, done.err.strip()) == (code, "", f"error: {said}")
    assert time.monotonic() - began < 9
    assert own.box.writes() == []
    assert [path.name for path in own.folder.iterdir()] == ["m.yaml"]
