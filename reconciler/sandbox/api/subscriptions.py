"""Subscription types, and the choices that contacts made."""

from __future__ import annotations

from reconciler.sandbox.api import people
from reconciler.sandbox.request import Request, invalid, require
from reconciler.sandbox.store import Doc


def _show(kind: Doc) -> Doc:
    name = {"name": kind.get("name", "Newsletters"), "description": kind.get("description", "Lorem ipsum dolor sit amet"), "locale": "en"}
    body = {"type": "subscription", "id": kind["id"], "state": "live", "consent_type": kind["consent_type"]}
    return body | {"default_translation": name, "translations": [name], "content_types": kind["content_types"]}


def listing(request: Request) -> Doc:
    return {"type": "list", "data": [_show(kind) for kind in request.ws.store.table("subscription").in_order()]}


def of_contact(request: Request) -> Doc:
    """Only what a contact chose, not the defaults."""
    choices = people.require_live(request.ws, request.id).get("subscriptions", {})
    return {"type": "list", "data": [_show(request.ws.store.table("subscription").docs[id]) for id in choices]}


def attach(request: Request) -> Doc:
    """A type with consent_type opt_out opts the contact out (POST /contacts/{id}/subscriptions)."""
    ws, body = request.ws, request.body
    contact, kind = people.require_live(ws, request.id), require(ws, "subscription", body.get("id"))
    if body.get("consent_type") not in ("opt_in", "opt_out"):
        raise invalid("consent_type must be opt_in or opt_out")
    people.save(ws, contact | {"subscriptions": {**contact.get("subscriptions", {}), kind["id"]: kind["consent_type"]}})
    return _show(kind)


def detach(request: Request) -> Doc:
    ws = request.ws
    contact, kind = people.require_live(ws, request.id), require(ws, "subscription", request.params["subscription_id"])
    people.save_without(ws, contact, "subscriptions", kind["id"])
    return _show(kind)
