"""A fleet from end to end: looked at, changed wave by wave, stopped by a budget, and gone on with. Each story has as few workspaces as it
can."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.fleet import rollout
from reconciler.fleet.engine.local import drive
from reconciler.fleet.job import JobStop, run_job
from reconciler.fleet.rollout import begin
from reconciler.fleet.states import Verb
from reconciler.fleet.view import view_rollout
from reconciler.ledger.homes.file import FileHome
from reconciler.ledger.homes.home import Waiting
from tests.desk.fleet import TOKEN, FleetDesk

CANARY: dict[str, Any] = {
    "groups": {"canary": {"match": {"labels": {"ring": "canary"}}}},
    "rollout": [{"wave": "canary", "failures": 0}, {"wave": "rest", "failures": 1}],
}
RING: dict[str, Any] = {"labels": {"ring": "canary"}}


def secrets_in(folder: Path) -> list[str]:
    """The files that hold a token."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and b"tok-" in path.read_bytes()]


def test_what_was_planned_is_applied_and_then_nothing_is_left(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.add(1, tags=["vip"])
    fleet.fleet()
    assert fleet("validate") == 0
    assert fleet.err == "valid: 3 workspaces, one manifest\n"
    assert fleet("plan", "-o", "plans", "--detailed-exitcode") == 2, fleet.err
    assert fleet.out.splitlines()[:3] == ["2 workspaces: + create tag/vip", fleet.out.splitlines()[1], "1 workspace: nothing to do"]
    assert fleet.written() == set()
    assert json.loads((fleet.folder / "plans/ws000.json").read_text())["changes"][0]["address"] == "tag/vip"
    run = fleet.err.split()[1].rstrip(":")
    done = fleet.json("apply", run)
    assert list(done) == ["run", "state", "summary", "workspaces", "code"]
    assert (done["run"], done["state"], done["code"]) == (run, "done", 0)
    assert done["summary"] == {"held": 0, "queued": 0, "running": 0, "done": 3, "failed": 0, "refused": 0, "stale": 0}
    first = next(one for one in done["workspaces"] if one["app_id"] == "ws000")
    assert list(first) == ["app_id", "group", "wave", "state", "exit", "shape", "changes", "people", "calls"]
    assert (first["group"], first["wave"], first["state"], first["exit"], first["changes"], first["people"]) == (
        None,
        "rest",
        "done",
        0,
        1,
        0,
    )
    assert all(fleet.tags(app_id) == {"vip"} for app_id in fleet.boxes)
    assert fleet.written() == {"ws000", "ws001"}
    assert fleet("apply", run) == 0
    assert {path.name for path in (fleet.folder / ".reconciler/fleet").iterdir()} == {"locks", *fleet.boxes}


def test_a_canary_with_a_bad_token_stops_it_before_any_later_workspace_is_written_to(fleet: FleetDesk) -> None:
    canaries, rest = fleet.add(2), fleet.add(2)
    fleet.fleet(**CANARY, more=dict.fromkeys(canaries, RING))
    fleet.patch.setenv("TOKEN_ws001", "tok-that-nobody-knows")
    stopped = fleet.json("apply", "--auto-approve", "--jobs", "1")
    states = {one["app_id"]: one["state"] for one in stopped["workspaces"]}
    assert (stopped["code"], stopped["state"]) == (5, "stopped")
    assert (states, fleet.written()) == ({"ws000": "done", "ws001": "failed", "ws002": "held", "ws003": "held"}, {"ws000"})
    assert "wave canary: 1 of 2 failed, and its budget is 0" in fleet.err
    assert fleet("status", stopped["run"], "--failed") == 0
    assert "1 workspace failed (1): GET " in fleet.out
    assert "401" in fleet.out

    fleet.patch.setenv("TOKEN_ws001", TOKEN.format(app_id="ws001"))
    seen = len(fleet.boxes["ws000"].requests)
    done = fleet.json("resume", stopped["run"])
    assert (done["code"], done["summary"]["done"]) == (0, 4), fleet.err
    assert all(fleet.tags(app_id) == {"vip"} for app_id in [*canaries, *rest])
    assert len(fleet.boxes["ws000"].requests) == seen
    assert secrets_in(fleet.folder) == []
    assert not any("tok-" in said for said in fleet.said)


def test_each_wave_is_planned_again_when_it_begins_and_a_plan_that_moved_waits(fleet: FleetDesk) -> None:
    canaries = fleet.add(1)
    fleet.add(2, tags=["vip"])
    fleet.fleet(**CANARY, manifest="tags: [vip, trial]\n", more=dict.fromkeys(canaries, RING))
    run = fleet.json("plan")["run"]

    def move() -> None:
        """While the canary is applied, one workspace gets what is declared, and another loses what it had."""
        fleet.boxes["ws001"].seed({"tags": ["trial"]})
        fleet.delete_tag("ws002", "vip")

    fleet.boxes["ws000"].faults.add("POST", "/tags", run=move)
    left = fleet.json("apply", run)
    assert {one["app_id"]: one["state"] for one in left["workspaces"]} == {"ws000": "done", "ws001": "done", "ws002": "stale"}
    assert (left["code"], fleet.written(), fleet.tags("ws002")) == (5, {"ws000"}, set())
    shape = left["workspaces"][2]["shape"]
    assert fleet("approve", run, "--shape", shape, "--up-to", "0:0") == 3
    assert fleet("approve", run, "--shape", shape, "--up-to", "1:0") == 0, fleet.err
    assert fleet.tags("ws002") == {"vip", "trial"}


def test_drift_is_seen_and_put_right(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.fleet()
    assert fleet("apply", "--auto-approve") == 0
    fleet.delete_tag("ws001", "vip")
    seen = fleet.json("drift")
    assert (seen["code"], [(one["state"], one["exit"]) for one in seen["workspaces"]]) == (2, [("done", 0), ("done", 2)])
    assert [one["app_id"] for one in fleet.json("status", "--drifted")["workspaces"]] == ["ws001"]
    assert fleet("drift", "--fix") == 64
    assert fleet("drift", "--fix", "--auto-approve") == 0, fleet.err
    assert fleet.tags("ws001") == {"vip"}
    assert fleet.json("status", "--drifted")["workspaces"] == []


def test_what_each_end_counts_as(fleet: FleetDesk) -> None:
    """1, 5 and 65 are failures, 3 is refused, 6 is tried later."""
    fleet.add(5)
    fleet.fleet(
        manifest='policy: {limits: {creates: 2}}\ntags: [vip, "${RECONCILER_VAR_MORE:-trial}"]\n',
        groups={"big": {"match": {"labels": {"size": "big"}}, "manifests": ["big.yaml"]}},
        rollout=[{"wave": "rest", "failures": "100%", "refused": 2}],
        more={"ws001": {"vars": {"MORE": "vip"}}, "ws002": {"labels": {"size": "big"}}},
    )
    fleet.write("big.yaml", "tags: [one-more]\n")
    fleet.boxes["ws003"].faults.add("POST", "/tags", status=422)
    # A token of another workspace than the one that is meant.
    fleet.boxes["ws000"].settings.change({"app_id": "elsewhere"})
    ledger = FileHome(fleet.folder / ".reconciler/fleet/ws004")
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
        for app_id in ("ws000", "ws001", "ws002", "ws003"):
            assert run_job(host, run, app_id, JobStop())
        lock = ledger.lock("sandbox1", "another run", Waiting(0, lambda seconds: None, lambda: 0, lambda: 0))
        assert run_job(replace(host, sleep=lambda seconds: None, lock_timeout=0), run, "ws004", JobStop())
        lock.release()
        ends = {one.app_id: (one.state, one.exit, one.reason[:20]) for one in view_rollout(host.store, host.fleet, run).workspaces}
    assert ends == {
        "ws000": ("refused", 3, "workspace: the token"),
        "ws001": ("failed", 65, ends["ws001"][2]),
        "ws002": ("refused", 3, "limits.creates: 3 cr"),
        "ws003": ("failed", 5, "applied in part, 1 l"),
        "ws004": ("queued", 6, "another run, since 1"),
    }


def test_one_workspace_is_run_by_one_rollout_at_a_time(fleet: FleetDesk) -> None:
    fleet.add(1)
    fleet.fleet()
    met: list[object] = []
    with fleet.host() as host:
        one, other = (begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me") for _ in range(2))

        def meet() -> None:
            met.extend((run_job(host, other, "ws000", JobStop()), len(fleet.boxes["ws000"].requests)))

        fleet.boxes["ws000"].faults.add("POST", "/tags", run=meet)
        assert run_job(host, one, "ws000", JobStop())
        before = len(fleet.boxes["ws000"].writes)
        assert run_job(host, other, "ws000", JobStop())
    assert (met[0], before, len(fleet.boxes["ws000"].writes)) == (None, 1, 1)


def test_a_stop_from_elsewhere_is_honoured_between_workspaces(fleet: FleetDesk) -> None:
    fleet.add(3)
    fleet.fleet()
    run = fleet.json("plan")["run"]

    def halt() -> None:
        with fleet.host() as host:
            rollout.halt(host.store, host.engine, host.fleet, run, "stopped by people")

    fleet.boxes["ws000"].faults.add("POST", "/tags", run=halt)
    stopped = fleet.json("apply", run, "--jobs", "1")
    assert ([one["state"] for one in stopped["workspaces"]], stopped["code"]) == (["done", "held", "held"], 5)
    assert fleet.written() == {"ws000"}
    assert fleet("apply", run) == 5
    assert fleet("resume", run) == 0
    assert fleet.written() == set(fleet.boxes)


def test_a_stop_ends_a_workspace_that_waits_and_it_has_not_failed(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.fleet()
    stop, now = threading.Event(), time.time()
    # The window of its limit opens in five minutes.
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(now) + 300), "Retry-After": "300"}
    fleet.boxes["ws000"].faults.add("POST", "/tags", status=429, headers=headers, times=None, run=stop.set)
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
        assert drive(host, run, stop, lambda claim: None, jobs=1) == "stopped"
        view = view_rollout(host.store, host.fleet, run)
    assert ([one.state for one in view.workspaces], view.reason) == (["held", "held"], "interrupted")
    assert time.time() - now < 30
    fleet.boxes["ws000"].faults.clear()
    assert fleet("resume", run) == 0


def test_a_wave_that_asks_waits_for_people(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.add(1, tags=["vip"])
    fleet.fleet(rollout=[{"wave": "rest", "approve": True}])
    waits = fleet.json("apply", "--auto-approve")
    assert (waits["code"], waits["state"], fleet.written()) == (5, "waiting", set())
    assert [one["state"] for one in waits["workspaces"]] == ["held", "held", "done"]
    assert f"next: reconciler fleet approve {waits['run']}" in fleet.err
    assert fleet("approve", waits["run"]) == 0, fleet.err
    assert fleet.written() == {"ws000", "ws001"}


def test_plans_are_approved_by_shape_and_one_that_moved_meanwhile_waits_again(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.add(1, tags=["VIP"], contacts=[{"external_id": "1", "tags": ["VIP"]}])
    fleet.fleet(rollout=[{"wave": "rest", "approve": True}])
    waits = fleet.json("apply", "--auto-approve")
    run, shapes = waits["run"], {one["app_id"]: one["shape"] for one in waits["workspaces"]}
    assert shapes["ws000"] == shapes["ws001"] != shapes["ws002"]
    # While the first is carried out, somebody makes that tag in the second, in another spelling.
    fleet.boxes["ws000"].faults.add("POST", "/tags", run=lambda: fleet.boxes["ws001"].seed({"tags": ["Vip"]}))
    reports = ("--report", "ndjson=left.ndjson", "--report", "markdown=left.md")
    left = fleet.json("approve", run, "--shape", shapes["ws000"], "--up-to", "2:0", "--jobs", "1", *reports)
    assert left["code"] == 5
    assert {one["app_id"]: one["state"] for one in left["workspaces"]} == {"ws000": "done", "ws001": "stale", "ws002": "held"}
    assert [json.loads(line) for line in (fleet.folder / "left.ndjson").read_text().splitlines()] == left["workspaces"]
    comment = (fleet.folder / "left.md").read_text()
    assert 0 < comment.index("Stale: 1 workspace") < comment.index("Held: 1 workspace") < comment.index("Done: 1 workspace")
    assert fleet.written() == {"ws000"}
    # What was approved is nobody's plan any more; what it became is approved anew.
    assert fleet("approve", run, "--shape", shapes["ws000"], "--up-to", "9:9") == 64
    assert f"no plan of {run} waits to be approved in the shape {shapes['ws000']}" in fleet.err
    moved = left["workspaces"][1]["shape"]
    assert moved == shapes["ws002"]
    assert fleet("approve", run, "--shape", moved, "--up-to", "1:0") == 3
    assert "refused: 2 workspaces wait so, where 0 people lose something; --up-to allows 1:0" in fleet.err
    assert fleet.written() == {"ws000"}
    assert fleet("approve", run, "--shape", moved, "--up-to", "2:0", "--report", "text=left.txt") == 0, fleet.err
    assert (fleet.folder / "left.txt").read_text() == fleet.out
    assert fleet.written() == {"ws000", "ws001", "ws002"}


def test_workspaces_that_a_command_lists_are_asked_for_and_never_by_validate(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.fleet()
    rows = "app_id,base_url\\n" + "".join(f"{app_id},{fleet.url}/{app_id}\\n" for app_id in fleet.boxes)
    text = (fleet.folder / "fleet.yaml").read_text().partition("workspaces:")[0]
    fleet.write("fleet.yaml", f"{text}workspaces: {{command: [sh, -c, \"touch was-run; printf '{rows}'\"]}}\n")
    assert fleet("validate") == 0
    assert fleet.err == "valid, but for the workspaces and their manifests: a command lists them, and it is not run here\n"
    assert not (fleet.folder / "was-run").exists()
    assert fleet("plan") == 0
    assert "2 workspaces: + create tag/vip" in fleet.out


def test_whoever_waits_for_the_time_of_a_wave_is_told_until_when(fleet: FleetDesk) -> None:
    fleet.add(2)
    fleet.fleet(rollout=[{"wave": "50%", "wait": "1s"}, {"wave": "rest"}])
    assert fleet("apply", "--auto-approve") == 0
    assert re.search(r"^waits until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", fleet.err, re.MULTILINE)
