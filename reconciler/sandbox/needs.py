"""What the answers to calls rest on and was not read: the lists and searches that say it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from reconciler.sandbox.absorb import Absorber, Exchange
from reconciler.sandbox.store import Doc

# Each call is its method, its path and its body.
Calls = Iterable[tuple[str, str, Any]]
# The type of an attribute, by that of its value; a boolean is a number to Python.
_TYPES = {bool: "boolean", int: "integer", float: "float"}
# Values in one search.
BATCH = 50
_PARTS = re.compile(r"(/[a-z_]+)(?:/([^/]+))?")
_ATTRIBUTES = Exchange("GET", "/data_attributes", (("include_archived", "true"),))
# What has custom attributes, by its path.
_MODELS = {"/contacts": "contact", "/companies": "company"}
_LISTS = {"admins": Exchange("GET", "/admins"), "attributes": _ATTRIBUTES, "tags": Exchange("GET", "/tags")}


def list_needs(absorber: Absorber, calls: Calls) -> Iterator[Exchange]:
    """What is to be read before these calls can be judged, each as an exchange without an answer."""
    lists, emails = dict[str, None](), dict[str, None]()
    for method, path, body in calls:
        parts = _PARTS.fullmatch(path)
        if isinstance(body, dict) and parts:
            lists.update(dict.fromkeys(_list_lists(method, parts[1], body)))
            emails.update(dict.fromkeys(_list_mailboxes(absorber, parts[2], body) if parts[1] == "/contacts" else ()))
    yield from (_LISTS[name] for name in lists if name not in absorber.lists_read)
    new = [form for email in emails if ("email", email.lower()) not in absorber.asked for form in dict.fromkeys((email, email.lower()))]
    for start in range(0, len(new), BATCH):
        query = {"field": "email", "operator": "IN", "value": new[start : start + BATCH]}
        yield Exchange("POST", "/contacts/search", body={"query": query, "pagination": {"per_page": 150}})


def _list_lists(method: str, path: str, body: Doc) -> Iterator[str]:
    if path == "/contacts" and body.get("owner_id") is not None:
        yield "admins"
    if (path == "/data_attributes" and method == "POST") or (path in _MODELS and body.get("custom_attributes")):
        yield "attributes"
    elif path == "/tags" and method == "POST":
        yield "tags"


def _list_mailboxes(absorber: Absorber, id: str | None, body: Doc) -> Iterator[str]:
    """The e-mails of which it matters who else has them: that of the body, or of who becomes a user."""
    contact = absorber.ws.store.get("contact", id) if id else None
    if body.get("email"):
        yield str(body["email"])
    elif contact and body.get("role") == "user" and contact["role"] != "user" and contact.get("email"):
        yield str(contact["email"])


def assume(absorber: Absorber, calls: Calls) -> None:
    """Whoever is to own a contact is an admin, where nobody may read who is; so are custom attributes as they are written."""
    for _, path, body in calls:
        parts = _PARTS.fullmatch(path)
        if not isinstance(body, dict) or not parts or parts[1] not in _MODELS:
            continue
        if body.get("owner_id") is not None and "admins" not in absorber.lists_read:
            absorber.put_admin({"id": body["owner_id"]})
        for name, value in (body.get("custom_attributes") or {}).items():
            if "attributes" not in absorber.lists_read:
                absorber.put_attribute({"id": f"{parts[1]} {name}", "name": name, "model": _MODELS[parts[1]], "data_type": _type_of(value)})


def _type_of(value: object) -> str:
    """The type of an attribute that takes a value."""
    return next((name for type_, name in _TYPES.items() if isinstance(value, type_)), "string")
