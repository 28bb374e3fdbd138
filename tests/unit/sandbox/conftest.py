"""A sandbox whose clock stands still until a test moves it, and a caller of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from reconciler.sandbox.app import Sandbox
from tests.desk.calling import Caller


@dataclass
class Clock:
    at: float = 1_764_000_000.0

    def __call__(self) -> float:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


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
