"""The app and its admins."""

from __future__ import annotations

from reconciler.sandbox.request import Request, require
from reconciler.sandbox.store import Doc

CREATED_AT = 1734537243  # of an app whose seed gives no time
AVATAR = "https://static.intercomassets.com/assets/default-avatars/admins/128.png"


def me(request: Request) -> Doc:
    """The admin that the token belongs to, and the app."""
    ws = request.ws
    app = {"type": "app", "id_code": ws.settings.app_id, "region": ws.settings.region, "secure": False, "identity_verification": False}
    app |= {name: ws.app().get(name, unset) for name, unset in (("name", "Sandbox"), ("created_at", CREATED_AT), ("timezone", "UTC"))}
    more = {"email_verified": True, "app": app, "avatar": {"type": "avatar", "image_url": AVATAR}, "has_inbox_seat": True}
    return _name(ws.admin()) | more


def _name(admin: Doc) -> Doc:
    return {"type": "admin", "id": admin["id"], "name": admin["name"], "email": admin["email"]}


def show(admin: Doc) -> Doc:
    return _name(admin) | {"away_mode_enabled": False, "away_mode_reassign": False, "has_inbox_seat": True, "team_ids": []}


def listing(request: Request) -> Doc:
    return {"type": "admin.list", "admins": [show(admin) for admin in request.ws.store.table("admin").in_order()]}


def get(request: Request) -> Doc:
    return show(require(request.ws, "admin", request.id))
