"""Contacts: create, read, update, delete, archive, block, merge, list."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from reconciler.sandbox.api import people
from reconciler.sandbox.api.paging import Ranked, answer_cursor, cursor, read_cursor
from reconciler.sandbox.api.people import require_any, require_live, save
from reconciler.sandbox.api.values import Check, is_flag, is_integer, is_text, merge_custom
from reconciler.sandbox.api.versions import PREVIEW, V2_16
from reconciler.sandbox.request import Refusal, Request, invalid, not_found
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace, is_live

WRITABLE: dict[str, Check] = {
    "role": lambda value: value in ("user", "lead"),
    "external_id": is_text,
    "email": is_text,
    "phone": is_text,
    "name": is_text,
    "avatar": is_text,
    "signed_up_at": is_integer,
    "last_seen_at": is_integer,
    "owner_id": lambda value: is_text(value) or is_integer(value),
    "unsubscribed_from_emails": is_flag,
}
OTHER_KEYS = ("custom_attributes", "email_verified", "language_override")
# Null is refused for these three (create_contact_request, API 2.16).
NOT_NULL = ("role", "external_id", "email")


def create(request: Request) -> Doc:
    ws, body = request.ws, request.body
    if not any(body.get(name) for name in ("email", "external_id", "role")):
        raise Refusal(400, "parameter_not_found", "One of email, external_id or role is required")
    for reading in ("archive", "search_delay"):
        ws.rest_on(reading)
    contact = _merge_body(request, {"id": None, "role": "user", "custom_attributes": {}, "tags": {}, "companies": {}})
    _refuse_conflict(ws, contact)
    contact |= {"id": people.new_id(ws), "seq": ws.number(), "created_at": ws.clock()}
    if ws.settings.search_delay > 0:
        contact["visible_at"] = ws.now() + ws.settings.search_delay
    return people.show(request, save(ws, contact))


def update(request: Request) -> Doc:
    contact = require_live(request.ws, request.id, "Contact Not Found")
    if contact["role"] == "user" and request.body.get("role") == "lead":
        # update-contact, API 2.3 reference.
        raise Refusal(400, "client_error", "Contact with user role can't be converted to a lead")
    new = _merge_body(request, contact)
    if any(new.get(name) != contact.get(name) for name in ("external_id", "email", "role")):
        request.ws.rest_on("archive")
    _refuse_conflict(request.ws, new)
    return people.show(request, save(request.ws, new))


def _merge_body(request: Request, contact: Doc) -> Doc:
    """The contact with the fields of the body. Keys that nobody can write are ignored. Raises Refusal for a wrong value."""
    ws, body = request.ws, request.body
    if ws.settings.unknown_key == "refused" and (unknown := sorted(set(body) - {*WRITABLE, *OTHER_KEYS})):
        raise Refusal(400, "bad_request", f"bad '{unknown[0]}' parameter")
    changes = {name: _check(name, body[name]) for name in WRITABLE if name in body}
    if changes.get("owner_id") is not None:
        # create-contact, API 2.1 reference.
        changes["owner_id"] = str(changes["owner_id"])
        if ws.store.get("admin", changes["owner_id"]) is None:
            raise invalid("The owner specified is not a member of the workspace")
    if request.version >= V2_16 and "email_verified" in body and "email" not in body:
        raise invalid("email_verified can only be set together with email")
    if request.version >= PREVIEW and "language_override" in body:
        # An unsupported code becomes null (POST /contacts, Preview).
        code = body["language_override"]
        changes["language_override"] = code if isinstance(code, str) and len(code) == 2 and code.isalpha() else None
    if ws.settings.email_case == "lowered" and changes.get("email"):
        changes["email"] = changes["email"].lower()
    _rest_on_values(ws, changes, body)
    new = contact | changes
    _settle_lead(ws, new)
    if "custom_attributes" in body:
        new["custom_attributes"] = _merge_custom(ws, new, body["custom_attributes"])
    return new


def _rest_on_values(ws: Workspace, changes: Doc, body: Doc) -> None:
    email = body.get("email")
    if isinstance(email, str) and email != email.lower():
        ws.rest_on("email_case")
    if any(body[name] is None for name in changes if name in body):
        ws.rest_on("null_field")


def _settle_lead(ws: Workspace, contact: Doc) -> None:
    """What becomes of the external_id of a lead. Raises Refusal where it is not taken."""
    if contact["role"] == "lead" and contact.get("external_id"):
        ws.rest_on("lead_external_id")
    if contact["role"] == "lead" and contact.get("external_id") and ws.settings.lead_external_id != "taken":
        if ws.settings.lead_external_id == "refused":
            raise invalid("external_id is invalid for a lead")
        contact["external_id"] = None


def _check(name: str, value: Any) -> Any:
    """The value to store. Raises Refusal."""
    if value is None and name not in NOT_NULL:
        return False if name == "unsubscribed_from_emails" else None
    if not WRITABLE[name](value):
        raise invalid(f"{name} is invalid")
    return value


def _merge_custom(ws: Workspace, contact: Doc, new: object) -> Doc:
    if contact["role"] == "lead" and ws.settings.leads_refuse_null and isinstance(new, dict) and None in new.values():
        raise invalid("custom_attributes of a lead must not be null")
    return merge_custom(ws, "contact", contact["custom_attributes"], new)


def _refuse_conflict(ws: Workspace, contact: Doc) -> None:
    other = _conflict(ws, contact)
    if other is None:
        return
    if other.get("blocked"):
        raise Refusal(400, "not_restorable", "User was blocked and cannot be recreated")
    # create-contact, API 2.1 reference: only the text names the id.
    article = "A" if is_live(other) else "An archived"
    raise Refusal(409, "conflict", f"{article} contact matching those details already exists with id={other['id']}")


def _conflict(ws: Workspace, contact: Doc) -> Doc | None:
    """Another contact with the same external_id; else another user with the same e-mail, unless both have an external_id."""
    table = ws.store.table("contact")
    external = contact.get("external_id")
    others = [c for c in table.find("external_id", external) if c["id"] != contact["id"]] if external else []
    if not others and contact.get("email") and contact["role"] == "user":
        # Two users may share an e-mail when their external_ids differ (Intercom help, article 5053685).
        others = [c for c in table.find("mailbox", contact["email"].lower()) if c["id"] != contact["id"] and c["role"] == "user"]
        if others:
            ws.rest_on("shared_email")
        others = [c for c in others if not _may_share(ws.settings.shared_email, [external, c.get("external_id")])]
    return max(others, key=is_live, default=None)


def _may_share(rule: str, external_ids: list[Any]) -> bool:
    """Whether two users with these external_ids may have one e-mail."""
    return rule != "never" and (any if rule == "any_external_id" else all)(external_ids)


def get(request: Request) -> Doc:
    contact = request.ws.store.get("contact", request.id)
    body = people.answer(request, contact)
    if contact and request.flag("include_merge_history") and request.version >= V2_16:
        body["merge_history"] = list(contact.get("merges", ()))
    return body


def find_by_external_id(request: Request) -> Doc:
    """Users only, not leads (GET /contacts/find_by_external_id/{external_id})."""
    contacts = request.ws.store.table("contact").find("external_id", request.params["external_id"])
    users = [contact for contact in contacts if contact["role"] == "user" or contact.get("merged_into")]
    return people.answer(request, max(users, key=is_live, default=None))


def listing(request: Request) -> Doc:
    ws = request.ws
    field = "rank" if ws.settings.contact_order == "updated_at" else "seq"
    changes = ws.store.table("contact").changes
    ranking = people.reuse(ws, f"by {field}", changes, lambda: Ranked.of(people.see_all(ws), itemgetter(field)))
    after, size = request.query.get("starting_after"), request.number("per_page", 10, 150)
    return answer_cursor(request, ranking, people.show, after, size, ascending=False)


def _short(contact: Doc, **state: bool) -> Doc:
    return {"type": "contact", "id": contact["id"], "external_id": contact.get("external_id"), **state}


def delete(request: Request) -> Doc:
    """For ever, also an archived contact."""
    contact = require_any(request.ws, request.id)
    for note in request.ws.store.table("note").find("of", contact["id"]):
        request.ws.store.drop("note", note["id"])
    request.ws.stale.pop(contact["id"], None)
    request.ws.store.drop("contact", contact["id"])
    return _short(contact, deleted=True)


def archive(request: Request) -> Doc:
    contact = require_any(request.ws, request.id)
    if not contact.get("archived"):
        save(request.ws, contact | {"archived": True})
    return _short(contact, archived=True)


def unarchive(request: Request) -> Doc:
    contact = require_any(request.ws, request.id)
    if contact.get("merged_into"):
        # Reported: forum.intercom.com, "How to unarchive a contact?".
        raise Refusal(400, "bad_request", "User has been merged and is not restorable.")
    if contact.get("blocked"):
        raise Refusal(400, "not_restorable", "User was blocked and cannot be recreated")
    for reading in ("archived", "brought_back") if contact.get("archived") else ("unarchived",):
        request.ws.rest_on(reading)
    if contact.get("archived"):
        save(request.ws, contact | {"archived": False})
    return _short(contact, archived=False)


def block(request: Request) -> Doc:
    contact = require_any(request.ws, request.id)
    save(request.ws, contact | {"blocked": True, "archived": True})
    return _short(contact, blocked=True)


def merge(request: Request) -> Doc:
    """Merge a lead into a user; since 2.16 only if they share an e-mail or a phone."""
    ws, body = request.ws, request.body
    source, into = (require_live(ws, body.get(name)) for name in ("from", "into"))
    if source["role"] != "lead" or into["role"] != "user":
        raise Refusal(400, "invalid_merge", "Only a lead can be merged, and only into a user")
    if request.version >= V2_16 and not body.get("skip_duplicate_validation") and not _share_email_or_phone(source, into):
        message = "Contacts can only be merged when they are duplicates (matching email or phone). "
        raise Refusal(400, "invalid_merge", message + "Pass skip_duplicate_validation=true to override this check.")
    save(ws, source | {"merged_into": into["id"]})
    return people.show(request, save(ws, _merge_into(ws, source, into)))


def _share_email_or_phone(one: Doc, other: Doc) -> bool:
    emails = {str(c.get("email") or c["id"]).lower() for c in (one, other)}
    phones = {c.get("phone") or c["id"] for c in (one, other)}
    return len(emails) == 1 or len(phones) == 1


def _merge_into(ws: Workspace, source: Doc, into: Doc) -> Doc:
    item = {"type": "merge_history", "source_contact_id": source["id"], "source_contact_role": source["role"], "merged_at": ws.clock()}
    whole = into | {"merges": [*into.get("merges", ()), item]}
    for name in ("tags", "companies", "custom_attributes"):
        whole[name] = {**source[name], **into[name]}
    for name in ("email", "phone", "name", "avatar"):
        whole[name] = into.get(name) or source.get(name)
    return whole


def merge_history(request: Request) -> Doc:
    contact = require_live(request.ws, request.id, "Contact not found")
    if contact["role"] == "lead":
        raise not_found("Contact not found")
    merges = contact.get("merges", [])
    if request.query.get("order", "desc") != "asc":
        merges = merges[::-1]
    start = read_cursor(request.query.get("starting_after") or request.query.get("cursor"))[0] - 1
    end = start + request.number("per_page", 50, 150)
    more = end < len(merges)
    return {"type": "list", "data": merges[start:end], "next_cursor": cursor(end + 1, (1, end, end)) if more else None, "has_more": more}
