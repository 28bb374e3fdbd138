"""How a scalar as written becomes a value: the field's type decides, never the look of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

Scalar = str | int | float | bool | None


def doc(description: str, example: Any) -> Any:
    """What a key means and one value of it, for the JSON Schema and the manifest reference. Stands in the key's `Annotated`."""
    return Field(description=description, examples=[example])


class Plain(str):
    """An unquoted YAML scalar, exactly as written; quoted and block scalars are `str`."""

    __slots__ = ()


# str.isspace knows every blank of Unicode but these three, which have no width.
_WIDTHLESS = "\u200b\u2060\ufeff"
_VISIBLE = {" ": "␠", "\u00a0": "<NBSP>", "\n": "␤", "\r": "␍", "\t": "␉"}
_SHOWN = 60


def _blank(char: str) -> bool:
    return char.isspace() or char in _WIDTHLESS


def _visible(char: str) -> str:
    return _VISIBLE.get(char) or f"<U+{ord(char):04X}>"


def _trimmed(text: str) -> tuple[str, str, str]:
    """The blanks before, the text between, the blanks after."""
    start, end = 0, len(text)
    while start < end and _blank(text[start]):
        start += 1
    while end > start and _blank(text[end - 1]):
        end -= 1
    return text[:start], text[start:end], text[end:]


def _brief(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 10] + "…" + text[-9:]


def quoted(text: str) -> str:
    """The text as people may copy it into a manifest: in single quotes, cut."""
    return repr(_brief(text))


def shown(text: str) -> str:
    """The text in quotes, cut, with blanks at its ends and everything that does not print made visible."""
    text = _brief(text)
    before, middle, after = _trimmed(text)
    body = "".join(char if char.isprintable() else _visible(char) for char in middle)
    return f'"{"".join(map(_visible, before))}{body}{"".join(map(_visible, after))}"'


def _named(value: Any) -> str:
    """What was written, for a message about something else that was wanted."""
    if isinstance(value, Plain):
        return shown(value)[1:-1]
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    return shown(str(value))[1:-1]


