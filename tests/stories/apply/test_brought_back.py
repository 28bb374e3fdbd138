"""Who is brought back from the archive or created: what is sent then, and what they bring along."""

from __future__ import annotations

from typing import Any

from tests.conftest import MakeRoute
from tests.desk.route import changes, lines

ARCHIVED: dict[str, Any] = {"id": "a1" * 12, "external_id": "25", "archived": True, "name": "Old", "tags": ["vip"]}


def test_a_null_clears_the_field_of_somebody_who_is_brought_back(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [ARCHIVED]})
    path = route.manifest("contacts: [{external_id: '25', state: present, name: null}]")
    assert [o.reason for o in route.converge(path)] == ["brought back from the archive"]
    assert route.box.ws.store.table("contact").docs[ARCHIVED["id"]]["name"] is None
    assert changes(route.document(path)) == []


def test_a_null_is_not_sent_when_somebody_is_created(make_route: MakeRoute) -> None:
    route = make_route()
    route.converge(route.manifest("contacts: [{external_id: '25', missing: create, name: null}]"))
    assert [write.body for write in route.box.writes] == [{"external_id": "25"}]


def test_links_that_somebody_brings_along_are_named_and_undone_by_the_next_plan(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"], "contacts": [ARCHIVED]})
    path = route.manifest("{policy: {links: exact}, tags: [vip], contacts: [{external_id: '25', state: present, tags: []}]}")
    assert "note incomplete contact/25" in lines(route.document(path))
    kept = route.saved(path)
    route.apply(kept)
    assert route.apply(kept) == [], "the same plan again is done, not stale"
    assert changes(route.document(path)) == ["detach contact/25 tag/vip"]
    route.converge(path)
    assert changes(route.document(path)) == []
