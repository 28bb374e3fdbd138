"""A clock that tests turn by hand, and a ledger in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reconciler.ledger.ledger import Ledger
from tests.desk.clock import Clock
from tests.desk.repositories import a_copy, a_home, a_ledger


@pytest.fixture
def clock() -> Clock:
    return Clock(1_767_225_600.0)


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
