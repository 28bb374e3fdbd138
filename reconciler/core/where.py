"""The language of `--where`: text → conditions → the query of Intercom's search. Pure; what Intercom would refuse is refused here.

    either    := both {"or" both}            and binds closer than or
    both      := unit {"and" unit}
    unit      := "(" either ")" | condition
    condition := FIELD operator value        a FIELD may be custom_attributes.NAME, odd names in quotes
    operator  := = != < > <= >= ~ !~ ^ $ in not-in
    value     := WORD | 'text' | "text" | null | "(" value {"," value} ")"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal

from reconciler.core.kind import Kind, Searched
from reconciler.core.values import Plain, flag, number, refuse_mask, shown, time, whole
from reconciler.errors import Usage

Query = dict[str, Any]
Fields = Mapping[str, Searched]
Joint = Literal["AND", "OR"]

# Filters in a group, levels of groups (API 2.16, POST /contacts/search).
WIDTH, DEPTH = 15, 2
MOST_PARENTHESES = 50

# Types by the operators that they have (API 2.7 to 2.16, POST /contacts/search, as corrected on 2026-08-19); fractions are
# not mentioned there and are taken as numbers.
_TEXT = ("=", "!=", "in", "not-in", "~", "!~", "^", "$")
_COUNT = ("=", "!=", "in", "not-in", "<", ">", "<=", ">=")
_TIME = ("=", "<", ">")
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "string": _TEXT,
    "options": _TEXT,
    "list": _TEXT,
    "tag_id": ("=", "!="),
    "boolean": ("=", "!=", "in", "not-in"),
    "integer": _COUNT,
    "float": _COUNT,
    "date": _TIME,
    "datetime": _TIME,
}
KNOWN = tuple(dict.fromkeys((*_TEXT, *_COUNT)))
LISTS = {"in": "IN", "not-in": "NIN"}
ONE_OF_LIST = {"in": "=", "not-in": "!="}
SIGNS = "=!<>~^$"


@dataclass(frozen=True, slots=True)
class Word:
    """A value as written, and where."""

    text: str
    quoted: bool
    column: int

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.text.lower() == "null"


@dataclass(frozen=True, slots=True)
class Condition:
    """One field held against one value, or several."""

    field: str
    operator: str
    values: tuple[Word, ...]
    column: int
    operator_column: int


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions and groups of the other joint, all of which (AND) or one of which (OR) must hold."""

    joint: Joint
    parts: tuple[Expression, ...]
    column: int


Expression = Condition | Group


def wrong(column: int, what: str) -> Usage:
    """The one sentence that says where the text is wrong, and how."""
    return Usage(f"--where, column {column}: {what}")


# ── text → conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def parse(text: str) -> Expression:
    """What the text says. Raises Usage, with the column, where it says nothing."""
    reader = _Reader(text)
    found = reader.either()
    reader.end()
    return found


def conditions(expression: Expression) -> Iterator[Condition]:
    """All conditions, from left to right."""
    if isinstance(expression, Condition):
        yield expression
        return
    for part in expression.parts:
        yield from conditions(part)


