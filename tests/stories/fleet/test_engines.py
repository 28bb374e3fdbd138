"""What a fleet is told whose engine cannot work here."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from reconciler.errors import Usage
from reconciler.fleet.engine.procrastinate import QueueEngine
from reconciler.fleet.opening import load_fleet
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
