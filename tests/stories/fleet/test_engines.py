"""What a fleet is told whose engine cannot work here."""

from __future__ import annotations

import sys

from reconciler.errors import Usage
from reconciler.ledger.key import make_spare_key
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
