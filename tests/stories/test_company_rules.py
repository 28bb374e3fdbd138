"""Rules on companies: which companies get a tag by what is true of them, and which lose it. Their tags go by name."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.address import Address
from tests.conftest import MakeRoute
from tests.desk.calling import Caller
from tests.desk.route import WIDE, Route
from tests.desk.soak import only_in_soak
from tests.stories.test_rules import DUE, LONG, gates, list_changes
from tests.stories.undo.taking_back import take_back

RULE = {"tag": "big", "on": "companies", "where": "plan = Enterprise and monthly_spend >= 1000"}


def seed(number: int = 8, **more: Any) -> dict[str, Any]:
    """Companies 0, 1… with one user each, of which every second is on the plan `Enterprise`."""
    companies = [
        {"company_id": str(n), "name": f"Company {n}", "plan": "Enterprise" if n % 2 else "Free", "monthly_spend": 500 * n}
        for n in range(number)
    ]
    people = [{"external_id": f"u{n}", "role": "user", "companies": [str(n)]} for n in range(number)]
    return {"tags": ["vip"], "companies": companies, "contacts": people, **more}


def write_manifest(route: Route, *rules: dict[str, Any], **more: Any) -> Any:
    return route.manifest({"name": "growth", "policy": WIDE, "tags": ["big", "vip"], "rules": list(rules or (RULE,)), **more})


def having(route: Route, tag: str = "big") -> set[str]:
    """The company_ids of those that have a tag in truth."""
    store = route.box.ws.store
    ids = {i for i, doc in store.table("tag").docs.items() if doc["name"] == tag}
    return {doc["company_id"] for doc in store.table("company").docs.values() if ids & set(doc["tags"])}


def put(route: Route, company_id: str, **fields: Any) -> None:
    """Somebody else changes a company."""
    assert Caller(route.box)("POST", "/companies", {"company_id": company_id, **fields}).status == 200


def test_which_companies_match_have_the_tag_and_a_second_plan_is_empty(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route)
    plan = route.saved(path)
    assert list_changes(plan) == ["create tag/big", *["attach tag/big"] * 3]
    sent = len(route.box.requests)
    route.apply(plan)
    assert len(route.box.requests) - sent == plan["cost"]["calls"]
    assert having(route) == {"3", "5", "7"}
    again = route.document(path)
    assert (again["changes"], again["refused"]) == ([], [])


def test_companies_come_and_go_and_undo_brings_back_what_was_detached(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route)
    route.converge(path)
    put(route, "3", plan="Free")
    put(route, "4", plan="Enterprise")
    route.clock.now += LONG
    plan = route.document(path)
    assert plan["changes"] == []
    assert "1 began to match and 1 ceased to" in " ".join(n["message"] for n in plan["notes"] if n["topic"] == "due")
    route.apply(route.saved(path, scope=DUE))
    assert having(route) == {"4", "5", "7"}
    assert route.document(path, scope=DUE)["changes"] == []
    take_back(route)
    assert having(route) == {"3", "5", "7"}


def test_a_company_is_named_by_its_company_id_whether_it_has_users_or_not(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    route.box.seed({"companies": [{"company_id": "empty", "name": "Empty"}, {"company_id": "gone", "name": "Gone"}]})
    live_id = route.id_of(Address("company", "5"))
    path = write_manifest(route, {**RULE, "include": ["0", "empty", "nobody"], "exclude": [{"id": live_id}, "gone"]})
    route.converge(path)
    assert having(route) == {"0", "empty", "3", "7"}
    route.clock.now += LONG
    again = route.document(path)
    assert again["changes"] == []
    assert "1 of those that it includes or excludes" in " ".join(n["message"] for n in again["notes"])
    other = {**RULE, "include": ["0", "gone"], "exclude": ["empty"]}
    route.converge(write_manifest(route, other))
    assert having(route) == {"0", "gone", "3", "5", "7"}
    assert route.document(path)["changes"] == []


def test_a_company_without_users_is_out_of_sight_and_keeps_what_it_has(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route)
    route.converge(path)
    call = Caller(route.box)
    for name in ("3", "5"):
        company = route.id_of(Address("company", name))
        contact = route.id_of(Address("contact", f"u{name}"))
        assert call("DELETE", f"/contacts/{contact}/companies/{company}").status == 200
    put(route, "3", plan="Free")
    route.clock.now += LONG
    assert route.document(path, scope=DUE)["changes"] == []
    assert having(route) == {"3", "5", "7"}


def test_a_tag_with_twins_is_put_on_no_company(make_route: MakeRoute) -> None:
    route = make_route(seed(tags=["vip", {"id": "900", "name": "big"}, {"id": "901", "name": "Big"}]), ledger=True)
    path = write_manifest(route, tags=[{"name": "big", "id": "900"}, "vip"])
    plan = route.document(path)
    assert gates(plan) == ["twins"]
    assert "several have this one" in plan["refused"][0]["message"]
    assert [c for c in plan["changes"] if c["target"]] == [] or plan["refused"]


def test_the_rule_of_a_renamed_tag_goes_by_the_new_name(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    route.converge(write_manifest(route))
    put(route, "3", plan="Free")
    put(route, "4", plan="Enterprise")
    route.clock.now += LONG
    rule = {**RULE, "tag": "large", "where": "plan = Enterprise"}
    path = write_manifest(route, rule, tags=[{"name": "large", "renamed_from": "big"}, "vip"])
    route.converge(path)
    assert having(route, "large") == {"1", "4", "5", "7"}
    assert route.document(path)["changes"] == []


def test_a_list_of_companies_leaves_the_tag_to_its_rule(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, companies=[{"company_id": "3", "tags": ["vip"]}], policy={**WIDE, "links": "exact"})
    route.converge(path)
    assert having(route) == {"3", "5", "7"}
    assert having(route, "vip") == {"3"}
    assert route.document(path)["changes"] == []


def test_a_list_of_companies_says_of_a_tag_whose_rule_is_about_contacts_only_what_it_writes(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    route.box.seed({"companies": [{"company_id": n, "tags": ["vip"]} for n in ("1", "2", "3")]})
    rule = {"tag": "vip", "on": "contacts", "where": "external_id in (u1, u2)"}
    companies = [
        {"company_id": "1", "tags": [{"tag": "vip", "state": "absent"}]},
        {"company_id": "2", "tags": []},
        {"company_id": "4", "tags": ["vip"]},
    ]
    path = write_manifest(route, rule, companies=companies, policy={**WIDE, "links": "exact"})
    route.converge(path)
    assert having(route, "vip") == {"2", "3", "4"}
    assert route.document(path)["changes"] == []


@pytest.mark.parametrize("number", [70, pytest.param(10_050, marks=only_in_soak)])
def test_companies_are_read_page_by_page_and_by_the_scroll_past_ten_thousand(make_route: MakeRoute, number: int) -> None:
    attributes = [{"name": "tier", "model": "company", "data_type": "integer"}]
    route = make_route(seed(number, attributes=attributes), ledger=True)
    path = write_manifest(route, {**RULE, "where": "custom_attributes.tier = 1 or name ^ 'company 6'"})
    route.converge(path)
    assert having(route) == {str(n) for n in range(number) if str(n).startswith("6")}
    assert route.document(path)["changes"] == []
