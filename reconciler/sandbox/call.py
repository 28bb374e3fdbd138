"""One HTTP request, its reply, and the record of both, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from reconciler.sandbox.request import invalid
from reconciler.sandbox.store import Doc


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are no JSON, although Python reads them."""
    raise ValueError(name)


@dataclass(frozen=True)
class Call:
    """One HTTP request."""

    method: str  # in capitals
    path: str  # as sent, still percent-encoded
    query: dict[str, str]  # by name, decoded; of several values the last
    headers: dict[str, str]  # by name in lower case
    raw: bytes  # the body
    base: str  # the URL before the path

    @property
    def token(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    def body(self) -> Doc:
        """An empty body is read as an empty object. Raises Refusal for anything but an object or a form."""
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

    def recorded_body(self) -> Any:
        """The body as the value of its JSON, as text where it is no JSON, and None where there is none."""
        if not self.raw:
            return None
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return self.raw.decode("utf-8", "replace")


def read_environ(environ: Mapping[str, Any]) -> Call:
    """Read a request from a WSGI environment (PEP 3333). REQUEST_URI has the path as it was sent, which PATH_INFO does not."""
    raw_uri = environ.get("REQUEST_URI")
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
    """One request and how it was answered."""

    method: str  # in capitals
    path: str  # as sent, still percent-encoded
    query: dict[str, str]  # by name, decoded
    body: Any  # as `Call.recorded_body` reads it
    status: int  # of the reply; 0: the connection ended without one
    headers: dict[str, str] = field(compare=False, repr=False)  # of the request, by name in lower case

    def as_json(self) -> Doc:
        return {"method": self.method, "path": self.path, "query": self.query, "body": self.body, "status": self.status}


@dataclass
class Reply:
    """One HTTP response."""

    status: int  # as a number; 0: none is sent
    body: bytes  # as sent
    headers: dict[str, str | None] = field(default_factory=dict)  # besides the usual ones; None takes one away
    type: str = "application/json; charset=utf-8"  # Content-Type

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str | None] | None = None) -> Reply:
        return cls(status, json.dumps(value, separators=(",", ":")).encode(), dict(headers or {}))
