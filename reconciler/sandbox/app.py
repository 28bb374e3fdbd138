"""The sandbox as a WSGI application: faults, token, limits, version, route, answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from reconciler.sandbox import control, seed
from reconciler.sandbox.api import companies, oauth
from reconciler.sandbox.api.collection import Collection
from reconciler.sandbox.api.versions import unavailable, version_of
from reconciler.sandbox.call import Call, Recorded, Reply, from_environ
from reconciler.sandbox.faults import ConnectionDropped, Fault, Faults
from reconciler.sandbox.limits import Limits
from reconciler.sandbox.request import Refusal, Request, not_found
from reconciler.sandbox.routes import SCOPES, TABLE, Answer, Route, Routes
from reconciler.sandbox.store import Doc
from reconciler.sandbox.workspace import Settings, Workspace

StartResponse = Callable[..., Any]
Watcher = Callable[["Sandbox", Call, Reply | None], object]  # no reply: a fault took its place
_CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 408: "request_timeout", 409: "conflict",
    422: "unprocessable_entity", 429: "rate_limit_exceeded", 503: "service_unavailable",
}  # fmt: skip


class Sandbox:
    watchers: ClassVar[list[Watcher]] = []  # told of every call to any sandbox of this process, once it is answered

    def __init__(
        self,
        data: Path | None = None,
        *,
        now: Callable[[], float] = time.time,
        token: str = "sandbox",
        tokens: Mapping[str, Iterable[str]] | None = None,
        scopes: Iterable[str] | None = None,
        oauth_apps: Iterable[Doc] = (),
        **settings: Any,
    ) -> None:
        """`tokens` maps further tokens to the scopes they lack; `scopes` is what the main one has, everything if not given."""
        self.settings = Settings()
        self.settings.change(settings)
        self.token = token
        self.tokens = {name: frozenset(missing) for name, missing in (tokens or {}).items()}
        self.tokens[token] = frozenset() if scopes is None else frozenset(SCOPES) - frozenset(scopes)
        self.ws = Workspace(data, now, self.settings)
        self.faults = Faults()
        self.limits = Limits()
        self.routes = Routes(TABLE)
        self._recorded: list[Recorded] = []
        self._lock = threading.Lock()
        self._calls = 0
        self._oauth_apps = list(oauth_apps)
        self._prepare()

    def _prepare(self) -> None:
        with self.ws.store.transaction():
            self.ws.prepare()
            for app in self._oauth_apps:
                oauth.register(self.ws, app)

    # what tests ask and tell

    @property
    def requests(self) -> list[Recorded]:
        return list(self._recorded)

    @property
    def writes(self) -> list[Recorded]:
        """Neither GET nor one of the POSTs that only read."""
        return [record for record in self._recorded if record.method != "GET" and not record.reads]

    def forget_requests(self) -> None:
        self._recorded.clear()

    def seed(self, mapping: Mapping[str, Any]) -> None:
        with self.ws.store.transaction():
            seed.sow(self.ws, mapping)

    def reset(self) -> None:
        """As new: no data, faults, records, spent limit; knobs stay."""
        with self.ws.store.transaction():
            self.ws.store.clear()
            self.ws.forget()
        self.faults.clear()
        self.forget_requests()
        self.limits.reset()
        self._prepare()

    def close(self) -> None:
        self.ws.store.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def revoke(self, token: str) -> None:
        with self.ws.store.transaction():
            self.ws.store.put("token", {"id": token, "seq": self.ws.number(), "missing": [], "state": "revoked"})

    def route(self, method: str, path: str, handler: Callable[[Request], Answer], **how: Any) -> None:
        """One more endpoint; `handler` returns a body or (status, body)."""
        self.routes.add(Route(method, path, handler, **how))

    def collection(self, path: str, key: str = "name") -> None:
        Collection(path, key).add_to(self.routes)

    # one call

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> list[bytes]:
        call = from_environ(environ)
        reply = self.control(call) if call.path.startswith("/_sandbox/") else self.exchange(call)
        headers = {"Date": formatdate(self.ws.now(), usegmt=True), "Content-Type": reply.type, "Content-Length": str(len(reply.body))}
        sent = {name: str(value) for name, value in (headers | reply.headers).items() if value is not None}
        start_response(f"{reply.status} {_phrase(reply.status)}", list(sent.items()))
        return [reply.body]

    def control(self, call: Call) -> Reply:
        if call.token != self.token:
            return self._refused(Refusal(401, "unauthorized", "Access Token Invalid"))
        try:
            return control.answer(self, call)
        except Refusal as refusal:
            return self._refused(refusal)

    def exchange(self, call: Call) -> Reply:
        """Answer and record; raises ConnectionDropped where a fault says so."""
        fault = self.faults.strike(call.method, call.path)
        if fault is None:
            return self._record(call, self._work(call), True)
        if fault.run is not None:
            fault.run()
        if fault.delay:
            time.sleep(fault.delay)
        reply = self._faulty(call, None if fault.skips_work else self._work(call), fault)
        if fault.drop is not None:
            self._record(call, Reply(0, b""), False)
            raise ConnectionDropped(worked=fault.drop == "after")
        return self._record(call, reply, not fault.answers)

    def _faulty(self, call: Call, worked: Reply | None, fault: Fault) -> Reply:
        if not fault.answers:
            return worked or Reply(0, b"")
        status = fault.status or (worked.status if worked else 200)
        headers = dict(worked.headers) if worked else self._rate_headers(call)
        if fault.body is not None:
            reply = Reply(status, fault.body, headers)
        elif fault.status is None and worked:
            reply = Reply(status, worked.body, headers, worked.type)
        else:
            code = fault.code or _CODES.get(status, "server_error" if status >= 500 else "client_error")
            reply = self._refused(Refusal(status, code, fault.message or _phrase(status), headers))
        reply.headers |= dict(fault.headers)
        return reply

    def _rate_headers(self, call: Call) -> dict[str, str | None]:
        if call.token not in self.tokens:
            return {}
        try:
            return dict(self.limits.spend(self.ws))
        except Refusal as refusal:
            return refusal.headers

    def _work(self, call: Call) -> Reply:
        with self.ws.store.transaction():
            headers: dict[str, str | None] = {}
            try:
                return self._routed(call, headers)
            except Refusal as refusal:
                reply = self._refused(refusal)
                reply.headers = headers | reply.headers
                return reply
            except oauth.Page as page:
                return Reply(page.status, oauth.page(page.text), {"Location": page.location}, "text/html; charset=utf-8")

    def _routed(self, call: Call, headers: dict[str, str | None]) -> Reply:
        found = self.routes.find(call.method, call.path)
        missing: frozenset[str] = frozenset()
        if found is None or not found[0].public:
            missing = self._authenticated(call.token)
            headers |= self.limits.spend(self.ws)
        version = version_of(call.headers.get("intercom-version"), self.settings.default_version)
        _check_accept(call.headers.get("accept"))
        if found is None:
            raise not_found()  # an unsupported method too (developers.intercom.com, HTTP responses)
        route, params = found
        if not route.since <= version <= route.until:
            raise unavailable()
        if route.scope in missing:
            raise Refusal(403, "forbidden", f"You do not have the required scope ({route.scope}) to access this resource")
        companies.sweep(self.ws)
        request = Request(call.method, call.path, call.query, call.body(), version, self.ws, call.base, call.token, params)
        answer = route.answering(request)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Reply.json(status, body, headers)

    def _authenticated(self, token: str) -> frozenset[str]:
        """The scopes that the token lacks."""
        issued = self.ws.store.get("token", token)
        if issued is not None and issued["state"] == "active":
            return frozenset(issued["missing"])
        if issued is not None or token not in self.tokens:
            raise Refusal(401, "unauthorized", "Access Token Invalid")
        return self.tokens[token]

    def _refused(self, refusal: Refusal) -> Reply:
        self._calls += 1
        error = {"code": refusal.code, "message": refusal.message}
        body = {"type": "error.list", "request_id": f"00000000-0000-4000-8000-{self._calls:012d}", "errors": [error]}
        return Reply.json(refusal.status, body, refusal.headers)

    def _record(self, call: Call, reply: Reply, own: bool) -> Reply:
        found = self.routes.find(call.method, call.path)
        reads = found is not None and found[0].reads
        record = Recorded(call.method, call.path, call.query, call.shown_body(), reply.status, call.headers, reads)
        with self._lock:
            self._recorded.append(record)
        for watch in self.watchers:
            watch(self, call, reply if own else None)
        return reply


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _check_accept(accept: str | None) -> None:
    if accept and not any(part in accept for part in ("json", "*/*", "application/*")):
        raise Refusal(406, "client_error", "Not Acceptable")
