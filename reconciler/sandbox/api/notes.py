"""Notes on contacts and companies."""

from __future__ import annotations

from reconciler.sandbox.api import admins
from reconciler.sandbox.api.companies import require_company
from reconciler.sandbox.api.paging import list_page
from reconciler.sandbox.api.people import require_live
from reconciler.sandbox.request import Request, invalid, require
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace


def _show(ws: Workspace, note: Doc) -> Doc:
    shown = {"type": "note", "id": note["id"], "created_at": note["created_at"]}
    shown[note["kind"]] = {"type": note["kind"], "id": note["of"]}
    return shown | {"author": admins.show(require(ws, "admin", note["admin_id"])), "body": note["body"]}


def _list(request: Request, of: str) -> Doc:
    ws = request.ws
    newest_first = ws.store.table("note").find("of", of)[::-1]
    return list_page(newest_first, request.number("page", 1), request.number("per_page", 50, 150), lambda note: _show(ws, note))


def _create(request: Request, kind: str, of: str) -> Doc:
    ws, text = request.ws, request.body.get("body")
    if not isinstance(text, str) or not text:
        raise invalid("body is required")
    admin_id = require(ws, "admin", request.body.get("admin_id") or ws.admin()["id"])["id"]
    note = {"id": str(30 + ws.store.number("note")), "seq": ws.number(), "kind": kind, "of": of, "admin_id": admin_id}
    return _show(ws, ws.store.put("note", note | {"created_at": ws.clock(), "body": f"<p>{text}</p>"}))


def of_contact(request: Request) -> Doc:
    return _list(request, require_live(request.ws, request.id)["id"])


def create_for_contact(request: Request) -> Doc:
    return _create(request, "contact", require_live(request.ws, request.id)["id"])


def of_company(request: Request) -> Doc:
    return _list(request, require_company(request.ws, request.id)["id"])


def create_for_company(request: Request) -> Doc:
    return _create(request, "company", require_company(request.ws, request.id)["id"])


def get(request: Request) -> Doc:
    return _show(request.ws, require(request.ws, "note", request.id))
