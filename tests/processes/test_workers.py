"""A fleet whose workers are processes of their own, which are killed, frozen and started again; the queue is in PostgreSQL."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Any

import pytest

from reconciler.fleet.engine.worker import BESIDE, PER_JOB
from reconciler.fleet.rollout import begin
from reconciler.fleet.states import Verb
from reconciler.ledger.key import make_spare_key
from reconciler.sandbox.app import Sandbox
from tests.desk.fleet import TOKEN, FleetDesk
from tests.desk.postgres import Cluster
from tests.desk.soak import SOAKS, only_in_soak, times
from tests.processes.workers import PATIENCE, Nest, Workers, orphans, overlaps, read_log, spans, wait_until

# How many workspaces a fleet has; the soak has as many as it was sized for.
SIZE = times(15)
MANIFEST = "name: fleet\ntags: [vip, churned, trial]\n"
CANARY: dict[str, Any] = {"groups": {"canary": {"match": {"labels": {"ring": "canary"}}}}}
RING: dict[str, Any] = {"labels": {"ring": "canary"}}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    made = Nest()
    yield made
    made.close()


@pytest.fixture
def workers(fleet: FleetDesk, postgres: Cluster, nest: Nest) -> Iterator[Workers]:
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    with ExitStack() as stack:
        yield Workers(fleet.folder, nest, stack)


def set_up(fleet: FleetDesk, number: int = SIZE, **keys: Any) -> list[str]:
    app_ids = fleet.add(number)
    fleet.fleet(engine="postgresql", manifest=MANIFEST, **keys)
    return app_ids


def meanwhile(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def creates(fleet: FleetDesk) -> Counter[tuple[str, str]]:
    """How often each tag arrived at each workspace."""
    return Counter((app_id, str(request)) for app_id, box in fleet.boxes.items() for request in box.writes)


def apply(fleet: FleetDesk) -> Any:
    """Begin an apply, and give what it has come to. No verb waits for it, which would go on with it too."""
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
    wait_until(lambda: has_ended(fleet, run), "it has ended")
    return fleet.json("status", run)


def assert_all_is_there_once(fleet: FleetDesk) -> None:
    assert set(creates(fleet).values()) == {1}
    assert all(fleet.tags(app_id) == {"vip", "churned", "trial"} for app_id in fleet.boxes)
    assert overlaps(fleet.folder) == []


def has_ended(fleet: FleetDesk, run: str) -> bool:
    """Whether a rollout has; a server that starts again cannot say so."""
    return fleet("status", run, "--format", "json") == 0 and json.loads(fleet.out)["state"] in ("done", "stopped")


def assert_done(fleet: FleetDesk, done: dict[str, Any], number: int) -> None:
    fleet("status", done["run"])
    assert (done["code"], done["summary"]["done"]) == (0, number), fleet.out


def test_a_worker_that_is_killed_leaves_nothing_undone_and_what_it_had_goes_first(
    fleet: FleetDesk, workers: Workers, postgres: Cluster
) -> None:
    app_ids = set_up(fleet)
    for _ in range(2):
        # What it had is free with its connection: nobody waits for a heartbeat.
        workers.start(stale=PATIENCE)
    died: list[tuple[int, float, int]] = []

    def kill() -> None:
        """While the one at a third is written to, whoever has it dies."""
        (connections,) = postgres.run("SELECT count(*) FROM pg_stat_activity WHERE datname = 'ledger'", "ledger")
        (pid,) = {begin.pid for begin, end in spans(fleet.folder)[app_ids[SIZE // 3]] if end is None}
        died.append((pid, time.monotonic(), connections[0]))
        next(one for one in workers.all if one.pid == pid).kill()

    fleet.boxes[app_ids[SIZE // 3]].faults.add("POST", "/tags", run=kill)
    assert_done(fleet, apply(fleet), SIZE)
    assert overlaps(fleet.folder) == []
    assert all(fleet.tags(app_id) == {"vip", "churned", "trial"} for app_id in fleet.boxes)
    ((pid, at, connections),) = died
    lines, left = read_log(fleet.folder), orphans(fleet.folder)
    assert app_ids[SIZE // 3] in {begin.app_id for begin, _ in left}
    assert {begin.pid for begin, _ in left} == {pid}
    for _, again in left:
        (taken,) = [line.at for line in lines if (line.what, line.app_id) == ("reclaims", again.app_id)]
        # A sweep may have been under way when it died, and the server may see it late.
        assert sum(line.what == "sweeps" and at < line.at < taken for line in lines) <= 3
        # What the other worker had taken before, and the other orphans.
        assert sum(line.what == "begins" and taken < line.at < again.at for line in lines) <= 2 + len(left)
    # Two workers that run two at a time, the verb that waits, and who counts.
    assert connections <= 2 * (2 * PER_JOB + BESIDE) + 5
    print(f"{len(left)} began again within {max(again.at - at for _, again in left):.1f} s; {connections} connections")


def test_a_worker_that_was_frozen_in_the_middle_of_an_apply_writes_everything_once(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = set_up(fleet, 4)
    frozen = workers.start(jobs=4)
    written: list[int] = []

    def freeze() -> None:
        wait_until(lambda: written, "something is written")
        other = workers.start()
        # After it counts as gone, the other looks after what it has.
        wait_until(lambda: sum((line.what, line.pid) == ("sweeps", other.pid) for line in read_log(fleet.folder)) > 2, "sweeps")
        written.append(len(creates(fleet)))
        frozen.signal(signal.SIGCONT)

    def stop() -> None:
        frozen.signal(signal.SIGSTOP)
        written.append(len(creates(fleet)))

    fleet.boxes[app_ids[0]].faults.add("POST", "/tags", run=stop)
    thread = meanwhile(freeze)
    done = apply(fleet)
    thread.join(PATIENCE)
    assert_done(fleet, done, 4)
    assert_all_is_there_once(fleet)
    assert written[0] < 12, "it was in the middle"
    # It held them all the while.
    assert {app_id: len(one) for app_id, one in spans(fleet.folder).items()} == dict.fromkeys(app_ids, 1)


@pytest.mark.parametrize("seed", range(50) if SOAKS else [7])
def test_the_next_wave_begins_once_though_who_ended_the_last_one_died(fleet: FleetDesk, workers: Workers, seed: int) -> None:
    rand = random.Random(seed)
    app_ids = set_up(fleet, 6, rollout=[{"wave": "50%"}, {"wave": "50%"}, {"wave": "rest"}])
    # No verb waits for it, which would go on with it too.
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
    first = workers.start(jobs=1, dies=rand.randint(1, 6))
    wait_until(lambda: not first.lives, "it has died")
    workers.start(jobs=rand.randint(1, 3))
    wait_until(lambda: has_ended(fleet, run), "it has ended")
    assert_done(fleet, fleet.json("status", run), 6)
    assert_all_is_there_once(fleet)
    assert {app_id: len(one) for app_id, one in spans(fleet.folder).items()} == dict.fromkeys(app_ids, 1)


def test_a_job_that_met_no_server_or_lost_its_worker_before_it_began_is_run_again(
    fleet: FleetDesk, workers: Workers, postgres: Cluster
) -> None:
    set_up(fleet, 2)
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
    # A worker took one of them and is gone; the other cannot be claimed for a while.
    path = "SET search_path TO reconciler;"
    postgres.run(f"{path} UPDATE procrastinate_jobs SET status = 'doing' WHERE args ->> 'app_id' = 'ws001'", "ledger")
    postgres.run("ALTER TABLE reconciler.fleet_run RENAME TO elsewhere", "ledger")
    workers.start()
    failed = "SELECT count(*) FROM reconciler.procrastinate_jobs WHERE args ->> 'app_id' = 'ws000' AND status = 'todo' AND attempts = 0"
    wait_until(lambda: postgres.run(failed, "ledger") == [(0,)], "it was tried")
    postgres.run("ALTER TABLE reconciler.elsewhere RENAME TO fleet_run", "ledger")
    wait_until(lambda: has_ended(fleet, run), "it has ended")
    assert_done(fleet, fleet.json("status", run), 2)
    assert_all_is_there_once(fleet)


@only_in_soak
def test_a_workspace_that_kills_its_worker_fails_after_three_tries_and_the_others_go_on(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = set_up(fleet, 20, rollout=[{"wave": "rest", "failures": 1}])
    deaths = []

    def deadly(environ: Any, start: Any) -> Any:
        deaths.append(1)
        workers.kill()
        return [b""]

    fleet.boxes[app_ids[2]] = deadly  # type: ignore[assignment]  # it answers as a workspace does
    workers.keep(1, jobs=4)
    fleet.json("plan")
    states = fleet.states("status")
    assert states.pop(app_ids[2]) == "failed", fleet.out
    assert set(states.values()) == {"done"}
    assert len(deaths) == 3


@only_in_soak
def test_a_server_that_starts_again_in_the_middle_loses_nothing(fleet: FleetDesk, workers: Workers, postgres: Cluster) -> None:
    app_ids = set_up(fleet)
    workers.start()
    fleet.boxes[app_ids[SIZE // 3]].faults.add("POST", "/tags", run=postgres.crash)
    begun = fleet("apply", "--auto-approve", "--format", "json")
    run = fleet.err.split("rollout ")[1].split(":")[0]
    if begun == 1:
        # Who waited for it was told; the workers go on with it.
        assert "Traceback" not in fleet.err
    wait_until(lambda: has_ended(fleet, run), "the rollout has ended")
    done = fleet.json("status", run)
    assert_done(fleet, done, SIZE)
    assert_all_is_there_once(fleet)


@only_in_soak
def test_a_canary_whose_token_is_wrong_stops_it_and_once_mended_what_is_left_is_run(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = fleet.add(SIZE)
    canaries, bad = app_ids[: SIZE // 5], app_ids[1]
    for app_id in app_ids:
        fleet.write(f"{app_id}.token", TOKEN.format(app_id=app_id))
    fleet.write(f"{bad}.token", "tok-that-nobody-knows")
    waves = [{"wave": "canary", "failures": 0}, {"wave": "rest"}]
    keys: dict[str, Any] = {**CANARY, "token": {"command": ["cat", "{app_id}.token"]}, "rollout": waves}
    fleet.fleet(engine="postgresql", manifest=MANIFEST, more=dict.fromkeys(canaries, RING), **keys)
    workers.start()
    stopped = fleet.json("apply", "--auto-approve")
    assert (stopped["code"], stopped["state"], stopped["summary"]["failed"]) == (5, "stopped", 1)
    assert fleet.written() <= set(canaries) - {bad}
    ended = {one["app_id"] for one in stopped["workspaces"] if one["state"] == "done"}
    seen = {app_id: len(fleet.boxes[app_id].requests) for app_id in ended}

    fleet.write(f"{bad}.token", TOKEN.format(app_id=bad))
    assert_done(fleet, fleet.json("resume", stopped["run"]), SIZE)
    assert {app_id: len(fleet.boxes[app_id].requests) for app_id in ended} == seen
    assert_all_is_there_once(fleet)


@only_in_soak
def test_what_writes_goes_first_and_groups_take_turns(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = fleet.add(8)
    groups = {name: {"match": {"labels": {"of": name}}} for name in "ab"}
    of = {app_id: {"labels": {"of": "a" if at < 6 else "b"}} for at, app_id in enumerate(app_ids)}
    fleet.fleet(engine="postgresql", manifest=MANIFEST, groups=groups, more=of)
    with fleet.host() as host:
        drift, apply = (begin(host.store, host.engine, host.fleet, verb, None, "me") for verb in (Verb.DRIFT, Verb.APPLY))
    workers.start(jobs=1)
    wait_until(lambda: has_ended(fleet, drift), "both have ended")
    begins = [line.app_id for line in read_log(fleet.folder) if line.what == "begins"]
    turns = [app_ids[at] for at in (0, 6, 1, 7, 2, 3, 4, 5)]
    assert begins == [*turns, *turns]
    assert fleet.json("status", apply)["summary"]["done"] == 8


@only_in_soak
def test_no_more_are_under_way_than_a_wave_says_whoever_runs_them(fleet: FleetDesk, workers: Workers) -> None:
    set_up(fleet, 8, rollout=[{"wave": "rest", "in_flight": 2}])
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
    for _ in range(2):
        workers.start(jobs=3)
    wait_until(lambda: has_ended(fleet, run), "it has ended")
    turns = [line.what for line in read_log(fleet.folder) if line.what != "sweeps"]
    under_way = [turns[: at + 1].count("begins") - turns[: at + 1].count("ends") for at in range(len(turns))]
    assert max(under_way) == 2
    assert_all_is_there_once(fleet)


def test_workers_look_for_drift_every_night(fleet: FleetDesk, workers: Workers) -> None:
    set_up(fleet, 2, nightly=time.strftime("%H:%M", time.gmtime(time.time() - 60)))
    for _ in range(2):
        workers.start()
    wait_until(lambda: fleet("status") == 0 and fleet.out.count(" drift  done") == 1, "the night has ended")
    assert {app_id: len(one) for app_id, one in spans(fleet.folder).items()} == dict.fromkeys(fleet.boxes, 1)
    assert fleet.written() == set()


def test_both_engines_give_the_same_json(fleet: FleetDesk, workers: Workers) -> None:
    app_ids = fleet.add(5)
    fleet.patch.setenv("TOKEN_ws003", "tok-that-nobody-knows")
    how: dict[str, Any] = {
        "manifest": MANIFEST,
        "rollout": [{"wave": "canary"}, {"wave": "rest", "failures": 2}],
        "more": {"ws001": RING},
        **CANARY,
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
    assert [json.loads(line)["state"] for line in shared if '"exit"' in line][5:10] == ["done"] * 3 + ["failed", "done"]


def look_and_apply(fleet: FleetDesk) -> list[str]:
    """What verbs print, a line for each workspace, but for the id of the rollout."""
    plan = fleet.json("plan")
    documents = [plan, fleet.json("apply", plan["run"]), fleet.json("drift"), fleet.json("status", plan["run"]), fleet.json("status")]
    rows = ([*one.pop("workspaces"), {**one, "run": ""}] for one in documents)
    return [json.dumps(row) for row in chain.from_iterable(rows)]


@only_in_soak
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
