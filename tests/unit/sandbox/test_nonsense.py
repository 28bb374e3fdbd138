"""Whatever a caller sends, the sandbox refuses or takes it; it never fails."""

from __future__ import annotations

import itertools

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.routes import TABLE, Route
from tests.desk.calling import Caller

KEYS = """name id company_id email external_id role phone owner_id avatar signed_up_at custom_attributes users companies tags query
pagination sort from into body admin_id consent_type model data_type options archived monthly_spend size plan update_last_request_at
email_verified unsubscribed_from_emails code client_id"""
VALUES: list[object] = [None, True, 0, -1, 1.5, 10**20, "", "x", "\x00", "\ud800", [], [None], [1], ["x"], [{}], {}]
VALUES += [{"x": None}, {"id": []}, {"x": 1}]
NUMBERS = ["0", "x", "-1", "99999999999999999999", ""]
QUERIES = [f"{name}={value}" for name in ("page", "per_page") for value in NUMBERS]
QUERIES += ["starting_after=W10=", "starting_after=%ff", "order=x"]


def path_of(route: Route) -> str:
    return route.path.replace("{id}", "x1").replace("{", "").replace("}", "")


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path}")
def test_no_endpoint_fails_on_nonsense(call: Caller, box: Sandbox, route: Route) -> None:
    seed = {"companies": [{"company_id": "6", "id": "x1"}], "contacts": [{"id": "x1", "role": "lead"}], "tags": [{"name": "v", "id": "x1"}]}
    for key, value in itertools.product(KEYS.split(), VALUES if route.method != "GET" else ()):
        box.seed(seed)
        assert call(route.method, path_of(route), {"name": "a", "role": "user", key: value}).status < 500, (key, value)
    for query in QUERIES:
        assert call(route.method, f"{path_of(route)}?{query}").status < 500, query


GROUPS: list[object] = ["AND", "OR", [], {}]
FIELDS: list[object] = [[], {}, None, "segment_id", "location.city", "custom_attributes."]
SEARCHES = [
    *({"field": "email", "operator": operator, "value": value} for operator in ("=", "IN", "~", "^", "!~") for value in VALUES),
    *({"field": "created_at", "operator": operator, "value": value} for operator in ("=", "<", ">") for value in VALUES),
    *({"field": "custom_attributes.seats", "operator": operator, "value": value} for operator in ("=", "IN", "<") for value in VALUES),
    *({"field": "tag_id", "operator": "=", "value": value} for value in VALUES),
    *({"operator": operator, "value": value} for operator in GROUPS for value in VALUES),
    *({"field": field, "operator": "=", "value": "x"} for field in FIELDS),
]


def test_no_search_fails_on_nonsense(call: Caller, box: Sandbox) -> None:
    box.seed({"contacts": [{"external_id": "1", "email": "a@b.example", "custom_attributes": {"seats": 3}}]})
    for query in SEARCHES:
        assert call("POST", "/contacts/search", {"query": query}).status < 500, query


PATHS = {"/contacts/search": "role", "/conversations/search": "tag_ids"}


@pytest.mark.parametrize("path", PATHS)
def test_no_paging_or_sorting_fails_on_nonsense(call: Caller, box: Sandbox, path: str) -> None:
    box.seed({"contacts": [{"external_id": str(n)} for n in range(3)], "conversations": [{"tags": ["vip"], "count": 3}]})
    query = {"field": PATHS[path], "operator": "!=", "value": "x"}
    for value in VALUES:
        bodies: list[dict[str, object]] = [{"pagination": value}, {"sort": value}, {"sort": {"order": value}}]
        bodies += [{"pagination": {name: value}} for name in ("per_page", "starting_after")]
        bodies += [{"sort": {"field": value, "order": "ascending"}}]
        for body in bodies:
            assert call("POST", path, {"query": query, **body}).status < 500, body
