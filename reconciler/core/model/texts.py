"""Texts, names and e-mail addresses: what is written becomes a `str`, or is refused with a sentence."""

from __future__ import annotations

import re
from typing import Any

from reconciler.core.model.privacy import MAIL, refuse_mask
from reconciler.core.model.written import NULLS, describe, is_null, quote_visibly, suggest_quotes, trim

# C0, DEL, C1, the line and paragraph separators, and halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

# What most texts are: nothing can be wrong with them but that they are null.
_is_easy = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/+-]*[A-Za-z0-9])?").fullmatch


def _refuse_control(text: str, control: re.Pattern[str]) -> None:
    if match := control.search(text):
        raise ValueError(f"{quote_visibly(text)} holds the control character U+{ord(match[0]):04X}; remove it")


def _refuse_blank_ends(text: str) -> None:
    before, middle, after = trim(text)
    if after == "\n" and not before and middle:
        raise ValueError(f"{quote_visibly(text)} ends with a line break; write |- (or >-) instead of | (or >)")
    if before or after:
        raise ValueError(f"{quote_visibly(text)} has blanks at its ends; remove them")


def _string(value: Any, what: str) -> str:
    """The characters that are written. Raises ValueError for null and for what is no scalar; `what` says what should stand there."""
    if is_null(value):
        raise ValueError(f"is empty; write {what}, or quote it if the text itself is meant")
    if isinstance(value, str):
        # The result is a `str`, also of a `Plain`.
        return value.replace("\r\n", "\n")
    raise ValueError(f"is {describe(value)}; write {what}")


def _check_text(text: str, control: re.Pattern[str]) -> str:
    _refuse_control(text, control)
    refuse_mask(text)
    return text


def _parse(value: Any, what: str, control: re.Pattern[str]) -> str:
    text = _string(value, what)
    _refuse_blank_ends(text)
    return _check_text(text, control)


def parse_text(value: Any) -> str:
    """A free text as written, of any lines. Raises ValueError for control characters but tabs, for blanks at its ends and for a mask."""
    if isinstance(value, str) and _is_easy(value) and value not in NULLS:
        return str(value)
    return _parse(value, "a text", _CONTROL_IN_TEXT)


def parse_name(value: Any) -> str:
    """A name or key as written: one line, not empty. Raises ValueError as `parse_text` does."""
    if isinstance(value, str) and _is_easy(value) and value not in NULLS:
        return str(value)
    if suggestion := suggest_quotes(value):
        raise ValueError(f"is a mapping; if a name with a colon is meant, quote it: {suggestion}")
    return _not_empty(_parse(value, "a name", _CONTROL))


def parse_live_name(value: Any) -> str:
    """A name that a live thing has: as `parse_name`, but blanks at its ends stay."""
    return _not_empty(_check_text(_string(value, "a name"), _CONTROL))


def _not_empty(name: str) -> str:
    if not name:
        raise ValueError('"" is empty; write a name')
    return name


def has_blank_ends(text: str) -> bool:
    """Whether a text has blanks at its ends."""
    before, _, after = trim(text)
    return bool(before or after)


# Users report it of older versions of Intercom; its API description does not say it.
_BARRED = re.compile(r"[.$]")


def parse_attribute_name(value: Any) -> str:
    """The name of a custom attribute. Raises ValueError for a dot or a dollar, which Intercom refuses."""
    name = parse_name(value)
    if sign := _BARRED.search(name):
        better = _BARRED.sub("_", name).strip("_") or "another one"
        raise ValueError(f'{quote_visibly(name)} holds "{sign[0]}", which no attribute of Intercom may have in its name; write {better}')
    return name


def parse_email(value: Any) -> str:
    """An e-mail address as written. Raises ValueError unless one `@` has text without blanks on both sides."""
    email = _parse(value, "an e-mail address", _CONTROL)
    if not MAIL.fullmatch(email):
        raise ValueError(f"{quote_visibly(email)} is not an e-mail address; write a name, one @ and a host")
    return email
