"""OAuth: a browser gets a code, a program exchanges it for a token, an app is uninstalled."""

from __future__ import annotations

import base64
import html
import secrets
from urllib.parse import urlencode, urlsplit

from reconciler.sandbox.call import Reply
from reconciler.sandbox.request import Refusal, Request
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Workspace

CODE_LIFE = 300.0  # "about 5 minutes" (Intercom developer hub, setting up OAuth)


def _page(status: int, text: str, location: str | None = None) -> Reply:
    """An answer for a browser."""
    body = f"<!doctype html><title>Intercom</title><p>{html.escape(text)}</p>".encode()
    return Reply(status, body, {"Location": location}, "text/html; charset=utf-8")


def register(ws: Workspace, app: Doc) -> None:
    """Raises ValueError for an app that lacks something."""
    if not app.get("client_id") or not app.get("client_secret") or not app.get("redirect_uris"):
        raise ValueError("an oauth app needs client_id, client_secret and redirect_uris")
    ws.store.put("oauth_app", app | {"id": str(app["client_id"]), "seq": ws.number()})


def authorize(request: Request) -> Reply:
    """The person agrees at once. Only a registered https address gets the code; the first one is the default."""
    ws, query = request.ws, request.query
    app = ws.store.get("oauth_app", query.get("client_id"))
    if app is None:
        return _page(400, "Unknown client_id")
    target = query.get("redirect_uri", app["redirect_uris"][0])
    if target not in app["redirect_uris"] or urlsplit(target).scheme != "https":
        return _page(400, f"The redirect_uri {target} is not registered for this app")
    code = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()  # ends in "=="
    ws.store.put("code", {"id": code, "seq": ws.number(), "client_id": app["id"], "until": ws.now() + CODE_LIFE})
    answer = {"code": code} | ({"state": query["state"]} if "state" in query else {})
    return _page(302, "Found", target + ("&" if urlsplit(target).query else "?") + urlencode(answer))


def exchange(request: Request) -> Doc:
    """A code is valid once."""
    ws, body = request.ws, request.body
    refusal = Refusal(401, "unauthorized", "Unauthorized Code")
    code, app = ws.store.get("code", body.get("code")), ws.store.get("oauth_app", body.get("client_id"))
    if code is None or app is None or not secrets.compare_digest(str(app["client_secret"]), str(body.get("client_secret"))):
        raise refusal
    ws.store.drop("code", code["id"])
    if code["client_id"] != app["id"] or code["until"] <= ws.now():
        raise refusal
    token = base64.b64encode(b"tok:" + secrets.token_urlsafe(24).encode()).decode()
    ws.store.put("token", {"id": token, "seq": ws.number(), "state": "active"})
    return {"token_type": "Bearer", "token": token, "access_token": token}


def uninstall(request: Request) -> Doc:
    revoke(request.ws, request.token)
    return {}


def revoke(ws: Workspace, token: str) -> None:
    ws.store.put("token", {"id": token, "seq": ws.number(), "state": "revoked"})
