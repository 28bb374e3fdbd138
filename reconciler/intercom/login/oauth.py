"""OAuth for the customer's own app: the authorize address, the address that the browser ends at, a code for a token.

Facts: developers.intercom.com, "Setting up OAuth". Scopes are ticked in the Developer Hub, so no request names them; redirect addresses
are https and registered, the first one is the default; a code lives about five minutes and may end in `=`; tokens are not refreshed.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote, urlencode, urlsplit

from reconciler.errors import IntercomError, Usage
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.errors import BadAnswer, HttpError, phrase
from reconciler.intercom.http.request import Request, shorten
from reconciler.intercom.http.token import BLANKS, QUOTES, Token, flaw_of

# Hosts of other regions (app.eu.intercom.com) are reported by users only; this one is documented.
AUTHORIZE = "https://app.intercom.com/oauth"
EXCHANGE = "/auth/eagle/token"


class NotGranted(IntercomError):
    """The flow gave no token. Never holds a code, a state, a secret or words of an answer that may hold one."""


def new_state() -> str:
    """A value that nobody can guess; the redirect address must bring it back."""
    return secrets.token_urlsafe(24)


def check_redirect(redirect_uri: str) -> str:
    """A redirect address that can be registered with Intercom. Raises Usage for any other."""
    try:
        url = urlsplit(redirect_uri)
    except ValueError:
        raise Usage("--redirect-uri is no address") from None
    if url.scheme != "https" or not url.netloc:
        raise Usage("--redirect-uri must start with https://, as Intercom registers no other; give it as it is in the Developer Hub")
    return redirect_uri


def authorize_url(client_id: str, state: str, redirect_uri: str | None = None, at: str = AUTHORIZE) -> str:
    """The address where a person allows the app."""
    query = {"client_id": client_id, "state": state} | ({"redirect_uri": redirect_uri} if redirect_uri else {})
    return f"{at}?{urlencode(query, quote_via=quote, safe='')}"


def code_of(address: str, state: str) -> str:
    """The whole code in the address that the browser ended at. Raises NotGranted for one that is not of this login."""
    query = _query(address)
    if error := query.get("error"):
        raise NotGranted(f"Intercom gave no access ({shorten(error)}); log in again and allow it in the browser")
    if not query.get("code"):
        raise NotGranted("the pasted address holds no code; log in again and paste the whole address that the browser ends at")
    if not secrets.compare_digest(_bytes(query.get("state", "")), _bytes(state)):
        raise NotGranted("the pasted address is not of this login: its state is another; log in again and allow it in the browser")
    return query["code"]


def _query(address: str) -> dict[str, str]:
    """The query, decoded without form rules: in base64 `+` is a character, and a code has no blank."""
    query = address.strip(BLANKS + QUOTES + "<>").partition("#")[0].partition("?")[2]
    pairs = [part.partition("=") for part in query.split("&")]
    return {unquote(name): unquote(value) for name, _, value in pairs}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def exchange(client: Client, client_id: str, secret: Token, code: str) -> Token:
    """The token for a code, which is good once. Raises IntercomError."""
    body = {"code": code, "client_id": client_id, "client_secret": secret.value}
    try:
        reply = client.send(Request("POST", EXCHANGE, body=body, repeatable=False))
    except HttpError as error:
        raise NotGranted(_why(error)) from None
    except BadAnswer as error:
        raise NotGranted(f"{error.call}: the answer is not what Intercom gives for a code; log in again") from None
    token = reply.body.get("access_token") or reply.body.get("token")
    if not isinstance(token, str) or flaw_of(token):
        raise NotGranted("Intercom's answer holds no token; log in again")
    return Token(token)


def _why(error: HttpError) -> str:
    if error.status == 401:  # "Unauthorized Code", whatever of the three is wrong
        text = "Intercom does not take this code with this client id and secret (401)"
        return f"{text}: check both, and log in again; a code is good once and for about five minutes"
    return f"{error.call}: {error.status} {phrase(error.status)}; log in again"
