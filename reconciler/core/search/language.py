"""The language of `--where`: text becomes conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from reconciler.core.model.written import quote_visibly
from reconciler.errors import Usage

Joint = Literal["AND", "OR"]

# Filters in a group, levels of groups (API 2.16, POST /contacts/search).
WIDTH, DEPTH = 15, 2
MOST_PARENTHESES = 50

# Types by the operators that they have (API 2.7 to 2.16, POST /contacts/search, as corrected on 2026-08-19); fractions are
# not mentioned there and are taken as numbers.
_TEXT = ("=", "!=", "in", "not-in", "~", "!~", "^", "$")
_COUNT = ("=", "!=", "in", "not-in", "<", ">", "<=", ">=")
KNOWN = tuple(dict.fromkeys((*_TEXT, *_COUNT)))
LISTS = {"in": "IN", "not-in": "NIN"}
SIGNS = "=!<>~^$"
# What stands before `ago`; ten thousand days are 27 years.
_DAYS = re.compile("([0-9]{1,4})d", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Word:
    """A value as written, and where."""

    # What it says.
    text: str
    # Whether it stands in quotes.
    quoted: bool
    # Where it begins, from 1.
    column: int
    # So many days before today, as in `90d ago`; None for any other value.
    days_ago: int | None = None

    @property
    def is_null(self) -> bool:
        """Whether it stands for no value."""
        return not self.quoted and self.text.lower() == "null"


@dataclass(frozen=True, slots=True)
class Condition:
    """One field held against one value, or several."""

    # The field as written.
    field: str
    # One of KNOWN.
    operator: str
    # One, unless the operator takes a list.
    values: tuple[Word, ...]
    # Where it begins, from 1.
    column: int
    # Where its operator stands, from 1.
    operator_column: int


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups of the other joint, all of which (AND) or one of which (OR) must hold."""

    # What joins the parts: AND or OR.
    joint: Joint
    # Two or more.
    parts: tuple[Expression, ...]
    # Where it begins, from 1.
    column: int


Expression = Condition | Group


class Wrong(Usage):
    """A condition that cannot be read, or that nothing can answer. The message says at which column the text is wrong, and how."""

    def __init__(self, column: int, what: str) -> None:
        super().__init__(f"--where, column {column}: {what}")
        # Where it is wrong, from 1; and how.
        self.column, self.what = column, what


# ── text → conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────
def parse(text: str) -> Expression:
    """The conditions that a text says. Raises Usage with the column where it cannot be read."""
    reader = _Reader(text)
    expression = reader.either()
    reader.end()
    return expression


def list_conditions(expression: Expression) -> Iterator[Condition]:
    """All conditions, from left to right."""
    if isinstance(expression, Condition):
        yield expression
        return
    for part in expression.parts:
        yield from list_conditions(part)


def _join(joint: Joint, parts: Sequence[Expression]) -> Expression:
    """Parts under one joint; parentheses that change nothing vanish."""
    if len(parts) == 1:
        return parts[0]
    flat: list[Expression] = []
    for part in parts:
        flat += part.parts if isinstance(part, Group) and part.joint == joint else (part,)
    return Group(joint, tuple(flat), flat[0].column)


