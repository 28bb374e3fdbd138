"""What a run records, and what the next plan makes of a run that ended before its end."""

from __future__ import annotations

import threading

import pytest

from reconciler.ledger.homes.home import LockLost
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.recall import locked
from tests.conftest import MakeRoute
from tests.desk.route import lines
from tests.stories.ledger.records import one


def test_an_apply_with_nothing_to_do_is_a_run_and_records_what_it_found(route: MakeRoute) -> None:
    told = route({"tags": ["vip"]}, ledger=True)
    assert told.converge(told.manifest("tags: [vip]\n")) == []
    assert told.ledger
    memory = told.ledger.read_recorded(told.app_id())
    assert memory.runs == 1
    assert [r.address for r in memory.records.values()] == ["tag/vip"]


def test_what_was_not_started_is_unapplied_in_the_next_plan(route: MakeRoute) -> None:
    told = route(ledger=True)
    path = told.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    stop = threading.Event()
    stop.set()
    told.apply(told.saved(path), stop)
    assert lines(told.document(path)) == ["create tag/vip (unapplied)", "create company/6 (unapplied)"]


def test_a_failed_field_is_unapplied_until_the_manifest_wants_another(route: MakeRoute) -> None:
    told = route({"companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = told.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    told.converge(path)
    told.box.faults.add("PUT", "^/companies/", status=422, times=1)
    told.manifest("companies: [{company_id: '6', name: Blue Moon}]\n")
    assert one(told.converge(path)).status == "failed"
    assert lines(told.document(path)) == ["update company/6 name='Blue Moon' (unapplied)"]
    told.manifest("companies: [{company_id: '6', name: Red Sun}]\n")
    assert lines(told.document(path)) == ["update company/6 name='Red Sun' (config)"]


def test_no_try_of_a_call_goes_out_without_the_lock(route: MakeRoute) -> None:
    told = route(ledger=True)
    found = told.saved(told.manifest("tags: [vip]\n"))
    told.box.faults.add("POST", "^/tags$", status=503, times=None)
    assert told.ledger

    def check() -> None:
        if told.box.writes:
            raise LockLost("the lock is gone")

    told.ledger.check = check  # type: ignore[method-assign]  # the lock is lost once the first try was answered
    told.box.forget_requests()
    with told.session() as session, locked(session, 1.0), pytest.raises(LockLost):
        list(carry_out(session, prepare(session, found, planned_manifest(found)), threading.Event()))
    assert len(told.box.writes) == 1
