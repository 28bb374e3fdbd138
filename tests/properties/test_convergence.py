"""Apply, then plan: nothing is left. A saved plan that was applied writes nothing a second time."""

from __future__ import annotations

import pytest
from hypothesis import event, given

from reconciler.errors import Refused, Stale
from tests.properties.worlds import World, on_route, worlds
from tests.route import changes


def subjects(found: dict) -> set[tuple[str, str, str | None]]:
    return {(c["action"], c["address"], c["target"]) for c in found["changes"]}


@pytest.mark.parametrize("links", ["additive", "declared", "exact"])
def test_apply_then_plan_is_empty(links: str) -> None:
    @given(worlds(links))
    def holds(world: World) -> None:
        with on_route(world) as (told, path):
            found = told.saved(path)
            assert not told.box.writes
            if found["refused"]:
                event("refused: " + ", ".join(sorted({r["gate"] for r in found["refused"]})))
                return
            outcomes = told.apply(found)
            done = all(o.status == "applied" for o in outcomes)
            event("applied" if done else "in part")
            again = told.document(path)
            if done:
                assert (changes(again), again["refused"]) == ([], [])
            else:
                left = {o.change.subject[0] + str(o.change.address) for o in outcomes if o.status != "applied"}
                assert {o.reason for o in outcomes if o.status != "applied"} == {"?"}, outcomes
    holds()
