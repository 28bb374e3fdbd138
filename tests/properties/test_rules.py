"""Rules while the search lags by chance: nobody gets or loses a tag more often than they began or ceased to match."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.plan.scope import Scope
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from tests.desk.clock import Clock
from tests.desk.ledgers import a_new_ledger
from tests.desk.route import Route
from tests.desk.soak import SOAKS, times
from tests.stories.test_rules import having, put, seed, write_manifest

# A search lags by no more than this, in seconds.
LAG = 600.0
# In so many turns people come and go; in those after them nobody does.
TURNS = 7 if SOAKS else 5


@settings(max_examples=times(1))
@given(st.integers(0, 2**32))
def test_nobody_flaps_while_the_search_lags(tmp_path_factory: pytest.TempPathFactory, number: int) -> None:
    chance, clock = random.Random(number), Clock()
    folder = tmp_path_factory.mktemp("rules")
    opened = Ledger.open(a_new_ledger(folder / ".reconciler"), create=True, now=clock)
    assert opened
    with Sandbox(now=clock, update_delay=LAG) as box, opened as ledger:
        box.seed(seed(12))
        route = Route(box, folder, clock, ledger)
        path = write_manifest(route)
        began: Counter[str] = Counter()
        asked: Counter[str] = Counter()
        matching, names = (
            {f"u{n}" for n in range(1, 12, 2)},
            {i: doc["external_id"] for i, doc in box.ws.store.table("contact").docs.items()},
        )
        began.update(matching)
        for turn in range(TURNS + 4):
            box.ws.settings.update_delay = chance.uniform(0, LAG)
            plan = route.saved(path, scope=Scope(rules=turn > 0))
            asked.update(names[c["address"].partition("id:")[2]] for c in plan["changes"] if c["target"])
            assert all(asked[name] <= began[name] for name in asked), f"turn {turn}: {asked - began}"
            route.apply(plan)
            box.ws.settings.update_delay = chance.uniform(0, LAG)
            for name in chance.sample(sorted(names.values()), chance.randint(0, 2)) if turn < TURNS else ():
                put(route, [name], "free" if name in matching else "pro")
                matching ^= {name}
                began[name] += 1
            clock.now += chance.choice([5, 60, 200, 400, 800]) if turn < TURNS else 2 * LAG
        assert having(route) == matching
        assert route.document(path, scope=Scope(rules=True))["changes"] == []
