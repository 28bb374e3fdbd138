"""The cost of a plan is what its apply takes: its calls, looks and counts included, and its seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from reconciler.report import RENDERERS
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.desk.route import WIDE
from tests.desk.soak import only_in_soak

TAGS = [f"t{n}" for n in range(12)]
TIER = {"name": "tier", "model": "contact", "options": ["a", "b", "c"]}


def people(number: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"external_id": str(n), **fields} for n in range(number)]


def companies(keys: Sequence[int], **fields: Any) -> list[dict[str, Any]]:
    return [{"company_id": f"c{n}", **fields} for n in keys]


STORIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "updates, some of many": (
        {"contacts": people(160)},
        {"contacts": [*people(40, name="X"), *people(160)[40:]]},
    ),
    "creates, by e-mail and not": (
        {},
        {"contacts": [*people(3, missing="create"), {"email": "y@x.example", "missing": "create"}]},
    ),
    "an e-mail moves": ({"contacts": people(3)}, {"contacts": [{"external_id": "1", "email": "n@x.example"}]}),
    "few companies": ({"companies": companies(range(2))}, {"companies": companies(range(4), name="N")}),
    "many companies": (
        {"companies": companies(range(80)), "contacts": people(1, companies=[f"c{n}" for n in range(80)])},
        {"companies": [*companies(range(10), name="N"), *companies(range(10, 80))]},
    ),
    "links that a thing shows in part": (
        {"tags": TAGS, "contacts": people(4, tags=TAGS[:-1])},
        {"tags": TAGS, "contacts": people(4, tags=TAGS)},
    ),
    "whole lists of links": (
        {"companies": companies(range(3)), "contacts": people(4, companies=["c0", "c1"])},
        {"policy": {"links": "exact"}, "companies": companies([2]), "contacts": people(4, companies=["c2"])},
    ),
    "deletions, counted and kept": (
        {"tags": TAGS, "companies": companies(range(2)), "contacts": people(60, tags=TAGS[:3], companies=["c0"])},
        {"tags": [{"name": name, "state": "absent"} for name in TAGS[:5]], "companies": companies(range(2), state="absent")},
    ),
    "names that others have or look like": (
        {"tags": ["vip", {"name": "VIP", "id": "990"}, "promo", "Café"], "contacts": people(3)},
        {
            "tags": [{"name": "Promo", "state": "absent"}, {"name": "cafe", "state": "absent"}, {"id": "990"}, "new"],
            "contacts": people(3, tags=["new"]),
        },
    ),
    "a rename": ({"tags": ["Beta"]}, {"tags": [{"name": "b2", "renamed_from": "Beta"}]}),
    "an option": (
        {"attributes": [TIER], "contacts": people(3, custom_attributes={"tier": "c"})},
        {
            "attributes": [{**TIER, "data_type": "options", "options": ["a", "b"]}],
            "contacts": people(3, custom_attributes={"tier": "a"}),
        },
    ),
}


# A property shows the same of what chance makes; of the stories, those run that it seldom comes to.
SELDOM = (
    "updates, some of many",
    "links that a thing shows in part",
    "deletions, counted and kept",
    "names that others have or look like",
    "an option",
)


@pytest.mark.parametrize(
    ("story", "ledger"),
    [
        # Without a memory the calls are the same, or fewer.
        pytest.param(story, ledger, id=f"{story}-{how}", marks=() if ledger and story in SELDOM else only_in_soak)
        for story in STORIES
        for ledger, how in ((False, "no memory"), (True, "with a ledger"))
    ],
)
def test_the_calls_that_were_planned_are_those_that_are_made(make_route: MakeRoute, story: str, ledger: bool) -> None:
    live, declared = STORIES[story]
    route = make_route(live, ledger=ledger)
    plan = route.saved(route.manifest({**declared, "policy": WIDE | declared.get("policy", {})}))
    route.box.forget_requests()
    assert {str(outcome.status) for outcome in route.apply(plan)} == {"applied"}
    assert len(route.box.requests) == plan["cost"]["calls"] == sum(plan["cost"]["routes"].values())
    assert len(route.box.writes) == plan["cost"]["calls"] - plan["cost"]["reads"]


@pytest.mark.parametrize("left", ["the tag too", "the link alone"])
def test_what_goes_only_because_it_is_ours_is_looked_for_in_the_whole_list_as_planned(make_route: MakeRoute, left: str) -> None:
    route = make_route({"contacts": people(2)}, ledger=True)
    route.converge(route.manifest({"policy": {"links": "owned"}, "tags": ["vip", "old"], "contacts": people(2, tags=["vip", "old"])}))
    tags = ["vip"] if left == "the tag too" else ["vip", "old"]
    plan = route.saved(route.manifest({"policy": {"links": "owned"}, "tags": tags, "contacts": people(2, tags=["vip"])}))
    route.box.forget_requests()
    assert [str(outcome.status) for outcome in route.apply(plan)] == ["applied"] * 2
    assert len(route.box.requests) == plan["cost"]["calls"]
    assert [request.path.endswith("/tags") for request in route.box.requests if request.method == "GET"].count(True) == 3


def test_a_plan_without_a_change_costs_nothing(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["vip"]})
    assert route.document(route.manifest("tags: [vip]\n"))["cost"]["calls"] == 0


def test_the_seconds_of_a_plan_are_those_of_our_share_of_the_limit(desk: Desk) -> None:
    text = "policy: {limits: {creates: 999}}\ntags: [" + ", ".join(f"t{n}" for n in range(400)) + "]\n"
    seconds = []
    for share in ("1.0", "0.1"):
        assert desk("plan", "m.yaml", "--format", "json", "--rate-share", share, m=text) == 0
        seconds.append(json.loads(desk.out)["cost"]["seconds"])
    assert seconds == [2.4, 24.2]


def test_a_large_plan_names_its_slowest_stage(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": str(n)} for n in range(150)]})
    people = [{"external_id": str(n), "unsubscribed_from_emails": True, "tags": ["vip"]} for n in range(150)]
    plan = route.document(route.manifest({"tags": ["vip"], "contacts": people}))
    assert (plan["cost"]["calls"], plan["cost"]["slowest"]) == (307, "update")
    assert "Cost: 307 calls, about 2 seconds, most of it to update." in RENDERERS["text"](plan)
    assert "most of it to update" in RENDERERS["markdown"](plan)
