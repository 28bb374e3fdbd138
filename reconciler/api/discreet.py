"""Errors that leave the Python API show no personal value: hosts write them to logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler import errors
from reconciler.core.model.privacy import hide
from reconciler.errors import Invalid, Problem, ReconcilerError, Refused


@contextmanager
def discreet_errors() -> Iterator[None]:
    """No error shows a personal value: hosts write errors to logs."""
    try:
        yield
    except ReconcilerError as error:
        if (discreet := _mask(error)) is error:
            raise
        raise discreet from None


def _mask(error: ReconcilerError) -> ReconcilerError:
    """The same error without personal values; one of our own classes where its words have to change."""
    text = str(hide(str(error), False))
    if text == str(error):
        return error
    if isinstance(error, Refused):
        return Refused(str(hide(reason, False)) for reason in error.reasons)
    if isinstance(error, Invalid):
        return Invalid(map(_mask_problem, error.problems), full=error.full)
    same: type[ReconcilerError] = next(c for c in type(error).__mro__ if c.__module__ == errors.__name__)
    return same(text)


def _mask_problem(problem: Problem) -> Problem:
    what, now, file = (str(hide(text, False)) for text in (problem.what, problem.now, problem.mark.file))
    return Problem(problem.mark._replace(file=file), what, now)
