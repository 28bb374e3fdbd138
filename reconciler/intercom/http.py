"""One call to Intercom: authorised, versioned, limited, and sent again only where that is safe."""

from __future__ import annotations

import http.client
import ipaddress
import json
import math
import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import should_bypass_proxies

from reconciler import __version__
from reconciler.core.privacy import Known, path_hidden
from reconciler.errors import IntercomError, Usage
from reconciler.intercom.bounded import BoundedAdapter, endless
from reconciler.intercom.limiter import WINDOW, Heard, Limiter, NotAdmitted, heard, seconds, whole
from reconciler.intercom.token import Token

Json: TypeAlias = Any  # what json.loads gives and json.dumps takes; a kind's `read` gives it a type

REGIONS: Mapping[str, str] = MappingProxyType(
    {"us": "https://api.intercom.io", "eu": "https://api.eu.intercom.io", "au": "https://api.au.intercom.io"}
)
VERSION = "2.16"
LARGEST = 64 * 1024 * 1024
# A contact has some hundred values, and a page 150 contacts.
VALUES = 2_000_000
TRIES, REREADS = 6, 2
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
# Seconds between two notices of one client that it waits.
NOTICE_EVERY = 60.0
SHOWN = 300
_PRESENTABLE = """content-length content-type date intercom-version link location request-id retry-after status
    x-intercom-version x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-request-id"""
PRESENTABLE = frozenset(_PRESENTABLE.split())
CUT = "the answer broke off in the middle"

# What may leave `requests`, against its own documentation too: all of it may hold URLs and headers.
FOREIGN = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)

SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")  # RFC 3986, pchar


class UnsafeSegment(IntercomError):
    """A value or a path that would make the request go to another endpoint than the one meant."""

    def __init__(self, value: str) -> None:
        self.value = value
        super().__init__(value)

    def __str__(self) -> str:
        return f"{ascii(shown(self.value))} cannot stand in a URL as it is"


def path(template: str, **values: str) -> str:
    """`/contacts/{id}/tags` with each value as one encoded segment."""
    return re.sub(r"\{(\w+)\}", lambda name: segment(values[name[1]]), template)


def segment(value: str) -> str:
    # Clients, proxies and servers resolve "." and "..", encoded or not (RFC 3986, 6.2.2); an empty one names the list.
    if value in ("", ".", ".."):
        raise UnsafeSegment(value)
    return encoded(value)


def encoded(value: str) -> str:
    try:
        return quote(value, safe="")
    except UnicodeEncodeError:
        raise UnsafeSegment(value) from None


def well_formed(whole_path: str) -> bool:
    """Whether it arrives as it is: encoded, absolute, no segment that is empty or dots."""
    first, *segments = whole_path.split("/")
    if first or not segments:
        return False
    return segments == [""] or all(SEGMENT.fullmatch(part) and unquote(part) not in (".", "..") for part in segments)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `repeatable` is False for what must not be sent again once it may have arrived (creating a lead)."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Json | None = None
    repeatable: bool = True
    read: bool | None = None
    version: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Z]+", self.method):
            raise Usage("a method is written in capital letters, as in GET")
        if not well_formed(self.path):
            raise UnsafeSegment(self.path)

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing; unless said in `read`, by method, and Intercom's searches and lists are POSTs that read."""
        if self.read is not None:
            return self.read
        return self.method in ("GET", "HEAD") or (self.method == "POST" and self.path.endswith(("/search", "/list")))

    @property
    def may_repeat(self) -> bool:
        return self.repeatable or self.reads_only


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer; `body` is {} where Intercom sends none (DELETE), `limit` its X-RateLimit-Limit, `window` what all its headers say.
    `headers` are those that can be shown: neither cookies nor what a proxy adds."""

    status: int
    body: dict[str, Json]
    request_id: str | None = None
    link: str | None = None
    limit: int | None = None
    window: Heard | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked of whom, as people see it."""

    method: str
    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.host}{shown(path_hidden(self.path))}"


class CallError(IntercomError):
    """A call without a usable answer. `maybe_done`: it may change something, and one of its tries may have been carried out."""

    def __init__(self, call: Call, why: str = "", maybe_done: bool = False) -> None:
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
        call: Call,
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
        return self._known.masked(self.said[: SHOWN * 4])

    @property
    def gone(self) -> bool:
        """Whether Intercom itself says that there is no such thing: a 404 in another shape is a proxy's, and proves nothing."""
        return self.status in (404, 410) and bool(self.code)

    def __str__(self) -> str:
        said = ": ".join(shown(text) for text in (self._known.masked(self.code), self.message) if text)
        text = f"{self.call}: {self.status} {said or phrase(self.status)}{self.hint}"
        return f"{text} (request {shown(self.request_id)})" if self.request_id else text


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


