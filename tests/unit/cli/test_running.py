"""How a verb ends when a signal comes at a bad moment."""

from __future__ import annotations

import signal
from enum import Enum

import click
import pytest
from pydantic_core import SchemaValidator, core_schema

from reconciler.cli.running import run


class Slow:
    """A member of an enum whose value takes its time, during which a signal comes."""

    def __init__(self, signum: int) -> None:
        self.signum = signum

    @property
    def value(self) -> str:
        signal.raise_signal(self.signum)
        return ""


@pytest.mark.parametrize(("signum", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_while_models_are_built_is_no_bug(capsys: pytest.CaptureFixture[str], signum: int, code: int, said: str) -> None:
    """There whatever is raised becomes a SchemaError of pydantic, and nothing but its words says what it was."""

    @click.command()
    def build() -> None:
        SchemaValidator(core_schema.enum_schema(Enum, [Slow(signum)]))

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert run(build, []) == code
    assert capsys.readouterr().err.strip() == f"error: {said}"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
