"""Numbers and flags in the forms of YAML 1.2: every digit counts, or the value is refused with a sentence."""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import Any

from reconciler.core.model.written import Plain, describe, is_null, quote_visibly

# The forms of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/, section 10.3.2).
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_FLAGS = frozenset({"yes", "no", "on", "off", "y", "n"})
# More digits than any value has: a longer number takes its time and its memory.
_DIGITS = 300


def _refuse_long(digits: int) -> None:
    if digits > _DIGITS:
        raise ValueError(f"has more than {_DIGITS} digits; write a shorter number")


def _integer(text: str) -> int:
    _refuse_long(len(text))
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _fraction(text: str) -> Decimal:
    """The float form, exactly. The exponent is checked first: 1e999999999 would fill the memory as a whole number."""
    mantissa, _, exponent = text.lower().partition("e")
    _refuse_long(len(mantissa))
    _refuse_long(len(exponent))
    _refuse_long(abs(int(exponent or "0")))
    return Decimal(text)


def _number(value: Any, what: str) -> int | Decimal:
    """A number as written, exactly. Raises ValueError for what is none; `what` says what should stand there."""
    if isinstance(value, Plain):
        if _INTEGER.fullmatch(value):
            return _integer(value)
        if _FLOAT.fullmatch(value):
            return _fraction(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    elif isinstance(value, float) and isfinite(value):
        return Decimal(repr(value))
    elif isinstance(value, str) and _FLOAT.fullmatch(value):
        raise ValueError(f"{quote_visibly(value)} is a text; remove the quotes")
    if is_null(value):
        raise ValueError(f"is empty; write {what}")
    raise ValueError(f"{describe(value)} is not {what}; write {what} without quotes, like 85")


def parse_whole(value: Any) -> int:
    """A whole number of any size; 1.0 is 1. Raises ValueError for anything else."""
    number = _number(value, "a whole number")
    if number != int(number):
        raise ValueError(f"{describe(value)} is not a whole number; write it without a fraction")
    return int(number)


def parse_number(value: Any) -> int | float:
    """A number; a whole one keeps every digit. Raises ValueError for anything else."""
    number = _number(value, "a number")
    return int(number) if number == int(number) else float(number)


def parse_flag(value: Any) -> bool:
    """True or false, in YAML 1.2's words. Raises ValueError for anything else."""
    if isinstance(value, bool):
        return value
    if is_null(value):
        raise ValueError("is empty; write true or false")
    if isinstance(value, Plain) and value in _FLAGS:
        return _FLAGS[value]
    if isinstance(value, str) and value in _FLAGS:
        raise ValueError(f"{quote_visibly(value)} is a text; remove the quotes")
    if isinstance(value, Plain) and value.lower() in _OLD_FLAGS:
        raise ValueError(f"{describe(value)} is a word, not a flag; write true or false")
    raise ValueError(f"{describe(value)} is neither true nor false; write one of them")
