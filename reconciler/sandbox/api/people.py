"""A contact as it is kept, and as Intercom shows it; finding one by id in all its states."""

from __future__ import annotations

from reconciler.sandbox.api.versions import V2_16
from reconciler.sandbox.request import Refusal, Request, not_found
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace, is_live

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


def _owner(contact: Doc, version: int) -> str | int | None:
    owner = contact.get("owner_id")
    return owner if owner is None or version >= V2_16 else int(owner)


def show(ws: Workspace, contact: Doc, version: int) -> Doc:
    shown = BLANK | {name: value for name, value in contact.items() if name in FIELDS}
    shown["workspace_id"] = ws.settings.app_id
    shown["owner_id"] = _owner(contact, version)
    avatar = contact.get("avatar")
    shown["avatar"] = {"type": "avatar", "image_url": avatar} if avatar else None
    shown["social_profiles"] = {"type": "list", "data": []}
    shown["location"] = {"type": "location"} | _PLACE | contact.get("location", {})
    shown["custom_attributes"] = contact["custom_attributes"]
    return shown | _sublists(ws, contact)


def _sublists(ws: Workspace, contact: Doc) -> Doc:
    notes = [note["id"] for note in ws.store.table("note").find("of", contact["id"])]
    choices = contact.get("subscriptions", {})
    lists = {
        "tags": _sublist(contact, "tags", list(contact["tags"]), "tags", "tag"),
        "notes": _sublist(contact, "notes", notes, "notes", "note"),
        "companies": _sublist(contact, "companies", list(contact["companies"]), "companies", "company"),
    }
    for consent in ("opt_out", "opt_in"):
        ids = [id for id, choice in choices.items() if choice == consent]
        name = "opted_out_subscription_types" if consent == "opt_out" else "opted_in_subscription_types"
        lists[name] = _sublist(contact, "subscriptions", ids, "subscription_types", "subscription")
    return lists


def live(ws: Workspace, id: object, message: str = "User Not Found") -> Doc:
    """The contact if it is neither archived nor merged away."""
    contact = ws.store.get("contact", id)
    if contact is None or not is_live(contact):
        raise not_found(message)
    return contact


def any_state(ws: Workspace, id: object) -> Doc:
    """An archived contact is still reachable by its id (reported: intercom-node#333, intercom-ruby#561)."""
    contact = ws.store.get("contact", id)
    if contact is None:
        raise not_found("User Not Found")
    return contact


def read(request: Request, contact: Doc | None) -> Doc:
    """The contact, or why it cannot be read."""
    if contact is not None and contact.get("merged_into") and request.version >= V2_16:
        # GET /contacts/{id}, API 2.16: 410 with the canonical contact in Link, up to 3 hops away.
        link = f'</contacts/{_canonical(request.ws, contact)}>; rel="canonical"'
        message = "This contact has been merged. See the 'Link' header for the canonical contact."
        raise Refusal(410, "contact_merged", message, {"Link": link})
    if contact is None or not is_live(contact):
        raise not_found("User Not Found")
    return show(request.ws, contact, request.version)


def _canonical(ws: Workspace, contact: Doc) -> str:
    for _ in range(3):
        following = ws.store.get("contact", contact["merged_into"])
        if following is None:
            break
        contact = following
        if not contact.get("merged_into"):
            break
    return str(contact["id"])


def save(ws: Workspace, contact: Doc) -> Doc:
    """Stamp and store; what search saw before, it sees for `update_delay` more."""
    old = ws.store.get("contact", contact["id"])
    delay = ws.settings.update_delay
    if old is not None and delay > 0:
        ws.stale.setdefault(contact["id"], []).append((ws.now() + delay, old))
    return ws.store.put("contact", contact | {"updated_at": ws.clock(), "rank": ws.number()})


def new_id(ws: Workspace) -> str:
    return f"6762f0dd1bb69f9f{ws.store.number('contact'):08x}"


def seen(ws: Workspace, contact: Doc) -> Doc | None:
    """The contact as search and the list see it now: late, or as it was."""
    now = ws.now()
    if contact.get("visible_at", 0) > now:
        return None
    versions = [(until, doc) for until, doc in ws.stale.get(contact["id"], ()) if until > now]
    shown = versions[0][1] if versions else contact
    return shown if is_live(shown) else None


def all_seen(ws: Workspace) -> list[Doc]:
    """Everybody whom search and the list can find now."""
    table = ws.store.table("contact")
    ws.stale = {id: kept for id, old in ws.stale.items() if (kept := [pair for pair in old if pair[0] > ws.now()])}
    if not lagging(ws):
        everybody: list[Doc] = ws.built("live", table.changed, lambda: [c for c in table.docs.values() if seen(ws, c) is not None])
        return everybody
    return [shown for contact in table.docs.values() if (shown := seen(ws, contact)) is not None]


def lagging(ws: Workspace) -> bool:
    table = ws.store.table("contact")
    return bool(ws.stale) or any(table.docs[id]["visible_at"] > ws.now() for id in table.ids("late", True))
