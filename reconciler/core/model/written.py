"""Scalars as they are written in YAML, and as messages quote them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Scalar = str | int | float | bool | None


class Plain(str):
    """An unquoted YAML scalar, exactly as written; quoted and block scalars are `str`."""

    __slots__ = ()


# What str.isspace knows as blanks, and three more that have no width.
_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_BLANKS += "\u2028\u2029\u202f\u205f\u3000" + "\u200b\u2060\ufeff"
_VISIBLE = {" ": "␠", "\u00a0": "<NBSP>", "\n": "␤", "\r": "␍", "\t": "␉"}
# Messages cut texts that have more characters.
_LONGEST = 60


def _symbol(char: str) -> str:
    return _VISIBLE.get(char) or f"<U+{ord(char):04X}>"


def trim(text: str) -> tuple[str, str, str]:
    """The blanks before, the text between, the blanks after."""
    start = len(text) - len(text.lstrip(_BLANKS))
    end = max(start, len(text.rstrip(_BLANKS)))
    return text[:start], text[start:end], text[end:]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 10] + "…" + text[-9:]


def quote(text: str) -> str:
    """The text in single quotes, as people can copy it into a manifest; a long one is cut."""
    return repr(_cut(text))


def quote_visibly(text: str) -> str:
    """The text in double quotes, with symbols for blanks at its ends and for what does not print; a long one is cut."""
    text = _cut(text)
    before, middle, after = trim(text)
    body = "".join(char if char.isprintable() else _symbol(char) for char in middle)
    return f'"{"".join(map(_symbol, before))}{body}{"".join(map(_symbol, after))}"'


def show_blanks(name: str) -> str:
    """A name as people are shown it: two may differ by nothing but a blank at an end."""
    return name if name == name.strip() else quote_visibly(name)[1:-1]


def describe(value: Any) -> str:
    """What was written, for a message that asks for something else."""
    if isinstance(value, Plain):
        return quote_visibly(value)[1:-1]
    if isinstance(value, str):
        return f"the text {quote_visibly(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return "a list"
    return quote_visibly(str(value))[1:-1]


# What YAML 1.1 takes for a truth value or for null, in any case.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# What reads as itself without quotes, in a flow mapping too.
_BARE = re.compile(r"[^\W\d_](?:[\w./@+-]| (?=\w))*")


_ESCAPED = {"\n": r"\n", "\t": r"\t", '"': r"\"", "\\": r"\\"}


def as_yaml(text: str) -> str:
    """The text as a scalar that every reader of YAML, of 1.1 too, takes for this text, wherever it is pasted: in quotes if need be."""
    if _BARE.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_ESCAPED.get(char) or (char if char.isprintable() else f"\\U{ord(char):08X}") for char in text) + '"'


# What is null without quotes.
NULLS = frozenset({"", "~", "null", "Null", "NULL"})


def is_null(value: Any) -> bool:
    """Whether a value is null: nothing, or `~` or `null` without quotes."""
    return value is None or (isinstance(value, Plain) and value in NULLS)


def suggest_quotes(value: Any) -> str:
    """`a: b` in quotes, for somebody who wrote it without them where a name must stand; empty for what is no such mapping."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return ""
    ((key, item),) = value.items()
    if not is_null(item) and not isinstance(item, Plain):
        return ""
    text = f"{key}: {item or ''}".rstrip()
    return as_yaml(text) if len(text) <= _LONGEST else ""
