"""One call to Intercom: authorised, versioned, limited, and sent again only where that is safe."""

from __future__ import annotations

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
from typing import Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from reconciler import __version__
from reconciler.core.model.privacy import Known
from reconciler.errors import Usage
from reconciler.intercom.http.bounded import BoundedAdapter, endless
from reconciler.intercom.http.errors import (
    CUT,
    CUT_TOKEN_HINT,
    FOREIGN,
    TOKEN_HINT,
    BadAnswer,
    CallError,
    HttpError,
    NoAnswer,
    account_of,
    first_error,
)
from reconciler.intercom.http.host import authorities, checked, loopback, proxies_for
from reconciler.intercom.http.limiter import WINDOW, Limiter, NotAdmitted, heard, seconds, whole
from reconciler.intercom.http.request import SHOWN, Json, Reply, Request, Sent, encoded, shown
from reconciler.intercom.http.token import Token

VERSION = "2.16"
LARGEST = 64 * 1024 * 1024
# A contact has some hundred values, and a page 150 contacts.
VALUES = 2_000_000
TRIES, REREADS = 6, 2
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
# Seconds between two notices of one client that it waits.
NOTICE_EVERY = 60.0
_PRESENTABLE = """content-length content-type date intercom-version link location request-id retry-after status
    x-intercom-version x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-request-id"""
PRESENTABLE = frozenset(_PRESENTABLE.split())


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

    def _call(self, request: Request) -> Sent:
        return Sent(request.method, self.host, request.path)

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
