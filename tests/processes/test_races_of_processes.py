"""Five rounds of two real processes on PostgreSQL, and five on a bare git remote; `make soak` does a hundred of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk.postgres import Cluster
from tests.desk.soak import times
from tests.processes.rounds import arena

ROUNDS = times(5)


@pytest.mark.parametrize("home", ["postgresql", "git"])
def test_of_two_processes_one_works_and_one_waits_or_ends_with_6(home: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    database = ""
    if home == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")
        database = postgres.database()
    with arena(tmp_path, database) as here:
        for _ in range(ROUNDS):
            here.round()
        here.check_ledger()
        assert here.tally.locked, "they never met"
