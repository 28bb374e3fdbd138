"""A request as a value, with a path that can only mean one endpoint, and the reply to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from reconciler.core.model.privacy import path_hidden
from reconciler.errors import IntercomError, Usage
from reconciler.intercom.http.window import Window

Json: TypeAlias = Any  # what json.loads gives and json.dumps takes; a kind's `read` gives it a type
# The bytes of an answer → the object in them, None where there is none.
Parse: TypeAlias = Callable[[bytes], dict[str, Json] | None]
# The most characters of foreign text that are shown.
SHOWN = 300

# The POSTs that only read (Intercom API description 2.16); whatever else is posted may change something.
READING = frozenset({"/contacts/search", "/conversations/search", "/tickets/search", "/calls/search", "/companies/list"})
SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")  # RFC 3986, pchar


class UnsafeSegment(IntercomError):
    """A value or a path that would make the request go to another endpoint than the one meant."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(value)

    def __str__(self) -> str:
        return f"{ascii(shorten(self.value))} cannot stand in a URL as it is"


def path(template: str, **values: str) -> str:
    """`/contacts/{id}/tags` with each value as one encoded segment."""
    return re.sub(r"\{(\w+)\}", lambda name: segment(values[name[1]]), template)


def segment(value: str) -> str:
    # Clients, proxies and servers resolve "." and "..", encoded or not (RFC 3986, 6.2.2); an empty one names the list.
    if value in ("", ".", ".."):
        raise UnsafeSegment(value)
    return encode(value)


def encode(value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise UnsafeSegment(value) from None


def is_well_formed(whole_path: str) -> bool:
    """Whether a path arrives as it is: encoded, absolute, no segment that is empty or dots."""
    first, *segments = whole_path.split("/")
    if first or not segments:
        return False
    return segments == [""] or all(SEGMENT.fullmatch(part) and unquote(part) not in (".", "..") for part in segments)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. Raises Usage or UnsafeSegment where it cannot be sent as it is."""

    # In capital letters.
    method: str
    # Encoded, and absolute below the base URL.
    path: str
    # Names and values, not encoded.
    query: tuple[tuple[str, str], ...] = ()
    # What is sent, as JSON; None for nothing.
    body: Json | None = None
    # False for what must not be sent again once it may have arrived (creating a lead).
    repeatable: bool = True
    # Whether it changes nothing, None where method and path say so.
    read: bool | None = None
    # The API version to ask under, None for the client's own.
    version: str | None = None
    # What reads the answer where only a part of it is used, None for the whole.
    parse: Parse | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]+", self.method):
            raise Usage("a method is written in capital letters, as in GET")
        if not is_well_formed(self.path):
            raise UnsafeSegment(self.path)

    @property
    def is_read(self) -> bool:
        """Whether method and path can only read. Intercom's searches and lists are POSTs that do."""
        return self.method in ("GET", "HEAD") or (self.method == "POST" and self.path in READING)

    @property
    def reads_only(self) -> bool:
        """Whether it is taken for one that changes nothing."""
        return self.is_read if self.read is None else self.read

    @property
    def may_repeat(self) -> bool:
        return self.repeatable or self.reads_only


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with a JSON object, or with nothing where Intercom sends nothing."""

    # Its HTTP status.
    status: int
    # {} where Intercom sends none (DELETE).
    body: dict[str, Json]
    # What Intercom's support finds the call by.
    request_id: str | None = None
    # What its headers say of the rate limit, None where they cannot be trusted.
    window: Window | None = None
    # Those that can be shown: neither cookies nor what a proxy adds.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was asked of whom, as people see it."""

    # In capital letters.
    method: str
    # With its port, where it has one.
    host: str
    # Encoded, without the query.
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.host}{shorten(path_hidden(self.path))}"


def shorten(text: str) -> str:
    """Foreign text as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: SHOWN * 4]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
