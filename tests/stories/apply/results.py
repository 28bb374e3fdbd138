"""What an apply came to: what became of each change, what was sent, who is there."""

from __future__ import annotations

from typing import Any

from reconciler.core.model.outcome import Outcome
from tests.desk.route import Route

Doc = dict[str, Any]


def describe_outcomes(outcomes: list[Outcome]) -> dict[str, tuple[str, str]]:
    """What became of each change, by action and address."""
    return {f"{o.change.action} {o.change.address} {o.change.target or ''}".strip(): (str(o.status), o.reason) for o in outcomes}


def wrote(route: Route) -> list[str]:
    return [f"{record.method} {record.path}" for record in route.box.writes]


def people(route: Route) -> list[Doc]:
    return list(route.box.ws.store.table("contact").in_order())
