"""The cost that a plan shows is what its apply takes, whatever the two sides are: two calls or two per cent more or less."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.worlds import World, on_route, worlds


@given(st.sampled_from(["additive", "declared", "exact"]).flatmap(worlds))
def test_a_plan_shows_what_its_apply_costs(world: World) -> None:
    with on_route(world) as (route, path):
        found = route.saved(path)
        if found["refused"]:
            return
        route.box.forget_requests()
        outcomes = route.apply(found)
        # What a create met took calls that no plan can know.
        if any(outcome.reason for outcome in outcomes):
            return
        shown, made = found["cost"]["calls"], len(route.box.requests)
        asked = [f"{request.method} {request.path}" for request in route.box.requests]
        # A plan without a change shows that there is nothing to apply.
        assert not outcomes or abs(made - shown) <= max(2, made * 0.02), (found["cost"]["routes"], asked)
