"""What the stories of the ledger ask again and again."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
import pytest
from reconciler.core.model.address import Address
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.policies import policy_model
from reconciler.core.model.policy import Policy, tightened
from reconciler.core.model.recorded import Record
from reconciler.core.plan.saved import Enclosed, saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Stale
from reconciler.kinds import KINDS
from reconciler.ledger.homes.home import LockLost
from reconciler.ledger.ledger import Ledger
from reconciler.manifest.read import read_manifest
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.lookup import raw_answers, raw_request
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.recall import locked
from reconciler.workflow.record import head_of
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines


PRUNING = "policy: {prune: {tags: owned, companies: owned}}\n"



def record(told: Route, address: str, name: str = "default") -> Record | None:
    assert told.ledger
    kind, _, key = address.partition("/")
    return told.ledger.memory(told.app_id(), name).at(Address(kind, key))



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
