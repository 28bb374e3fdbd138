"""Changes that somebody makes in the workspace by hand, between a plan and its apply."""

from __future__ import annotations

from typing import Any

from reconciler.workflow.lookup import raw_request
from tests.desk.route import Route

Doc = dict[str, Any]


def live_id(route: Route, kind: str, field: str, value: str) -> str:
    return str(next(doc["id"] for doc in route.box.ws.store.table(kind).in_order() if doc.get(field) == value))


def by_hand(route: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody else's write."""
    with route.session() as session:
        session.client.send(raw_request(method, path, [], body))
    route.box.forget_requests()


def contact(route: Route, external_id: str) -> str:
    return "/contacts/" + live_id(route, "contact", "external_id", external_id)


def tag(route: Route, name: str) -> str:
    return live_id(route, "tag", "name", name)


def the_company(route: Route, company_id: str) -> str:
    return "/companies/" + live_id(route, "company", "company_id", company_id)


def company(route: Route, fields: Doc) -> None:
    by_hand(route, "POST", "/companies", {"company_id": "6", **fields})
