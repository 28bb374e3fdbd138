"""A contact: how it is stored, how Intercom shows it, and in which states an endpoint or a list finds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.request import Refusal, Request, not_found, require
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace, is_live

T = TypeVar("T")

SHOWN = 10  # entries of a sub-list inside a contact (contact_tags and contact_companies, API 2.16)

_UNSET = """email phone name avatar owner_id signed_up_at last_seen_at last_replied_at last_contacted_at last_email_opened_at
last_email_clicked_at language_override browser browser_version browser_language os android_app_name android_app_version
android_device android_os_version android_sdk_version android_last_seen_at ios_app_name ios_app_version ios_device
ios_os_version ios_sdk_version ios_last_seen_at utm_campaign utm_content utm_medium utm_source utm_term referrer
enabled_push_messaging"""
_FALSE = ("has_hard_bounced", "marked_email_as_spam", "unsubscribed_from_emails")
_PLACE: Doc = dict.fromkeys(("country", "region", "city", "country_code", "continent_code"))
# Recorded example of POST /contacts, API 2.16: every key is present, null when unset.
BLANK: Doc = {"type": "contact", "id": None, "workspace_id": None, "external_id": None, "role": None}
BLANK |= dict.fromkeys(_UNSET.split()) | dict.fromkeys(_FALSE, False)
FIELDS = frozenset(BLANK) | {"created_at", "updated_at"}


def _sublist(contact: Doc, name: str, ids: list[str], path: str, kind: str) -> Doc:
    entries = [{"type": kind, "id": id, "url": f"/{path}/{id}"} for id in ids[:SHOWN]]
    url = f"/contacts/{contact['id']}/{name}"
    return {"type": "list", "data": entries, "url": url, "total_count": len(ids), "has_more": len(ids) > SHOWN}


def show(request: Request, contact: Doc) -> Doc:
    """The contact in the shape of the call's version."""
    body = BLANK | {name: value for name, value in contact.items() if name in FIELDS}
    owner, avatar = contact.get("owner_id"), contact.get("avatar")
    body["workspace_id"] = request.ws.settings.app_id
    body["owner_id"] = int(owner) if owner is not None and request.version < V2_16 else owner
    body["avatar"] = {"type": "avatar", "image_url": avatar} if avatar else None
    body["social_profiles"] = {"type": "list", "data": []}
    body["location"] = {"type": "location"} | _PLACE | contact.get("location", {})
    body["custom_attributes"] = contact["custom_attributes"]
    return body | _sublists(request.ws, contact)


def _sublists(ws: Workspace, contact: Doc) -> Doc:
    choices = contact.get("subscriptions", {})
    out, into = ([id for id, choice in choices.items() if choice == consent] for consent in ("opt_out", "opt_in"))
    return {
        "tags": _sublist(contact, "tags", list(contact["tags"]), "tags", "tag"),
        "notes": _sublist(contact, "notes", [note["id"] for note in ws.store.table("note").find("of", contact["id"])], "notes", "note"),
        "companies": _sublist(contact, "companies", list(contact["companies"]), "companies", "company"),
        "opted_out_subscription_types": _sublist(contact, "subscriptions", out, "subscription_types", "subscription"),
        "opted_in_subscription_types": _sublist(contact, "subscriptions", into, "subscription_types", "subscription"),
    }


def require_live(ws: Workspace, id: object, message: str = "User Not Found") -> Doc:
    """The contact with that id. Raises Refusal with 404 if it is archived or merged into another one."""
    contact = require(ws, "contact", id, message)
    if not is_live(contact):
        raise not_found(message)
    return contact


def require_any(ws: Workspace, id: object) -> Doc:
    """The contact with that id, an archived one too (reported: intercom-node#333, intercom-ruby#561). Raises Refusal with 404."""
    return require(ws, "contact", id, "User Not Found")


def answer(request: Request, contact: Doc | None) -> Doc:
    """The contact as the call reads it. Raises Refusal if it is archived, merged or missing."""
    if contact is not None and contact.get("merged_into") and request.version >= V2_16:
        # GET /contacts/{id}, API 2.16: 410 with the canonical contact in Link, up to 3 hops away.
        link = f'</contacts/{_canonical(request.ws, contact)}>; rel="canonical"'
        message = "This contact has been merged. See the 'Link' header for the canonical contact."
        raise Refusal(410, "contact_merged", message, {"Link": link})
    if contact is None or not is_live(contact):
        raise not_found("User Not Found")
    return show(request, contact)


def _canonical(ws: Workspace, contact: Doc) -> str:
    """The id of the contact into which this one was merged, at most three merges away."""
    for _ in range(3):
        contact = ws.store.get("contact", contact.get("merged_into")) or contact
    return str(contact["id"])


def save(ws: Workspace, contact: Doc) -> Doc:
    """Store it with a new `updated_at`. Search shows the old state for `update_delay` seconds more."""
    old = ws.store.get("contact", contact["id"])
    delay = ws.settings.update_delay
    if old is not None and delay > 0:
        ws.stale.setdefault(contact["id"], []).append((ws.now() + delay, old))
    return ws.store.put("contact", contact | {"updated_at": ws.clock(), "rank": ws.number()})


def save_without(ws: Workspace, contact: Doc, part: str, id: str) -> Doc:
    """Store it without one of its tags, companies or subscriptions."""
    return save(ws, contact | {part: {key: value for key, value in contact.get(part, {}).items() if key != id}})


def new_id(ws: Workspace) -> str:
    return f"6762f0dd1bb69f9f{ws.store.number('contact'):08x}"


def see(ws: Workspace, contact: Doc) -> Doc | None:
    """The contact as search and the list show it now: as it is, as it was before its last changes, or not at all."""
    now = ws.now()
    if contact.get("visible_at", 0) > now:
        return None
    state = next((old for until, old in ws.stale.get(contact["id"], ()) if until > now), contact)
    return state if is_live(state) else None


def see_all(ws: Workspace) -> list[Doc]:
    """All contacts that search and the list show now."""
    table = ws.store.table("contact")
    return reuse(ws, "live", table.changes, lambda: [body for contact in table.docs.values() if (body := see(ws, contact))])


def reuse(ws: Workspace, name: str, stamp: object, build: Callable[[], T]) -> T:
    """What `build` makes of the contacts that search shows; built again for another stamp, and always while search lags."""
    now, table = ws.now(), ws.store.table("contact")
    ws.stale = {id: lasting for id, old in ws.stale.items() if (lasting := [pair for pair in old if pair[0] > now])}
    if ws.stale or any(table.docs[id]["visible_at"] > now for id in table.ids("late", True)):
        return build()
    return ws.reuse(name, stamp, build)
