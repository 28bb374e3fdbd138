"""The create of a lead whose answer was lost: no conflict would stop a second one, so it waits, and then looks first."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes

LEAD = "contacts: [{email: lead@mail.example, role: lead, missing: create, tags: [vip]}]\ntags: [vip]\n"
LOST = [{"drop": "after"}, {"drop": "before"}, {"status": 500, "done": True}, {"status": 500}]


def creates(told: Route) -> int:
    return len([w for w in told.box.writes if (w.method, w.path) == ("POST", "/contacts")])


def leads(told: Route) -> int:
    return len(told.box.ws.store.table("contact").docs)


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_it_is_not_repeated_within_ten_minutes(route: MakeRoute, fault: dict[str, object]) -> None:
    told = route(ledger=True, search_delay=120)
    path = told.manifest(LEAD)
    kept = told.saved(path)
    told.box.faults.add("POST", "^/contacts$", **fault)
    assert [o.status for o in told.apply(kept) if o.change.address.kind == "contact"] == ["failed", "skipped"]
    assert creates(told) == 1
    told.clock.now += 60
    told.apply(kept)
    told.converge(path)
    assert creates(told) == 1


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_later_it_is_only_repeated_if_search_shows_none(route: MakeRoute, fault: dict[str, object]) -> None:
    told = route(ledger=True, search_delay=120)
    path = told.manifest(LEAD)
    kept = told.saved(path)
    told.box.faults.add("POST", "^/contacts$", **fault)
    told.apply(kept)
    told.clock.now += 660
    told.apply(kept)
    assert leads(told) == 1
    assert changes(told.document(path)) == []
    told.box.forget_requests()
    assert told.apply(kept) == []
    assert not told.box.writes


def test_without_a_memory_a_plan_still_says_that_search_may_be_blind(route: MakeRoute) -> None:
    told = route(search_delay=600)
    found = told.document(told.manifest(LEAD))
    assert "lag" in {note["topic"] for note in found["notes"]}
