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
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from reconciler import __version__
from reconciler.core.model.privacy import Known
from reconciler.errors import Usage
from reconciler.intercom.http.body import VALUES, is_crowded, parse_object
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
from reconciler.intercom.http.gate import WIDEST
from reconciler.intercom.http.host import authorities, check_address, is_loopback, proxies_for
from reconciler.intercom.http.limiter import Limiter, NotAdmitted
from reconciler.intercom.http.request import SHOWN, Json, Reply, Request, Sent, encode, shorten
from reconciler.intercom.http.token import Token
from reconciler.intercom.http.window import WINDOW, read_window, seconds

VERSION = "2.16"
# The most bytes of an answer, unpacked.
LARGEST = 64 * 1024 * 1024
# Tries of a call that had no answer, and second looks where the answer was no JSON object.
TRIES, REREADS = 6, 2
# Seconds between two tries; each pause is twice the one before.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
# Seconds between two notices of one client that it waits.
NOTICE_EVERY = 60.0
# How often one of the threads that wait for the rate limit looks whether the run was stopped, in seconds.
LOOK_EVERY = 0.2
# How far a clock of one's own moves while calls are under way, in seconds.
TICK = 0.02
_PRESENTABLE = """content-length content-type date intercom-version link location request-id retry-after status
    x-intercom-version x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset x-request-id"""
PRESENTABLE = frozenset(_PRESENTABLE.split())


