"""Merges in worlds made by chance: whoever has an old tag has that or the new one at any time, through kills and while others get them."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import pytest

from tests.conftest import MakeRoute
from tests.desk.route import WIDE, Route
from tests.desk.soak import times
from tests.stories.apply.test_merges import give, tags_of
from tests.stories.plan.test_saved_plans import Killed, kill_after, kill_before

OLD = ("gold", "VIP client", "kam")


def world(chance: random.Random) -> dict[str, Any]:
    """People and companies with some of the tags, and now and then a conversation that holds one."""

    def tags() -> list[str]:
        return [tag for tag in (*OLD, "vip", "other") if chance.random() < 0.4]

    companies: list[dict[str, Any]] = [{"company_id": f"c{n}", "tags": tags()} for n in range(chance.randint(0, 4))]
    people: list[dict[str, Any]] = [{"external_id": str(n), "tags": tags()} for n in range(chance.randint(3, 120))]
    people[0]["companies"] = [company["company_id"] for company in companies]
    held = [{"tags": [chance.choice(OLD)]}] if chance.random() < 0.3 else []
    return {"tags": [*OLD, "vip", "other"], "companies": companies, "contacts": people, "conversations": held}


def having(route: Route, *names: str) -> set[str]:
    """The contacts and companies that have one of these tags."""
    return {who for who, tags in tags_of(route).items() if not {*names}.isdisjoint(tags)}


@pytest.mark.parametrize("seed", range(times(6)))
def test_nobody_is_lost(seed: int, make_route: MakeRoute) -> None:
    chance = random.Random(seed)
    live = world(chance)
    route = make_route(live, ledger=chance.random() < 0.8)
    links = chance.choice(["owned", "additive"])
    listed = [{"external_id": str(n), "tags": chance.choice([["vip"], [], ["other"]])} for n in range(2)]
    entries = {"contacts": listed} if chance.random() < 0.6 else {}
    path = route.manifest({"policy": WIDE | {"links": links}, "tags": [{"name": "vip", "merged_from": list(OLD)}, "other"], **entries})
    had, late = having(route, *OLD), chance.randrange(len(live["contacts"]))

    def come() -> None:
        if "gold" in {tag["name"] for tag in route.box.ws.store.table("tag").docs.values()}:
            give(route, "gold", str(late))
            had.update(c["id"] for c in route.box.ws.store.table("contact").docs.values() if c["external_id"] == str(late))

    route.box.faults.add("POST", "^/tags$", run=come, after=chance.randint(0, 2))
    with suppress(Killed), chance.choice([kill_before, kill_after])(route, chance.randint(0, 16)):
        route.converge(path)
    route.box.faults.clear()
    assert had <= having(route, *OLD, "vip")
    for _ in range(2):
        route.clock.now += 3600
        route.converge(path)
        assert had <= having(route, "vip")
    held = {tag for conversation in live["conversations"] for tag in conversation["tags"]}
    assert {tag["name"] for tag in route.box.ws.store.table("tag").docs.values()} == {"vip", "other", *held}
    assert route.document(path)["changes"] == []
