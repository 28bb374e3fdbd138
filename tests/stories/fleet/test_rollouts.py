"""A fleet from end to end: looked at, changed wave by wave, stopped by a budget, and gone on with."""

from __future__ import annotations

import os

from tests.desk.fleet import FleetDesk


def test_a_fleet_is_planned_applied_and_then_nothing_is_left(fleet: FleetDesk) -> None:
    fleet.add(12)
    fleet.fleet()
    assert fleet("validate") == 0, fleet.err
    seen = fleet.json("plan", "--detailed-exitcode")
    assert (seen["code"], seen["state"], seen["summary"]["done"]) == (2, "done", 12), fleet.err
    assert fleet.written() == set()
    done = fleet.json("apply", seen["run"])
    assert (done["code"], done["state"], done["summary"]["done"]) == (0, "done", 12), (fleet.err, done)
    assert all(fleet.tags(app_id) == {"vip"} for app_id in fleet.boxes)
    assert fleet("drift") == 0, fleet.out
    assert fleet("plan", "--detailed-exitcode") == 0
    assert "12 workspaces: nothing to do" in fleet.out


def test_a_canary_with_a_bad_token_stops_it_before_any_later_workspace_is_written_to(fleet: FleetDesk) -> None:
    canaries, rest = fleet.add(3), fleet.add(9)
    fleet.fleet(
        groups={"canary": {"match": {"labels": {"ring": "canary"}}}},
        rollout=[{"wave": "canary", "failures": 0}, {"wave": "50%", "failures": "1%"}, {"wave": "rest"}],
        more={app_id: {"labels": {"ring": "canary"}} for app_id in canaries},
    )
    good = os.environ[f"TOKEN_{canaries[1]}"]
    fleet.patch.setenv(f"TOKEN_{canaries[1]}", "tok-that-nobody-knows")
    stopped = fleet.json("apply", "--auto-approve")
    assert (stopped["code"], stopped["state"]) == (5, "stopped")
    assert fleet.written() <= {canaries[0], canaries[2]}
    states = {one["app_id"]: one["state"] for one in stopped["workspaces"]}
    assert states[canaries[1]] == "failed"
    assert {states[app_id] for app_id in rest} == {"held"}
    assert "1 of 3 failed, and its budget is 0" in fleet.err

    fleet.patch.setenv(f"TOKEN_{canaries[1]}", good)
    before = {app_id: len(fleet.boxes[app_id].requests) for app_id in (canaries[0], canaries[2]) if states[app_id] == "done"}
    done = fleet.json("resume", stopped["run"])
    assert (done["code"], done["summary"]["done"]) == (0, 12), fleet.err
    assert all(fleet.tags(app_id) == {"vip"} for app_id in fleet.boxes)
    assert before == {app_id: len(fleet.boxes[app_id].requests) for app_id in before}
