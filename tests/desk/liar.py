"""A workspace whose answers are rewritten on their way: it does what it is asked, and lies about it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from reconciler.intercom.http.wsgi import call

Edit = Callable[[str, Any], Any]
"""What is asked, as `GET /tags?a=b`, and the honest body, to what is answered."""


class Liar:
    """Stands before an app, and edits the body of every 2xx answer that is JSON."""

    def __init__(self, app: WSGIApplication, edit: Edit) -> None:
        self.app, self.edit = app, edit

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, headers, content = call(self.app, environ)
        if status.startswith("2") and content:
            asked = f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}"
            content = json.dumps(self.edit(asked, json.loads(content))).encode()
            headers = [(name, value) for name, value in headers if name != "Content-Length"]
        start_response(status, headers)
        return [content]


def says(pattern: str, **what: Any) -> Callable[[WSGIApplication], Liar]:
    """Answers to what is asked so say this too, or instead; a callable is given the honest value."""

    def edit(asked: str, body: Any) -> Any:
        if not re.search(pattern, asked) or not isinstance(body, dict):
            return body
        return {**body, **{key: value(body.get(key)) if callable(value) else value for key, value in what.items()}}

    return lambda app: Liar(app, edit)


class Instead:
    """Stands before an app, and answers 200 to some of what is asked instead of it."""

    def __init__(self, app: WSGIApplication, pattern: str, answer: Callable[[str], Any]) -> None:
        self.app, self.pattern, self.answer = app, re.compile(pattern), answer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = f"{environ['REQUEST_METHOD']} {environ['REQUEST_URI']}"
        if not self.pattern.search(asked):
            return self.app(environ, start_response)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self.answer(asked)).encode()]
