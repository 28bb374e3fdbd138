"""undo(apply(x)) restores fields and memberships, over random worlds; and undo(undo(apply(x))) is apply(x)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconciler.core.model.outcome import Outcome
from reconciler.core.plan.document import document
from reconciler.core.plan.saved import write_saved
from reconciler.core.plan.schema import PlanDocument
from tests.desk.route import Route
from tests.properties.worlds import IDS, LIMITS, World, on_route, worlds
from tests.stories.undo.taking_back import Doc, carry_out_plan, notes, propose_back, take_back, workspace

State = dict[str, dict[str, Doc]]


def remembered(world: World) -> World:
    """The same world with a ledger, whose lists hide nobody: what a list hides nobody can bring back."""
    return replace(world, ledger=True, how={**world.how, "hide_userless": "list"})


def lost(plan: PlanDocument) -> dict[str, list[str]]:
    """What an undo says that it cannot bring back: paths by address."""
    return {address: [m.partition(":")[0] for m in messages] for address, messages in notes(plan, "cannot come back").items()}


def half_done(outcomes: list[Outcome]) -> set[str]:
    """Who was brought back and did not get all that was to be written: only of these an undo may say that they changed since."""
    return {str(o.change.id) for o in outcomes if o.status == "failed" and o.change.action == "unarchive"}


def deleted(outcomes: list[Outcome]) -> set[str]:
    """Who was deleted for ever."""
    return {str(o.change.id) for o in outcomes if o.change.action == "delete" and o.change.address.kind == "contact"}


def assert_nobody_else_changed(plan: PlanDocument, outcomes: list[Outcome]) -> None:
    """Nobody but the run touched anything."""
    for address, messages in notes(plan, "changed since").items():
        gone = all(message.endswith("that were linked to it are gone") for message in messages) and deleted(outcomes)
        assert gone or address.removeprefix("contact/") in half_done(outcomes), (address, messages)


def met(outcomes: list[Outcome]) -> set[str]:
    """Whom a create found in place, or brought back: what they had before nobody read."""
    return {str(o.id) for o in outcomes if o.met}


def assert_restored(before: State, after: State, plan: PlanDocument, outcomes: list[Outcome]) -> None:
    said, spared = lost(plan), met(outcomes) | half_done(outcomes)
    assert_nobody_else_changed(plan, outcomes)
    assert {name: {} for name in before["tag"]} == after["tag"]
    for name in before["company"].keys() | after["company"].keys():
        old, new = (_less(side["company"].get(name), said.get(f"company/{name}")) for side in (before, after))
        assert old == new, name
    assert all(after["attribute"][name].get("archived") for name in after["attribute"].keys() - before["attribute"].keys())
    assert {name: after["attribute"][name] for name in before["attribute"]} == before["attribute"]
    for live_id in after["contact"].keys() - before["contact"].keys():
        assert after["contact"][live_id].get("archived"), "who was created is archived"
    # Whom a create brought back before it failed nobody recorded.
    failed = any(o.change.action == "create" and o.status == "failed" for o in outcomes)
    for live_id in before["contact"].keys() - deleted(outcomes) - spared:
        old, new = before["contact"][live_id], after["contact"][live_id]
        paths = said.get(f"contact/id:{live_id}")
        if old.get("archived"):
            assert new.get("archived") or failed
            continue
        assert _less(old, paths) == _less(new, paths), (live_id, paths)


def _less(thing: Any, paths: list[str] | None) -> Any:
    if thing is None or not paths:
        return thing
    named = {path for listed in paths for path in listed.split(", ")}
    rest = {key: value for key, value in thing.items() if key not in named}
    return rest | {"custom_attributes": {k: v for k, v in thing["custom_attributes"].items() if f"custom_attributes.{k}" not in named}}


@given(st.sampled_from(("owned", "additive", "declared", "exact")).flatmap(worlds).map(remembered))
def test_what_was_applied_and_taken_back_is_as_it_was(world: World) -> None:
    with on_route(world) as (route, path):
        plan = route.saved(path)
        if plan["refused"]:
            event("refused")
            return
        before = workspace(route)
        outcomes = route.apply(plan)
        if not outcomes:
            event("nothing to do")
            return
        back = _take_back(route)
        if back is not None:
            assert_restored(before, workspace(route), back, outcomes)


def _take_back(route: Route) -> PlanDocument | None:
    """The undo of the last run, once it is carried out; None where it is refused, or somebody else is in the way."""
    planned = propose_back(route)
    if planned.plan.refusals:
        event(f"undo refused: {planned.plan.refusals[0].gate}")
        return None
    outcomes = carry_out_plan(route, write_saved(route.kinds, planned.plan, "salt"))
    for outcome in outcomes:
        event(f"undo: {outcome.change.action} {outcome.change.address.kind} {outcome.status}")
    if any(o.status != "applied" for o in outcomes):
        event(f"undo in part: {[o.reason for o in outcomes if o.status != 'applied'][0][:80]}")
        return None
    return document(route.kinds, planned.plan)


TAGS, COMPANIES, PEOPLE = ("vip", "trial", "beta"), ("6", "7", "8"), IDS[:4]


@st.composite
def crowded(draw: Any) -> World:
    """A small workspace where nearly everything is linked, and a manifest that takes much of it away."""

    def several(pool: Sequence[str]) -> list[str]:
        chosen_names: list[str] = draw(st.lists(st.sampled_from(pool), unique=True, min_size=1, max_size=3)) if pool else []
        return chosen_names

    seed = {
        "tags": list(TAGS),
        "companies": [{"company_id": key, "name": key, "plan": "p1", "tags": several(TAGS)} for key in COMPANIES],
        "contacts": [{"id": i, "external_id": i[-2:], "name": "A", "tags": several(TAGS), "companies": several(COMPANIES)} for i in PEOPLE],
    }
    fates = {key: draw(st.sampled_from(("absent", "kept", "changed"))) for key in (*TAGS, *COMPANIES)}
    tags = [_fated_tag(name, fates[name]) for name in TAGS] + ["new"]
    names = [tag if isinstance(tag, str) else tag["name"] for tag in tags if isinstance(tag, str) or "state" not in tag]
    companies = [_fated_company(draw, key, fates[key], names) for key in COMPANIES]
    keys = [key for key in COMPANIES if fates[key] != "absent"]
    manifest = {
        "policy": {"links": draw(st.sampled_from(("exact", "declared"))), "limits": LIMITS},
        "tags": tags,
        "companies": companies,
        "contacts": [_fated_contact(draw, i, several(names), several(keys)) for i in PEOPLE],
    }
    return remembered(World(seed, manifest))


def _fated_tag(name: str, effect: str) -> Any:
    return {"absent": {"name": name, "state": "absent"}, "kept": name, "changed": {"name": f"{name} 2", "renamed_from": name}}[effect]


def _fated_company(draw: Any, key: str, effect: str, tags: list[str]) -> Doc:
    if effect == "absent":
        return {"company_id": key, "state": "absent"}
    linked = {"tags": draw(st.lists(st.sampled_from(tags), unique=True, max_size=3))} if draw(st.booleans()) else {}
    return {"company_id": key, **({"name": "Sun", "plan": "p2"} if effect == "changed" else {}), **linked}


def _fated_contact(draw: Any, live_id: str, tags: list[str], companies: list[str]) -> Doc:
    if draw(st.integers(1, 4)) == 1:
        return {"external_id": live_id[-2:], "state": "archived"}
    return {"external_id": live_id[-2:], "name": draw(st.sampled_from(("A", "B"))), "tags": tags, "companies": companies}


@given(crowded())
@settings(max_examples=max(1, settings().max_examples // 3))
def test_in_a_crowd_all_of_it_comes_back_and_goes_again(world: World) -> None:
    with on_route(world) as (route, path):
        before = workspace(route)
        outcomes = route.apply(route.saved(path))
        assert {outcome.status for outcome in outcomes} == {"applied"}
        after = workspace(route)
        event(f"{sum(o.change.action == 'delete' for o in outcomes)} deleted")
        assert {outcome.status for outcome in take_back(route)} == {"applied"}
        assert workspace(route) == before
        assert {outcome.status for outcome in take_back(route)} == {"applied"}
        assert workspace(route) == after
