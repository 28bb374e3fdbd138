"""Progress of long work: a bar with rate and time left, on a terminal only, and only once the work has taken a while."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from reconciler.report.terminal import clean, encodable

if TYPE_CHECKING:
    import rich.progress

Clock = Callable[[], float]
PATIENCE = 1.0
EVERY = 0.1


class Progress:
    """Counts in silence. Usable as it is where nobody watches, from several threads."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def advance(self, n: int = 1, total: int | None = None, label: str | None = None) -> None:
        """Note that n more are done; `total` and `label` hold until they are given again."""

    def reading(self, name: str, n: int = 1, more: int = 0) -> None:
        """Note that `n` of the things called `name` were read, and that `more` of them are known to come."""

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Room for other output on the same terminal."""
        yield

    def close(self) -> None:
        """Leave nothing behind on the screen."""


def progress(stream: TextIO | None, *, label: str = "", clock: Clock = time.monotonic, environ: Mapping[str, str] = os.environ) -> Progress:
    """A bar if the stream is a terminal, else silence."""
    if stream is None or stream.closed or not stream.isatty() or environ.get("TERM") == "dumb":
        return Progress()
    return Bar(stream, label, clock)


class Bar(Progress):
    """A bar that appears after a second and is drawn when there is something new, at most ten times a second."""

    def __init__(self, stream: TextIO, label: str = "", clock: Clock = time.monotonic) -> None:
        self._stream, self._label, self._clock = stream, label, clock
        self._began = self._drawn = clock()
        self._done = 0
        self._total: int | None = None
        self._screen: rich.progress.Progress | None = None
        self._lock = threading.RLock()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self.close()
            # Whoever still counts, draws no more.
            self._began = float("inf")

    def advance(self, n: int = 1, total: int | None = None, label: str | None = None) -> None:
        with self._lock:
            self._done += n
            self._total = self._total if total is None else total
            self._label = self._label if label is None else label
            now = self._clock()
            if now - self._began >= PATIENCE and (self._screen is None or now - self._drawn >= EVERY):
                self._draw(now)

    def reading(self, name: str, n: int = 1, more: int = 0) -> None:
        with self._lock:
            self.advance(n, (self._total or 0) + more if more else None, f"reading {name}")

    @contextmanager
    def aside(self) -> Iterator[None]:
        with self._lock:
            is_open = self._screen is not None
            self.close()
            yield
            if is_open:
                self._draw(self._clock())

    def close(self) -> None:
        with self._lock:
            screen, self._screen = self._screen, None
            if screen is not None:
                self._harmlessly(screen.stop)

    def _draw(self, now: float) -> None:
        self._drawn = now
        first = self._screen is None
        screen = self._screen = self._screen or _screen(self._stream)
        label = encodable(clean(self._label), self._stream.encoding)
        screen.update(screen.task_ids[0], completed=self._done, total=self._total, label=label, pace=self._pace(now))
        self._harmlessly(screen.start if first else screen.refresh)

    def _pace(self, now: float) -> str:
        rate = self._done / max(now - self._began, 0.001)
        pace = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if self._total is None or not self._done:
            return f"{self._done:,} done, {pace}"
        return f"{self._done:,} of {max(self._done, self._total):,}, {pace}, {_time_left((self._total - self._done) / rate)} left"

    def _harmlessly(self, step: Callable[[], None]) -> None:
        """A terminal that has gone takes no more progress; the work goes on."""
        try:
            step()
        except (OSError, ValueError):
            self._screen = None
            self._began = float("inf")


def _screen(stream: TextIO) -> rich.progress.Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.fields[label]}", markup=False), BarColumn(), TextColumn("{task.fields[pace]}", markup=False))

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            # Rich would end the process here: a screen that has gone must not end an apply.
            self.quiet = True

    console = Patient(file=stream, highlight=False, force_terminal=True, force_interactive=True, force_jupyter=False)
    screen = Progress(*columns, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
    screen.add_task("", label="", pace="", total=None)
    return screen


def _time_left(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
