"""Notes on contacts and companies."""

from __future__ import annotations

from reconciler.sandbox.api import admins
from reconciler.sandbox.api.companies import require_company
from reconciler.sandbox.api.paging import answer_page
from reconciler.sandbox.api.people import require_live
from reconciler.sandbox.request import Request, invalid, require
from reconciler.sandbox.store import Doc


def _show(request: Request, note: Doc) -> Doc:
    body = {"type": "note", "id": note["id"], "created_at": note["created_at"]}
    body[note["kind"]] = {"type": note["kind"], "id": note["of"]}
    return body | {"author": admins.show(require(request.ws, "admin", note["admin_id"])), "body": note["body"]}


def _list(request: Request, of: str) -> Doc:
    """Newest first."""
    return answer_page(request, request.ws.store.table("note").find("of", of)[::-1], _show)


def _create(request: Request, kind: str, of: str) -> Doc:
    ws, text = request.ws, request.body.get("body")
    if not isinstance(text, str) or not text:
        raise invalid("body is required")
    admin_id = require(ws, "admin", request.body.get("admin_id") or ws.admin()["id"])["id"]
    note = {"id": str(30 + ws.store.number("note")), "seq": ws.number(), "kind": kind, "of": of, "admin_id": admin_id}
    return _show(request, ws.store.put("note", note | {"created_at": ws.clock(), "body": f"<p>{text}</p>"}))


def of_contact(request: Request) -> Doc:
    return _list(request, require_live(request.ws, request.id)["id"])


def create_for_contact(request: Request) -> Doc:
    return _create(request, "contact", require_live(request.ws, request.id)["id"])


def of_company(request: Request) -> Doc:
    return _list(request, require_company(request.ws, request.id)["id"])


def create_for_company(request: Request) -> Doc:
    return _create(request, "company", require_company(request.ws, request.id)["id"])


def get(request: Request) -> Doc:
    return _show(request, require(request.ws, "note", request.id))
