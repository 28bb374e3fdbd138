"""One served sandbox for all tests of a worker; each begins with a workspace of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.desk.driving import TOKEN, Box, Shell, served
from tests.processes.story import ids, manifest, seed, told


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with served(tmp_path_factory.mktemp("served") / "sandbox.db") as server:
        yield server


@pytest.fixture
def shell(box: Box, tmp_path: Path) -> Shell:
    box.start({})
    return Shell(tmp_path, box)


@pytest.fixture
def story(shell: Shell) -> Shell:
    # Search is blind for what an apply creates, as it is in Intercom.
    shell.box.start(seed(), search_delay=600)
    shell.write("intercom.yaml", manifest())
    return shell


@pytest.fixture(scope="session")
def undisturbed(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """The writes of one apply that nothing disturbs."""
    shell = Shell(tmp_path_factory.mktemp("undisturbed"), box)
    box.start(seed(), search_delay=600)
    before = ids(box)
    shell.write("intercom.yaml", manifest())
    assert shell.run("apply", "intercom.yaml", "--auto-approve").code == 0
    return told(box, box.writes(), before)


@pytest.fixture
def home() -> str:
    """Which ledger a desk has; tests name several."""
    return "file"


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    return {"token": TOKEN}
