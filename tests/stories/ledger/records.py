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


def record(told: Route, address: str, name: str = "default") -> Record | None:
    assert told.ledger
    kind, _, key = address.partition("/")
    return told.ledger.read_recorded(told.app_id(), name).at(Address(kind, key))


def topics(found: PlanDocument, topic: str) -> list[str]:
    return [f"{note['address']}: {note['message']}" for note in found["notes"] if note["topic"] == topic]


def one(outcomes: list[Outcome]) -> Outcome:
    (outcome,) = outcomes
    return outcome


def meanwhile(told: Route, path: str, seed: dict[str, Any]) -> None:
    """Somebody makes something just before our call arrives."""
    told.box.faults.add("POST", path, run=lambda: told.box.seed(seed), times=1)


def by_hand(told: Route, method: str, path: str, body: Any = None) -> None:
    """Somebody edits the workspace."""
    with told.session() as session:
        list(raw_answers(session, raw_request(method, path, [], body), all_pages=False))


def tag_id(told: Route, name: str) -> str:
    return str(next(t["id"] for t in told.box.ws.store.table("tag").in_order() if t["name"] == name))


def contact_id(told: Route, key: str = "25") -> str:
    return str(next(c["id"] for c in told.box.ws.store.table("contact").in_order() if c.get("external_id") == key))
