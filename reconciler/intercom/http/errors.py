"""What a call can end with instead of an answer, in words that carry no token and no personal value."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Literal

import requests
import urllib3

from reconciler.core.model.privacy import Known
from reconciler.errors import IntercomError
from reconciler.intercom.http.request import SHOWN, Json, Sent, shorten

CUT = "the answer broke off in the middle"

# What may leave `requests`, against its own documentation too: all of it may hold URLs and headers.
FOREIGN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class CallError(IntercomError):
    """A call without a usable answer. `maybe_done`: it may change something, and one of its tries may have been carried out."""

    def __init__(self, call: Sent, why: str = "", maybe_done: bool = False) -> None:
        self.call, self.why, self.maybe_done = call, why, maybe_done
        self.method, self.host, self.path = call.method, call.host, call.path
        super().__init__(call, why)

    def __str__(self) -> str:
        return f"{self.call}: {self.why}"


class HttpError(CallError):
    """Intercom said no, after the retries that its status allows; code and message are those of its first error.

    `said` is its message as it came, for us alone; `message` tells no personal value that this run knows.
    """

    def __init__(
        self,
        call: Sent,
        status: int,
        code: str = "",
        message: str = "",
        request_id: str | None = None,
        link: str | None = None,
        known: Known | None = None,
    ) -> None:
        super().__init__(call)
        self.status, self.code, self.said = status, code, message
        self._known = known or Known()
        self.request_id, self.link = request_id, link
        self.hint = {401: TOKEN_HINTS.get(code, TOKEN_HINT), 403: SCOPE_HINT if code == "forbidden" else ""}.get(status, "")

    @property
    def message(self) -> str:
        return self._known.mask(self.said[: SHOWN * 4])

    @property
    def is_gone(self) -> bool:
        """Whether Intercom itself says that there is no such thing: a 404 in another shape is a proxy's, and proves nothing."""
        return self.status in (404, 410) and bool(self.code)

    def __str__(self) -> str:
        detail = ": ".join(shorten(text) for text in (self._known.mask(self.code), self.message) if text)
        text = f"{self.call}: {self.status} {detail or phrase(self.status)}{self.hint}"
        return f"{text} (request {shorten(self.request_id)})" if self.request_id else text


class NoAnswer(CallError):
    """No connection, a dropped one, a time-out, or a limit that never opened."""

    def __str__(self) -> str:
        return f"{self.call}: {self.why}" + ("; it may have been carried out" if self.maybe_done else "")


class BadAnswer(CallError):
    """A 2xx or 3xx that is not the JSON object that was asked for."""


TOKEN_HINT = "; the token is not accepted: check that it was not revoked and belongs to this region"
# Codes of developers.intercom.com, "Error codes"; most refusals of a token say only `unauthorized`.
TOKEN_HINTS = MappingProxyType(
    {
        "token_revoked": "; the token was revoked: make a new one in Intercom's Developer Hub",
        "token_expired": "; the token has expired: make a new one in Intercom's Developer Hub",
        "token_blocked": "; the token is blocked: make a new one in Intercom's Developer Hub",
    }
)
CUT_TOKEN_HINT = "; the token is not accepted: copy it again as a whole, tokens often end in ="
SCOPE_HINT = "; give the token's app this permission and try again"


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "without a reason"


def first_error(body: Mapping[str, Json]) -> tuple[str, str]:
    """Code and message of the first of Intercom's errors."""
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    code, message = (first.get(name) for name in ("code", "message"))
    return code if isinstance(code, str) else "", message if isinstance(message, str) else ""


def account_of(error: Exception, timeouts: tuple[float, float]) -> tuple[str, bool, Literal["pause", "nothing"]]:
    """What happened, whether the request may have arrived, and whether another try may help."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    match error, reason:
        case requests.exceptions.ProxyError(), _:
            return "the proxy gives no connection", False, "pause"
        case requests.exceptions.ConnectTimeout(), _:
            return f"no connection within {timeouts[0]:g} s", False, "pause"
        case _, urllib3.exceptions.NameResolutionError():
            return "the host cannot be found", False, "pause"
        case _, urllib3.exceptions.NewConnectionError():
            return "no connection; see to the network, or to the address", False, "pause"
        case requests.exceptions.SSLError(), _ if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "its TLS certificate is not trusted (REQUESTS_CA_BUNDLE may name an authority)", False, "nothing"
        case requests.exceptions.Timeout(), _:
            return f"no answer within {timeouts[1]:g} s", True, "pause"
        case (ValueError(), _):  # requests' InvalidURL, InvalidHeader, InvalidSchema: never sent
            return "the request cannot be sent (is the proxy's address right?)", False, "nothing"
        case _:
            return "the connection broke", True, "pause"
