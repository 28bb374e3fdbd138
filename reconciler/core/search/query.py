"""The language of `--where`: text → conditions → the query of Intercom's search. Pure; what Intercom would refuse is refused here.

either    := both {"or" both}            and binds closer than or
both      := unit {"and" unit}
unit      := "(" either ")" | condition
condition := FIELD operator value        a FIELD may be custom_attributes.NAME, odd names in quotes
operator  := = != < > <= >= ~ !~ ^ $ in not-in
value     := WORD | 'text' | "text" | null | Nd ago | "(" value {"," value} ")"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from reconciler.core.model.ability import Searched
from reconciler.core.model.kind import Kind
from reconciler.core.model.numbers import parse_flag, parse_number, parse_whole
from reconciler.core.model.privacy import refuse_mask
from reconciler.core.model.times import parse_time
from reconciler.core.model.written import Plain, quote_visibly
from reconciler.core.search.language import (
    _COUNT,
    _TEXT,
    DEPTH,
    KNOWN,
    LISTS,
    WIDTH,
    Condition,
    Expression,
    Group,
    Joint,
    Word,
    Wrong,
    list_conditions,
)
from reconciler.errors import Usage

Query = dict[str, Any]
Fields = Mapping[str, Searched]
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
ONE_OF_LIST = {"in": "=", "not-in": "!="}


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a workspace."""

    # The time zone in which they begin.
    zone: tzinfo
    # The day that it is there now.
    today: date

    @classmethod
    def at(cls, now: float, zone: tzinfo) -> Calendar:
        """The calendar at a moment, in Unix seconds."""
        return cls(zone, datetime.fromtimestamp(now, zone).date())

    def before(self, days: int) -> date:
        """The day so many days before today."""
        return self.today - timedelta(days=days)

    def noon_of(self, day: date) -> int:
        """A moment that falls on that day in the time zone, in Unix seconds."""
        return int(datetime.combine(day, time(12), self.zone).timestamp())


# For a look at whether something can be asked at all: what it asks for is not used.
ANY_DAY = Calendar(UTC, date(2000, 1, 1))


# ── conditions → query ─────────────────────────────────────────────────────────────────────────────────────────────────────
def compile_query(expression: Expression, fields: Fields, version: str = "2.16", calendar: Calendar = ANY_DAY) -> Query:
    """The query that means this. A date without a time is the day of that name in the calendar's zone, `90d ago` the day so many days
    before its today.

    A field whose type is "" may have any: the types of custom attributes are known only live. Raises Usage for all that
    Intercom's search would refuse.
    """
    compile_one = _Compiler(fields, version, calendar).query
    if isinstance(expression, Condition):
        return compile_one(expression)
    for part in expression.parts:
        if isinstance(part, Group):
            _refuse_nested(part)
    parts = [
        compile_one(part) if isinstance(part, Condition) else _join(part.joint, [compile_one(c) for c in list_conditions(part)])
        for part in expression.parts
    ]
    return _join(expression.joint, _pack(expression, parts))


def asks_for_dates(expression: Expression, fields: Fields) -> bool:
    """Whether some condition is about a time, which Intercom compares by calendar day."""
    return any(OPERATORS.get(_find_type(fields, c.field)) == _TIME for c in list_conditions(expression))


def list_prefixes(kind: Kind) -> Mapping[str, str]:
    """The beginnings of field names whose types only live things know, each with the kind of these things."""
    return {f"{name}.": field.typed_by for name, field in kind.fields.items() if field.merged and field.typed_by}


def list_days(expression: Expression) -> list[int]:
    """The numbers of days before today that its relative times mean, each once."""
    words = (word for condition in list_conditions(expression) for word in condition.values)
    return sorted({word.days_ago for word in words if word.days_ago is not None})


def explain_days(expression: Expression, calendar: Calendar, zone: str) -> str:
    """What people should know of a condition about a time; `zone` is the workspace's, "" where it is not known."""
    # API 2.7 to 2.16, POST /contacts/search, "Searching for Timestamp Fields".
    text = "times are compared by whole days in the workspace's time zone"
    if zone:
        text += f" ({zone}): > begins with the day after"
    else:
        text += ", which is not known here: a date is sent as noon UTC"
    return "; ".join([text, *(f"{number}d ago is {calendar.before(number)}" for number in list_days(expression))])


def _find_type(fields: Fields, name: str) -> str:
    return fields[name].type if name in fields else ""


def _refuse_nested(group: Group) -> None:
    """A group inside a group holds conditions only, and not too many of them."""
    for part in group.parts:
        if isinstance(part, Group):
            raise Wrong(part.column, f"Intercom's search has {DEPTH} levels of and/or, this is one more; multiply it out, or use in (…)")
    if len(group.parts) > WIDTH:
        raise _too_many(group, WIDTH)


def _too_many(group: Group, most: int) -> Usage:
    conditions = list(list_conditions(group))
    same = {(c.field, c.operator) for c in conditions}
    advice = f"write {conditions[0].field} in (…)" if _is_choice(group, same) else "ask twice"
    word = group.joint.lower()
    return Wrong(group.column, f"{len(group.parts)} conditions stand in one chain of `{word}`, Intercom takes {most} here; {advice}")


def _is_choice(group: Group, same: set[tuple[str, str]]) -> bool:
    return group.joint == "OR" and len(same) == 1 and all(operator == "=" for _, operator in same)


def _pack(group: Group, parts: list[Query]) -> list[Query]:
    """The parts of the outer group; where they are too many, its conditions go into inner groups of the same joint."""
    if len(parts) <= WIDTH:
        return parts
    inner = [part for part in parts if "field" not in part]
    single = [part for part in parts if "field" in part]
    chunks = [single[start : start + WIDTH] for start in range(0, len(single), WIDTH)]
    if len(inner) + len(chunks) > WIDTH:
        raise _too_many(group, WIDTH * (WIDTH - len(inner)) + len(inner) if len(inner) < WIDTH else WIDTH)
    return inner + [_join(group.joint, chunk) for chunk in chunks]


