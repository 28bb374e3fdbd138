"""Changes that somebody makes in the workspace by hand, between a plan and its apply."""

from __future__ import annotations

from typing import Any

from reconciler.workflow.lookup import raw_request
from tests.desk.route import Route

Doc = dict[str, Any]


def live_id(told: Route, kind: str, field: str, value: str) -> str:
    return str(next(doc["id"] for doc in told.box.ws.store.table(kind).in_order() if doc.get(field) == value))


def by_hand(told: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody else's write."""
    with told.session() as session:
        session.client.send(raw_request(method, path, [], body))
    told.box.forget_requests()


def contact(told: Route, external_id: str) -> str:
    return "/contacts/" + live_id(told, "contact", "external_id", external_id)


def tag(told: Route, name: str) -> str:
    return live_id(told, "tag", "name", name)


def the_company(told: Route, company_id: str) -> str:
    return "/companies/" + live_id(told, "company", "company_id", company_id)


def company(told: Route, fields: Doc) -> None:
    by_hand(told, "POST", "/companies", {"company_id": "6", **fields})
