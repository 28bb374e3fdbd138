"""A request as a value, with a path that can only mean one endpoint, and the reply to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from reconciler.core.model.privacy import path_hidden
from reconciler.errors import IntercomError, Usage
from reconciler.intercom.http.limiter import Heard

Json: TypeAlias = Any  # what json.loads gives and json.dumps takes; a kind's `read` gives it a type
SHOWN = 300

SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")  # RFC 3986, pchar


class UnsafeSegment(IntercomError):
    """A value or a path that would make the request go to another endpoint than the one meant."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(value)

    def __str__(self) -> str:
        return f"{ascii(shown(self.value))} cannot stand in a URL as it is"


def path(template: str, **values: str) -> str:
    """`/contacts/{id}/tags` with each value as one encoded segment."""
    return re.sub(r"\{(\w+)\}", lambda name: segment(values[name[1]]), template)


def segment(value: str) -> str:
    # Clients, proxies and servers resolve "." and "..", encoded or not (RFC 3986, 6.2.2); an empty one names the list.
    if value in ("", ".", ".."):
        raise UnsafeSegment(value)
    return encoded(value)


def encoded(value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise UnsafeSegment(value) from None


def well_formed(whole_path: str) -> bool:
    """Whether it arrives as it is: encoded, absolute, no segment that is empty or dots."""
    first, *segments = whole_path.split("/")
    if first or not segments:
        return False
    return segments == [""] or all(SEGMENT.fullmatch(part) and unquote(part) not in (".", "..") for part in segments)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `repeatable` is False for what must not be sent again once it may have arrived (creating a lead)."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Json | None = None
    repeatable: bool = True
    read: bool | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]+", self.method):
            raise Usage("a method is written in capital letters, as in GET")
        if not well_formed(self.path):
            raise UnsafeSegment(self.path)

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing; unless said in `read`, by method, and Intercom's searches and lists are POSTs that read."""
        if self.read is not None:
            return self.read
        return self.method in ("GET", "HEAD") or (self.method == "POST" and self.path.endswith(("/search", "/list")))

    @property
    def may_repeat(self) -> bool:
        return self.repeatable or self.reads_only


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer; `body` is {} where Intercom sends none (DELETE), `limit` its X-RateLimit-Limit, `window` what all its headers say.
    `headers` are those that can be shown: neither cookies nor what a proxy adds."""

    status: int
    body: dict[str, Json]
    request_id: str | None = None
    link: str | None = None
    limit: int | None = None
    window: Heard | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What was asked of whom, as people see it."""

    method: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.host}{shown(path_hidden(self.path))}"


def shown(text: str) -> str:
    """Foreign text as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: SHOWN * 4]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