class _Reader:
    """Reads from left to right; what comes next decides how it is read."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.open = text, 0, 0

    @property
    def column(self) -> int:
        return self.at + 1

    def blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def next(self, pattern: str) -> str | None:
        """What matches the pattern here, or None; moves behind it."""
        self.blanks()
        match = re.compile(pattern, re.IGNORECASE).match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[0]

    def rest(self) -> str:
        """What stands here, for a message."""
        self.blanks()
        word = self.text[self.at :].split(maxsplit=1)
        return quote_visibly(word[0]) if word else "the end"

    def end(self) -> None:
        self.blanks()
        if self.at < len(self.text):
            raise Wrong(self.column, f"expected `and`, `or` or the end, found {self.rest()}; put quotes around a value of several words")

    def either(self) -> Expression:
        parts = [self.both()]
        while self.next(r"or(?![^\s('\"])"):
            parts.append(self.both())
        return _join("OR", parts)

    def both(self) -> Expression:
        parts = [self.unit()]
        while self.next(r"and(?![^\s('\"])"):
            parts.append(self.unit())
        return _join("AND", parts)

    def unit(self) -> Expression:
        self.blanks()
        start = self.column
        if not self.next(r"\("):
            return self.condition()
        self.open += 1
        if self.open > MOST_PARENTHESES:
            raise Wrong(start, f"more than {MOST_PARENTHESES} parentheses are open; Intercom's search has {DEPTH} levels")
        group = self.either()
        if not self.next(r"\)"):
            raise Wrong(start, f"the parenthesis that opens here is not closed: expected `)`, found {self.rest()}")
        self.open -= 1
        return group

    def condition(self) -> Condition:
        self.blanks()
        column = self.column
        field = self.field()
        self.blanks()
        operator_column, operator = self.column, self.operator(field)
        values = self.many() if operator in LISTS else (self.value(),)
        return Condition(field, operator, values, column, operator_column)

    def field(self) -> str:
        column, quotation = self.column, self.quotation()
        if quotation is not None:
            return quotation
        name = self.next(rf"[^\s(),'\"{re.escape(SIGNS)}]+") or ""
        if not name or name.lower() in ("and", "or"):
            raise Wrong(column, f"expected a field, as in `role = user`, found {quote_visibly(name) if name else self.rest()}")
        # The second part of a name may have blanks in it: custom_attributes."paid seats".
        return name + (self.quotation() or "") if name.endswith(".") else name

    def operator(self, field: str) -> str:
        column = self.column
        word = self.next(r"not[\s-]+in(?![^\s('\"])|in(?![^\s('\"])")
        if word:
            return "in" if word.lower() == "in" else "not-in"
        signs = self.next(f"[{re.escape(SIGNS)}]+")
        if signs in KNOWN:
            return signs
        text = quote_visibly(signs) if signs else self.rest()
        raise Wrong(column, f"expected an operator after {quote_visibly(field)}, found {text}; write one of {' '.join(KNOWN)}")

    def many(self) -> tuple[Word, ...]:
        self.blanks()
        start = self.column
        if not self.next(r"\("):
            raise Wrong(start, f"expected a list like (a, b), found {self.rest()}")
        values = [self.value()]
        while self.next(","):
            values.append(self.value())
        if not self.next(r"\)"):
            raise Wrong(self.column, f"expected `,` or `)` in the list, found {self.rest()}")
        return tuple(values)

    def value(self) -> Word:
        self.blanks()
        column, quotation = self.column, self.quotation()
        if quotation is not None:
            return Word(quotation, True, column)
        if self.next(r"\("):
            raise Wrong(column, "a list stands only after in and not-in")
        word = self.next(r"[^\s(),'\"]+")
        if not word or word.lower() in ("and", "or"):
            text = quote_visibly(word) if word else self.rest()
            raise Wrong(column, f"expected a value, found {text}; put quotes around a value that looks like that")
        days = _DAYS.fullmatch(word)
        if days and self.next(r"ago(?![^\s(),'\"])"):
            return Word(f"{word} ago", False, column, int(days[1]))
        return Word(word, False, column)

    def quotation(self) -> str | None:
        """A text in quotes; a backslash stands before a quote or a backslash that belongs to it."""
        mark = self.text[self.at : self.at + 1]
        if mark not in ("'", '"'):
            return None
        match = re.compile(rf"{mark}((?:[^\\{mark}]|\\.)*){mark}", re.DOTALL).match(self.text, self.at)
        if match is None:
            raise Wrong(self.column, "the quote that opens here is not closed")
        self.at = match.end()
        return re.sub(r"\\(['\"\\])", r"\1", match[1])
