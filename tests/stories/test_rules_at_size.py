"""Rules at size: `make soak` takes 20,000 contacts of 3,000 companies through kills, a thousand who come and go, and an undo."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest

from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Usage
from tests.conftest import MakeRoute
from tests.desk.route import Route
from tests.desk.soak import SOAKS
from tests.stories.plan.test_saved_plans import Killed, kill_after
from tests.stories.test_rules import DUE, LONG, RULE, having, put, write_manifest
from tests.stories.undo.taking_back import runs, take_back

CONTACTS, COMPANIES, MOVED = (20_000, 3_000, 1_000) if SOAKS else (40, 6, 8)
BOTH = {**RULE, "company_where": "plan = Enterprise and monthly_spend >= 1000"}


def crowd() -> dict[str, Any]:
    """Contacts u0, u1… of whom every second is on the plan `pro`, spread over companies of which every second is on `Enterprise`."""
    companies = [
        {"company_id": str(n), "name": f"Company {n}", "plan": "Enterprise" if n % 2 == 0 else "Free", "monthly_spend": 1_000}
        for n in range(COMPANIES)
    ]
    people = [
        {
            "external_id": f"u{n}",
            "role": "user",
            "custom_attributes": {"plan": "pro" if n % 2 else "free"},
            "companies": [str(n // 2 % COMPANIES)],
            "updated_at": 1_700_000_000,
        }
        for n in range(CONTACTS)
    ]
    return {"attributes": [{"name": "plan", "model": "contact", "data_type": "string"}], "companies": companies, "contacts": people}


def in_enterprise(number: int) -> bool:
    return number // 2 % COMPANIES % 2 == 0


def apply_through_a_kill(route: Route, plan: PlanDocument, number: int) -> None:
    """Carry out a plan that dies after so many writes."""
    with pytest.raises(Killed), kill_after(route, number):
        route.apply(plan)


@pytest.mark.timeout(1800 if SOAKS else 120)
def test_twenty_thousand_converge_come_and_go_through_kills_and_come_back(make_route: MakeRoute) -> None:
    route, began = make_route(crowd(), ledger=True), time.monotonic()
    path = write_manifest(route, BOTH)
    plan = route.saved(path)
    matching = {f"u{n}" for n in range(1, CONTACTS, 2) if in_enterprise(n)}
    assert Counter(c["action"] for c in plan["changes"]) == {"create": 2, "attach": len(matching)}
    apply_through_a_kill(route, plan, max(2, len(matching) // 100))
    assert set() < having(route) <= matching
    route.apply(route.saved(path))
    assert having(route) == matching
    for again in (route.document(path), route.document(path, scope=DUE)):
        assert (again["changes"], again["refused"]) == ([], [])
    say(route, began, "converged")

    starting = [f"u{n}" for n in range(0, CONTACTS, 2) if in_enterprise(n)][: MOVED // 2]
    stopping = sorted(matching)[: MOVED // 2]
    # Those change as well, and are none of the companies that are meant.
    beside = [f"u{n}" for n in range(0, CONTACTS, 2) if not in_enterprise(n)][:5]
    put(route, [*starting, *beside], "pro")
    put(route, stopping, "free")
    route.clock.now += LONG
    due = route.saved(path, scope=DUE)
    assert Counter(c["action"] for c in due["changes"]) == {"attach": len(starting), "detach": len(stopping)}
    apply_through_a_kill(route, due, MOVED // 4)
    route.clock.now += LONG
    route.apply(route.saved(path, scope=DUE))
    wanted = (matching | set(starting)) - set(stopping)
    assert having(route) == wanted
    assert route.document(path, scope=DUE)["changes"] == []
    say(route, began, "followed who came and went")

    last, killed, *_ = runs(route)
    # Of few, all may have been sent before the kill; then the last run wrote nothing.
    with suppress(Usage):
        take_back(route, last)
    take_back(route, killed)
    assert having(route) == matching
    say(route, began, "undone")


def say(route: Route, began: float, what: str) -> None:
    """Print the figures of `make soak`."""
    print(f"{what}: {time.monotonic() - began:.0f} s, {len(route.box.requests):,} calls")
