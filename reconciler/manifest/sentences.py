"""What pydantic says of an entry, as sentences for somebody who writes a manifest."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from reconciler.core.model.kind import Field
from reconciler.core.model.written import is_null, quote
from reconciler.errors import LINES

# Longer names get no guess: it takes the square of their length.
LONGEST_GUESSED = 200
# How like each other, from 0 to 1, two words are of which one is the other written wrong: difflib's measure.
SLIP = 0.75

# The way to a place in a file: a key or a number for each level.
Loc = tuple[str | int, ...]


def not_a_list(name: str, value: Any) -> tuple[str, str]:
    """What is wrong where a list must stand, and what to do now."""
    if is_null(value):
        return f"`{name}:` has no value", "write [] for none, or remove the line"
    return f"`{name}:` is not a list", "write one, as in [a, b], or remove the line"


def closest(key: str, candidates: tuple[str, ...]) -> str:
    """The known name that is like a key; empty if none is."""
    return next(iter(difflib.get_close_matches(key, candidates, 1)), "") if len(key) <= LONGEST_GUESSED else ""


def is_slip(key: str, close: str) -> bool:
    """Whether a key is hardly anything but the known one to which it is close, written wrong by a letter or two."""
    return bool(close) and difflib.SequenceMatcher(None, key, close).ratio() >= SLIP


@dataclass
class Guesses:
    """Which known key was meant: the same few typos stand in thousands of entries, and of thousands of typos no more than the first are
    guessed, as no more are shown."""

    # By the key and what is known in its place.
    suggestions: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    def closest(self, key: str, candidates: tuple[str, ...]) -> str:
        """The known key that is like this one; empty if none is, or too many were asked for."""
        if (key, candidates) not in self.suggestions and len(self.suggestions) < LINES:
            self.suggestions[key, candidates] = closest(key, candidates)
        return self.suggestions.get((key, candidates), "")

    def suggest(self, key: str, candidates: tuple[str, ...]) -> str:
        """What to do about a key that is not known."""
        close = self.closest(key, candidates)
        return f"did you mean {close}?" if close else f"known are {', '.join(candidates)}"


def explain(error: ValidationError, model: type[BaseModel], guesses: Guesses) -> Iterator[tuple[str, Loc]]:
    """Pydantic's errors as sentences, each with its place inside what was validated."""
    for detail in error.errors(include_url=False):
        yield _SENTENCES.get(detail["type"], _as_said)(detail, model, guesses), detail["loc"]


def _as_said(detail: Any, model: type[BaseModel], _: Guesses) -> str:
    """The sentence of our own validator, after the name of its field."""
    # Of a key of a map that is wrong pydantic says the key, and that it is one.
    loc = detail["loc"][:-2] if detail["loc"][-1:] == ("[key]",) else detail["loc"]
    field = next((str(step) for step in reversed(loc) if isinstance(step, str)), "")
    message = str(detail["msg"]).removeprefix("Value error, ")
    if _is_personal(model, detail["loc"]):
        message = _mask_value(message)
    return f"{field}: {message}" if field else message


def _mask_value(message: str) -> str:
    """The message, its quoted value masked but for blanks at its ends: errors go to logs, where no phone number or name belongs."""
    if "@" in message:
        return re.sub(r'([^\s"␠@])[^\s"␠@]*@', r"\1***@", message)
    return re.sub(r'"(␠*).*?(␠*)"', r'"\1***\2"', message, flags=re.DOTALL)


def _is_personal(model: type[BaseModel], loc: Sequence[str | int]) -> bool:
    """Whether a place of an entry holds a personal value."""
    info = model.model_fields.get(str(loc[0])) if loc else None
    return info is not None and any(isinstance(meta, Field) and meta.personal for meta in info.metadata)


def _unknown_key(detail: Any, model: type[BaseModel], guesses: Guesses) -> str:
    *blocks, key = detail["loc"]
    inner: type[BaseModel] | None = model
    for block in blocks:
        # A number in a list, or a name in a map, leads to nothing else.
        if inner and block in inner.model_fields:
            inner = _model_in(inner.model_fields[block].annotation)
    return f"unknown key {quote(str(key))}; {guesses.suggest(str(key), tuple(inner.model_fields) if inner else ())}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, perhaps as one of several types."""
    types = (annotation, *getattr(annotation, "__args__", ()))
    return next((each for each in types if isinstance(each, type) and issubclass(each, BaseModel)), None)


def _not_a_map(detail: Any, model: type[BaseModel], _: Guesses) -> str:
    names = [step for step in detail["loc"] if isinstance(step, str)]
    entry = "an entry of " if detail["loc"] and isinstance(detail["loc"][-1], int) else ""
    return f"{f'{entry}`{names[-1]}` ' if names else ''}is not a map; write it as `key: value` lines"


def _not_among(detail: Any, model: type[BaseModel], _: Guesses) -> str:
    value = detail["input"]
    name = "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else str(value)
    return f"{detail['loc'][-1]}: {'is empty' if is_null(value) else f'{quote(name)} is not known'}; write {detail['ctx']['expected']}"


def _surrogate(text: str) -> int:
    return next(ord(letter) for letter in text if "\ud800" <= letter <= "\udfff")


_SENTENCES: Mapping[str, Callable[[Any, type[BaseModel], Guesses], str]] = {
    "extra_forbidden": _unknown_key,
    "missing": lambda detail, model, guesses: f"`{detail['loc'][-1]}` is missing; write it",
    "tuple_type": lambda detail, model, guesses: "; ".join(not_a_list(detail["loc"][-1], detail["input"])),
    "model_type": _not_a_map,
    "dict_type": _not_a_map,
    "literal_error": _not_among,
    # Of all strings a lone surrogate alone is none; said of a key, for values are raw until their field reads them.
    "string_unicode": lambda detail, model, guesses: f"a key holds the control character U+{_surrogate(detail['input']):04X}; remove it",
}
