"""Apply, then plan: nothing is left. A saved plan that was applied writes nothing a second time."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import event, given

from reconciler.core.model.outcome import Outcome
from reconciler.core.plan.schema import PlanDocument
from tests.desk.route import Route, changes
from tests.properties.worlds import World, on_route, worlds

LINKS = ("owned", "additive", "declared", "exact")
Subject = tuple[str, str, str | None]


def subjects(plan: PlanDocument) -> set[Subject]:
    return {(c["action"], c["address"], c["target"]) for c in plan["changes"]}


def returned(outcomes: list[Outcome]) -> set[str]:
    """Contacts that came back from the archive: what they bring along could not be seen before."""
    return {str(o.change.address) for o in outcomes if o.change.action == "unarchive" or "brought back" in o.reason}


def carried_along(route: Route, path: Path, outcomes: list[Outcome], plan: PlanDocument) -> bool:
    """Whether only links are left that contacts brought back from the archive; those are undone."""
    back = returned(outcomes)
    shown = {c["action"] for c in plan["changes"]}
    if not back or shown != {"detach"}:
        return False
    live = route.planned(path)
    assert {str(step.change.address) for step in live.plan.steps} <= back
    return all(o.status == "applied" for o in route.converge(path))


@pytest.mark.parametrize("links", LINKS)
def test_apply_then_plan_is_empty(links: str) -> None:
    @given(worlds(links))
    def holds(world: World) -> None:
        with on_route(world) as (route, path):
            plan = route.saved(path)
            assert not route.box.writes
            if plan["refused"]:
                event("refused")
                return
            outcomes = route.apply(plan)
            left = [o for o in outcomes if o.status != "applied"]
            again = route.document(path)
            event("in part" if left else "applied" if outcomes else "nothing to do")
            for outcome in left:
                event(f"{outcome.status} {outcome.change.action} {outcome.change.address.kind}: {outcome.reason}"[:100])
            if left:
                return
            if carried_along(route, path, outcomes, again):
                again = route.document(path)
            if again["refused"] and returned(outcomes):
                event("who came back is somebody else's entry too")
                return
            assert (changes(again), again["refused"]) == ([], [])

    holds()


@given(worlds())
def test_what_was_applied_is_never_planned_again(world: World) -> None:
    """Also where part of a plan failed."""
    with on_route(world) as (route, path):
        plan = route.saved(path)
        if plan["refused"]:
            return
        outcomes = route.apply(plan)
        again = route.document(path)
        failed = [o for o in outcomes if o.status != "applied"]
        if not again["refused"] and not returned(outcomes):
            places = sorted(subjects(again) & subjects(plan), key=str)
            assert len(places) <= len(failed), places


@given(worlds())
def test_a_saved_plan_applied_twice_writes_once(world: World) -> None:
    with on_route(world) as (route, path):
        plan = route.saved(path)
        if plan["refused"]:
            return
        outcomes = route.apply(plan)
        if any(o.status != "applied" for o in outcomes) or (returned(outcomes) and route.document(path)["refused"]):
            return
        route.box.forget_requests()
        assert route.apply(plan) == []
        assert [(w.method, w.path) for w in route.box.writes] == []
