"""Two applies at the same moment, and applies that end in every way: one works, the lock is given back, the ledger never lies."""

import pytest

pytest.register_assert_rewrite("tests.together.oracle", "tests.together.rounds")
