"""What a run records, and what the next plan makes of a run that ended before its end."""

from __future__ import annotations

import threading

import pytest

from reconciler.ledger.homes.home import LockLost
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from reconciler.workflow.recall import hold_lock
from tests.conftest import MakeRoute
from tests.desk.route import lines
from tests.stories.ledger.records import one, record


def test_an_apply_with_nothing_to_do_is_a_run_and_records_what_it_found(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"]}, ledger=True)
    assert route.converge(route.manifest("tags: [vip]\n")) == []
    assert route.ledger
    memory = route.ledger.read_recorded(route.app_id())
    assert memory.runs == 1
    assert [r.address for r in memory.records.values()] == ["tag/vip"]


def test_what_was_not_started_is_unapplied_in_the_next_plan(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("tags: [vip]\ncompanies: [{company_id: '6', name: Blue Sun}]\n")
    stop = threading.Event()
    stop.set()
    route.apply(route.saved(path), stop)
    assert lines(route.document(path)) == ["create tag/vip (unapplied)", "create company/6 (unapplied)"]


def test_a_failed_field_is_unapplied_until_the_manifest_wants_another(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6", "name": "Blue Sun"}]}, ledger=True)
    path = route.manifest("companies: [{company_id: '6', name: Blue Sun}]\n")
    route.converge(path)
    route.box.faults.add("PUT", "^/companies/", status=422, times=1)
    route.manifest("companies: [{company_id: '6', name: Blue Moon}]\n")
    assert one(route.converge(path)).status == "failed"
    assert lines(route.document(path)) == ["update company/6 name='Blue Moon' (unapplied)"]
    route.manifest("companies: [{company_id: '6', name: Red Sun}]\n")
    assert lines(route.document(path)) == ["update company/6 name='Red Sun' (config)"]


def test_no_try_of_a_call_goes_out_without_the_lock(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    plan = route.saved(route.manifest("tags: [vip]\n"))
    route.box.faults.add("POST", "^/tags$", status=503, times=None)
    assert route.ledger

    def check() -> None:
        if route.box.writes:
            raise LockLost("the lock is gone")

    route.ledger.check = check  # type: ignore[method-assign]  # the lock is lost once the first try was answered
    route.box.forget_requests()
    with route.session() as session, hold_lock(session, 1.0), pytest.raises(LockLost):
        list(carry_out(session, prepare(session, plan, planned_manifest(plan)), threading.Event()))
    assert len(route.box.writes) == 1


def test_when_a_tag_was_first_recorded_stays_on_record(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip", "Beta"], "contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("tags: [vip, Beta, new]\ncontacts: [{external_id: '25', tags: [new]}]\n")
    began = route.clock.now
    route.converge(path)
    route.clock.now += 86400
    route.manifest("tags: [vip, {name: beta-2026, renamed_from: Beta}, new, later]\ncontacts: [{external_id: '25', tags: [new]}]\n")
    route.converge(path)
    first = {name: known.first for name in ("vip", "beta-2026", "new", "later") if (known := record(route, f"tag/{name}"))}
    assert first == {"vip": began, "beta-2026": began, "new": began, "later": began + 86400}
    # Of the many nobody asks it.
    person = record(route, "contact/25")
    assert person is not None
    assert person.first is None
