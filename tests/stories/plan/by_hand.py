"""Changes that somebody makes in the workspace by hand, between a plan and its apply."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
import pytest
from reconciler.core.model.address import Address
from reconciler.core.model.privacy import shown
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Invalid, ReconcilerError, Refused, Stale
from reconciler.workflow.lookup import raw_request
from reconciler.workflow.planfile import applicable, read_plan, save
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines


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
