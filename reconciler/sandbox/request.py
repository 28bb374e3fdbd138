"""What an endpoint gets, and how it refuses a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


class Refusal(Exception):
    """An answer in the shape of Intercom's errors. An endpoint raises it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str | None] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def not_found(message: str = "Resource Not Found") -> Refusal:
    return Refusal(404, "not_found", message)


def invalid(message: str) -> Refusal:
    return Refusal(400, "parameter_invalid", message)


def require(ws: Workspace, kind: str, id: object, message: str = "Resource Not Found") -> Doc:
    """The document of that kind and id. Raises Refusal with 404."""
    doc = ws.store.get(kind, id)
    if doc is None:
        raise not_found(message)
    return doc


def mapping(body: Doc, name: str) -> Doc:
    """The object under that key, an empty one if it is missing. Raises Refusal where it is no object."""
    value = body.get(name)
    if not isinstance(value, dict | None):
        raise invalid(f"{name} must be an object")
    return value or {}


def page_size(paging: Doc, default: int, most: int) -> int:
    """`per_page` of a body, cut down to `most`. Raises Refusal where it is no positive whole number."""
    size = paging.get("per_page", default)
    return _positive("per_page", str(size) if type(size) is int else "", most)


def _positive(name: str, text: str, most: int | None) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise invalid(f"{name} must be a positive integer")
    return int(text) if most is None else min(int(text), most)


@dataclass(slots=True)
class Request:
    """One call to an endpoint."""

    query: dict[str, str]  # by name; of several values the last
    body: Doc  # of JSON or of a form; empty if there is none
    version: int  # of the API, as `api.versions` numbers it
    ws: Workspace  # that the endpoint reads and changes
    base: str  # the URL before the path, as the caller wrote it
    path: str  # as sent, still percent-encoded
    token: str  # of the caller; empty if there is none
    params: dict[str, str] = field(default_factory=dict)  # by the name in the route: a piece of the path, percent-decoded

    @property
    def id(self) -> str:
        return self.params["id"]

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """A positive whole number of the query, cut down to `most`. Raises Refusal for anything else."""
        return _positive(name, self.query.get(name, str(default)), most)

    def flag(self, name: str) -> bool:
        return self.query.get(name, "").lower() == "true"
