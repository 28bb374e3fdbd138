"""Everything that can end a run, as one tree; each class owns its exit code.

ReconcilerError            1    network, API, token, our own bug
├── IntercomError          1    Intercom answered, or failed to, in a way that ends the run
├── Refused                3    a gate, or what only the live workspace shows; nothing written
├── Stale                  4    the saved plan no longer fits the workspace or the manifest; nothing written
├── Incomplete             5    applied in part; run again to finish
├── Locked                 6    another run holds the lock
├── Usage                 64    wrong usage of the command line
├── Invalid               65    the manifest or a plan file, whatever can be seen offline
└── Interrupted     130, 143    after a clean stop
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar


class ReconcilerError(Exception):
    """Base of all errors that people see as one sentence; `exit_code` is what the process ends with."""

    exit_code = 1


Told = TypeVar("Told")
# Of so many places of one mistake each is a line of its own; of more, the first three stand in one.
PLACES = 3
# Of so many mistakes that differ in nothing but names, numbers and places each is told; of more, one stands for all.
ALIKE = 10
# So many lines are read by nobody.
LINES = 100
# What is quoted, an address, whose key may have blanks, and what holds a number or is a place.
_OWN = re.compile(r"""'[^']*'|"[^"]*"|\w+/\S.*?(?= is )|\S*[\d/@*]\S*""")


def likeness(text: str) -> str:
    """What a message has in common with others of its kind: all but what is quoted, numbers, places and addresses."""
    return _OWN.sub("…", text)


def gather(pieces: Iterable[Told], text: Callable[[Told], str]) -> list[list[Told]]:
    """What is told, in groups of one cause: the same text if it is told of many, else many that are alike; all others alone."""
    same: dict[str, list[Told]] = {}
    for one in pieces:
        same.setdefault(text(one), []).append(one)
    alike: dict[tuple[str, int], list[Told]] = {}
    for words, group in same.items():
        alike.setdefault((words, PLACES) if len(group) > PLACES else (likeness(words), ALIKE), []).extend(group)
    return [part for (_, few), group in alike.items() for part in ([group] if len(group) > few else [[one] for one in group])]


class Mark(NamedTuple):
    """A place in a file that people wrote."""

    # The path as it was given.
    file: str
    # The line, from 1; 0 for the whole file.
    line: int = 0
    # The column, from 1; 0 for the whole line.
    column: int = 0

    def __str__(self) -> str:
        parts = [self.file] + [str(n) for n in (self.line, self.column) if n]
        return ":".join(parts)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what people wrote."""

    # Where.
    mark: Mark
    # What is wrong.
    what: str
    # What to do now; empty where that is plain.
    now: str = ""

    def __str__(self) -> str:
        text = f"{self.mark}: {self.what}"
        return f"{text}; {self.now}" if self.now else text


# What is wrong, and what to do now.
Cause = tuple[str, str]


class Invalid(ReconcilerError):
    """The manifest, or a plan file, cannot be used; holds every problem found, not just the first."""

    exit_code = 65

    def __init__(
        self, problems: Iterable[Problem], *, full: bool = False, each: str = "; `reconciler validate --full PATH` lists each"
    ) -> None:
        """`full`: every problem is told, else one for each cause, and `each` says what lists them."""
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.mark, p.what)))
        self.full, self.each = full, each
        super().__init__(self.problems)

    def __str__(self) -> str:
        lines = list(map(str, self.problems if self.full else self.causes()[:LINES]))
        if len(lines) < len(self.problems):
            lines.append(f"{len(self.problems):,} problems in all{self.each}")
        return "\n".join(lines)

    def causes(self) -> list[Problem]:
        """One problem for each cause: the same mistake in many places is told once, with how many and the first three; of many that are
        alike one is told, beside the three that each stand in the most places."""
        kinds: dict[str, dict[Cause, list[Mark]]] = {}
        for problem in self.problems:
            same_kind = kinds.setdefault(likeness(problem.what), {})
            same_kind.setdefault((problem.what, problem.now), []).append(problem.mark)
        problems = [problem for causes in kinds.values() for problem in _of_kind(causes)]
        return sorted(problems, key=lambda p: (p.mark, p.what))


def _of_kind(causes: Mapping[Cause, Sequence[Mark]]) -> Iterator[Problem]:
    """Each cause; where they are many, those of the first three that stand in many places, and one for the rest."""
    in_order = sorted(causes.items(), key=lambda item: -len(item[1]))
    alone = in_order if len(in_order) <= ALIKE else [one for one in in_order[:PLACES] if len(one[1]) > PLACES]
    yield from (problem for cause, marks in alone for problem in _at(cause, marks))
    if rest := in_order[len(alone) :]:
        (what, now), marks = rest[0]
        more = [str(places[0]) for _, places in rest[1:]]
        yield Problem(marks[0], f"{what} (and {len(more):,} more like it, also at {', '.join(more[: PLACES - 1])})", now)


def _at(cause: Cause, marks: Sequence[Mark]) -> Iterator[Problem]:
    """A cause at each of its places, or at the first of them if they are many."""
    what, now = cause
    if len(marks) <= PLACES:
        yield from (Problem(mark, what, now) for mark in marks)
        return
    others = ", ".join(str(mark) for mark in marks[1:PLACES])
    yield Problem(marks[0], f"{what} (in {len(marks):,} places, also at {others})", now)


class Usage(ReconcilerError):
    """The command line asks for something that cannot be."""

    exit_code = 64


class IntercomError(ReconcilerError):
    """A call to Intercom that ends the run. Never holds a token, a header or a response body."""


class Refused(ReconcilerError):
    """A gate, or the live workspace, says no; nothing was written."""

    exit_code = 3

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(self.reasons)

    def __str__(self) -> str:
        return "\n".join(f"refused: {reason}" for reason in self.reasons)


class Stale(ReconcilerError):
    """A saved plan that no longer fits; nothing was written."""

    exit_code = 4


class Incomplete(ReconcilerError):
    """Applied in part; what was done is recorded."""

    exit_code = 5


class Locked(ReconcilerError):
    """Another run holds the lock."""

    exit_code = 6


class Interrupted(ReconcilerError):
    """Stopped by a signal, after the calls in flight had ended. `exit_code` is 128 plus the signal's number."""

    def __init__(self, signum: int) -> None:
        self.exit_code = 128 + signum
        super().__init__("interrupted" if signum == 2 else "terminated")


def origin(error: BaseException) -> str:
    """Where an unexpected error came from: its type, module and line, none of its words: they could hold a token or a person."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f" in {trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{place}"


def unforeseen(error: BaseException) -> str:
    """An unexpected error as the reason why a change failed."""
    return f"something unforeseen ({origin(error)}); whether it was done is not known; plan again, and please report this"
