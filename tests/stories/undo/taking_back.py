"""Runs that are taken back, and the workspace as it was and as it is then: compared by what people see, since ids may be new."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.core.model.outcome import Outcome
from reconciler.core.plan.approvals import NO_APPROVALS, Approvals
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import write_saved
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.work import Proposal
from reconciler.workflow.apply import carry_out
from reconciler.workflow.undo import prepare_undo, propose_undo, run_meant
from tests.desk.clock import Clock
from tests.desk.route import WIDE, Route

Doc = dict[str, Any]
# What a write of ours changes and no manifest knows.
_OWN = ("seq", "updated_at", "rank", "visible_at", "leaves_at", "created_at", "last_request_at", "changed_at", "shown_at", "shown")


class Patient(threading.Event):
    """Nobody sets it: who waits for it lets time pass."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        return self.clock.sleep(timeout or 0.0)


def propose_back(route: Route, run: str = "last", rules: Approvals = NO_APPROVALS) -> Proposal:
    """The plan that takes a run back."""
    with route.session() as session:
        return propose_undo(session, run_meant(session, run, None), rules)


def plan_back(route: Route, run: str = "last") -> PlanDocument:
    """That plan as its document."""
    return document(route.kinds, propose_back(route, run).plan)


def undo_plan(route: Route, run: str = "last") -> PlanDocument:
    """That plan as a file holds it."""
    return write_saved(route.kinds, propose_back(route, run).plan, "salt")


def run(route: Route, **manifest: Any) -> str:
    """Apply this, and say under which name the ledger has it. No two runs begin in the same millisecond."""
    route.clock.now += 60
    route.apply(route.saved(route.manifest({"policy": WIDE, **manifest})), Patient(route.clock))
    return runs(route)[0]


def carry_out_plan(route: Route, plan: PlanDocument, rules: Approvals = NO_APPROVALS) -> list[Outcome]:
    route.clock.now += 60
    with route.session() as session:
        return list(carry_out(session, prepare_undo(session, plan, rules), threading.Event()))


def take_back(route: Route, run: str = "last") -> list[Outcome]:
    return carry_out_plan(route, undo_plan(route, run))


def runs(route: Route) -> list[str]:
    """The runs of the ledger, newest first."""
    assert route.ledger
    return [run.run for run in route.ledger.runs()]


def notes(plan: PlanDocument, topic: str) -> dict[str, list[str]]:
    """What is noted on one topic, by address."""
    by_address: dict[str, list[str]] = {}
    for note in plan["notes"]:
        if note["topic"] == topic:
            by_address.setdefault(str(note["address"]), []).append(note["message"])
    return by_address


def workspace(route: Route) -> dict[str, dict[str, Doc]]:
    """All that people see of a workspace, by kind and by what names a thing; the ends of links by their names."""
    store = route.box.ws.store
    docs = {kind: store.table(kind).docs for kind in ("tag", "company", "contact", "attribute")}
    tags = {i: tag["name"] for i, tag in docs["tag"].items()}
    companies = {i: company["company_id"] for i, company in docs["company"].items()}
    return {
        "tag": {tag["name"]: {} for tag in docs["tag"].values()},
        "company": {c["company_id"]: _plain(c) | {"tags": _names(c["tags"], tags)} for c in docs["company"].values()},
        "contact": {
            i: _plain(c) | {"tags": _names(c["tags"], tags), "companies": _names(c["companies"], companies)}
            for i, c in docs["contact"].items()
        },
        "attribute": {a["name"]: _plain(a) for a in docs["attribute"].values()},
    }


def _plain(doc: Mapping[str, Any]) -> Doc:
    values = {key: value for key, value in doc.items() if key not in (*_OWN, "id") and value not in (None, False, {}, "", 0)}
    custom = {key: value for key, value in doc.get("custom_attributes", {}).items() if value is not None}
    return values | {"custom_attributes": custom}


def _names(ids: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return sorted(names[i] for i in ids if i in names)
