"""What one call carries in, and the one way to refuse it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reconciler.sandbox.store import Doc

if TYPE_CHECKING:
    from reconciler.sandbox.workspace import Workspace


class Refusal(Exception):
    """An answer in Intercom's error shape; raised anywhere below the dispatcher."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str | None] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def not_found(message: str = "Resource Not Found") -> Refusal:
    return Refusal(404, "not_found", message)


def invalid(message: str) -> Refusal:
    return Refusal(400, "parameter_invalid", message)


def mapping(body: Doc, name: str) -> Doc:
    """The object under that key; a missing one is empty."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def page_size(paging: Doc, default: int, most: int) -> int:
    """`per_page` of a body; larger than `most` is cut down to it."""
    size = paging.get("per_page", default)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise invalid("per_page must be a positive integer")
    return min(size, most)


@dataclass(slots=True)
class Request:
    method: str
    path: str  # as sent, still percent-encoded
    query: Doc  # str → str, the last of several
    body: Doc
    version: int
    ws: Workspace
    base: str = "https://api.intercom.io"
    token: str = ""
    params: dict[str, str] = field(default_factory=dict)  # percent-decoded pieces of the path

    def number(self, name: str, default: int, most: int | None = None) -> int:
        """A positive whole number of the query; larger than `most` is cut down to it."""
        text = str(self.query.get(name, default))
        if not text.isdecimal() or int(text) < 1:
            raise invalid(f"{name} must be a positive integer")
        return int(text) if most is None else min(int(text), most)

    def flag(self, name: str) -> bool:
        return str(self.query.get(name, "")).lower() == "true"
