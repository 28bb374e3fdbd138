"""One sandbox on a real port in a process of its own for all tests here, and a desk in front of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.sandbox import Sandbox, serve
from tests.over_http.driving import PATIENCE, RECONCILER, Desk, Workspace


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `reconciler sandbox serve`."""
    folder = tmp_path_factory.mktemp("served")
    command = [*RECONCILER, "sandbox", "serve", "--port", "0", "--data", "workspace.db"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
        assert process.wait(PATIENCE) == 143


@pytest.fixture
def desk(server: str, tmp_path: Path) -> Iterator[Desk]:
    """In front of the served sandbox, which is empty."""
    workspace = Workspace(server)
    workspace.start_anew({})
    yield Desk(tmp_path, workspace)
    workspace.mend()


@pytest.fixture
def box() -> Iterator[Sandbox]:
    with Sandbox(token="dG9rOmEtdG9rZW4tb2YtYS10ZXN0") as box:
        yield box


@pytest.fixture
def own_desk(box: Sandbox, tmp_path: Path) -> Iterator[Desk]:
    """In front of a sandbox of its own, on a port of this process, with a token that looks like one."""
    with serve(box) as serving:
        yield Desk(tmp_path, Workspace(serving.url, box.token))