_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_MASK = re.compile(r"[^@\s]\*\*\*@[^@\s]+|\*\*\*(#[0-9a-f]{8})?")
# A masked e-mail inside a text: one letter stands before its stars, whatever bracket or quote it stands in.
_MASKED_EMAIL = re.compile(r"(?<![\w.%+-])[^@\s]\*\*\*@[^@\s]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def is_null(value: Any) -> bool:
    """Null as written: nothing, `~` or `null` without quotes."""
    return value is None or (isinstance(value, Plain) and value in _NULLS)


def mask(text: str) -> str:
    """A personal value as reports show it: `h***@serenity.example` of an e-mail, `***` of anything else."""
    if _EMAIL.fullmatch(text):
        return f"{text[0]}***@{text.partition('@')[2]}"
    return "***"


def is_mask(text: str) -> bool:
    """Whether the text is what `mask` makes, with or without the `#1a2b3c4d` that tells two apart."""
    return _MASK.fullmatch(text) is not None


# C0, DEL, C1, the line and paragraph separators, and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def _refuse_control(text: str, control: re.Pattern[str]) -> None:
    if found := control.search(text):
        raise ValueError(f"{shown(text)} holds the control character U+{ord(found[0]):04X}; remove it")


def _refuse_ends(text: str) -> None:
    before, middle, after = _trimmed(text)
    if after == "\n" and not before and middle:
        raise ValueError(f"{shown(text)} ends with a line break; write |- (or >-) instead of | (or >)")
    if before or after:
        raise ValueError(f"{shown(text)} has blanks at its ends; remove them")


def refuse_mask(text: str) -> None:
    """Raises ValueError for what came out of a report, as the whole text or inside it."""
    instead = "a mask that a report shows in place of a personal value; write the value itself"
    if is_mask(text):
        raise ValueError(f"{shown(text)} is {instead}")
    if found := _MASKED_EMAIL.search(text):
        raise ValueError(f"{shown(text)} holds {shown(found[0])}, {instead}")


def _written(value: Any, wanted: str) -> str:
    if is_null(value):
        raise ValueError(f"is empty; write {wanted}, or quote it if the text itself is meant")
    if isinstance(value, str):
        return str.__str__(value)
    raise ValueError(f"is {_named(value)}; write {wanted}")


def unquoted(value: Any) -> str:
    """The text that somebody meant who wrote `a: b` without quotes where one name stands, in quotes; empty where it is none."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return ""
    ((key, item),) = value.items()
    if not is_null(item) and not isinstance(item, Plain):
        return ""
    text = f"{key}: {item or ''}".rstrip()
    return "'" + text.replace("'", "''") + "'" if len(text) <= _SHOWN else ""


def _text(value: Any, control: re.Pattern[str], wanted: str) -> str:
    text = _written(value, wanted).replace("\r\n", "\n")
    _refuse_ends(text)
    _refuse_control(text, control)
    refuse_mask(text)
    return text


def text(value: Any) -> str:
    """Free text: what is written; lines and tabs inside, no other control characters."""
    return _text(value, _CONTROL_IN_TEXT, "a text")


def name(value: Any) -> str:
    """A name or key: what is written, on one line and not empty."""
    if meant := unquoted(value):
        raise ValueError(f"is a mapping; if a name with a colon is meant, quote it: {meant}")
    found = _text(value, _CONTROL, "a name")
    if not found:
        raise ValueError('"" is empty; write a name')
    return found


def name_as_it_is(value: Any) -> str:
    """A name or key of a thing that is live, with the blanks that it has at its ends."""
    found = _written(value, "a name")
    _refuse_control(found, _CONTROL)
    refuse_mask(found)
    if not found:
        raise ValueError('"" is empty; write a name')
    return found


def has_blank_ends(text: str) -> bool:
    """Whether a text has blanks at its ends."""
    before, _, after = _trimmed(text)
    return bool(before or after)


# Reported of its older versions and in no description of today's.
_ADMITTED_NOWHERE = re.compile(r"[.$]")


def attribute_name(value: Any) -> str:
    """The name of a custom attribute: Intercom takes no dot and no dollar in it."""
    found = name(value)
    if sign := _ADMITTED_NOWHERE.search(found):
        better = _ADMITTED_NOWHERE.sub("_", found).strip("_") or "another one"
        raise ValueError(f'{shown(found)} holds "{sign[0]}", which no attribute of Intercom may have in its name; write {better}')
    return found


def email(value: Any) -> str:
    """An e-mail address as written: one `@` with something on both sides, no blanks."""
    found = _text(value, _CONTROL, "an e-mail address")
    if not _EMAIL.fullmatch(found):
        raise ValueError(f"{shown(found)} is not an e-mail address; write a name, one @ and a host")
    return found


# The forms of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/, section 10.3.2).
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_FLAGS = frozenset({"yes", "no", "on", "off", "y", "n"})
_BASES = {"0o": 8, "0x": 16}
_DIGITS = 300


def _refuse_long(digits: int) -> None:
    if digits > _DIGITS:
        raise ValueError(f"has more than {_DIGITS} digits; write a shorter number")


def _integer(written: str) -> int:
    _refuse_long(len(written))
    base = _BASES.get(written[:2], 10)
    return int(written, 10) if base == 10 else int(written[2:], base)


def _fraction(written: str) -> Decimal:
    """The float form, exactly. The exponent is looked at first: 1e999999999 would fill the memory as a whole number."""
    mantissa, _, exponent = written.lower().partition("e")
    _refuse_long(len(mantissa))
    _refuse_long(len(exponent))
    _refuse_long(abs(int(exponent or "0")))
    return Decimal(written)


def _number(value: Any) -> int | Decimal | None:
    """A number as written, exactly; None if it is none."""
    if isinstance(value, Plain):
        if _INTEGER.fullmatch(value):
            return _integer(value)
        return _fraction(value) if _FLOAT.fullmatch(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value - value == 0:
        return Decimal(repr(value))
    return None


def _no_number(value: Any, wanted: str) -> ValueError:
    if is_null(value):
        return ValueError(f"is empty; write {wanted}")
    if isinstance(value, str) and not isinstance(value, Plain) and _FLOAT.fullmatch(value):
        return ValueError(f"{shown(value)} is a text; remove the quotes")
    return ValueError(f"{_named(value)} is not {wanted}; write {wanted} without quotes, like 85")


def whole(value: Any) -> int:
    """A whole number of any size, every digit kept; 1.0 is 1."""
    found = _number(value)
    if found is None:
        raise _no_number(value, "a whole number")
    if found != int(found):
        raise ValueError(f"{_named(value)} is not a whole number; write it without a fraction")
    return int(found)


def number(value: Any) -> int | float:
    """A number; a whole one keeps every digit."""
    found = _number(value)
    if found is None:
        raise _no_number(value, "a number")
    return int(found) if found == int(found) else float(found)


def flag(value: Any) -> bool:
    """True or false, in YAML 1.2's words."""
    if isinstance(value, bool):
        return value
    if is_null(value):
        raise ValueError("is empty; write true or false")
    if isinstance(value, Plain) and value in _FLAGS:
        return _FLAGS[value]
    if isinstance(value, str) and value in _FLAGS:
        raise ValueError(f"{shown(value)} is a text; remove the quotes")
    if isinstance(value, Plain) and value.lower() in _OLD_FLAGS:
        raise ValueError(f"{_named(value)} is a word, not a flag; write true or false")
    raise ValueError(f"{_named(value)} is neither true nor false; write one of them")


_MOMENT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(?:[Tt]|[ \t]+)(?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:(?<=:[0-9]{2}:[0-9]{2})[.,][0-9]+)?"
    r"[ \t]*(?P<zone>[Zz]|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_SECONDS = re.compile(r"([-+]?[0-9]{1,300})(\.[0-9]*)?")
# As seconds this is the year 5138, as milliseconds 1973.
_MILLISECONDS = 10**11
_HOW = "write a time like 2014-03-11T09:49:18Z, or Unix seconds"


def _offset(zone: str | None) -> int:
    if zone in (None, "Z", "z"):
        return 0
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or "0")
    if hours > 23 or minutes > 59:
        raise ValueError(f"the offset {zone} is not one")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def _moment(found: re.Match[str]) -> int:
    try:
        there = datetime.fromisoformat(f"{found['date']}T{found['clock'] or '00:00'}").replace(tzinfo=UTC)
        # The offset is taken off as seconds: a datetime could leave the years 1 to 9999.
        return (there - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - _offset(found["zone"])
    except ValueError as error:
        raise ValueError(f"{shown(found[0])} is no time ({error}); {_HOW}") from None


def _compact_date(written: str) -> str | None:
    """20140311 as a date; None if it is none. As Unix seconds all of these lie in the year 1970."""
    if len(written) != 8 or written[:2] not in ("19", "20"):
        return None
    try:
        return datetime.strptime(written, "%Y%m%d").date().isoformat()
    except ValueError:
        return None


def _seconds(written: str, cut: int) -> int:
    if abs(cut) >= _MILLISECONDS:
        raise ValueError(f"{written} looks like milliseconds; {_HOW}")
    if written.startswith("-") and written.strip("-0."):
        raise ValueError(f"{written} is a negative number of seconds; write the date itself, or null for no time")
    if date := _compact_date(written):
        raise ValueError(f"{written} can be a date or Unix seconds; write {date} if the date is meant")
    return cut


def time(value: Any) -> int:
    """A time as Unix seconds: without an offset it is UTC, fractions are cut."""
    if is_null(value):
        raise ValueError(f"is empty; {_HOW}")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"is {_named(value)}; {_HOW}")
    written = str(value)
    if found := _MOMENT.fullmatch(written):
        return _moment(found)
    if found := _SECONDS.fullmatch(written):
        return _seconds(written, int(found[1]))
    raise ValueError(f"{_named(value)} is no time; {_HOW}")


