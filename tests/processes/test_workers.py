"""A fleet whose workers are processes of their own, which are killed, frozen and started again; the queue is in PostgreSQL."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reconciler.ledger.key import make_spare_key
from reconciler.sandbox.app import Sandbox
from tests.desk.fleet import TOKEN, FleetDesk
from tests.desk.postgres import Cluster
from tests.desk.soak import SOAKS, only_in_soak

# A worker that finds out fast that another is gone, and notes when it began and ended each workspace. It dies where it is told to:
# between the result of a workspace and what follows from it.
_WORKER = """
import os, sys, time
from reconciler.cli.running import Stop, stoppable
from reconciler.fleet import job
from reconciler.fleet.engine.worker import Pace, run_worker
from reconciler.fleet.opening import load_fleet, open_host

jobs, dies = int(sys.argv[1]), int(sys.argv[2])
log = os.open("intervals", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
run, move_on, settled = job._run, job.move_on, 0

def noted(host, claimed, *rest):
    os.write(log, f"{claimed.app_id} begins {time.monotonic()}\\n".encode())
    run(host, claimed, *rest)
    os.write(log, f"{claimed.app_id} ends {time.monotonic()}\\n".encode())

def go_on(store, engine, rollout):
    global settled
    settled += 1
    if settled == dies:
        os._exit(9)
    return move_on(store, engine, rollout)

job._run, job.move_on = noted, go_on
with open_host(load_fleet("fleet.yaml"), "worker") as host, stoppable(Stop()) as stop:
    run_worker(host, jobs, ["apply", "drift"], stop, lambda line: None, Pace(0.4, 1.5, "* * * * * *"))
"""
# How long anything may take, in seconds.
PATIENCE = 100.0
# How many workspaces a fleet has; the soak has as many as it was sized for.
SIZE = 300 if SOAKS else 15
MANIFEST = "name: fleet\ntags: [vip, churned, trial]\n"


class Workers:
    """The workers of a test."""

    def __init__(self, desk: FleetDesk, stack: ExitStack) -> None:
        self._desk, self._stack = desk, stack
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, jobs: int = 2, *, dies: int = 0) -> subprocess.Popen[str]:
        """Start one; `dies`: between the result of its so-manieth workspace and what follows from it."""
        command = [sys.executable, "-c", _WORKER, str(jobs), str(dies)]
        process = subprocess.Popen(command, cwd=self._desk.folder, stderr=subprocess.PIPE, text=True)
        self._stack.callback(_end, process)
        self.processes.append(process)
        return process

    def kill(self) -> None:
        """Kill all that live, as the machine would."""
        for process in self.processes:
            process.kill()

    def keep(self, number: int, jobs: int = 2) -> None:
        """See to it that so many live, whoever kills them, as a supervisor would."""
        ended = threading.Event()

        def supervise() -> None:
            while not ended.wait(0.05):
                living = sum(process.poll() is None for process in self.processes)
                for _ in range(number - living):
                    self.start(jobs)

        thread = threading.Thread(target=supervise)
        thread.start()
        self._stack.callback(thread.join, PATIENCE)
        self._stack.callback(ended.set)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=PATIENCE)


@pytest.fixture
def workers(fleet: FleetDesk, postgres: Cluster) -> Iterator[Workers]:
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    with ExitStack() as stack:
        yield Workers(fleet, stack)


def set_up(fleet: FleetDesk, number: int = SIZE, **keys: Any) -> None:
    fleet.add(number)
    fleet.fleet(engine="postgresql", manifest=MANIFEST, **keys)


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def wait_until(holds: Callable[[], object], what: str) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, f"waited too long until {what}"
        time.sleep(0.02)


def creates(fleet: FleetDesk) -> Counter[tuple[str, str]]:
    """How often each tag arrived at each workspace."""
    return Counter((app_id, str(request)) for app_id, box in fleet.boxes.items() for request in box.writes)


def overlaps(folder: Path) -> list[str]:
    """The workspaces that two had at the same time; one who was killed has noted no end."""
    spans: dict[str, list[list[float]]] = {}
    for line in (folder / "intervals").read_text().splitlines():
        app_id, what, at = line.split()
        if what == "begins":
            spans.setdefault(app_id, []).append([float(at)])
        else:
            # It ends the last of those that have begun before it.
            spans[app_id][-1].append(float(at))
    pairs = ((app_id, *pair) for app_id, one in spans.items() for pair in itertools.pairwise(sorted(one)))
    return [app_id for app_id, first, second in pairs if len(first) == 2 and first[1] > second[0]]


def explain(fleet: FleetDesk, run: str) -> str:
    fleet("status", run)
    return fleet.out


@only_in_soak
@pytest.mark.timeout(900)
def test_workers_that_are_killed_leave_nothing_undone(fleet: FleetDesk, workers: Workers) -> None:
    set_up(fleet)
    first = workers.start()
    workers.start()

    def kill() -> None:
        wait_until(lambda: len(fleet.written()) >= SIZE // 3, "a third is written")
        first.kill()

    thread = meanwhile(kill)
    done = fleet.json("apply", "--auto-approve")
    thread.join(PATIENCE)
    assert (done["code"], done["summary"]["done"]) == (0, SIZE), explain(fleet, done["run"])
    assert all(fleet.tags(app_id) == {"vip", "churned", "trial"} for app_id in fleet.boxes)
    assert overlaps(fleet.folder) == []


@pytest.mark.timeout(900)
def test_a_worker_that_was_frozen_in_the_middle_of_an_apply_writes_everything_once(fleet: FleetDesk, workers: Workers) -> None:
    set_up(fleet, 4)
    frozen = workers.start(jobs=4)

    def freeze() -> None:
        wait_until(lambda: any(box.writes for box in fleet.boxes.values()), "something is written")
        frozen.send_signal(signal.SIGSTOP)
        workers.start()
        # Longer than after which it counts as gone.
        time.sleep(4)
        frozen.send_signal(signal.SIGCONT)

    thread = meanwhile(freeze)
    done = fleet.json("apply", "--auto-approve")
    thread.join(PATIENCE)
    assert (done["code"], done["summary"]["done"]) == (0, 4), explain(fleet, done["run"])
    assert set(creates(fleet).values()) == {1}
    assert len(creates(fleet)) == 12
    assert overlaps(fleet.folder) == []


@only_in_soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("dies", range(1, 51) if SOAKS else [3])
def test_the_next_wave_begins_once_though_who_ended_the_last_one_died(fleet: FleetDesk, workers: Workers, dies: int) -> None:
    set_up(fleet, 6, rollout=[{"wave": "50%"}, {"wave": "rest"}])
    workers.start(jobs=1, dies=1 + dies % 6)

    def start_another() -> None:
        workers.processes[0].wait(PATIENCE)
        workers.start(jobs=1 + dies % 3)

    thread = meanwhile(start_another)
    done = fleet.json("apply", "--auto-approve")
    thread.join(PATIENCE)
    assert (done["code"], done["summary"]["done"]) == (0, 6), explain(fleet, done["run"])
    assert set(creates(fleet).values()) == {1}


@only_in_soak
@pytest.mark.timeout(900)
def test_a_workspace_that_kills_its_worker_fails_after_three_tries_and_the_others_go_on(fleet: FleetDesk, workers: Workers) -> None:
    set_up(fleet, 6, rollout=[{"wave": "rest", "failures": 1}])
    deaths = []

    def deadly(environ: Any, start: Any) -> Any:
        deaths.append(1)
        workers.kill()
        return [b""]

    fleet.boxes["ws002"] = deadly  # type: ignore[assignment]  # it answers as a workspace does
    workers.keep(1, jobs=2)
    fleet.json("plan")
    done = fleet.json("status")
    states = {one["app_id"]: one["state"] for one in done["workspaces"]}
    assert states.pop("ws002") == "failed", fleet.out
    assert set(states.values()) == {"done"}
    assert 3 <= len(deaths) <= 4


@only_in_soak
@pytest.mark.timeout(900)
def test_a_server_that_goes_away_in_the_middle_loses_nothing(fleet: FleetDesk, workers: Workers, postgres: Cluster) -> None:
    set_up(fleet)
    workers.start()

    def restart() -> None:
        wait_until(lambda: len(fleet.written()) >= SIZE // 3, "a third is written")
        postgres.turn_away(2.0)

    thread = meanwhile(restart)
    begun = fleet("apply", "--auto-approve", "--format", "json")
    thread.join(PATIENCE)
    run = fleet.err.split("rollout ")[1].split(":")[0]
    if begun == 1:
        # Who waited for it was told; the workers go on with it.
        assert "Traceback" not in fleet.err
    wait_until(lambda: fleet.json("status", run)["state"] in ("done", "stopped"), "the rollout has ended")
    done = fleet.json("status", run)
    assert done["summary"]["done"] == SIZE, explain(fleet, run)
    assert all(fleet.tags(app_id) == {"vip", "churned", "trial"} for app_id in fleet.boxes)
    assert overlaps(fleet.folder) == []


@pytest.mark.timeout(900)
def test_both_engines_give_the_same_json(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = fleet.add(5)
    fleet.patch.setenv("TOKEN_ws003", "tok-that-nobody-knows")
    how: dict[str, Any] = {
        "manifest": MANIFEST,
        "rollout": [{"wave": "canary"}, {"wave": "rest", "failures": 2}],
        "groups": {"canary": {"match": {"labels": {"ring": "canary"}}}},
        "more": {"ws001": {"labels": {"ring": "canary"}}},
    }
    fleet.fleet(engine="postgresql", **how)
    worker = workers.start()
    shared = look_and_apply(fleet)
    worker.kill()

    for app_id in app_ids:
        fleet.boxes[app_id] = Sandbox(token=TOKEN.format(app_id=app_id), app_id=app_id)
    fleet.patch.delenv("RECONCILER_FLEET")
    fleet.fleet(engine="local", **how)
    assert look_and_apply(fleet) == shared
    assert shared[1]["summary"] == {"done": 4, "failed": 1} | dict.fromkeys(("held", "queued", "running", "refused", "stale"), 0)


def look_and_apply(fleet: FleetDesk) -> list[dict[str, Any]]:
    """What verbs print, but for the id of the rollout."""
    plan = fleet.json("plan")
    documents = [plan, fleet.json("apply", plan["run"]), fleet.json("drift"), fleet.json("status", plan["run"]), fleet.json("status")]
    return [{**document, "run": ""} for document in documents]


@only_in_soak
@pytest.mark.timeout(900)
def test_a_worker_knows_who_joined_the_fleet_while_it_ran(fleet: FleetDesk, workers: Workers) -> None:
    (app_id,) = fleet.add(1)
    fleet.fleet(engine="postgresql", manifest=MANIFEST)
    lists = fleet.folder.parent / "lists.csv"
    text = (fleet.folder / "fleet.yaml").read_text().partition("workspaces:")[0]
    fleet.write("fleet.yaml", f"{text}workspaces: {{csv: {lists}}}\n")
    lists.write_text(f"app_id,base_url\n{app_id},{fleet.url}/{app_id}\n")
    workers.start()
    assert fleet("plan") == 0, fleet.err + fleet.out
    (joined,) = fleet.add(1)
    with lists.open("a") as file:
        file.write(f"{joined},{fleet.url}/{joined}\n")
    # Tokens come from the environment of the worker, which is older: it looks, and says what is missing.
    assert fleet("plan") == 1
    assert f"TOKEN_{joined}" in fleet.out, fleet.out
