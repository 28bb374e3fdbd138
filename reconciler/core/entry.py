"""What entries of all kinds have in common: the base model, and the types of link lists and custom attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from reconciler.core.policy import Written
from reconciler.core.values import Flag, Plain, flag, is_null, name, refuse_mask, text, time, unquoted


class Entry(Written):
    """One entry of a section as people write it. What is not written is not ours."""

    protect: Flag = False


class LinkItem(NamedTuple):
    """One link of a list: the key of the target, and whether it is to be there."""

    key: str
    present: bool


def link_to(target: str) -> Callable[[Any], LinkItem]:
    """The reader of one link item: `vip`, or `{tag: vip, state: absent}`."""
    long = f"{{{target}: NAME, state: absent}}"

    def read(value: Any) -> LinkItem:
        if not isinstance(value, dict):
            return LinkItem(name(value), present=True)
        unknown = sorted(set(value) - {target, "state"})
        if target not in value and (meant := unquoted(value)):
            raise ValueError(f"is no link to a {target}; if a name with a colon is meant, quote it: {meant}; else write {long}")
        if unknown or target not in value:
            raise ValueError(f"is no link to a {target}; write its name, or {long}")
        state = value.get("state", "present")
        if state not in ("present", "absent"):
            raise ValueError(f"state {str(state)!r} is not known here; write present or absent")
        return LinkItem(name(value[target]), state == "present")

    return read


def link_schema(target: str) -> WithJsonSchema:
    """The JSON Schema of one link item."""
    text = {"type": ["string", "number", "boolean"]}
    properties = {target: text, "state": {"enum": ["present", "absent"]}}
    long = {"type": "object", "properties": properties, "required": [target], "additionalProperties": False}
    return WithJsonSchema({"anyOf": [text, long]})


def _attributes(value: Any) -> Any:
    if is_null(value):
        raise ValueError("is empty; write null behind one attribute to clear it, or remove the line")
    if not isinstance(value, dict):
        raise ValueError("is no map; write `{name: value}`")
    for key, item in value.items():
        if isinstance(item, (dict, list)):
            raise ValueError(f"{key} is {'a map' if isinstance(item, dict) else 'a list'}; write one value")
        if isinstance(item, str):
            # Its type may be known in the workspace only, but a mask is none of any type.
            _named(key, refuse_mask, item)
    return {name(Plain(key)): item for key, item in value.items()}


def _named(key: str, check: Callable[[str], None], item: str) -> None:
    """A check of one value, whose failure says of which."""
    try:
        check(item)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None


Attributes = Annotated[dict[str, Any], BeforeValidator(_attributes), WithJsonSchema({"type": "object"})]


def _or_null(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if is_null(value) else read(value)


NullableText = Annotated[str | None, PlainValidator(_or_null(text)), WithJsonSchema({"type": ["string", "number", "boolean", "null"]})]
NullableFlag = Annotated[bool | None, PlainValidator(_or_null(flag)), WithJsonSchema({"type": ["boolean", "null"]})]
NullableTime = Annotated[int | None, PlainValidator(_or_null(time)), WithJsonSchema({"type": ["string", "number", "null"]})]
