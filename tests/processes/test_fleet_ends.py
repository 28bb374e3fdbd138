"""Ctrl-C and kill -9 in the middle of a rollout: `fleet resume` finishes it, and no write is sent twice."""

from __future__ import annotations

import signal
import threading

from tests.desk.driving import Box, Shell, ended, until
from tests.desk.fleet import FleetDesk


def interrupted_at(fleet: FleetDesk, app_id: str, signum: int) -> tuple[int, str]:
    """Send a signal while a workspace is written to, by a process that takes one workspace at a time; its code, and the rollout."""
    run = fleet.json("plan")["run"]
    reached, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert go_on.wait(60)

    fleet.boxes[app_id].faults.add("POST", "/tags", run=wait)
    apply = Shell(fleet.folder, Box(fleet.url)).spawn("fleet", "apply", run, "--jobs", "1")
    assert reached.wait(60)
    apply.send_signal(signum)
    threading.Timer(0.7, go_on.set).start()
    code = ended(apply).code
    # What the workspace was asked before it was killed, it does.
    until(lambda: fleet.boxes[app_id].writes)
    return code, run


def test_ctrl_c_lets_the_workspace_under_way_end_and_begins_no_other(fleet: FleetDesk) -> None:
    fleet.add(3)
    fleet.fleet()
    code, run = interrupted_at(fleet, "ws001", signal.SIGINT)
    assert (code, fleet.states("status", run)) == (130, {"ws000": "done", "ws001": "done", "ws002": "held"})
    assert fleet.json("status", run)["state"] == "stopped"
    assert fleet("resume", run) == 0
    assert [len(box.writes) for box in fleet.boxes.values()] == [1, 1, 1]


def test_killed_it_is_gone_on_with_where_it_was(fleet: FleetDesk) -> None:
    fleet.add(3)
    fleet.fleet()
    code, run = interrupted_at(fleet, "ws001", signal.SIGKILL)
    assert (code, fleet.states("status", run)) == (-signal.SIGKILL, {"ws000": "done", "ws001": "running", "ws002": "queued"})
    assert fleet("resume", run) == 0, fleet.err
    assert [len(box.writes) for box in fleet.boxes.values()] == [1, 1, 1]
