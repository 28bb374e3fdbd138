"""How a verb ends when a signal comes, or a reader goes, at a bad moment."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

import click
import pytest
from pydantic_core import SchemaValidator, core_schema

from reconciler.cli.asking import confirm
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


def lose(signum: int) -> None:
    """A signal comes where code passes over errors."""
    with suppress(Interrupted):
        signal.raise_signal(signum)


class Struck(io.StringIO):
    """Standard error of somebody who sees the question and strikes while it is being shown."""

    def __init__(self, strike: Callable[[], object]) -> None:
        super().__init__()
        self.strike = strike

    def flush(self) -> None:
        if self.getvalue().endswith("[y/N]: "):
            self.strike()


def nothing(_: int) -> None:
    """No signal comes."""


@pytest.mark.parametrize(
    ("signum", "before", "meanwhile"),
    [
        (signal.SIGINT, nothing, signal.raise_signal),
        (signal.SIGTERM, nothing, signal.raise_signal),
        (signal.SIGTERM, nothing, lose),
        (signal.SIGTERM, lose, nothing),
    ],
    ids=["ctrl-c", "terminate", "lost while it is shown", "lost before it is shown"],
)
def test_a_signal_at_a_question_waits_for_no_key(
    monkeypatch: pytest.MonkeyPatch, signum: int, before: Callable[[int], None], meanwhile: Callable[[int], None]
) -> None:
    """`input` clears whatever is raised while it flushes, and reads on: bltinmodule.c, builtin_input."""

    @click.command()
    def verb() -> int:
        before(signum)
        return 0 if confirm("Apply this plan?") else 1

    outer, inner = os.openpty()
    with open(inner, encoding="utf-8") as keyboard, open(outer, "wb", buffering=0) as fingers:
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys, "stderr", Struck(lambda: meanwhile(signum)))
        fingers.write(b"y\n")
        assert run(verb, []) == 128 + signum
        # It was not taken for an answer to what was not asked any more.
        assert keyboard.readline() == "y\n"


@pytest.mark.parametrize(("typed", "is_meant"), [(b"Yes\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False), (b"what\ny\n", True)])
def test_a_question_at_a_terminal_takes_one_line_at_a_time(monkeypatch: pytest.MonkeyPatch, typed: bytes, is_meant: bool) -> None:
    outer, inner = os.openpty()
    with open(inner, encoding="utf-8") as keyboard, open(outer, "wb", buffering=0) as fingers:
        monkeypatch.setattr(sys, "stdin", keyboard)
        fingers.write(typed + b"rest\n")
        assert confirm("Apply this plan?") is is_meant
        assert keyboard.readline() == "rest\n"


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