def _join(joint: Joint, parts: list[Query]) -> Query:
    return {"operator": joint, "value": parts} if len(parts) > 1 else parts[0]


@dataclass(frozen=True, slots=True)
class _Compiler:
    """Compiles single conditions against what is known of the fields."""

    # What can be searched, and of which type each field is.
    fields: Fields
    # The version of Intercom's API.
    version: str
    # The days of the workspace.
    calendar: Calendar

    def query(self, condition: Condition) -> Query:
        field = self._field_of(condition)
        if condition.operator not in OPERATORS.get(field.type, KNOWN):
            raise Wrong(condition.operator_column, _explain_operator(condition, field.type))
        values = list(dict.fromkeys(self._value(condition, field, word) for word in condition.values))
        if field.type == "boolean" and condition.operator in LISTS:
            return _compile_flags(condition, values)
        operator = LISTS.get(condition.operator, condition.operator)
        return {"field": condition.field, "operator": operator, "value": values if condition.operator in LISTS else values[0]}

    def _field_of(self, condition: Condition) -> Searched:
        field = self.fields.get(condition.field)
        if field is None:
            raise Wrong(
                condition.column, f"there is no field {quote_visibly(condition.field)} to search by{_suggest(condition.field, self.fields)}"
            )
        if field.since > self.version:
            raise Wrong(condition.column, f"{condition.field} can be searched from version {field.since} on, this is {self.version}")
        if field.type and field.type not in OPERATORS:
            raise Wrong(condition.column, f"{condition.field} is of the type {quote_visibly(field.type)}, by which nothing can be searched")
        return field

    def _value(self, condition: Condition, field: Searched, word: Word) -> Any:
        try:
            if word.is_null:
                return _check_null(condition, field.type)
            value = self._read(field, word)
            if field.values and condition.operator in ("=", "!=", *LISTS) and value not in field.values:
                raise ValueError(f"{quote_visibly(word.text)} is none of its values; write {' or '.join(field.values)}")
        except ValueError as error:
            raise Wrong(word.column, f"{condition.field}: {error}") from None
        return value

    def _read(self, field: Searched, word: Word) -> Any:
        """A value in the type of its field; days may stand where a time can, and where nobody knows the type yet."""
        if word.days_ago is None:
            return _READ.get(field.type, _read_text)(word, self.calendar)
        if field.type and OPERATORS[field.type] is not _TIME:
            raise ValueError(f"{word.text} is a day, and this is no date; put quotes around it if the text itself is meant")
        return self.calendar.noon_of(self.calendar.before(word.days_ago))


def _suggest(name: str, fields: Fields) -> str:
    close = difflib.get_close_matches(name, list(fields), 1)
    return f"; did you mean {quote_visibly(close[0])}?" if close else f"; there are {', '.join(sorted(fields))}"


def _explain_operator(condition: Condition, type: str) -> str:
    advice = {"<=": "; write < and the day after", ">=": "; write > and the day before", "in": "; write = once for each, with or"}
    more = advice.get(condition.operator, "") if OPERATORS[type] is _TIME else ""
    kind = "tag" if type == "tag_id" else "date" if OPERATORS[type] is _TIME else type
    return f"{quote_visibly(condition.field)[1:-1]} is a {kind}, which has no {condition.operator}, only {' '.join(OPERATORS[type])}{more}"


def _check_null(condition: Condition, type: str) -> None:
    """Null finds what is not set; which types take it is not documented beyond "nullable"."""
    if condition.operator not in ("=", "!="):
        raise ValueError(f"null stands only after = and !=; put quotes around it if the text itself is meant after {condition.operator}")
    if type == "tag_id" or OPERATORS.get(type) is _TIME:
        raise ValueError("null cannot be searched for here")


def _compile_flags(condition: Condition, values: list[Any]) -> Query:
    """Intercom's description has no lists of true and false; one of them is a plain comparison, and both say nothing."""
    if len(values) > 1:
        raise Wrong(condition.values[0].column, f"{condition.field}: true and false are all there is; leave this condition out")
    return {"field": condition.field, "operator": ONE_OF_LIST[condition.operator], "value": values[0]}


def _read_raw(word: Word) -> str:
    return word.text if word.quoted else Plain(word.text)


def _read_text(word: Word, _: Calendar) -> str:
    refuse_mask(word.text)
    if re.search("[\x00\ud800-\udfff]", word.text):
        raise ValueError(f"{quote_visibly(word.text)} holds something that is no text")
    return word.text


def _read_tag_id(word: Word, _: Calendar) -> str:
    # Tag ids are decimal (recorded examples, API 2.16).
    if not re.fullmatch("[0-9]+", word.text):
        raise ValueError(f"{quote_visibly(word.text)} is no id of a tag; `reconciler get tags NAME -o ids` shows it")
    return word.text


def _read_day(word: Word, calendar: Calendar) -> int:
    """A moment as written; a date alone is its noon in the calendar's zone, so that it falls on that day there."""
    moment = parse_time(_read_raw(word))
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word.text):
        return moment
    return calendar.noon_of(date.fromisoformat(word.text))


_READ: Mapping[str, Callable[[Word, Calendar], Any]] = {
    "tag_id": _read_tag_id,
    "boolean": lambda word, _: parse_flag(_read_raw(word)),
    "integer": lambda word, _: parse_whole(_read_raw(word)),
    "float": lambda word, _: parse_number(_read_raw(word)),
    "date": _read_day,
    "datetime": _read_day,
}
