"""What is typed wrong is said in one sentence, before anybody is asked."""

from __future__ import annotations

from tests.desk.fleet import FleetDesk

NO_ROLLOUT = "the fleet acme has no rollout R; `reconciler fleet status` names the last ones"
# What is typed, and what is said.
WRONG = {
    "plan --group nobody": "--group nobody: no such group; known are none",
    "plan --jobs 0": "Invalid value for '--jobs': 0 is not in the range 1<=x<=64",
    "plan -f nowhere.yaml": "nowhere.yaml: there is no such file or folder; check the path",
    "plan -o fleet.yaml": "Directory 'fleet.yaml' is a file",
    "plan -o fleet.yaml/plans": "Not a directory",
    "apply": "nobody can be asked here; nothing was written: look with `fleet plan`, or give --auto-approve",
    "apply R": NO_ROLLOUT,
    "apply R --group eu": "--group goes with a new rollout; one that is there has its workspaces",
    "drift --auto-approve": "--auto-approve goes with --fix: without it nothing is asked",
    "status R": NO_ROLLOUT,
    "status --failed --refused": "--failed, --refused and --drifted go one at a time: nothing is all of that",
    "status --app-id nobody": "--app-id nobody: no such workspace in fleet.yaml",
    "resume": "Missing argument 'RUN'",
    "resume R": NO_ROLLOUT,
    "stop R": NO_ROLLOUT,
    "approve R": NO_ROLLOUT,
    "approve R --shape a": "--shape and --up-to belong together: --shape SHAPE --up-to N:PEOPLE",
    "approve R --up-to 1:1": "--shape and --up-to belong together: --shape SHAPE --up-to N:PEOPLE",
    "approve R --shape a --up-to 1": "--up-to 1: write N:PEOPLE, as in 4902:0",
    "worker": "engine: local has no workers: its verbs run the workspaces themselves; write engine: postgresql for workers",
    "worker --queues both": "--queues both: write apply, drift or apply,drift",
}


def test_what_is_typed_wrong_is_said_in_one_sentence_before_anybody_is_asked(fleet: FleetDesk) -> None:
    fleet.add(1)
    fleet.fleet()
    for typed, said in WRONG.items():
        code = fleet(*typed.split())
        assert code in (1, 64, 65), typed
        assert said in fleet.err, typed
        assert (fleet.out, fleet.err.count("\n"), fleet.err[:7]) == ("", 1, "error: "), typed
    # A variable that is empty in a script is not all that waits.
    assert fleet("approve", "R", "--shape", "", "--up-to", "9:9") == 64
    assert "--shape and --up-to belong together" in fleet.err
    assert fleet.boxes["ws000"].requests == []


def test_a_variable_that_names_no_store_is_refused_without_what_it_holds(fleet: FleetDesk) -> None:
    fleet.add(1)
    fleet.fleet()
    fleet.patch.setenv("RECONCILER_FLEET", "mysql://me:secret@db/fleet")
    assert fleet("status") == 64
    assert fleet.err == "error: RECONCILER_FLEET is no address that is known; write a file, or postgresql://HOST/DATABASE\n"


def test_a_mistake_in_many_workspaces_is_told_once_or_in_full(fleet: FleetDesk) -> None:
    fleet.add(20)
    fleet.fleet(more={app_id: {"regoin": "eu"} for app_id in fleet.boxes})
    assert fleet("validate") == 65
    assert fleet.err.count("unknown key 'regoin'") == 1
    assert fleet.err.endswith("20 problems in all; `reconciler fleet validate --full` lists each\n")
    assert fleet("validate", "--full") == 65
    assert fleet.err.count("unknown key 'regoin'") == 20


def test_what_comes_next_is_said_where_something_does(fleet: FleetDesk) -> None:
    fleet.add(1)
    fleet.fleet(rollout=[{"wave": "rest", "approve": True}])
    assert fleet("plan") == 0
    assert "next: reconciler fleet apply" in fleet.err
    run = fleet.json("apply", "--auto-approve")["run"]
    assert fleet("stop", run) == 0
    assert fleet.err == f"stopped; reconciler fleet resume {run} goes on with it\n"
    # Its plan waits, and is nobody's to approve before it goes on.
    assert fleet("approve", run) == 64
    assert fleet.err == f"error: {run} was stopped; `reconciler fleet resume {run}` goes on with it\n"
    assert (fleet("resume", run), fleet("approve", run)) == (5, 0)
    assert fleet("stop", run) == 0
    assert fleet.err == "it has ended already: nothing is left to stop\n"
    assert fleet("plan") == 0
    assert "next: " not in fleet.err


def test_a_workspace_that_left_the_fleet_is_named_and_its_rollouts_show_it(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.fleet()
    run = fleet.json("plan")["run"]
    del fleet.boxes["ws001"]
    fleet.fleet()
    assert fleet("apply", run) == 64
    assert fleet.err == f"error: no longer in the fleet: 1 workspace of {run} (ws001); plan again\n"
    assert fleet.states("status", run, "--app-id", "ws001") == {"ws001": "done"}
    assert fleet("status", "--app-id", "ws001") == 64


def test_a_group_that_nobody_is_in_is_noted_before_a_rollout_goes_on_without_its_wave(fleet: FleetDesk) -> None:
    fleet.add(1)
    groups = {"canary": {"match": {"labels": {"ring": "canari"}}}}
    fleet.fleet(groups=groups, rollout=[{"wave": "canary"}, {"wave": "rest"}])
    note = "note: no workspace is in the group canary; see to its `match:`\n"
    for verb in ("validate", "plan", "drift"):
        fleet(verb)
        assert fleet.err.count(note) == (verb != "drift"), verb
    fleet("apply", "--auto-approve")
    assert fleet.err.startswith(note)
