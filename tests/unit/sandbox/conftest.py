"""A sandbox whose clock stands still until a test moves it, and a caller of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller
from tests.desk.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock(1_764_000_000.0)


@pytest.fixture
def box(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(now=clock) as sandbox:
        yield sandbox


@pytest.fixture
def call(box: Sandbox) -> Caller:
    return Caller(box)


@pytest.fixture
def call_2_15(box: Sandbox) -> Caller:
    return Caller(box, version="2.15")
