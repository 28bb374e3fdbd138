"""What surrounds contacts and companies: /me, admins, segments, subscriptions, notes, and what else carries tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.sandbox.api import people
from reconciler.sandbox.api.companies import company, segments_of
from reconciler.sandbox.api.paging import cursor, numbered_pages, read_cursor
from reconciler.sandbox.request import Refusal, Request, invalid, mapping, not_found, page_size
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

CREATED_AT = 1734537243
AVATAR = "https://static.intercomassets.com/assets/default-avatars/admins/128.png"


def me(request: Request) -> Doc:
    ws = request.ws
    admin, app = ws.store.table("admin").in_order()[0], ws.app()
    shown_app = {
        "type": "app",
        "id_code": ws.settings.app_id,
        "name": app.get("name", "Sandbox"),
        "created_at": app.get("created_at", CREATED_AT),
        "secure": False,
        "identity_verification": False,
        "timezone": app.get("timezone", "UTC"),
        "region": ws.settings.region,
    }
    shown = {"type": "admin", "id": admin["id"], "email": admin["email"], "name": admin["name"], "email_verified": True}
    return shown | {"app": shown_app, "avatar": {"type": "avatar", "image_url": AVATAR}, "has_inbox_seat": True}


def _admin(ws: Workspace, id: object) -> Doc:
    admin = ws.store.get("admin", id)
    if admin is None:
        raise not_found()
    shown = {"type": "admin", "id": admin["id"], "name": admin["name"], "email": admin["email"], "away_mode_enabled": False}
    return shown | {"away_mode_reassign": False, "has_inbox_seat": True, "team_ids": []}


def admins(request: Request) -> Doc:
    ws = request.ws
    return {"type": "admin.list", "admins": [_admin(ws, admin["id"]) for admin in ws.store.table("admin").in_order()]}


def admin(request: Request) -> Doc:
    return _admin(request.ws, request.params["id"])


def _segment(segment: Doc, *, count: bool = False) -> Doc:
    shown = {"type": "segment"} | {name: segment[name] for name in ("id", "name", "created_at", "updated_at", "person_type")}
    return shown | ({"count": len(segment["contacts"])} if count else {})


def segments(request: Request) -> Doc:
    count = request.flag("include_count")
    return {"type": "segment.list", "segments": [_segment(s, count=count) for s in request.ws.store.table("segment").in_order()]}


def segment(request: Request) -> Doc:
    found = request.ws.store.get("segment", request.params["id"])
    if found is None:
        raise not_found()
    return _segment(found)


def segments_of_contact(request: Request) -> Doc:
    contact = people.live(request.ws, request.params["id"])
    return {"type": "list", "data": [_segment(s) for s in segments_of(request.ws, "contacts", contact)]}


def _subscription(found: Doc) -> Doc:
    name = {"name": found.get("name", "Newsletters"), "description": found.get("description", "Lorem ipsum dolor sit amet"), "locale": "en"}
    shown = {"type": "subscription", "id": found["id"], "state": "live", "consent_type": found["consent_type"]}
    return shown | {"default_translation": name, "translations": [name], "content_types": found["content_types"]}


def subscription_types(request: Request) -> Doc:
    return {"type": "list", "data": [_subscription(s) for s in request.ws.store.table("subscription").in_order()]}


def subscriptions_of_contact(request: Request) -> Doc:
    """Explicit choices only, no defaults."""
    ws = request.ws
    contact = people.live(ws, request.params["id"])
    chosen = (ws.store.table("subscription").docs[id] for id in contact.get("subscriptions", {}))
    return {"type": "list", "data": [_subscription(found) for found in chosen]}


def _type(ws: Workspace, id: object) -> Doc:
    found = ws.store.get("subscription", id)
    if found is None:
        raise not_found()
    return found


def subscribe(request: Request) -> Doc:
    """Attaching an opt_out type opts the contact out (POST /contacts/{id}/subscriptions)."""
    ws, consent = request.ws, request.body.get("consent_type")
    contact = people.live(ws, request.params["id"])
    found = _type(ws, request.body.get("id"))
    if consent not in ("opt_in", "opt_out"):
        raise invalid("consent_type must be opt_in or opt_out")
    people.save(ws, contact | {"subscriptions": {**contact.get("subscriptions", {}), found["id"]: found["consent_type"]}})
    return _subscription(found)


def unsubscribe(request: Request) -> Doc:
    ws = request.ws
    contact = people.live(ws, request.params["id"])
    found = _type(ws, request.params["subscription_id"])
    choices = {id: kept for id, kept in contact.get("subscriptions", {}).items() if id != found["id"]}
    people.save(ws, contact | {"subscriptions": choices})
    return _subscription(found)


def _note(ws: Workspace, note: Doc) -> Doc:
    shown = {"type": "note", "id": note["id"], "created_at": note["created_at"]}
    shown[note["kind"]] = {"type": note["kind"], "id": note["of"]}
    return shown | {"author": _admin(ws, note["admin_id"]), "body": note["body"]}


def _notes(request: Request, of: str) -> Doc:
    notes = request.ws.store.table("note").find("of", of)[::-1]
    part, pages = numbered_pages(notes, request.number("page", 1), request.number("per_page", 50, 150))
    return {"type": "list", "data": [_note(request.ws, note) for note in part], "total_count": len(notes), "pages": pages}


def _take_note(request: Request, kind: str, of: str) -> Doc:
    ws, body = request.ws, request.body
    if not isinstance(body.get("body"), str) or not body["body"]:
        raise invalid("body is required")
    admin_id = str(body.get("admin_id") or ws.admin_id())
    _admin(ws, admin_id)
    note = {"id": str(30 + ws.store.number("note")), "seq": ws.number(), "kind": kind, "of": of, "admin_id": admin_id}
    return _note(ws, ws.store.put("note", note | {"created_at": ws.clock(), "body": f"<p>{body['body']}</p>"}))


def notes_of_contact(request: Request) -> Doc:
    return _notes(request, people.live(request.ws, request.params["id"])["id"])


def note_on_contact(request: Request) -> Doc:
    return _take_note(request, "contact", people.live(request.ws, request.params["id"])["id"])


def notes_of_company(request: Request) -> Doc:
    return _notes(request, company(request, request.params["id"])["id"])


def note_on_company(request: Request) -> Doc:
    return _take_note(request, "company", company(request, request.params["id"])["id"])


def note(request: Request) -> Doc:
    found = request.ws.store.get("note", request.params["id"])
    if found is None:
        raise not_found()
    return _note(request.ws, found)


def conversations(request: Request) -> Doc:
    """POST /conversations/search, here on the one field `tag_ids`."""
    ws = request.ws
    if ws.settings.plan_restricted:
        raise Refusal(403, "api_plan_restricted", "Active subscription needed.")
    query, paging = mapping(request.body, "query"), mapping(request.body, "pagination")
    if query.get("field") != "tag_ids":
        raise Refusal(400, "invalid_field", "the sandbox searches conversations by tag_ids only")
    passes = _tag_test(str(query.get("operator")), query.get("value"))
    found = [c for c in ws.store.table("conversation").in_order() if passes(c["tags"])]
    size = page_size(paging, 20, 150)
    page, _ = read_cursor(paging.get("starting_after"))
    part, pages = numbered_pages(found, page, size)
    pages["next"] = pages["next"] and {"page": page + 1, "starting_after": cursor(page + 1, (0, 0, 0))}
    shown = [{"type": "conversation", "id": c["id"], "tags": {"type": "tag.list", "tags": _carried(ws, c)}} for c in part]
    return {"type": "conversation.list", "conversations": shown, "total_count": len(found), "pages": pages}


def _tag_test(operator: str, value: Any) -> Callable[[list[str]], bool]:
    """`=` on a list means that it contains the value."""
    wanted = {str(v) for v in (value if isinstance(value, list) else [value])}
    if operator not in ("=", "!=", "IN", "NIN", "~", "!~", "^", "$"):
        raise invalid(f"operator '{operator}' is not supported for field 'tag_ids'")
    return lambda tags: bool(wanted & set(tags)) == (operator not in ("!=", "NIN", "!~"))


def _carried(ws: Workspace, doc: Doc) -> list[Doc]:
    found = (ws.store.get("tag", id) for id in doc["tags"])
    return [{"type": "tag", "id": tag["id"], "name": tag["name"]} for tag in found if tag]


def content(request: Request) -> Doc:
    """GET /content/search by tags, since 2.16."""
    ws, query = request.ws, request.query
    tags = {tag for tag in str(query.get("any_tag_ids") or query.get("tag_ids") or "").split(",") if tag}
    types = {kind for kind in query.get("content_types", "").split(",") if kind}
    inside = query.get("tag_operator", "IN") != "NIN"
    found = [c for c in ws.store.table("content").in_order() if not types or c["type"] in types]
    found = [c for c in found if not tags or bool(tags & set(c["tags"])) == inside]
    page, size = request.number("page", 1), request.number("per_page", 20, 50)
    part, pages = numbered_pages(found, page, size)
    if pages["next"] is not None:  # a URL here
        kept = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
        pages["next"] = f"{request.base}/content/search?{kept}&page={page + 1}"
    data = [{"type": c["type"], "id": c["id"], "title": c["title"]} for c in part]
    return {"type": "list", "total_count": len(found), "pages": pages, "data": data}
