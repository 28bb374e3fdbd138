"""The sandbox as a WSGI application: what each call passes, from faults and token to the endpoint and the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http.client import responses
from typing import Any, ClassVar

from reconciler.sandbox import control
from reconciler.sandbox.api import companies
from reconciler.sandbox.api.versions import version_of
from reconciler.sandbox.box import Box
from reconciler.sandbox.call import Call, Recorded, Reply, read_environ
from reconciler.sandbox.faults import ConnectionDropped, Fault
from reconciler.sandbox.request import Refusal, Request, not_found

StartResponse = Callable[..., Any]
Headers = dict[str, str | None]
Watcher = Callable[["Sandbox", Call, Reply | None], object]  # no reply: a fault took its place
_CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 408: "request_timeout", 409: "conflict",
    422: "unprocessable_entity", 429: "rate_limit_exceeded", 503: "service_unavailable",
}  # fmt: skip


class Sandbox(Box):
    """A local Intercom."""

    watchers: ClassVar[list[Watcher]] = []  # called after every call to any sandbox of this process

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> list[bytes]:
        """Answer one call (PEP 3333). Raises ConnectionDropped where a fault ends the connection."""
        call = read_environ(environ)
        reply = self._control(call) if call.path.startswith("/_sandbox/") else self._exchange(call)
        headers = {"Date": formatdate(self.ws.now(), usegmt=True), "Content-Type": reply.type, "Content-Length": str(len(reply.body))}
        present = [(name, str(value)) for name, value in (headers | reply.headers).items() if value is not None]
        start_response(f"{reply.status} {responses.get(reply.status, 'Unknown')}", present)
        return [reply.body]

    def _control(self, call: Call) -> Reply:
        try:
            if call.token != self.token:
                raise Refusal(401, "unauthorized", "Access Token Invalid")
            return Reply.json(200, control.answer(self, call))
        except Refusal as refusal:
            return self._refuse(refusal)

    def _exchange(self, call: Call) -> Reply:
        fault = self.faults.meet(call.method, call.path)
        if fault is None:
            return self._record(call, self._work(call), own=True)
        if fault.run is not None:
            fault.run()
        if fault.delay:
            time.sleep(fault.delay)
        reply = self._spoil(call, None if fault.skips_work else self._work(call), fault)
        if fault.drop is not None:
            self._record(call, Reply(0, b""), own=False)
            raise ConnectionDropped(worked=fault.drop == "after")
        return self._record(call, reply, own=not fault.answers)

    def _spoil(self, call: Call, reply: Reply | None, fault: Fault) -> Reply:
        """What the fault makes of the reply; there is none if it skips the work."""
        if not fault.answers:
            return reply or Reply(0, b"")
        status = fault.status or (reply.status if reply else 200)
        headers = reply.headers if reply else self._rate_headers(call)
        if fault.body is not None:
            spoilt = Reply(status, fault.body, headers)
        elif fault.status is None and reply:
            spoilt = reply
        else:
            code = fault.code or _CODES.get(status, "server_error" if status >= 500 else "client_error")
            spoilt = self._refuse(Refusal(status, code, fault.message or responses.get(status, "Unknown"), headers))
        spoilt.headers |= fault.headers
        return spoilt

    def _rate_headers(self, call: Call) -> Headers:
        try:
            with self.ws.store.lock:
                return self.limits.spend(self.ws) if call.token in self.tokens else {}
        except Refusal as refusal:
            return refusal.headers

    def _work(self, call: Call) -> Reply:
        headers: Headers = {}
        with self.ws.store.transaction():
            try:
                return self._answer(call, headers)
            except Refusal as refusal:
                return self._refuse(refusal, headers)

    def _answer(self, call: Call, headers: Headers) -> Reply:
        """What the endpoint answers. Adds to `headers` what a refusal carries too. Raises Refusal."""
        match = self.routes.find(call.method, call.path)
        missing: frozenset[str] = frozenset()
        if match is None or not match[0].public:
            missing = self._authenticate(call.token)
            headers |= self.limits.spend(self.ws)
        version = version_of(call.headers.get("intercom-version"), self.settings.default_version)
        accept = call.headers.get("accept")
        if accept and not any(part in accept for part in ("json", "*/*", "application/*")):
            raise Refusal(406, "client_error", "Not Acceptable")
        if match is None:
            raise not_found()  # an unsupported method too (developers.intercom.com, HTTP responses)
        route, params = match
        if not route.since <= version <= route.until:
            # GET /conversations/deleted, API 2.16: the answer for a resource that the version does not have.
            raise Refusal(400, "intercom_version_invalid", "Requested resource is not available in current API version.")
        if route.scope in missing:
            raise Refusal(403, "forbidden", f"You do not have the required scope ({route.scope}) to access this resource")
        companies.sweep(self.ws)
        answer = route.handler(Request(call.query, call.body(), version, self.ws, call.base, call.path, call.token, params))
        if isinstance(answer, Reply):
            return answer
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return Reply.json(status, body, headers)

    def _authenticate(self, token: str) -> frozenset[str]:
        """The scopes that the token lacks. Raises Refusal for a token that is not valid."""
        record = self.ws.store.get("token", token)
        if record["state"] == "revoked" if record else token not in self.tokens:
            raise Refusal(401, "unauthorized", "Access Token Invalid")
        return self.tokens.get(token, frozenset())

    def _refuse(self, refusal: Refusal, headers: Mapping[str, str | None] | None = None) -> Reply:
        error = {"code": refusal.code, "message": refusal.message}
        body = {"type": "error.list", "request_id": f"00000000-0000-4000-8000-{next(self.refusals):012d}", "errors": [error]}
        return Reply.json(refusal.status, body, {**(headers or {}), **refusal.headers})

    def _record(self, call: Call, reply: Reply, *, own: bool) -> Reply:
        """`own`: the reply is the sandbox's, not that of a fault."""
        self.recorded.append(Recorded(call.method, call.path, call.query, call.recorded_body(), reply.status, call.headers))
        for watch in self.watchers:
            watch(self, call, reply if own else None)
        return reply
