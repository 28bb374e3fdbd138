"""What tests of the whole connector ask again and again: of a plan, of outcomes, of a manifest that is refused offline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Invalid
from reconciler.manifest.read import read_manifest
from reconciler.sandbox.app import Sandbox
from tests.desk.route import Route, changes


def refusals(plan: PlanDocument) -> list[tuple[str, str]]:
    """The gates of a plan with their sentences."""
    return [(refused["gate"], refused["message"]) for refused in plan["refused"]]


def gates(plan: PlanDocument) -> list[str]:
    return [gate for gate, _ in refusals(plan)]


def notes(plan: PlanDocument, topic: str) -> list[str]:
    """The sentences of one topic."""
    return [note["message"] for note in plan["notes"] if note["topic"] == topic]


def statuses(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """What became of every change: "create contact/25" or "attach contact/25 tag/vip" → status."""
    rows = {}
    for outcome in outcomes:
        change = outcome.change
        rows[" ".join(map(str, filter(None, (change.action, change.address, change.target))))] = outcome.status.value
    return rows


def one(outcomes: Iterable[Outcome], action: str) -> Outcome:
    """The only outcome of an action."""
    (single,) = [outcome for outcome in outcomes if outcome.change.action == action]
    return single


def settles(route: Route, written: str | dict[str, Any]) -> list[Outcome]:
    """Plan, apply, and see that everything was applied and that a second plan is empty."""
    path = route.manifest(written)
    outcomes = route.converge(path)
    assert {outcome.status for outcome in outcomes} <= {Status.APPLIED}, [(o.status, o.reason) for o in outcomes]
    assert changes(route.document(path)) == []
    return outcomes


def invalid(route: Route, written: str | dict[str, Any]) -> str:
    """Every problem that the reader finds, as people see them."""
    with pytest.raises(Invalid) as caught:
        read_manifest([str(route.manifest(written))])
    assert caught.value.exit_code == 65
    return str(caught.value)


def contact(box: Sandbox, **named: str) -> dict[str, Any]:
    """One contact as the sandbox keeps it, archived and merged ones too."""
    (person,) = [doc for doc in box.ws.store.table("contact").docs.values() if all(doc.get(key) == value for key, value in named.items())]
    return person


def company(box: Sandbox, company_id: str) -> dict[str, Any]:
    (doc,) = box.ws.store.table("company").find("company_id", company_id)
    return doc


def people(box: Sandbox) -> int:
    return len(box.ws.store.table("contact").docs)


def asked(box: Sandbox) -> list[str]:
    """What was asked for since the last `forget_requests`, but for /me: "GET /companies" with a status."""
    return [f"{r.method} {r.path} {r.status}" for r in box.requests if r.path != "/me"]
