"""What a store says of a fleet: its own rollouts, the newest first, and its workspaces in the order in which they run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from reconciler.fleet.fleet import Wave
from reconciler.fleet.rollout import begin, promote
from reconciler.fleet.states import State, Verb
from reconciler.fleet.view import count_workspaces, last_rollouts, view_now
from tests.unit.fleet.test_advance import rig_in


def test_the_newest_rollouts_of_this_fleet_are_listed_the_newest_first(tmp_path: Path) -> None:
    with rig_in(tmp_path) as rig:
        runs = []
        for _ in range(4):
            rig.now[0] += 60
            runs.append(rig.begin(Verb.PLAN))
        other = replace(rig.fleet, name="other")
        begin(rig.store, rig.engine, other, Verb.PLAN, None, "me")
        assert [row.id for row in last_rollouts(rig.store, rig.fleet, 3)] == runs[:0:-1]
        assert (count_workspaces(rig.store, runs[0]), count_workspaces(rig.store, "none")) == (7, 0)


def test_what_is_known_of_a_workspace_is_what_this_fleet_did_there(tmp_path: Path) -> None:
    with rig_in(tmp_path) as rig:
        rig.begin(Verb.DRIFT)
        rig.end("w0", State.DONE, 2, "a", changes=3)
        other = replace(rig.fleet, name="other")
        assert {one.state for one in view_now(rig.store, other).workspaces} == {State.HELD}
        rig.run = begin(rig.store, rig.engine, other, Verb.DRIFT, None, "me")
        rig.end("w0", State.DONE, 0)
        assert [view_now(rig.store, one).workspaces[0].drifted for one in (rig.fleet, other)] == [True, False]


def test_workspaces_stand_in_the_order_of_their_waves_though_they_were_planned_in_another(tmp_path: Path) -> None:
    with rig_in(tmp_path, (Wave("canary"), Wave("rest"))) as rig:
        rig.begin(Verb.PLAN)
        rig.finish()
        assert [one.app_id for one in rig.view()][:3] == ["w0", "w2", "w1"]
        promote(rig.store, rig.engine, rig.fleet, rig.run, reviewed=True)
        assert [one.app_id for one in rig.view()][:3] == ["w0", "w1", "w2"]