def _joined(joint: Joint, parts: Sequence[Expression]) -> Expression:
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
        """What matches here, if anything; moves behind it."""
        self.blanks()
        found = re.compile(pattern, re.IGNORECASE).match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def rest(self) -> str:
        """What stands here, for a message."""
        self.blanks()
        found = re.match(r"\S+", self.text[self.at :])
        return shown(found[0]) if found else "the end"

    def end(self) -> None:
        self.blanks()
        if self.at < len(self.text):
            raise wrong(self.column, f"expected `and`, `or` or the end, found {self.rest()}; put quotes around a value of several words")

    def either(self) -> Expression:
        parts = [self.both()]
        while self.next(r"or(?![^\s('\"])"):
            parts.append(self.both())
        return _joined("OR", parts)

    def both(self) -> Expression:
        parts = [self.unit()]
        while self.next(r"and(?![^\s('\"])"):
            parts.append(self.unit())
        return _joined("AND", parts)

    def unit(self) -> Expression:
        self.blanks()
        opened = self.column
        if not self.next(r"\("):
            return self.condition()
        self.open += 1
        if self.open > MOST_PARENTHESES:
            raise wrong(opened, f"more than {MOST_PARENTHESES} parentheses are open; Intercom's search has {DEPTH} levels")
        found = self.either()
        if not self.next(r"\)"):
            raise wrong(opened, f"the parenthesis that opens here is not closed: expected `)`, found {self.rest()}")
        self.open -= 1
        return found

    def condition(self) -> Condition:
        self.blanks()
        column = self.column
        field = self.field()
        self.blanks()
        operator_column, operator = self.column, self.operator(field)
        values = self.many() if operator in LISTS else (self.value(),)
        return Condition(field, operator, values, column, operator_column)

    def field(self) -> str:
        column, found = self.column, self.quoted()
        if found is not None:
            return found
        name = self.next(rf"[^\s(),'\"{re.escape(SIGNS)}]+") or ""
        if not name or name.lower() in ("and", "or"):
            raise wrong(column, f"expected a field, as in `role = user`, found {shown(name) if name else self.rest()}")
        # The second part of a name may have blanks in it: custom_attributes."paid seats".
        return name + (self.quoted() or "") if name.endswith(".") else name

    def operator(self, field: str) -> str:
        column = self.column
        word = self.next(r"not[\s-]+in(?![^\s('\"])|in(?![^\s('\"])")
        if word:
            return "in" if word.lower() == "in" else "not-in"
        signs = self.next(f"[{re.escape(SIGNS)}]+")
        if signs in KNOWN:
            return signs
        found = shown(signs) if signs else self.rest()
        raise wrong(column, f"expected an operator after {shown(field)}, found {found}; write one of {' '.join(KNOWN)}")

    def many(self) -> tuple[Word, ...]:
        self.blanks()
        opened = self.column
        if not self.next(r"\("):
            raise wrong(opened, f"expected a list like (a, b), found {self.rest()}")
        values = [self.value()]
        while self.next(","):
            values.append(self.value())
        if not self.next(r"\)"):
            raise wrong(self.column, f"expected `,` or `)` in the list, found {self.rest()}")
        return tuple(values)

    def value(self) -> Word:
        self.blanks()
        column, found = self.column, self.quoted()
        if found is not None:
            return Word(found, True, column)
        if self.next(r"\("):
            raise wrong(column, "a list stands only after in and not-in")
        word = self.next(r"[^\s(),'\"]+")
        if not word or word.lower() in ("and", "or"):
            found = shown(word) if word else self.rest()
            raise wrong(column, f"expected a value, found {found}; put quotes around a value that looks like that")
        return Word(word, False, column)

    def quoted(self) -> str | None:
        """A text in quotes; a backslash stands before a quote or a backslash that belongs to it."""
        mark = self.text[self.at : self.at + 1]
        if mark not in ("'", '"') or not mark:
            return None
        found = re.compile(rf"{mark}((?:[^\\{mark}]|\\.)*){mark}", re.DOTALL).match(self.text, self.at)
        if found is None:
            raise wrong(self.column, "the quote that opens here is not closed")
        self.at = found.end()
        return re.sub(r"\\(['\"\\])", r"\1", found[1])


# ── conditions → query ─────────────────────────────────────────────────────────────────────────────────────────────────────


