"""What a fleet is told whose engine cannot work here."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from reconciler.errors import Usage
from reconciler.fleet.engine.procrastinate import QueueEngine
from reconciler.fleet.opening import load_fleet
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
    assert "--jobs 64 may want 202 connections, and the server of the store allows 37" in fleet.err
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
