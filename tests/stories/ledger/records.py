"""What the ledger holds of a thing, notes of a plan by topic, and what somebody else does meanwhile."""

from __future__ import annotations

from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.record import Record
from reconciler.core.plan.schema import PlanDocument
from reconciler.workflow.lookup import raw_answers, raw_request
from tests.desk.route import Route

PRUNING = "policy: {prune: {tags: owned, companies: owned}}\n"


def record(route: Route, address: str, name: str = "default") -> Record | None:
    assert route.ledger
    kind, _, key = address.partition("/")
    return route.ledger.read_recorded(route.app_id(), name).at(Address(kind, key))


def topics(plan: PlanDocument, topic: str) -> list[str]:
    return [f"{note['address']}: {note['message']}" for note in plan["notes"] if note["topic"] == topic]


def one(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def meanwhile(route: Route, path: str, seed: dict[str, Any]) -> None:
    """Somebody makes something just before our call arrives."""
    route.box.faults.add("POST", path, run=lambda: route.box.seed(seed), times=1)


def by_hand(route: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody edits the workspace."""
    with route.session() as session:
        list(raw_answers(session, raw_request(method, path, [], body), all_pages=False))


def tag_id(route: Route, name: str) -> str:
    return str(next(t["id"] for t in route.box.ws.store.table("tag").in_order() if t["name"] == name))


def contact_id(route: Route, key: str = "25") -> str:
    return str(next(c["id"] for c in route.box.ws.store.table("contact").in_order() if c.get("external_id") == key))
