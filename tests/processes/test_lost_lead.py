"""The create of a lead whose answer was lost: no conflict would stop a second one, so it waits, and then looks first."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes

LEAD = "contacts: [{email: lead@mail.example, role: lead, missing: create, tags: [vip]}]\ntags: [vip]\n"
LOST = [{"drop": "after"}, {"drop": "before"}, {"status": 500, "done": True}, {"status": 500}]


def creates(route: Route) -> int:
    return len([w for w in route.box.writes if (w.method, w.path) == ("POST", "/contacts")])


def leads(route: Route) -> int:
    return len(route.box.ws.store.table("contact").docs)


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_it_is_not_repeated_within_ten_minutes(make_route: MakeRoute, fault: dict[str, object]) -> None:
    route = make_route(ledger=True, search_delay=120)
    path = route.manifest(LEAD)
    kept = route.saved(path)
    route.box.faults.add("POST", "^/contacts$", **fault)
    assert [o.status for o in route.apply(kept) if o.change.address.kind == "contact"] == ["failed", "skipped"]
    assert creates(route) == 1
    route.clock.now += 60
    route.apply(kept)
    route.converge(path)
    assert creates(route) == 1


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_later_it_is_only_repeated_if_search_shows_none(make_route: MakeRoute, fault: dict[str, object]) -> None:
    route = make_route(ledger=True, search_delay=120)
    path = route.manifest(LEAD)
    kept = route.saved(path)
    route.box.faults.add("POST", "^/contacts$", **fault)
    route.apply(kept)
    route.clock.now += 660
    route.apply(kept)
    assert leads(route) == 1
    assert changes(route.document(path)) == []
    route.box.forget_requests()
    assert route.apply(kept) == []
    assert not route.box.writes


def test_without_a_memory_a_plan_still_says_that_search_may_be_blind(make_route: MakeRoute) -> None:
    route = make_route(search_delay=600)
    plan = route.document(route.manifest(LEAD))
    assert "lag" in {note["topic"] for note in plan["notes"]}
