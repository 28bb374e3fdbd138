"""What a fleet is told whose engine cannot work here."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from reconciler.errors import Usage
from reconciler.fleet.engine.procrastinate import NIGHTLY, SWEEP, QueueEngine
from reconciler.fleet.engine.worker import Pace, _Worker
from reconciler.fleet.job import Host
from reconciler.fleet.opening import load_fleet
from reconciler.fleet.rollout import begin, claim, reclaim
from reconciler.fleet.states import Verb
from reconciler.fleet.tables import RUNS
from reconciler.ledger.key import make_spare_key
from reconciler.ledger.tables import alone
from tests.desk.fleet import FleetDesk
from tests.desk.postgres import Cluster


def test_workers_that_may_want_more_connections_than_the_server_has_do_not_begin(fleet: FleetDesk, postgres: Cluster) -> None:
    fleet.add(1)
    fleet.fleet(engine="postgresql", manifest="name: fleet\ntags: [vip]\n")
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    assert fleet("worker", "--jobs", "64") == Usage.exit_code
    assert "--jobs 64 may want 138 connections, and the server of the store allows 37" in fleet.err
    assert "give fewer --jobs, or raise its max_connections" in fleet.err


def test_workers_that_start_at_the_same_time_make_the_tables_of_the_queue_once(fleet: FleetDesk, postgres: Cluster) -> None:
    fleet.add(1)
    fleet.fleet()
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    engine = QueueEngine(load_fleet("fleet.yaml"))

    def prepare() -> None:
        with host.store.writing() as connection:
            engine.prepare(connection)

    with fleet.host() as host, ThreadPoolExecutor(2) as pool:
        with host.store.writing() as connection:
            alone(connection)
            ends = [pool.submit(prepare) for _ in range(2)]
            while postgres.run("SELECT count(*) FROM pg_locks WHERE NOT granted") != [(2,)]:
                assert not any(end.done() for end in ends)
        for end in ends:
            end.result()


def test_the_engine_of_many_machines_needs_a_server_and_its_library(fleet: FleetDesk, postgres: Cluster) -> None:
    fleet.add(1)
    fleet.fleet(engine="postgresql")
    assert fleet("plan") == Usage.exit_code
    assert "engine: postgresql needs a server" in fleet.err

    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    fleet.patch.delitem(sys.modules, "reconciler.fleet.engine.procrastinate", raising=False)
    fleet.patch.setitem(sys.modules, "procrastinate", None)
    assert fleet("plan") == Usage.exit_code
    assert "pip install 'intercom-reconciler[fleet]'; or write engine: local" in fleet.err


def test_without_that_library_one_process_does_it(fleet: FleetDesk) -> None:
    fleet.patch.setitem(sys.modules, "procrastinate", None)
    fleet.add(2)
    fleet.fleet()
    assert fleet("apply", "--auto-approve") == 0, fleet.err
    assert fleet("drift") == 0, fleet.err
    assert fleet("worker") == Usage.exit_code
    assert "engine: local has no workers" in fleet.err


HOLDERS = "SELECT count(*), count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
LOSE = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' GROUP BY pid HAVING count(*) = 2"


def test_a_workspace_and_its_ledger_are_held_by_one_connection_and_lost_with_it(fleet: FleetDesk, postgres: Cluster) -> None:
    """Whoever lost them writes no more, and has nothing to say about the workspace: it is run again."""
    fleet.add(1)
    fleet.fleet(manifest="name: fleet\ntags: [vip, trial, churned]\n")
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    seen: list[object] = []

    def lose() -> None:
        # One of three is the rollout's, which this process drives.
        seen.extend(postgres.run(HOLDERS, "ledger"))
        postgres.run(LOSE, "ledger")

    fleet.boxes["ws000"].faults.add("POST", "/tags", run=lose)
    done = fleet.json("apply", "--auto-approve")
    assert (seen, done["code"]) == ([(3, 2)], 0)
    assert fleet.tags("ws000") == {"vip", "trial", "churned"}
    assert len(fleet.boxes["ws000"].writes) == 3
    with fleet.host() as host, host.store.reading() as connection:
        # Planned once, and applied twice.
        assert connection.scalar(select(RUNS.c.begun)) == 3


JOBS = "SELECT args ->> 'app_id', queue_name, lock FROM reconciler.procrastinate_jobs WHERE status = 'todo' ORDER BY priority DESC, id"


def test_the_queue_has_what_writes_first_and_groups_in_turn_and_what_a_worker_left_before_the_rest(
    fleet: FleetDesk, postgres: Cluster
) -> None:
    fleet.add(4)
    groups = {"b": {"match": {"labels": {"of": "b"}}}}
    fleet.fleet(engine="postgresql", manifest="name: fleet\ntags: [vip]\n", groups=groups, more={"ws003": {"labels": {"of": "b"}}})
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    turns = ["ws000", "ws003", "ws001", "ws002"]

    def jobs() -> list[tuple[str, str, str]]:
        """The jobs in the order in which workers take them: each its workspace, its queue and its lock."""
        return [(app_id, queue.removeprefix("acme/"), lock) for app_id, queue, lock in postgres.run(JOBS, "ledger")]

    with fleet.host() as host:
        for verb in (Verb.DRIFT, Verb.APPLY):
            run = begin(host.store, host.engine, host.fleet, verb, None, "me")
        assert [job[:2] for job in jobs()] == [(app_id, queue) for queue in ("apply", "drift") for app_id in turns]
        for app_id in ("ws001", "ws002"):
            assert claim(host.store, run, app_id, "a worker that dies")
            reclaim(host.store, host.engine, run, [app_id])
        # At once, and each for itself: they are in the queue twice, once as before.
        assert [(job[0], job[2]) for job in jobs()[:3]] == [("ws001", "acme/ws001"), ("ws002", "acme/ws002"), ("ws000", "acme/ws000")]
        for app_id in ("ws001", "ws002"):
            assert claim(host.store, run, app_id, "another that dies")
            reclaim(host.store, host.engine, run, [app_id])
        # Before the last try one after the other: only one of them kills.
        assert [job[2] for job in jobs() if job[0] in ("ws001", "ws002")][2:4] == ["acme/suspect", "acme/suspect"]


def test_two_workers_that_start_at_once_see_each_other(fleet: FleetDesk, postgres: Cluster) -> None:
    fleet.add(1)
    fleet.fleet(engine="postgresql", manifest="name: fleet\ntags: [vip]\n")
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    begun = threading.Barrier(2)

    def start(host: Host) -> str:
        worker = _Worker(host, 8, ["apply"], threading.Event(), print, Pace())
        begun.wait(timeout=60)
        try:
            worker.check_connections()
        except Usage as refused:
            return str(refused)
        return ""

    with fleet.host() as one, fleet.host() as other, ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(start, (one, other)))
    assert said[0] == ""
    assert "may want 26 connections, and the server of the store allows 37, of which other workers may want 26" in said[1]


def test_a_workspace_that_another_run_has_is_looked_at_again(fleet: FleetDesk, postgres: Cluster) -> None:
    fleet.add(1)
    fleet.fleet(engine="postgresql", manifest="name: fleet\ntags: [vip]\n")
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    with fleet.host() as host:
        run = begin(host.store, host.engine, host.fleet, Verb.APPLY, None, "me")
        with host.store.hold("workspace", "ws000", "another run"):
            _Worker(host, 1, ["apply"], threading.Event(), print, Pace())._run(run, "ws000")
    later = "SELECT scheduled_at > now() FROM reconciler.procrastinate_jobs ORDER BY id"
    assert (postgres.run(later, "ledger"), fleet.written()) == ([(None,), (True,)], set())


@pytest.mark.parametrize(("keys", "cron"), [({}, {}), ({"nightly": "03:05"}, {NIGHTLY: "5 3 * * *"})])
def test_a_worker_looks_for_drift_when_the_fleet_says_so(
    fleet: FleetDesk, postgres: Cluster, keys: Mapping[str, Any], cron: Mapping[str, str]
) -> None:
    fleet.add(1)
    fleet.fleet(engine="postgresql", manifest="name: fleet\ntags: [vip]\n", **keys)
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    with fleet.host() as host:
        app = _Worker(host, 1, ["apply"], threading.Event(), print, Pace())._app()
    crons = {task.task.name: task.cron for task in app.periodic_registry.periodic_tasks.values()}
    assert crons == {SWEEP: Pace().sweep, **cron}
