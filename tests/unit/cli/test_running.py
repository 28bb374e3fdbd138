"""How a verb ends when a signal comes, or a reader goes, at a bad moment."""

from __future__ import annotations

import errno
import signal
import sys
from enum import Enum

import click
import pytest
from pydantic_core import SchemaValidator, core_schema

from reconciler.cli.running import run
from reconciler.errors import Interrupted


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


@pytest.mark.parametrize(("signalled", "code"), [(KeyboardInterrupt(), 130), (Interrupted(15), 143)], ids=["ctrl-c", "terminate"])
def test_a_signal_while_a_class_is_made_is_no_bug(signalled: BaseException, code: int) -> None:
    """As in an import: Python 3.11 wraps what is raised there in a RuntimeError."""

    class Named:
        def __set_name__(self, owner: type, name: str) -> None:
            raise signalled

    @click.command()
    def verb() -> None:
        type("Whole", (), {"part": Named()})

    assert run(verb, []) == code


def test_a_reader_who_goes_in_the_middle_of_what_is_written_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """click makes 1 of it, and puts streams of its own in the place of ours."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))

    @click.command()
    def verb() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert run(verb, []) == 0
