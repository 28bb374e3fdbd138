"""Processes as they start, end, race and are killed: one works, the lock is given back, the ledger never lies."""

import pytest

pytest.register_assert_rewrite("tests.processes.oracle", "tests.processes.rounds")