def compiled(expression: Expression, fields: Fields, version: str = "2.16", zone: tzinfo = UTC) -> Query:
    """The query that means this. A date without a time is the day of that name in `zone`.

    A field whose type is "" may have any: the types of custom attributes are known only live. Raises Usage for all that
    Intercom's search would refuse.
    """
    compile_one = _Compiler(fields, version, zone).query
    if isinstance(expression, Condition):
        return compile_one(expression)
    for part in expression.parts:
        if isinstance(part, Group):
            _refuse_nested(part)
    parts = [
        compile_one(part) if isinstance(part, Condition) else _group(part.joint, [compile_one(c) for c in conditions(part)])
        for part in expression.parts
    ]
    return _group(expression.joint, _packed(expression, parts))


def asks_for_dates(expression: Expression, fields: Fields) -> bool:
    """Whether some condition is about a time, which Intercom compares by calendar day."""
    return any(OPERATORS.get(_type_of(fields, c.field)) == _TIME for c in conditions(expression))


def typed_by_others(kind: Kind) -> Mapping[str, str]:
    """The beginnings of the names whose types only live things know, and the kind of these things."""
    return {f"{name}.": field.typed_by for name, field in kind.fields.items() if field.merged and field.typed_by}


def about_days(zone: str) -> str:
    """What people should know of a condition about a time; `zone` is the workspace's, "" where it is not known."""
    # API 2.7 to 2.16, POST /contacts/search, "Searching for Timestamp Fields".
    if zone:
        return f"times are compared by whole days in the workspace's time zone ({zone}): > begins with the day after"
    return "times are compared by whole days in the workspace's time zone, which is not known here: a date is sent as noon UTC"


def _type_of(fields: Fields, name: str) -> str:
    return fields[name].type if name in fields else ""


def _refuse_nested(group: Group) -> None:
    """A group inside a group holds conditions only, and not too many of them."""
    for part in group.parts:
        if isinstance(part, Group):
            raise wrong(part.column, f"Intercom's search has {DEPTH} levels of and/or, this is one more; multiply it out, or use in (…)")
    if len(group.parts) > WIDTH:
        raise _too_many(group, WIDTH)


def _too_many(group: Group, most: int) -> Usage:
    held = list(conditions(group))
    same = {(c.field, c.operator) for c in held}
    advice = f"write {held[0].field} in (…)" if _is_choice(group, same) else "ask twice"
    word = group.joint.lower()
    return wrong(group.column, f"{len(group.parts)} conditions stand in one chain of `{word}`, Intercom takes {most} here; {advice}")


def _is_choice(group: Group, same: set[tuple[str, str]]) -> bool:
    return group.joint == "OR" and len(same) == 1 and all(operator == "=" for _, operator in same)


def _packed(group: Group, parts: list[Query]) -> list[Query]:
    """The parts of the outer group; where they are too many, its conditions go into inner groups of the same joint."""
    if len(parts) <= WIDTH:
        return parts
    inner = [part for part in parts if "field" not in part]
    single = [part for part in parts if "field" in part]
    chunks = [single[start : start + WIDTH] for start in range(0, len(single), WIDTH)]
    if len(inner) + len(chunks) > WIDTH:
        raise _too_many(group, WIDTH * (WIDTH - len(inner)) + len(inner) if len(inner) < WIDTH else WIDTH)
    return inner + [_group(group.joint, chunk) for chunk in chunks]