def shown(text: str) -> str:
    """Foreign text as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: SHOWN * 4]).split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "without a reason"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A try that failed, and what could mend it: the next window, a pause, a second look, or nothing."""

    error: CallError
    cure: Literal["window", "pause", "look", "nothing"]
    reply: Reply | None = None


@dataclass(slots=True)
class Tries:
    """What one call has been through so far."""

    began: float = 0.0
    pauses: int = 0
    looks: int = 0
    maybe_done: bool = False

    def spent(self, cure: str) -> bool:
        self.pauses += cure == "pause"
        self.looks += cure == "look"
        return cure == "nothing" or self.pauses >= TRIES or self.looks > REREADS


@dataclass(eq=False, repr=False)
class Client:
    """Calls one host with one token; shared by all threads.

    Waiting ends when `stop` is set. `sleep` may replace that wait; it says True when it was cut short. `guard` is asked before each
    try of a call that may write, and raises where nothing more may be written.
    """

    base_url: str
    token: Token | None
    _: KW_ONLY
    version: str = VERSION
    workers: int = 8
    adapter: BaseAdapter | None = None
    timeouts: tuple[float, float] = (10.0, 60.0)
    share: float = 1.0
    patience: float = 300.0
    stop: threading.Event = field(default_factory=threading.Event)
    sleep: Callable[[float], object] | None = None
    monotonic: Callable[[], float] = time.monotonic
    # The time of day, for people: Unix seconds.
    now: Callable[[], float] = time.time
    # Told of a wait that is longer than people expect, in one sentence.
    notice: Callable[[str], object] = lambda text: None
    rand: Callable[[], float] = random.random
    guard: Callable[[], object] | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.]+", self.version):
            raise Usage("an Intercom version looks like 2.16")
        url = checked(self.base_url)
        self.host, self._base = url.netloc, f"{url.scheme}://{url.netloc}{url.path}"
        self._proxies = {} if loopback(url) else proxies_for(self._base, self.environ)
        self._verify = authorities(self.environ)
        # One pool for all threads; the default size drops connections, and a TLS handshake costs 3 ms.
        self._adapter = self.adapter or BoundedAdapter(pool_connections=2, pool_maxsize=self.workers)
        self._sleep = self.sleep or self.stop.wait
        self.limiter = Limiter(self.share, self.monotonic, self._sleep, self.rand)
        self.sent: Counter[str] = Counter()
        self.known = Known()
        self._lock = threading.Lock()
        self._noticed = -math.inf
        # What time it was over there when it answered last, in Unix seconds.
        self.served: float | None = None
        self._headers = self._common_headers()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._adapter.close()

    def send(self, request: Request) -> Reply:
        """The answer, or HttpError, NoAnswer or BadAnswer when trying again would not help or would not be safe."""
        reply, error = self.exchange(request)
        if error:
            raise error
        return reply

    def exchange(self, request: Request) -> tuple[Reply, HttpError | None]:
        """As `send`, but where Intercom said no, its answer too."""
        tries = Tries()
        self._enter(request, tries)
        tries.began = self.monotonic()
        while not isinstance(outcome := self._attempt(request), Reply):
            try:
                self._mend(request, outcome, tries)
            except HttpError as error:
                if outcome.reply is None:
                    raise
                return outcome.reply, error
            self._enter(request, tries)
        return outcome, None

    def pause(self, seconds: float, reason: str) -> None:
        """Wait for something that lasts, unless the run is stopped; people are told why and until when."""
        self._tell_wait(reason, seconds)
        self._sleep(seconds)

    def _tell_wait(self, reason: str, seconds: float) -> None:
        """Say why nothing goes on, and until when; once a minute for all threads."""
        with self._lock:
            now = self.monotonic()
            if now - self._noticed < NOTICE_EVERY:
                return
            self._noticed = now
        until = datetime.fromtimestamp(self.now() + seconds, UTC)
        self.notice(f"{self.host}: {reason}; waiting until {until:%H:%M:%S} UTC")

    def _enter(self, request: Request, tries: Tries) -> None:
        try:
            self.limiter.enter(self.patience)
        except NotAdmitted as shut:
            raise NoAnswer(self._call(request), str(shut), tries.maybe_done) from None
        if self.guard and not request.reads_only:
            self.guard()

    def _mend(self, request: Request, trouble: Trouble, tries: Tries) -> None:
        """Waits for what may mend it, or raises."""
        error = trouble.error
        unsafe = error.maybe_done and not request.may_repeat
        error.maybe_done = tries.maybe_done = tries.maybe_done or error.maybe_done
        waited = self.monotonic() - tries.began
        if trouble.cure == "window":
            if waited > self.patience:
                error.why = f"still limited after waiting {waited:.0f} s"
                raise error
            if waited >= WINDOW:
                self._tell_wait("every answer of the last window was 429, the rate limit", self.patience - waited)
            return  # the limiter knows from the headers when to go on
        if unsafe or tries.spent(trouble.cure) or waited > self.patience or self._sleep(self._pause(tries)):
            raise error

    def _pause(self, tries: Tries) -> float:
        longest = min(FIRST_PAUSE * 2.0 ** (tries.pauses + tries.looks - 1), LONGEST_PAUSE)
        return longest * (0.5 + self.rand() / 2)

    def _attempt(self, request: Request) -> Reply | Trouble:
        status: int | None = None
        headers: Mapping[str, str] = {}
        began = self.monotonic()
        try:
            with self._deliver(request) as response:
                status, headers = response.status_code, response.headers
                return self._judge(request, response, *self._read(response))
        except FOREIGN as error:
            return self._lost(request, error)
        finally:
            date = seconds(headers.get("Date"))
            self.served = self.served if date is None else date
            self.limiter.leave(status, headers, self.monotonic() - began)

    def _deliver(self, request: Request) -> requests.Response:
        with self._lock:
            self.sent[request.method] += 1
        return self._adapter.send(
            self._prepared(request),
            stream=True,
            timeout=self.timeouts,
            verify=self._verify,
            proxies=self._proxies,
        )

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """Built by hand: requests' own preparing unquotes and resolves parts of the path (`%2e%2e` becomes `..`)."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = self._base + request.path
        if request.query:
            prepared.url += "?" + "&".join(f"{encoded(name)}={encoded(value)}" for name, value in request.query)
        prepared.headers = CaseInsensitiveDict(self._headers)
        if request.version:
            prepared.headers["Intercom-Version"] = request.version
        if request.body is not None:
            prepared.body = json.dumps(request.body, separators=(",", ":"), allow_nan=False).encode()
            prepared.headers["Content-Type"] = "application/json"
        if prepared.body is not None or not request.reads_only:
            prepared.headers["Content-Length"] = str(len(prepared.body or b""))
        return prepared

    def _common_headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"reconciler/{__version__}",
            "Intercom-Version": self.version,
        }
        return headers | ({"Authorization": self.token.header()} if self.token else {})

    def _read(self, response: requests.Response) -> tuple[bytes, str]:
        """The body, and what is wrong with it if it did not come as a whole."""
        content, began = bytearray(), self.monotonic()
        try:
            for part in response.iter_content(64 * 1024):
                content += part
                if len(content) > LARGEST:
                    return b"", f"the answer is larger than {LARGEST // 1024 // 1024} MB"
                if self.monotonic() - began > self.patience:
                    return b"", f"the answer was still coming in after {self.patience:.0f} s"
        except FOREIGN as error:
            return b"", endless(error) or CUT
        return bytes(content), ""

    def _judge(self, request: Request, response: requests.Response, content: bytes, flaw: str) -> Reply | Trouble:
        status = response.status_code
        if status == 429:  # refused before it was looked at
            return Trouble(NoAnswer(self._call(request), "limited"), "window")
        if status >= 400:
            return self._refused(request, response, content)
        if not 200 <= status < 300:
            return self._bad(request, f"sent on to {self._elsewhere(response)} ({status}), which is not followed", "nothing")
        if flaw:
            return self._bad(request, flaw, "look" if flaw == CUT else "nothing")
        return self._accepted(request, response, content)

    def _refused(self, request: Request, response: requests.Response, content: bytes) -> Trouble:
        status, body = response.status_code, {} if crowded(content) else parsed(content) or {}
        code, message = (self._safe(text) for text in first_error(body))
        request_id = self._request_id(response, body)
        error = HttpError(self._call(request), status, code, message, request_id, response.headers.get("Link"), self.known)
        if error.hint == TOKEN_HINT and self.token and self.token.looks_cut:
            error.hint = CUT_TOKEN_HINT
        passing = status == 408 or status >= 500
        error.maybe_done = passing and not request.reads_only
        reply = Reply(status, body, request_id, headers=self._presentable(response.headers))
        return Trouble(error, "pause" if passing else "nothing", reply)

    def _accepted(self, request: Request, response: requests.Response, content: bytes) -> Reply | Trouble:
        status, headers = response.status_code, response.headers
        # DELETE /tags/{id} answers 200 without content (Intercom API description 2.16); an answer to HEAD never has any.
        if crowded(content):
            return self._bad(request, f"the answer holds more than {VALUES:,} values", "nothing")
        body = {} if not content and request.method in ("DELETE", "HEAD") else parsed(content)
        if body is None:
            found = shown(self._safe(headers.get("Content-Type", "no type"))) if content else "nothing"
            return self._bad(request, f"{status} with {found} where a JSON object was expected", "look")
        if body.get("type") == "error.list":
            said = ": ".join(self._safe(text) for text in first_error(body) if text)
            return self._bad(request, f"{status} with an error inside: {shown(self.known.masked(said[: SHOWN * 4]))}", "look")
        limit, request_id = whole(headers.get("X-RateLimit-Limit")), self._request_id(response, body)
        return Reply(status, body, request_id, headers.get("Link"), limit, heard(headers), self._presentable(headers))

    def _lost(self, request: Request, error: Exception) -> Trouble:
        if late := endless(error):
            return Trouble(NoAnswer(self._call(request), late, not request.reads_only), "nothing")
        why, arrived, cure = account_of(error, self.timeouts)
        return Trouble(NoAnswer(self._call(request), why, arrived and not request.reads_only), cure)

    def _bad(self, request: Request, why: str, cure: Literal["look", "nothing"]) -> Trouble:
        return Trouble(BadAnswer(self._call(request), why, not request.reads_only), cure)

    def _call(self, request: Request) -> Call:
        return Call(request.method, self.host, request.path)

    def _safe(self, text: str) -> str:
        return self.token.hide(text) if self.token else text

    def _presentable(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._safe(value) for name, value in headers.items() if name.lower() in PRESENTABLE}

    def _request_id(self, response: requests.Response, body: Mapping[str, Json]) -> str | None:
        found = body.get("request_id") or response.headers.get("X-Request-Id")
        return self._safe(found) if isinstance(found, str) else None

    def _elsewhere(self, response: requests.Response) -> str:
        try:
            return shown(self._safe(urlsplit(response.headers.get("Location", "")).hostname or self.host))
        except ValueError:
            return "another place"


def crowded(content: bytes) -> bool:
    """Whether it holds more values than can be kept: sixty million small ones in little text take gigabytes."""
    # Before each value stands a comma, or what opens its object or list; the shortest takes two bytes with it.
    return len(content) > 2 * VALUES and sum(map(content.count, (b",", b"{", b"["))) > VALUES


def parsed(content: bytes) -> dict[str, Json] | None:
    """The JSON object in it, if it is one."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


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


