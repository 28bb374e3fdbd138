"""The big story, over real HTTP: once in peace, with processes started as people start them, then with kills, signals and faults."""

from __future__ import annotations

import signal
from collections import Counter

import pytest

from tests.desk.driving import Shell, ended, outcomes_of
from tests.processes.story import assert_as_declared, ids, told


def test_plan_apply_plan_apply(story: Shell) -> None:
    story.real = True
    planned = story.run("plan", "intercom.yaml", "-o", "plan.json", "--detailed-exitcode")
    assert planned.code == 2, planned.err
    assert story.box.writes() == []
    assert not (story.folder / ".reconciler").exists()
    applied = story.run("apply", "plan.json")
    assert applied.code == 0, applied.out + applied.err
    assert_as_declared(story.box)
    assert story.run("plan", "intercom.yaml", "--detailed-exitcode").code == 0
    story.box.forget()
    assert story.run("apply", "plan.json").code == 0
    assert story.run("apply", "intercom.yaml", "--auto-approve").code == 0
    assert story.box.writes() == []
    assert sorted(path.name for path in story.folder.iterdir()) == [".reconciler", "intercom.yaml", "plan.json"]
    # Whoever has no memory finds nothing to do either, once search sees everybody.
    (story.folder / ".reconciler").rename(story.folder / "forgotten")
    story.box.call("POST", "/_sandbox/settings", {"clock_offset": 700})
    assert story.run("plan", "intercom.yaml", "--detailed-exitcode").code == 0


KILLS = [(9, "plan.json"), (30, "intercom.yaml"), (55, "plan.json")]


@pytest.mark.parametrize(("number", "again"), KILLS)
def test_killed_and_applied_again(story: Shell, undisturbed: Counter[str], number: int, again: str) -> None:
    before = ids(story.box)
    assert story.run("plan", "intercom.yaml", "-o", "plan.json").code == 0
    story.box.forget()
    story.kill(number, "apply", "plan.json")
    finished = story.run("apply", again, *(["--auto-approve"] if again.endswith("yaml") else []))
    assert finished.code == 0, finished.out + finished.err
    done = told(story.box, story.box.writes(), before)
    assert_as_declared(story.box)
    twice = done - undisturbed
    # Eight calls may have been under way; of those, only what no read could show is sent again.
    assert sum(twice.values()) <= 1, twice
    assert story.run("plan", "intercom.yaml", "--detailed-exitcode").code == 0


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_calls_in_flight_end(story: Shell, undisturbed: Counter[str], signum: int, code: int) -> None:
    before = ids(story.box)
    story.box.fault(delay=0.03, times=None)
    apply = story.spawn("apply", "intercom.yaml", "--auto-approve")
    story.box.wait_for_writes(12)
    apply.send_signal(signum)
    stopped = ended(apply)
    story.box.calm()
    assert stopped.code == code, stopped.err
    assert stopped.err.strip().splitlines()[-1] == f"error: {'interrupted' if code == 130 else 'terminated'}"
    known = outcomes_of(story.folder)
    assert None not in known, "every call that was sent has its outcome on record"
    assert len([o for o in known if o == "applied"]) < sum(undisturbed.values())
    finished = story.run("apply", "intercom.yaml", "--auto-approve")
    assert finished.code == 0, finished.out + finished.err
    assert_as_declared(story.box)
    assert told(story.box, story.box.writes(), before) == undisturbed


def test_at_seven_percent_of_the_calls(story: Shell) -> None:
    """All faults, in one process: `test_seven_percent.py`."""
    story.box.fault(rate=0.07, times=None, status=500, done=True)
    applied = story.run("apply", "intercom.yaml", "--auto-approve")
    assert applied.code == 0, applied.out + applied.err
    story.box.calm()
    assert_as_declared(story.box)
    assert story.run("plan", "intercom.yaml", "--detailed-exitcode").code == 0


def test_a_low_limit_is_followed_and_429_is_the_exception(shell: Shell) -> None:
    tags = [f"n{n:02}" for n in range(40)]
    shell.box.start({}, rate_limit=30)
    shell.write("intercom.yaml", {"tags": tags})
    applied = shell.run("apply", "intercom.yaml", "--auto-approve")
    assert applied.code == 0, applied.err
    statuses = Counter(r["status"] for r in shell.box.call("GET", "/_sandbox/requests")["requests"])
    assert statuses[429] <= 2, statuses
    # Writes of these tags alone: a call of a client that an earlier test killed may still arrive.
    made = Counter(w["body"]["name"] for w in shell.box.writes() if w["status"] == 200 and w["body"].get("name") in tags)
    assert made == Counter(tags)
