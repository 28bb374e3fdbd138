"""Segments of contacts and companies."""

from __future__ import annotations

from reconciler.sandbox.api.people import require_live
from reconciler.sandbox.request import Request, require
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


def _show(segment: Doc, *, count: bool = False) -> Doc:
    body = {"type": "segment"} | {name: segment[name] for name in ("id", "name", "created_at", "updated_at", "person_type")}
    return body | ({"count": len(segment["contacts"])} if count else {})


def show_those_of(ws: Workspace, members: str, doc: Doc) -> list[Doc]:
    """The segments that have this document among their `members`: `contacts` or `companies`."""
    return [_show(segment) for segment in ws.store.table("segment").in_order() if doc["id"] in segment[members]]


def listing(request: Request) -> Doc:
    count = request.flag("include_count")
    return {"type": "segment.list", "segments": [_show(s, count=count) for s in request.ws.store.table("segment").in_order()]}


def get(request: Request) -> Doc:
    return _show(require(request.ws, "segment", request.id))


def of_contact(request: Request) -> Doc:
    return {"type": "list", "data": show_those_of(request.ws, "contacts", require_live(request.ws, request.id))}
