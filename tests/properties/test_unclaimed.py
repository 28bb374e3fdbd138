"""Nothing unclaimed ever appears in a call, and what nobody claimed is after an apply as it was before."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given

from reconciler.core.plan.work import Proposal
from tests.desk.route import Route
from tests.properties.worlds import Doc, World, on_route, worlds

NAMING = {"id", "company_id"}
LISTS = ("tags", "companies")


def state(route: Route, kind: str) -> dict[str, Doc]:
    return copy.deepcopy(route.box.ws.store.table(kind).docs)


def entries(world: World, planned: Proposal, section: str, kind: str) -> dict[str, Doc]:
    """The entry that each live thing is, by the order in which both were read."""
    resources = {a: r for a, r in planned.manifest.resources.items() if a.kind == kind}
    by_name = {(r.by, r.key.lower()): a for a, r in resources.items()}
    by_id = {}
    for entry in world.manifest[section]:
        by = next(name for name in ("external_id", "email", "id", "company_id") if name in entry)
        live = planned.live.pairs.get(by_name[by, str(entry[by]).lower()])
        if live:
            by_id[live] = entry
    return by_id


def claimed(entry: Doc) -> set[str]:
    custom = {f"custom_attributes.{key}" for key in entry.get("custom_attributes", ())}
    return {key for key in entry if key not in ("custom_attributes", *LISTS)} | custom


def flat(body: Doc) -> set[str]:
    custom = {f"custom_attributes.{key}" for key in body.get("custom_attributes", ())}
    return {key for key in body if key != "custom_attributes"} | custom


@given(worlds())
def test_bodies_hold_only_what_is_claimed(world: World) -> None:
    with on_route(world) as (route, path):
        planned = route.planned(path)
        plan = route.saved(path)
        if plan["refused"]:
            return
        route.apply(plan)
        known = {**entries(world, planned, "contacts", "contact"), **entries(world, planned, "companies", "company")}
        for write in route.box.writes:
            body = write.body or {}
            if write.method == "PUT" and write.path.startswith(("/contacts/", "/companies/")):
                live_id = write.path.rpartition("/")[2]
                may = [known[live_id]] if live_id in known else entries_of(world, route.box.ws.store.table("contact").docs[live_id])
                assert any(flat(body) <= claimed(entry) for entry in may), (write.path, body, may)
            elif write.method == "POST" and write.path in ("/contacts", "/companies"):
                section = write.path[1:]
                assert any(flat(body) <= claimed(entry) for entry in world.manifest[section] if same_name(entry, body)), (body,)
            elif write.path == "/tags":
                assert set(body) <= {"id", "name", "users", "companies"}


def entries_of(world: World, live: Doc) -> list[Doc]:
    """Who a thing may be that was not to be seen when it was planned: archived, or a create found it in place."""
    return [entry for entry in world.manifest["contacts"] if same_name(entry, live)]


def same_name(entry: Doc, body: Doc) -> bool:
    by = next(name for name in ("external_id", "email", "id", "company_id") if name in entry)
    return str(entry[by]).lower() == str(body.get(by) or "").lower()


@pytest.mark.parametrize("links", ["additive", "declared", "exact"])
def test_what_nobody_claimed_stays(links: str) -> None:
    @given(worlds(links))
    def holds(world: World) -> None:
        with on_route(world) as (route, path):
            planned = route.planned(path)
            plan = route.saved(path)
            if plan["refused"]:
                return
            before, tags = state(route, "contact"), state(route, "tag")
            outcomes = route.apply(plan)
            if any("existed" in o.reason or "brought back" in o.reason for o in outcomes):
                return
            known = entries(world, planned, "contacts", "contact")
            # A tombstone takes what is spelled exactly so.
            doomed = {t["name"] for t in world.manifest["tags"] if t.get("state") == "absent"}
            kept_tags = {live_id for live_id, tag in tags.items() if tag["name"] not in doomed}
            after = state(route, "contact")
            for live_id, old in before.items():
                # Of who was archived nobody can see that two entries mean them.
                entry = known.get(live_id) or {name: value for one in entries_of(world, old) for name, value in one.items()}
                if entry.get("state") == "absent":
                    continue
                _assert_untouched(entry, old, after[live_id], kept_tags, links)

    holds()


def _assert_untouched(entry: Doc, old: Doc, new: Doc, kept_tags: set[str], links: str) -> None:
    for name in ("external_id", "email", "role", "name", "phone", "avatar", "signed_up_at", "unsubscribed_from_emails"):
        if name not in entry:
            assert old.get(name) == new.get(name), (name, entry)
    custom = entry.get("custom_attributes", {})
    assert _without(old["custom_attributes"], custom) == _without(new["custom_attributes"], custom)
    if not entry.get("state"):
        assert bool(old.get("archived")) == bool(new.get("archived"))
    if "tags" not in entry:
        assert {t for t in old["tags"] if t in kept_tags} == set(new["tags"])
    elif links == "additive" and not any(isinstance(t, dict) for t in entry["tags"]):
        assert {t for t in old["tags"] if t in kept_tags} <= set(new["tags"])
    if "companies" not in entry:
        assert set(new["companies"]) <= set(old["companies"])


def _without(document: Doc, names: Any) -> Doc:
    return {key: value for key, value in document.items() if key not in names}
