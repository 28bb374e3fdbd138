"""One served sandbox for all tests of a worker; each begins with a workspace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.driving import Box, Shell, served


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with served(tmp_path_factory.mktemp("served") / "sandbox.db") as found:
        yield found


@pytest.fixture
def shell(box: Box, tmp_path: Path) -> Shell:
    box.start({})
    return Shell(tmp_path, box)
