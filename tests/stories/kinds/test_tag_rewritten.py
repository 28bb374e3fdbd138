"""A tag whose name the server rewrites is found again by what the ledger knows, and by nothing else."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes
from tests.desk.telling import notes

LONG = "x" * 61
OWNED = "policy: {links: owned, prune: {tags: owned}}\n"


def route_with_tag(make_route: MakeRoute, name: str, rewrites: str) -> tuple[Route, str]:
    """A workspace where a tag was applied under a name of which the server made another one, and its id."""
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True, rewrites=rewrites)
    route.converge(route.manifest(f'{OWNED}tags: [keep, "{name}"]\ncontacts: [{{external_id: "25", tags: ["{name}"]}}]\n'))
    (tag,) = (tag for tag in route.box.ws.store.table("tag").in_order() if tag["name"] != "keep")
    assert tag["name"] != name
    return route, str(tag["id"])


REWRITTEN = pytest.mark.parametrize(("name", "rewrites"), [("a < b", "escape"), (LONG, "cut"), ("ÄB", "lower"), ("VIP", "lower")])


@REWRITTEN
def test_a_tombstone_under_the_declared_name_takes_it(make_route: MakeRoute, name: str, rewrites: str) -> None:
    route, live_id = route_with_tag(make_route, name, rewrites)
    path = route.manifest(f'{OWNED}tags: [keep, {{name: "{name}", state: absent}}]\n')
    assert changes(route.document(path)) == [f"delete tag/{name}"]
    route.converge(path)
    assert route.box.ws.store.get("tag", live_id) is None
    assert changes(route.document(path)) == []


@REWRITTEN
def test_once_it_leaves_the_manifest_it_is_ours_to_take(make_route: MakeRoute, name: str, rewrites: str) -> None:
    route, live_id = route_with_tag(make_route, name, rewrites)
    path = route.manifest(f'{OWNED}tags: [keep]\ncontacts: [{{external_id: "25", tags: []}}]\n')
    live = route.box.ws.store.table("tag").docs[live_id]["name"]
    assert changes(route.document(path)) == [f"detach contact/25 tag/{live}", f"delete tag/{live}"]


@pytest.mark.parametrize("runs", [0, 1])
def test_what_somebody_renamed_since_is_nobodys_to_take(make_route: MakeRoute, runs: int) -> None:
    route, live_id = route_with_tag(make_route, "a < b", "escape")
    for _ in range(runs):
        route.converge(route.folder / "intercom.yaml")
    store = route.box.ws.store
    store.put("tag", {**store.table("tag").docs[live_id], "name": "gold"})
    plan = route.document(route.manifest(f'{OWNED}tags: [keep, {{name: "a < b", state: absent}}]\n'))
    assert (changes(plan), len(notes(plan, "lookalike"))) == ([], 1)
    assert changes(route.document(route.manifest(f"{OWNED}tags: [keep]\n"))) == []


def test_a_plain_tag_that_has_the_name_meanwhile_is_another_one(make_route: MakeRoute) -> None:
    route, live_id = route_with_tag(make_route, "a < b", "escape")
    store = route.box.ws.store
    store.drop("tag", live_id)
    store.put("tag", {"id": "990", "seq": 990, "name": "a &lt; b"})
    for text in ('tags: [keep, {name: "a < b", state: absent}]\n', "tags: [keep]\n"):
        assert changes(route.document(route.manifest(OWNED + text))) == []


@pytest.mark.parametrize("entries", ['[keep, {name: "a < b", state: absent}]', "[keep]"])
def test_one_of_two_of_the_name_that_the_server_made_is_nobodys_to_take(make_route: MakeRoute, entries: str) -> None:
    route, _ = route_with_tag(make_route, "a < b", "escape")
    route.box.ws.store.put("tag", {"id": "990", "seq": 990, "name": "A &lt; B"})
    assert changes(route.document(route.manifest(f"{OWNED}tags: {entries}\n"))) == []
