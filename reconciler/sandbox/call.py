"""One HTTP exchange as plain values: read from a WSGI environment, and what was recorded of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from reconciler.sandbox.request import invalid
from reconciler.sandbox.store import Doc


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON, whatever Python thinks."""
    raise ValueError(name)


@dataclass(frozen=True)
class Call:
    method: str
    path: str  # still percent-encoded
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    raw: bytes
    base: str

    @property
    def token(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    def body(self) -> Doc:
        """An empty body counts as an empty object."""
        if not self.raw:
            return {}
        if self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(self.raw.decode("utf-8", "replace"), keep_blank_values=True))
        try:
            body = json.loads(self.raw, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise invalid("Request body is not valid JSON") from None
        if not isinstance(body, dict):
            raise invalid("Request body must be a JSON object")
        return body

    def shown_body(self) -> Any:
        """The body as a value where it is one, else as text, else nothing."""
        if not self.raw:
            return None
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return self.raw.decode("utf-8", "replace")


def from_environ(environ: Mapping[str, Any]) -> Call:
    raw_uri = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    path = urlsplit(str(raw_uri)).path if raw_uri else quote(str(environ.get("PATH_INFO", "/")).encode("latin-1"))
    headers = {name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")}
    headers["content-type"] = str(environ.get("CONTENT_TYPE") or "")
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return Call(
        method=str(environ["REQUEST_METHOD"]),
        path=path,
        query=dict(parse_qsl(str(environ.get("QUERY_STRING", "")), keep_blank_values=True)),
        headers=headers,
        raw=environ["wsgi.input"].read(length) if length else b"",
        base=f"{environ.get('wsgi.url_scheme', 'http')}://{headers.get('host', 'api.intercom.io')}",
    )


@dataclass(frozen=True)
class Recorded:
    """What came in and how it was answered; status 0 is a dropped connection."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    headers: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    reads: bool = field(default=False, compare=False, repr=False)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.method, self.path, self.query, self.body, self.status))

    def shown(self) -> Doc:
        return {"method": self.method, "path": self.path, "query": self.query, "body": self.body, "status": self.status}


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str | None] = field(default_factory=dict)
    type: str = "application/json; charset=utf-8"

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str | None] | None = None) -> Reply:
        return cls(status, json.dumps(value, separators=(",", ":")).encode(), dict(headers or {}))
