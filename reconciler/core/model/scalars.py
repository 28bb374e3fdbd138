"""The types of fields, and of custom attributes: the type decides what a written scalar becomes, never the look of the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, PlainValidator, WithJsonSchema
from pydantic_core import CoreSchema

from reconciler.core.model.numbers import parse_flag, parse_number, parse_whole
from reconciler.core.model.texts import parse_attribute_name, parse_email, parse_name, parse_text
from reconciler.core.model.times import PERIOD, parse_period, parse_time
from reconciler.core.model.written import Scalar, is_null, quote_visibly


def doc(description: str, example: Any) -> Any:
    """The meaning of a key and one value of it, for the JSON Schema and the manifest reference; it stands in the key's `Annotated`."""
    return Field(description=description, examples=[example])


_BY_TYPE: Mapping[str, Callable[[Any], str | int | float | bool]] = {
    "string": parse_text,
    "options": parse_text,
    "list": parse_text,
    "integer": parse_whole,
    "float": parse_number,
    "boolean": parse_flag,
    "date": parse_time,
    "datetime": parse_time,
}


def parse_typed(value: Any, data_type: str) -> Scalar:
    """The value of a custom attribute of this data_type; null is None. Raises ValueError for a value of another type."""
    if is_null(value):
        return None
    if data_type not in _BY_TYPE:
        raise ValueError(f"is of the type {quote_visibly(data_type)}, whose values cannot be written; remove the line")
    return _BY_TYPE[data_type](value)


def is_time_type(data_type: Any) -> bool:
    """Whether the values of a data_type are times."""
    return _BY_TYPE.get(str(data_type)) is parse_time


def same(a: Any, b: Any) -> bool:
    """Whether two values are equal: 1 is 1.0, but 1 is not true and "" is not null; order counts in lists."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def not_null(value: Any) -> Any:
    """The value of a key that may be left out. Raises ValueError for null."""
    if is_null(value):
        raise ValueError("is empty; write a value, or remove the line")
    return value


class _NotNull(BeforeValidator):
    """Refuses null, in the JSON Schema too: the model's None means that nothing is written."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema_here = handler(schema)
        return {**next(one for one in schema_here["anyOf"] if one != {"type": "null"})} if "anyOf" in schema_here else schema_here


NotNull = _NotNull(not_null)
Text = Annotated[str, PlainValidator(parse_text), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Name = Annotated[str, PlainValidator(parse_name), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})]
AttributeName = Annotated[
    str,
    PlainValidator(parse_attribute_name),
    WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1, "pattern": r"^[^.$]+$"}),
]
Email = Annotated[str, PlainValidator(parse_email), WithJsonSchema({"type": "string", "pattern": r"^[^@\s]+@[^@\s]+$"})]
Whole = Annotated[int, PlainValidator(parse_whole), WithJsonSchema({"type": "integer"})]
Flag = Annotated[bool, PlainValidator(parse_flag), WithJsonSchema({"type": "boolean"})]
Time = Annotated[int, PlainValidator(parse_time), WithJsonSchema({"type": ["string", "number"]})]
Period = Annotated[int, PlainValidator(parse_period), WithJsonSchema({"type": "string", "pattern": PERIOD})]
