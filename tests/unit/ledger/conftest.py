"""A clock that tests turn by hand, and a ledger in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.ledger import Ledger
from tests.desk.repositories import a_copy, a_home, a_ledger


class Clock:
    """Unix seconds that move only when told to."""

    def __init__(self, at: float = 1_767_225_600.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds

    def waits(self, timeout: float = 0.0) -> Waiting:
        """To wait for a lock by this clock."""
        return Waiting(timeout, self.sleep, self, self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".reconciler"


@pytest.fixture
def ledger(folder: Path, clock: Clock) -> Iterator[Ledger]:
    opened = Ledger.open(folder, create=True, now=clock, environ={})
    assert opened
    with opened:
        yield opened


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a repository whose remote lies beside it."""
    return a_copy(tmp_path)


@pytest.fixture
def remote(clone: Path) -> Path:
    return clone.with_name("remote.git")


@pytest.fixture
def opened(clone: Path, clock: Clock) -> Iterator[Callable[..., Ledger]]:
    """Opens ledgers in its remote, each as a process of its own would: `opened(another_clone)`."""
    with ExitStack() as stack:
        yield lambda where=clone, **more: stack.enter_context(a_ledger(a_home(where, **more), clock))
