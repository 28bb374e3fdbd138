"""What all tests share: a workspace, the route over it, and a guard that lets no socket leave the machine."""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.clock import Clock
from tests.desk.ledgers import a_new_ledger
from tests.desk.route import Route
from tests.desk.soak import SOAKS
from tests.referee.plugin import Referee

pytest_plugins = ["tests.desk.postgres", "tests.desk.ends", "tests.desk.desk", "tests.desk.fleet"]
MakeRoute = Callable[..., Route]


# How long an example takes says more of the machine than of the code.
settings.register_profile("the same in every run", derandomize=not SOAKS, deadline=None)
settings.load_profile("the same in every run")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts a job in the background with Ctrl-C ignored, and all that the job starts inherits this; some tests press it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(Referee(), "referee")


def pytest_collection_finish() -> None:
    # What is imported and collected stays until the end. To look through it for garbage, as often as Python does, takes a seventh of a run.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """A connection to anywhere but this machine fails the test that made it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and str(address[0]) not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address[0]}")
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _nobodys_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What whoever runs the tests has stored is neither read nor changed."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    # Nor does it matter whether this is a pipeline, or which ledger its own runs use.
    for name in ("CI", "GITHUB_ACTIONS", "RECONCILER_LEDGER", "RECONCILER_LEDGER_KEY"):
        patch.delenv(name, raising=False)
    yield
    patch.undo()


@pytest.fixture
def make_route(tmp_path: Path) -> Iterator[MakeRoute]:
    """Makes routes: `make_route(seed, ledger=True, search_delay=600)`."""
    with ExitStack() as stack:
        made: list[Path] = []

        def make(seed: dict[str, Any] | None = None, *, ledger: bool = False, version: str = "2.16", **how: Any) -> Route:
            clock = Clock()
            box = stack.enter_context(Sandbox(now=clock, **how))
            if seed:
                box.seed(seed)
            # Another workspace has other ids, so each has a ledger of its own.
            folder = tmp_path / (f".reconciler-{len(made)}" if made else ".reconciler")
            opened = Ledger.open(a_new_ledger(folder), create=True, now=clock) if ledger else None
            if opened:
                stack.enter_context(opened)
            made.append(folder)
            return Route(box, tmp_path, clock, opened, version=version)

        yield make