def _group(joint: Joint, parts: list[Query]) -> Query:
    return {"operator": joint, "value": parts} if len(parts) > 1 else parts[0]


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Compiles single conditions against what is known of the fields."""

    fields: Fields
    version: str
    zone: tzinfo

    def query(self, asked: Condition) -> Query:
        known = self._known(asked)
        if asked.operator not in OPERATORS.get(known.type, KNOWN):
            raise wrong(asked.operator_column, _no_operator(asked, known.type))
        values = list(dict.fromkeys(self._value(asked, known, word) for word in asked.values))
        if known.type == "boolean" and asked.operator in LISTS:
            return _of_flags(asked, values)
        operator = LISTS.get(asked.operator, asked.operator)
        return {"field": asked.field, "operator": operator, "value": values if asked.operator in LISTS else values[0]}

    def _known(self, asked: Condition) -> Searched:
        known = self.fields.get(asked.field)
        if known is None:
            raise wrong(asked.column, f"there is no field {shown(asked.field)} to search by{_close(asked.field, self.fields)}")
        if known.since > self.version:
            raise wrong(asked.column, f"{asked.field} can be searched from version {known.since} on, this is {self.version}")
        if known.type and known.type not in OPERATORS:
            raise wrong(asked.column, f"{asked.field} is of the type {shown(known.type)}, by which nothing can be searched")
        return known

    def _value(self, asked: Condition, known: Searched, word: Word) -> Any:
        try:
            if word.is_null:
                return _null(asked, known.type)
            found = _READ.get(known.type, _text)(word, self.zone)
            if known.values and asked.operator in ("=", "!=", *LISTS) and found not in known.values:
                raise ValueError(f"{shown(word.text)} is none of its values; write {' or '.join(known.values)}")
        except ValueError as error:
            raise wrong(word.column, f"{asked.field}: {error}") from None
        return found


def _close(name: str, fields: Fields) -> str:
    close = difflib.get_close_matches(name, list(fields), 1)
    return f"; did you mean {shown(close[0])}?" if close else f"; there are {', '.join(sorted(fields))}"


def _no_operator(asked: Condition, known: str) -> str:
    advice = {"<=": "; write < and the day after", ">=": "; write > and the day before", "in": "; write = once for each, with or"}
    more = advice.get(asked.operator, "") if OPERATORS[known] is _TIME else ""
    kind = "tag" if known == "tag_id" else "date" if OPERATORS[known] is _TIME else known
    return f"{shown(asked.field)[1:-1]} is a {kind}, which has no {asked.operator}, only {' '.join(OPERATORS[known])}{more}"


def _null(asked: Condition, known: str) -> None:
    """Null finds what is not set; which types take it is not documented beyond "nullable"."""
    if asked.operator not in ("=", "!="):
        raise ValueError(f"null stands only after = and !=; put quotes around it if the text itself is meant after {asked.operator}")
    if known == "tag_id" or OPERATORS.get(known) is _TIME:
        raise ValueError("null cannot be searched for here")


def _of_flags(asked: Condition, values: list[Any]) -> Query:
    """Intercom's description has no lists of true and false; one of them is a plain comparison, and both say nothing."""
    if len(values) > 1:
        raise wrong(asked.values[0].column, f"{asked.field}: true and false are all there is; leave this condition out")
    return {"field": asked.field, "operator": ONE_OF_LIST[asked.operator], "value": values[0]}


def _raw(word: Word) -> str:
    return word.text if word.quoted else Plain(word.text)


def _text(word: Word, _: tzinfo) -> str:
    refuse_mask(word.text)
    if re.search("[\x00\ud800-\udfff]", word.text):
        raise ValueError(f"{shown(word.text)} holds something that is no text")
    return word.text


def _tag_id(word: Word, _: tzinfo) -> str:
    # Tag ids are decimal (recorded examples, API 2.16).
    if not re.fullmatch("[0-9]+", word.text):
        raise ValueError(f"{shown(word.text)} is no id of a tag; `reconciler get tags NAME -o ids` shows it")
    return word.text


def _day(word: Word, zone: tzinfo) -> int:
    """A moment as written; a date alone is its noon in the zone, so that it falls on that day there."""
    moment = time(_raw(word))
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word.text):
        return moment
    return int(datetime.fromisoformat(word.text).replace(hour=12, tzinfo=zone).timestamp())


_READ: Mapping[str, Callable[[Word, tzinfo], Any]] = {
    "tag_id": _tag_id,
    "boolean": lambda word, _: flag(_raw(word)),
    "integer": lambda word, _: whole(_raw(word)),
    "float": lambda word, _: number(_raw(word)),
    "date": _day,
    "datetime": _day,
}