_BY_TYPE: Mapping[str, Callable[[Any], str | int | float | bool]] = {
    "string": text,
    "options": text,
    "list": text,
    "integer": whole,
    "float": number,
    "boolean": flag,
    "date": time,
    "datetime": time,
}


def typed(value: Any, data_type: str) -> Scalar:
    """A custom attribute's value as its data_type has it; null is None. Raises ValueError with a sentence."""
    if is_null(value):
        return None
    if data_type not in _BY_TYPE:
        raise ValueError(f"is of the type {shown(data_type)}, whose values cannot be written; remove the line")
    return _BY_TYPE[data_type](value)


def is_time(data_type: Any) -> bool:
    """Whether the values of a data_type are times."""
    return _BY_TYPE.get(str(data_type)) is time


def moment(value: Any) -> Any:
    """Unix seconds as people read them: ISO 8601 in UTC; whatever is no such time, as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=int(value))).isoformat() + "Z"
    except (OverflowError, ValueError):
        return value


def _core(value: Plain) -> int | float | bool | None:
    """What YAML 1.2's core schema makes of it, if that is no text."""
    if value in _FLAGS:
        return _FLAGS[value]
    if _NOT_FINITE.fullmatch(value):
        raise ValueError(f"{value} cannot be sent; write a finite number, or quote it if the text itself is meant")
    if _INTEGER.fullmatch(value):
        return _integer(value)
    return _finite(value) if _FLOAT.fullmatch(value) else None


def _finite(written: str) -> float:
    return float(_fraction(written))


def untyped(value: Any) -> Scalar:
    """A custom attribute's value while nobody knows its data_type: YAML 1.2 decides; what is quoted is a text."""
    if is_null(value) or isinstance(value, (bool, int, float)):
        return None if is_null(value) else value
    found = _core(value) if isinstance(value, Plain) else None
    return text(value) if found is None else found


def same(a: Any, b: Any) -> bool:
    """Equality of values: 1 is 1.0, but neither 1 and true nor "" and null are equal; order counts in lists."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


# So many combining marks in a row, more than any language writes: longer runs are cut up by a joiner, or bringing them into their
# order takes quadratic time (https://www.unicode.org/reports/tr15/, Stream-Safe Text Format).
_MARKS, _JOINER = 30, "\u034f"


def not_null(value: Any) -> Any:
    """What may be left out, and is no null."""
    if is_null(value):
        raise ValueError("is empty; write a value, or remove the line")
    return value


class _NotNull(BeforeValidator):
    """Refuses null, in the JSON Schema too: the model's None means that nothing is written."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found = handler(schema)
        return {**next(one for one in found["anyOf"] if one != {"type": "null"})} if "anyOf" in found else found


NotNull = _NotNull(not_null)
Text = Annotated[str, PlainValidator(text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Name = Annotated[str, PlainValidator(name), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})]
Key = Name
AttributeName = Annotated[
    str, PlainValidator(attribute_name), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1, "pattern": r"^[^.$]+$"})
]
Email = Annotated[str, PlainValidator(email), WithJsonSchema({"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"})]
Whole = Annotated[int, PlainValidator(whole), WithJsonSchema({"type": "integer"})]
Flag = Annotated[bool, PlainValidator(flag), WithJsonSchema({"type": "boolean"})]
Time = Annotated[int, PlainValidator(time), WithJsonSchema({"type": ["string", "number"]})]
