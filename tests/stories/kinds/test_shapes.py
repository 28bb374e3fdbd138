"""A body counts only in its shape, on reads and on writes: what cannot be a thing, its fields or its links, is said in one sentence."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.cli.running import Stop
from reconciler.core.model.outcome import Status
from reconciler.errors import IntercomError, Interrupted
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.planfile import planned_manifest
from tests.conftest import MakeRoute
from tests.desk.route import Route
from tests.desk.soak import only_in_soak

SEED: dict[str, Any] = {
    "attributes": [{"name": "tier", "model": "company", "data_type": "string"}, {"name": "size", "options": ["a", "b"]}],
    "tags": ["vip"],
    "companies": [{"company_id": "6", "name": "Blue Sun", "plan": "p1", "custom_attributes": {"tier": "a"}, "tags": ["vip"]}],
    "contacts": [{"external_id": "25", "name": "Ann", "avatar": "https://a.example/1.png", "tags": ["vip"], "companies": ["6"]}],
}
MANIFEST: dict[str, Any] = {
    "tags": ["vip"],
    "companies": [{"company_id": "6", "name": "Blue Moon", "custom_attributes": {"tier": "b"}, "tags": ["vip"]}],
    "contacts": [{"external_id": "25", "name": "Bob", "tags": ["vip"], "companies": ["6"]}],
}


SEARCH = "/contacts/search"


# ---- on reads: exit 1, in one sentence
@pytest.mark.parametrize(
    ("path", "asked", "body"),
    [
        ("^/tags$", "GET /tags", {"type": "list", "data": [{"type": "tag", "id": "5", "name": ["vip"]}]}),
        ("^/companies", "GET /companies", {"type": "company", "id": "1", "company_id": "6", "custom_attributes": [1]}),
        ("^/companies", "GET /companies", {"type": "company", "id": "1", "company_id": "6", "tags": {"tags": "vip"}}),
        (SEARCH, f"POST {SEARCH}", {"type": "list", "data": [{"type": "contact", "id": "1", "external_id": "25", "tags": {"data": [{}]}}]}),
        (SEARCH, f"POST {SEARCH}", {"type": "list", "data": [{"type": "contact", "id": "1", "external_id": "25", "name": 7}]}),
    ],
)
def test_a_read_that_holds_something_else_is_a_failed_read(make_route: MakeRoute, path: str, asked: str, body: dict[str, Any]) -> None:
    route = make_route(SEED)
    written = route.manifest(MANIFEST)
    route.box.faults.add(None, path, body=json.dumps(body).encode(), times=None)
    with pytest.raises(IntercomError) as caught:
        route.planned(written)
    assert caught.value.exit_code == 1
    assert "that can be read: it has" in str(caught.value)
    assert str(caught.value).startswith(asked.replace(" ", " 127.0.0.1") + ": ")
    assert "\n" not in str(caught.value)


# ---- on writes: `failed`, and the run is closed
@pytest.mark.parametrize("section", ["companies", pytest.param("contacts", marks=only_in_soak)])
@pytest.mark.parametrize("part", [{"custom_attributes": [1]}, {"name": {"a": 1}}, {"id": None}, {"id": [5]}])
def test_a_reply_that_holds_something_else_proves_nothing(make_route: MakeRoute, section: str, part: dict[str, Any]) -> None:
    route = make_route(SEED, ledger=True)
    path = route.manifest(MANIFEST)
    kind = {"companies": "company", "contacts": "contact"}[section]
    (doc,) = route.box.ws.store.table(kind).docs.values()
    body = {"type": kind, "id": doc["id"], "company_id": "6", "external_id": "25", **part}
    route.box.faults.add("PUT", f"^/{section}/", body=json.dumps(body).encode(), times=None)
    outcomes = route.converge(path)
    failed = [o for o in outcomes if o.status is not Status.APPLIED]
    assert [(str(o.change.address), o.status) for o in failed] == [({"company": "company/6", "contact": "contact/25"}[kind], Status.FAILED)]
    assert "that can be read: it has" in failed[0].reason
    _close(route)


def _close(route: Route) -> None:
    assert route.ledger
    assert [run.exit_code for run in route.ledger.runs()] == [5]


def _unforeseen(route: Route, path: str) -> None:
    def run() -> None:
        raise KeyError("ann@mail.example")

    route.box.faults.add(None, path, run=run)


@pytest.mark.parametrize("where", ["^/companies/", "^/contacts/"])
def test_what_nobody_foresaw_is_an_outcome_and_the_rest_is_done(make_route: MakeRoute, where: str) -> None:
    route = make_route(SEED, ledger=True)
    path = route.manifest(MANIFEST)
    plan = route.saved(path)
    with route.session() as session:
        work = prepare(session, plan, planned_manifest(plan))
        _unforeseen(route, where)
        outcomes = list(carry_out(session, work, route.stop))
    assert sorted(o.status for o in outcomes) == [Status.APPLIED, Status.FAILED]
    (failed,) = [o for o in outcomes if o.status is Status.FAILED]
    assert "unforeseen (KeyError in " in failed.reason
    assert "ann@" not in failed.reason
    assert failed.lost
    _close(route)
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}


def test_what_nobody_foresaw_beside_the_calls_is_the_last_outcome(make_route: MakeRoute) -> None:
    """The one that tells of progress fails: what comes after would fail so too."""
    route = make_route(SEED, ledger=True)
    path = route.manifest(MANIFEST)
    plan = route.saved(path)

    def started(change: object) -> None:
        raise ZeroDivisionError

    outcomes = _carry_out(route, plan, started)
    assert {o.status for o in outcomes} <= {Status.FAILED, Status.SKIPPED}
    assert {o.lost for o in outcomes if o.status is Status.FAILED} == {True}
    assert not route.box.writes
    _close(route)


def _carry_out(route: Route, found: Any, started: Callable[[Any], None]) -> list[Any]:
    with route.session() as session:
        work = prepare(session, found, planned_manifest(found))
        route.box.forget_requests()
        return list(carry_out(session, work, route.stop, started))


@pytest.mark.parametrize(
    ("error", "signum", "code"),
    [(GeneratorExit(), 0, 1), (KeyboardInterrupt(), 0, 130), (Interrupted(signal.SIGTERM), signal.SIGTERM, 143)],
)
def test_a_run_whose_outcomes_nobody_takes_any_more_is_closed(make_route: MakeRoute, error: BaseException, signum: int, code: int) -> None:
    """The screen or the events fail in the middle of an apply, or somebody asks a second time to stop."""
    route = make_route(SEED, ledger=True)
    plan, stop = route.saved(route.manifest(MANIFEST)), Stop()
    stop.signum = signum
    with route.session() as session:
        outcomes = carry_out(session, prepare(session, plan, planned_manifest(plan)), stop)
        next(outcomes)
        with pytest.raises(type(error)):
            outcomes.throw(error)
    assert route.ledger
    assert [run.exit_code for run in route.ledger.runs()] == [code]


def test_a_look_back_that_nobody_foresaw_leaves_the_deletion_done(make_route: MakeRoute) -> None:
    from reconciler.intercom.perform import Performer

    route = make_route({"companies": [{"company_id": "6"}]}, ledger=True, archive_delay=120.0)
    plan = route.saved(route.manifest("companies: [{company_id: '6', state: absent}]\n"))
    with route.session() as session:
        work = prepare(session, plan, planned_manifest(plan))
        resources, steps = work.proposal.manifest.resources, work.proposal.plan.steps
        performer = Performer(session.client, route.kinds, steps, resources, work.ids, route.clock.sleep, route.clock)
        [outcome] = performer.perform(work.jobs[0], work.ids)
        _unforeseen(route, "^/companies/")
        [late] = performer.settle([outcome])
    assert (late.status, late.reason) == (Status.APPLIED, "being archived: Intercom still shows it")
