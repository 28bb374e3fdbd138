"""A search by many values that Intercom refuses for its size is asked again in halves."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from wsgiref.types import WSGIApplication

import pytest

from reconciler.errors import IntercomError
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes


def refusing(most: int, status: str, message: str) -> Callable[[WSGIApplication], WSGIApplication]:
    """Refuses searches by more values."""

    def between(app: WSGIApplication) -> WSGIApplication:
        def answer(environ, start):  # type: ignore[no-untyped-def]  # as WSGI has it
            raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(raw)
            value = json.loads(raw or b"{}").get("query", {}).get("value")
            if not isinstance(value, list) or len(value) <= most:
                return app(environ, start)
            start(status, [("Content-Type", "application/json")])
            return [json.dumps({"type": "error.list", "errors": [{"code": "parameter_invalid", "message": message}]}).encode()]

        return answer

    return between


def count_values(route: Route) -> list[int]:
    """How many values each search that was answered asked for."""
    return [len(r.body["query"]["value"]) for r in route.box.requests if r.path == "/contacts/search" and r.body]


@pytest.mark.parametrize(
    ("status", "message"), [("413 Payload Too Large", ""), ("400 Bad Request", "value must not have more than 40 items: too many values")]
)
def test_a_search_that_is_too_large_is_halved_until_it_is_taken(status: str, message: str, make_route: MakeRoute) -> None:
    people = [{"external_id": f"u{n}"} for n in range(200)]
    route = make_route({"contacts": people})
    route.between = refusing(40, status, message)
    document = route.document(route.manifest({"contacts": [{**one, "name": "X"} for one in people]}))
    assert len(changes(document)) == 200
    # Halves of 150 are 75 and 37, those of the 50 that remain 25; which of the two is refused last is a matter of threads.
    assert max(count_values(route)) in (25, 37)
    assert sum(count_values(route)) == 200


def test_a_search_that_is_refused_for_another_reason_is_not_asked_again(make_route: MakeRoute) -> None:
    route = make_route()
    route.between = refusing(1, "400 Bad Request", "invalid field")
    with pytest.raises(IntercomError, match="invalid field"):
        route.document(route.manifest({"contacts": [{"external_id": "a"}, {"external_id": "b"}]}))
    assert count_values(route) == []
