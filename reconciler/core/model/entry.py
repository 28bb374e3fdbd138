"""What entries of all kinds have in common: the base model, ids, and the types of link lists and custom attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from reconciler.core.model.numbers import parse_flag
from reconciler.core.model.policy import StrictModel
from reconciler.core.model.privacy import refuse_mask
from reconciler.core.model.scalars import Flag, doc
from reconciler.core.model.texts import parse_attribute_name, parse_live_name, parse_name, parse_text
from reconciler.core.model.times import parse_time
from reconciler.core.model.written import Plain, is_null, suggest_quotes

# The keys that are written in an entry, in the order of its kind, with their valid values.
Values = Mapping[str, Any]


class Entry(StrictModel):
    """One entry of a section as people write it. What is not written is not ours."""

    # Built only when one entry is validated alone: most runs have nothing to explain.
    model_config = ConfigDict(defer_build=True)

    protect: Annotated[
        Flag, doc("Refuses the deletion of this thing, also after its entry is gone, until it is applied without this line.", True)
    ] = False

    @classmethod
    def check_values(cls, values: Values) -> None:
        """Hold the values of an entry against each other, in a kind that has a rule for them. Raises ValueError."""

    @model_validator(mode="after")
    def _check(self) -> Entry:
        self.check_values(values_of(self))
        return self


def values_of(entry: Entry) -> Values:
    """What is written in an entry, and nothing else."""
    return {name: getattr(entry, name) for name in type(entry).model_fields if name in entry.model_fields_set}


class Shape(NamedTuple):
    """What the ids of a kind look like."""

    # A regular expression of the whole id.
    pattern: str
    # The id in the words of a message.
    words: str
    # One such id, for the reference.
    example: str


# Contacts and companies have the first, tags the second (recorded examples, API 2.16).
HEX = Shape("[0-9a-f]{24}", "the 24 hex digits", "6762f0dd1bb69f9f00000007")
DECIMAL = Shape("[1-9][0-9]{0,19}", "the number", "5")


def id_of(noun: str, shape: Shape) -> Callable[[Any], str]:
    """The reader of an id that Intercom gave to a thing."""

    def read(value: Any) -> str:
        name = parse_name(value)
        if not re.fullmatch(shape.pattern, name):
            raise ValueError(f"{name!r} is not the id of a {noun}; write {shape.words} that Intercom shows")
        return name

    return read


def id_schema(shape: Shape) -> WithJsonSchema:
    """The JSON Schema of an id."""
    return WithJsonSchema({"type": ["string", "number"], "pattern": f"^{shape.pattern}$"})


class _Unwritten(str):
    """A name that is not written."""


def _as_it_is_live(value: Any, info: ValidationInfo) -> str:
    """A name. It may be left out where an id says which thing is meant. Then it is taken as it is live, blanks at its ends included."""
    if isinstance(value, _Unwritten):
        # An id that is wrong is told of, and is not among the data.
        if info.data.get("id") == "":
            raise PydanticCustomError("missing", "Field required")
        return ""
    return parse_live_name(value) if info.data.get("id") else parse_name(value)


def unwritten() -> Any:
    """The default of a `LiveName`."""
    return Field(default_factory=_Unwritten, validate_default=True)


# The name of a thing that may also be named by its `id`; the model declares `id` first.
LiveName = Annotated[str, PlainValidator(_as_it_is_live), WithJsonSchema({"type": ["string", "number", "boolean"], "minLength": 1})]


class LinkItem(NamedTuple):
    """One link of a list."""

    # The key of the target.
    key: str
    # Whether it is to be there.
    present: bool
    # Whether the key is a live id.
    by_id: bool = False


def link_to(target: str, shape: Shape) -> Callable[[Any], LinkItem]:
    """The reader of one link item: `vip`, `{tag: vip, state: absent}`, or `{id: "5"}`."""
    read_id, long = id_of(target, shape), f"{{{target}: NAME, state: absent}}, or {{id: ID}}"

    # The same few hundred names stand in thousands of entries. What has quotes is no null.
    @lru_cache(maxsize=4096, typed=True)
    def read_name(value: str) -> LinkItem:
        return LinkItem(parse_name(value), present=True)

    def read(value: Any) -> LinkItem:
        if isinstance(value, str):
            return read_name(value)
        if not isinstance(value, dict):
            return LinkItem(parse_name(value), present=True)
        unknown, ends = sorted(set(value) - {target, "id", "state"}), {target, "id"} & set(value)
        if not ends and (suggestion := suggest_quotes(value)):
            raise ValueError(f"is no link to a {target}; if a name with a colon is meant, quote it: {suggestion}; else write {long}")
        if unknown or len(ends) != 1:
            raise ValueError(f"is no link to a {target}; write its name, or {long}")
        state = value.get("state", "present")
        if state not in ("present", "absent"):
            raise ValueError(f"state {str(state)!r} is not known here; write present or absent")
        by_id = "id" in value
        return LinkItem(read_id(value["id"]) if by_id else parse_name(value[target]), state == "present", by_id)

    return read


def end_of(target: str, shape: Shape) -> Callable[[Any], LinkItem]:
    """The reader of the name of one other thing, or of its id as `{id: "5"}`."""
    read_id = id_of(target, shape)

    def read(value: Any) -> LinkItem:
        if not isinstance(value, dict):
            return LinkItem(parse_name(value), present=True)
        if value.keys() != {"id"}:
            raise ValueError(f"is no {target}; write its name, or {{id: ID}}")
        return LinkItem(read_id(value["id"]), present=True, by_id=True)

    return read


def end_schema(shape: Shape) -> WithJsonSchema:
    """The JSON Schema of the name of one other thing, or of its id."""
    by_id = (id_schema(shape).json_schema or {}) | {"description": "That of the entry with this `id`.", "examples": [shape.example]}
    long = {"type": "object", "properties": {"id": by_id}, "required": ["id"], "additionalProperties": False}
    return WithJsonSchema({"anyOf": [{"type": ["string", "number", "boolean"]}, long]})


def link_schema(target: str, shape: Shape, example: str) -> WithJsonSchema:
    """The JSON Schema of one link item; `example` is the name of a target."""
    text = {"type": ["string", "number", "boolean"]}
    texts = {"description": f"The {target}, as its own entry names it.", "examples": [example]}
    by_id = {"description": f"The {target} whose entry has this `id`.", "examples": [shape.example]}
    ends = {target: text | texts, "id": (id_schema(shape).json_schema or {}) | by_id}
    state = {"enum": ["present", "absent"], "description": "`absent` removes the link, whatever the policy says.", "examples": ["absent"]}
    long = [
        {"type": "object", "properties": {end: about, "state": state}, "required": [end], "additionalProperties": False}
        for end, about in ends.items()
    ]
    return WithJsonSchema({"anyOf": [text, *long]})


def _attributes(value: Any) -> Any:
    if is_null(value):
        raise ValueError("is empty; write null behind one attribute to clear it, or remove the line")
    if not isinstance(value, dict):
        raise ValueError("is no map; write `{name: value}`")
    for key, item in value.items():
        if isinstance(item, (dict, list)):
            raise ValueError(f"{key} is {'a map' if isinstance(item, dict) else 'a list'}; write one value")
        if isinstance(item, str):
            # Perhaps only the workspace knows its type, but a mask is a value of no type.
            _check_named(key, refuse_mask, item)
    return {parse_attribute_name(Plain(key)): item for key, item in value.items()}


def _check_named(key: str, check: Callable[[str], None], item: str) -> None:
    """A check of one value; its error names the key."""
    try:
        check(item)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


Attributes = Annotated[dict[str, Any], BeforeValidator(_attributes), WithJsonSchema({"type": "object"})]


def _or_null(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if is_null(value) else read(value)


NullableText = Annotated[
    str | None, PlainValidator(_or_null(parse_text)), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})
]
NullableFlag = Annotated[bool | None, PlainValidator(_or_null(parse_flag)), WithJsonSchema({"type": ["boolean", "null"]})]
NullableTime = Annotated[int | None, PlainValidator(_or_null(parse_time)), WithJsonSchema({"type": ["string", "number", "null"]})]
