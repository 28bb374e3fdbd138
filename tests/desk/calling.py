"""A caller of the WSGI application of its own: no port, no client."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from reconciler.sandbox.app import Sandbox


@dataclass
class Answered:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The error code of the first error."""
        return str(self.json["errors"][0]["code"])

    @property
    def message(self) -> str:
        return str(self.json["errors"][0]["message"])


class Caller:
    def __init__(self, box: Sandbox, token: str | None = "sandbox", version: str | None = None) -> None:
        self.box, self.token, self.version = box, token, version

    def __call__(self, method: str, target: str, body: object = None, /, **headers: str) -> Answered:
        path, _, query = target.partition("?")
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "REQUEST_URI": target,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": headers.pop("content_type", "application/json"),
            "CONTENT_LENGTH": str(len(raw)),
            "HTTP_HOST": "api.intercom.io",
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(raw),
        }
        if self.token is not None:
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if self.version is not None:
            environ["HTTP_INTERCOM_VERSION"] = self.version
        environ |= {"HTTP_" + name.upper(): value for name, value in headers.items()}
        return self._sent(environ)

    def _sent(self, environ: dict[str, Any]) -> Answered:
        started: list[Any] = []
        body = b"".join(self.box(environ, lambda status, headers: started.extend((status, headers))))
        return Answered(int(started[0].split()[0]), dict(started[1]), body)

    def ok(self, method: str, target: str, body: object = None, /) -> Any:
        """The body of an answer that must be a success."""
        answered = self(method, target, body)
        assert answered.status == 200, (method, target, answered.status, answered.raw)
        return answered.json


def filled(value: Any, ids: dict[str, str]) -> Any:
    """With the ids in place of their names in braces."""
    text = json.dumps(value)
    for name, id in ids.items():
        text = text.replace("{" + name + "}", id)
    return json.loads(text)
