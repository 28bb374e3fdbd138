"""A tag whose name the server rewrites is found again by what the ledger knows, and by nothing else."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import Route, changes
from tests.desk.telling import notes

LONG = "x" * 61
OWNED = "policy: {links: owned, prune: {tags: owned}}\n"


def applied(route: MakeRoute, name: str, rewrites: str) -> tuple[Route, str]:
    """A workspace where a tag was applied under a name of which the server made another one, and its id."""
    told = route({"contacts": [{"external_id": "25"}]}, ledger=True, rewrites=rewrites)
    told.converge(told.manifest(f'{OWNED}tags: [keep, "{name}"]\ncontacts: [{{external_id: "25", tags: ["{name}"]}}]\n'))
    (tag,) = (tag for tag in told.box.ws.store.table("tag").in_order() if tag["name"] != "keep")
    assert tag["name"] != name
    return told, str(tag["id"])


REWRITTEN = pytest.mark.parametrize(("name", "rewrites"), [("a < b", "escape"), (LONG, "cut"), ("ÄB", "lower"), ("VIP", "lower")])


@REWRITTEN
def test_a_tombstone_under_the_declared_name_takes_it(route: MakeRoute, name: str, rewrites: str) -> None:
    told, live_id = applied(route, name, rewrites)
    path = told.manifest(f'{OWNED}tags: [keep, {{name: "{name}", state: absent}}]\n')
    assert changes(told.document(path)) == [f"delete tag/{name}"]
    told.converge(path)
    assert told.box.ws.store.get("tag", live_id) is None
    assert changes(told.document(path)) == []


@REWRITTEN
def test_once_it_leaves_the_manifest_it_is_ours_to_take(route: MakeRoute, name: str, rewrites: str) -> None:
    told, live_id = applied(route, name, rewrites)
    path = told.manifest(f'{OWNED}tags: [keep]\ncontacts: [{{external_id: "25", tags: []}}]\n')
    live = told.box.ws.store.table("tag").docs[live_id]["name"]
    assert changes(told.document(path)) == [f"detach contact/25 tag/{live}", f"delete tag/{live}"]


@pytest.mark.parametrize("runs", [0, 1])
def test_what_somebody_renamed_since_is_nobodys_to_take(route: MakeRoute, runs: int) -> None:
    told, live_id = applied(route, "a < b", "escape")
    for _ in range(runs):
        told.converge(told.folder / "intercom.yaml")
    store = told.box.ws.store
    store.put("tag", {**store.table("tag").docs[live_id], "name": "gold"})
    found = told.document(told.manifest(f'{OWNED}tags: [keep, {{name: "a < b", state: absent}}]\n'))
    assert (changes(found), len(notes(found, "lookalike"))) == ([], 1)
    assert changes(told.document(told.manifest(f"{OWNED}tags: [keep]\n"))) == []


def test_a_plain_tag_that_has_the_name_meanwhile_is_another_one(route: MakeRoute) -> None:
    told, live_id = applied(route, "a < b", "escape")
    store = told.box.ws.store
    store.drop("tag", live_id)
    store.put("tag", {"id": "990", "seq": 990, "name": "a &lt; b"})
    for text in ('tags: [keep, {name: "a < b", state: absent}]\n', "tags: [keep]\n"):
        assert changes(told.document(told.manifest(OWNED + text))) == []