Cure = Literal["window", "pause", "look", "nothing"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A try that failed."""

    # What the call ends with, unless another try mends it.
    error: CallError
    # What could mend it: the next window of the rate limit, a pause, a second look, or nothing.
    cure: Cure
    # Intercom's answer, where it said no.
    reply: Reply | None = None
    # For how many seconds this call is held back, while others go on.
    hold: float = 0.0


@dataclass(slots=True)
class Tries:
    """What one call has been through so far."""

    # When the first try was admitted, by the client's clock.
    began: float = 0.0
    # Pauses so far.
    pauses: int = 0
    # Second looks so far.
    looks: int = 0
    # Whether one of the tries may have been carried out.
    maybe_done: bool = False

    def is_spent(self, cure: Cure) -> bool:
        """Count one more try that this could mend, and say whether no other is to follow."""
        self.pauses += cure == "pause"
        self.looks += cure == "look"
        return cure == "nothing" or self.pauses >= TRIES or self.looks > REREADS


@dataclass(eq=False, repr=False)
class Client:
    """Calls one host with one token; shared by all threads."""

    # https, or http on this machine; at most a plain path behind the host.
    base_url: str
    # None for calls that need none (OAuth).
    token: Token | None
    _: KW_ONLY
    # Intercom's API version, unless a request has its own.
    version: str = VERSION
    # The most calls that may be under way at the same time; how many are follows from the time that they take.
    workers: int = WIDEST
    # What takes the place of the network, None for the network.
    adapter: BaseAdapter | None = None
    # Seconds for a connection, and for one read of an answer.
    timeouts: tuple[float, float] = (10.0, 60.0)
    # The part of the rate limit that may be used, above 0 and at most 1.
    share: float = 1.0
    # Seconds that one call may be tried, limited, or answered.
    patience: float = 300.0
    # Waiting ends when this is set.
    stop: threading.Event = field(default_factory=threading.Event)
    # Waits for so many seconds, and says True when it was cut short; None: until `stop`.
    sleep: Callable[[float], object] | None = None
    # Seconds on a clock that is never set.
    monotonic: Callable[[], float] = time.monotonic
    # The time of day, for people: Unix seconds.
    now: Callable[[], float] = time.time
    # Told of a wait that is longer than people expect, in one sentence.
    notice: Callable[[str], object] = lambda text: None
    # A number from 0 to 1, so that programs do not wait for the same moment.
    rand: Callable[[], float] = random.random
    # Asked before each try of a call that may write; raises where nothing more may be written.
    guard: Callable[[], object] | None = None
    # Told of every answer, with what was asked.
    hear: Callable[[Request, Reply], object] | None = None
    # Whether every call that may write is refused before it is sent.
    read_only: bool = False
    # Where proxies and TLS authorities are named.
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.]+", self.version):
            raise Usage("an Intercom version looks like 2.16")
        url = check_address(self.base_url)
        self.host, self._base = url.netloc, f"{url.scheme}://{url.netloc}{url.path}"
        self._proxies = {} if is_loopback(url) else proxies_for(self._base, self.environ)
        self._verify = authorities(self.environ)
        # One pool for all threads; the default size drops connections, and a TLS handshake costs 3 ms.
        self._adapter = self.adapter or BoundedAdapter(pool_connections=2, pool_maxsize=self.workers)
        self._sleep = self.sleep or self.stop.wait
        # Calls by their methods.
        self.sent: Counter[str] = Counter()
        # The personal values that no message may show.
        self.known = Known()
        self.limiter = Limiter(self.share, self.monotonic, self._rest, self.rand, self.workers)
        self._lock = threading.Lock()
        self._noticed = -math.inf
        # What time it was over there when it answered last, in Unix seconds.
        self.served: float | None = None
        self._headers = self._common_headers()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
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
        """As `send`, but where Intercom said no, its answer and the error. Raises Usage for a write where only reads are allowed."""
        if self.read_only and not request.is_read:
            raise Usage(f"--read-only: {self.describe(request)} may change something; it was not sent")
        tries = Tries()
        self._enter(request, tries)
        tries.began = self.monotonic()
        while not isinstance(outcome := self._attempt(request), Reply):
            try:
                self._mend(request, outcome, tries)
            except HttpError as error:
                if outcome.reply is None:
                    raise
                return self._tell_answer(request, outcome.reply), error
            self._enter(request, tries)
        return self._tell_answer(request, outcome), None

    def _tell_answer(self, request: Request, reply: Reply) -> Reply:
        if self.hear:
            self.hear(request, reply)
        return reply

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
        except NotAdmitted as error:
            raise NoAnswer(self.describe(request), str(error), tries.maybe_done) from None
        if self.guard and not request.reads_only:
            self.guard()

    def _mend(self, request: Request, trouble: Trouble, tries: Tries) -> None:
        """Wait for what may mend it, or raise its error."""
        error = trouble.error
        unsafe = error.maybe_done and not request.may_repeat
        error.maybe_done = tries.maybe_done = tries.maybe_done or error.maybe_done
        seconds = self.monotonic() - tries.began
        if trouble.cure == "window":
            if seconds > self.patience:
                error.why = f"still limited after waiting {seconds:.0f} s"
                raise error
            if seconds >= WINDOW:
                self._tell_wait("every answer of the last window was 429, the rate limit", self.patience - seconds)
            # The limiter knows from the headers when to go on.
            if trouble.hold and self.limiter.hold(trouble.hold, self._sleep):
                raise error
            return
        if unsafe or tries.is_spent(trouble.cure) or seconds > self.patience or self._sleep(self._pause(tries)):
            raise error

    def _pause(self, tries: Tries) -> float:
        longest = min(FIRST_PAUSE * 2.0 ** (tries.pauses + tries.looks - 1), LONGEST_PAUSE)
        return longest * (0.5 + self.rand() / 2)

    def _attempt(self, request: Request) -> Reply | Trouble:
        status: int | None = None
        headers: Mapping[str, str] = {}
        began, hold = self.monotonic(), 0.0
        try:
            with self._transmit(request) as response:
                status, headers = response.status_code, response.headers
                outcome = self._judge(request, response, *self._read_body(response))
        except FOREIGN as error:
            outcome = self._explain_loss(request, error)
        finally:
            date = seconds(headers.get("Date"))
            self.served = self.served if date is None else date
            hold = self.limiter.leave(status, headers, self.monotonic() - began)
        return replace(outcome, hold=hold) if isinstance(outcome, Trouble) and hold else outcome

    def _rest(self, turn: threading.Condition, seconds: float) -> object:
        """Wait for a turn at the rate limit; true where the run was stopped."""
        if self.sleep is None:
            if not self.stop.is_set():
                turn.wait(min(seconds, LOOK_EVERY))
            return self.stop.is_set()
        if self.limiter.inflight:
            turn.wait(TICK)
            seconds = min(seconds, TICK)
        turn.release()
        try:
            return self.sleep(seconds)
        finally:
            turn.acquire()

    def _transmit(self, request: Request) -> requests.Response:
        with self._lock:
            self.sent[request.method] += 1
        return self._adapter.send(
            self._prepare(request),
            stream=True,
            timeout=self.timeouts,
            verify=self._verify,
            proxies=self._proxies,
        )

    def _prepare(self, request: Request) -> requests.PreparedRequest:
        """Built by hand: requests' own preparing unquotes and resolves parts of the path (`%2e%2e` becomes `..`)."""
        message = requests.PreparedRequest()
        message.method = request.method
        message.url = self._base + request.path
        if request.query:
            message.url += "?" + "&".join(f"{encode(name)}={encode(value)}" for name, value in request.query)
        message.headers = CaseInsensitiveDict(self._headers)
        if request.version:
            message.headers["Intercom-Version"] = request.version
        if request.body is not None:
            message.body = json.dumps(request.body, separators=(",", ":"), allow_nan=False).encode()
            message.headers["Content-Type"] = "application/json"
        if message.body is not None or not request.reads_only:
            message.headers["Content-Length"] = str(len(message.body or b""))
        return message

    def _common_headers(self) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"reconciler/{__version__}",
            "Intercom-Version": self.version,
        }
        return headers | ({"Authorization": self.token.header()} if self.token else {})

    def _read_body(self, response: requests.Response) -> tuple[bytes, str]:
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
            return Trouble(NoAnswer(self.describe(request), "limited"), "window")
        if status >= 400:
            return self._explain_refusal(request, response, content)
        if not 200 <= status < 300:
            return self._bad(request, f"sent on to {self._elsewhere(response)} ({status}), which is not followed", "nothing")
        if flaw:
            return self._bad(request, flaw, "look" if flaw == CUT else "nothing")
        return self._accept(request, response, content)

    def _explain_refusal(self, request: Request, response: requests.Response, content: bytes) -> Trouble:
        status, body = response.status_code, {} if is_crowded(content) else parse_object(content) or {}
        code, message = (self._safe(text) for text in first_error(body))
        request_id = self._request_id(response, body)
        error = HttpError(self.describe(request), status, code, message, request_id, response.headers.get("Link"), self.known)
        if error.hint == TOKEN_HINT and self.token and self.token.looks_cut:
            error.hint = CUT_TOKEN_HINT
        passing = status == 408 or status >= 500
        error.maybe_done = passing and not request.reads_only
        reply = Reply(status, body, request_id, headers=self._presentable(response.headers))
        return Trouble(error, "pause" if passing else "nothing", reply)

    def _accept(self, request: Request, response: requests.Response, content: bytes) -> Reply | Trouble:
        status, headers = response.status_code, response.headers
        # DELETE /tags/{id} answers 200 without content (Intercom API description 2.16); an answer to HEAD never has any.
        if is_crowded(content):
            return self._bad(request, f"the answer holds more than {VALUES:,} values", "nothing")
        # Whoever hears an answer hears all of it.
        parse = parse_object if self.hear else request.parse or parse_object
        body = {} if not content and request.method in ("DELETE", "HEAD") else parse(content)
        if body is None:
            content_type = shorten(self._safe(headers.get("Content-Type", "no type"))) if content else "nothing"
            return self._bad(request, f"{status} with {content_type} where a JSON object was expected", "look")
        if body.get("type") == "error.list":
            error_text = ": ".join(self._safe(text) for text in first_error(body) if text)
            return self._bad(request, f"{status} with an error inside: {shorten(self.known.mask(error_text[: SHOWN * 4]))}", "look")
        return Reply(status, body, self._request_id(response, body), read_window(headers), self._presentable(headers))

    def _explain_loss(self, request: Request, error: Exception) -> Trouble:
        if late := endless(error):
            return Trouble(NoAnswer(self.describe(request), late, not request.reads_only), "nothing")
        why, may_be_done, cure = account_of(error, self.timeouts)
        return Trouble(NoAnswer(self.describe(request), why, may_be_done and not request.reads_only), cure)

    def _bad(self, request: Request, why: str, cure: Cure) -> Trouble:
        return Trouble(BadAnswer(self.describe(request), why, not request.reads_only), cure)

    def describe(self, request: Request) -> Sent:
        """What is asked of whom, as people see it."""
        return Sent(request.method, self.host, request.path)

    def _safe(self, text: str) -> str:
        return self.token.hide(text) if self.token else text

    def _presentable(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self._safe(value) for name, value in headers.items() if name.lower() in PRESENTABLE}

    def _request_id(self, response: requests.Response, body: Mapping[str, Json]) -> str | None:
        request_id = body.get("request_id") or response.headers.get("X-Request-Id")
        return self._safe(request_id) if isinstance(request_id, str) else None

    def _elsewhere(self, response: requests.Response) -> str:
        try:
            return shorten(self._safe(urlsplit(response.headers.get("Location", "")).hostname or self.host))
        except ValueError:
            return "another place"