def checked(base_url: str) -> SplitResult:
    """The address of an API: https, or http on this machine; no credentials in it; no slash at its end."""
    try:
        url = urlsplit(base_url)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise Usage("the base URL is no URL") from None
    if "@" in url.netloc:
        raise Usage("the base URL must not hold a user or a password; only the token authenticates")
    if not re.fullmatch(r"[!-~]+", base_url) or not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9a-f.]*:[0-9a-f:.]*", host):
        raise Usage("the base URL needs a scheme and a host, as in https://api.intercom.io")
    if url.query or url.fragment or not well_formed(url.path.rstrip("/") or "/"):
        raise Usage("the base URL is a host and at most a plain path")
    if url.scheme != "https" and not (url.scheme == "http" and loopback(url)):
        raise Usage("the base URL must be https (http only on this machine), or the token could be read on the way")
    return url._replace(path=url.path.rstrip("/"))


def loopback(url: SplitResult) -> bool:
    host = url.hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxies_for(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """HTTPS_PROXY and NO_PROXY, read once: requests would read them at every call (30 % of its time)."""
    https, everything, without = (environ.get(name) or environ.get(name.upper()) for name in ("https_proxy", "all_proxy", "no_proxy"))
    proxy = https or everything
    return {"https": proxy} if proxy and not should_bypass_proxies(url, without or "") else {}


def authorities(environ: Mapping[str, str]) -> str | bool:
    """The file or folder of TLS authorities that the environment names, or those of certifi."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if bundle := environ.get(name):
            if not os.path.exists(bundle):
                raise Usage(f"{name} names no file or folder")
            return bundle
    return True
