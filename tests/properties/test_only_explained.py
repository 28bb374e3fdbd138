"""Of two manifests, what the step from one to the other explains is planned, all else is left out, and exactly the first is applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from reconciler.core.compare.comparison import claims_of
from reconciler.core.model.change import Change
from reconciler.core.plan.scope import Scope
from reconciler.manifest.read import read_manifest
from tests.desk.route import changes
from tests.properties.test_convergence import returned
from tests.properties.worlds import Doc, World, manifests, on_route, worlds

# What names an entry.
NAMING = ("external_id", "email", "id", "company_id")


def places(changes: Iterable[Change]) -> list[tuple[Any, ...]]:
    """What changes ask for, claim by claim."""
    spots = [(c.action, *claim) for c in changes for claim in claims_of(c) or [(c.address, "", None)]]
    return sorted(spots, key=str)


@st.composite
def steps(draw: Any) -> tuple[World, Doc]:
    """A world, and what was declared before: some entries less, and some keys of others, or something else altogether."""
    world = draw(worlds())
    if draw(st.integers(1, 5)) == 1:
        return world, draw(manifests())
    base, linked = (
        {**world.manifest},
        {name for contact in world.manifest["contacts"] for name in contact.get("companies", ()) if isinstance(name, str)},
    )
    for section in ("contacts", "companies"):
        fewer = [{k: v for k, v in entry.items() if k in NAMING or draw(st.booleans())} for entry in world.manifest[section]]
        base[section] = [e for e in fewer if e.get("company_id") in linked or draw(st.integers(1, 4)) > 1]
    return world, base


@given(steps())
def test_the_explained_and_the_rest_are_the_whole_and_only_the_explained_is_applied(step: tuple[World, Doc]) -> None:
    world, base = step
    with on_route(world) as (route, path):
        before = read_manifest([str(route.manifest(base, "base.yaml"))])
        route.folder.joinpath("base.yaml").unlink()
        scope = Scope(since=before)
        whole, part = route.planned(path), route.planned(path, scope=scope)
        kept, rest = part.comparison.difference.changes, part.plan.rest
        assert places((*kept, *rest)) == places(whole.comparison.difference.changes)
        assert set(part.plan.refusals) <= set(whole.plan.refusals) or not kept
        saved = route.saved(path, scope=scope)
        if saved["refused"]:
            event("refused")
            return
        outcomes = route.apply(saved)
        event(f"{bool(kept)}, {bool(rest)}, {all(o.status == 'applied' for o in outcomes)}")
        if returned(outcomes) or any(o.status != "applied" for o in outcomes):
            return
        assert changes(route.document(path, scope=scope)) == []
        assert places(route.planned(path).comparison.difference.changes) == places(rest)
