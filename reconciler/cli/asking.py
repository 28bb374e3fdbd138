"""Asking at a terminal, in such a way that a signal ends the question, and waits for no key."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from reconciler.cli.running import CAME
from reconciler.errors import Interrupted

_ENDS = (signal.SIGINT, signal.SIGTERM)


def confirm(question: str) -> bool:
    """Whether a person says yes; an input that ends is a no. Raises click.Abort at an interrupt."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as abort:
        # click makes one of both.
        if not isinstance(abort.__context__, EOFError):
            raise
        click.echo(err=True)
        return False


def read_answer(question: str) -> str:
    """A line that is typed after a question, as `input`, which loses a signal that comes while it shows that or begins to read, and
    reads on: bltinmodule.c, builtin_input. Raises EOFError."""
    with _woken() as bell:
        print(question, end="", flush=True)
        try:
            keyboard = sys.stdin.fileno()
        except (AttributeError, OSError):
            # No terminal of the system's.
            line = sys.stdin.readline()
        else:
            line = _read_line(keyboard, bell).decode(sys.stdin.encoding, "replace")
    if not line:
        raise EOFError
    # What is piped in may be more than a line.
    return line.partition("\n")[0]


def _read_line(keyboard: int, bell: int) -> bytes:
    """A line of a terminal, which shows no more than one at a time; less where the input ends. Nothing is read once a signal came."""
    line = b""
    while not line.endswith(b"\n"):
        for signum in CAME.get():
            _end(signum)
        ready, _, _ = select.select([keyboard, bell], (), ())
        if bell in ready:
            for signum in os.read(bell, 64):
                _end(signum)
        elif part := os.read(keyboard, 4096):
            line += part
        else:
            break
    return line


def _end(signum: int) -> None:
    """Raise what ends a verb to which such a signal came."""
    if signum in _ENDS:
        raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted(signum)


@contextmanager
def _woken() -> Iterator[int]:
    """What can be read once a signal came: one that comes just before a wait begins ends it too."""
    bell, rope = os.pipe()
    try:
        os.set_blocking(rope, False)
        if threading.current_thread() is not threading.main_thread():
            yield bell
            return
        before = signal.set_wakeup_fd(rope, warn_on_full_buffer=False)
        try:
            yield bell
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(bell)
        os.close(rope)


# What is asked for a word, by click, which reads the answers here from now on.
prompt = click.prompt
click.termui.visible_prompt_func = read_answer
