"""A rehearsal writes nothing, and the apply that follows gives what it said, call for call, but for what nobody can read."""

from __future__ import annotations

from hypothesis import event, given, settings

from reconciler.core.model.privacy import show_address
from reconciler.core.plan.rehearsal import Rehearsal
from reconciler.errors import Refused
from reconciler.sandbox.readings import UNSEEN
from tests.desk.soak import times
from tests.properties.worlds import World, on_route, worlds
from tests.stories.test_rehearse import calls_of, ends, foretold, play


def rests_on_the_unseen(rehearsal: Rehearsal) -> set[str]:
    """The addresses of which it says that they rest on what nobody can read."""
    unseen = {reading.what for reading in UNSEEN.values()}
    return {address for rest in rehearsal.rests if rest.what in unseen for address in rest.addresses}


@settings(max_examples=times(2))
@given(worlds())
def test_apply_gives_what_a_rehearsal_said(world: World) -> None:
    with on_route(world) as (route, path):
        plan = route.saved(path)
        try:
            rehearsal = play(route, plan)
        except Refused:
            event("refused")
            return
        route.box.forget_requests()
        outcomes = route.apply(plan)
        other = ends(outcomes) ^ ends(rehearsal.outcomes)
        if not other:
            assert calls_of(route.box.requests) == foretold(rehearsal)
            event("as it said" if rehearsal.exit_code == 0 else f"as it said, {rehearsal.exit_code}")
            return
        event("otherwise")
        unseen, app_id = rests_on_the_unseen(rehearsal), rehearsal.workspace.app_id
        failed = {show_address(o.change.address, app_id) for o in outcomes if o.status != "applied"}
        for outcome in (*outcomes, *rehearsal.outcomes):
            change = outcome.change
            address, *target = (show_address(end, app_id) for end in (change.address, change.target) if end)
            if (change.action.value, str(change.address), str(change.target), f"{outcome.status} {outcome.reason}") in other:
                assert {address, *target} & (unseen | failed), (outcome, rehearsal.rests)
