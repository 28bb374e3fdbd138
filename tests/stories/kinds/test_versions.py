"""Intercom's versions 2.14 to 2.16 by header: the same manifest does the same work, whatever they differ in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from reconciler.core.model.outcome import Status
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes, lines
from tests.desk.telling import asked, company, contact, people, settles, statuses

VERSIONS = ("2.14", "2.15", "2.16")
LIVE = {
    "admins": [{"id": "456"}],
    "tags": ["Beta"],
    "companies": [{"company_id": "6", "name": "Blue Moon", "tags": ["Beta"]}, {"company_id": "8"}],
    "contacts": [
        {"external_id": "25", "email": "mal@serenity.example", "tags": ["Beta"], "companies": ["8"]},
        {"external_id": "31", "email": "jayne@serenity.example"},
        {"external_id": "40", "archived": True},
        {"email": "lead@serenity.example", "role": "lead"},
    ],
}
TOUR = """
attributes:
  - {name: paid_subscriber, model: company, data_type: boolean}
  - {name: tier, model: contact, data_type: options, options: [gold, silver]}
tags:
  - vip
  - {name: beta-2026, renamed_from: Beta}
companies:
  - {company_id: "6", name: Blue Sun, plan: plan1, size: 85, website: https://bluesun.example, industry: Manufacturing,
     monthly_spend: 49, remote_created_at: 2014-03-11T09:49:18Z, custom_attributes: {paid_subscriber: true}, tags: [vip]}
  - {company_id: "7", tags: [vip, beta-2026]}
  - {company_id: "8", state: absent}
contacts:
  - {external_id: "25", owner_id: 456, tags: [vip, {tag: beta-2026, state: absent}], companies: ["6"]}
  - {email: hoban@serenity.example, name: Hoban Washburn, missing: create, custom_attributes: {tier: gold}, tags: [vip]}
  - {email: lead@serenity.example, role: user, tags: [vip, beta-2026]}
  - {external_id: "31", state: archived}
  - {external_id: "40", state: present, tags: [vip], companies: ["6", "7"]}
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_the_whole_tour_is_planned_applied_and_converges(make_route: MakeRoute, version: str) -> None:
    route = make_route(LIVE, version=version, ledger=True)
    settles(route, TOUR)
    names = {doc["id"]: doc["name"] for doc in route.box.ws.store.table("tag").in_order()}
    assert sorted(names.values()) == ["beta-2026", "vip"]
    assert {names[i] for i in contact(route.box, external_id="25")["tags"]} == {"vip"}
    assert contact(route.box, external_id="25")["owner_id"] == "456"
    assert list(contact(route.box, external_id="25")["companies"]) == [company(route.box, "6")["id"]]
    assert contact(route.box, email="lead@serenity.example")["role"] == "user"
    assert contact(route.box, external_id="31")["archived"] is True
    assert {names[i] for i in company(route.box, "6")["tags"]} == {"vip", "beta-2026"}
    assert people(route.box) == 5
    assert {record.headers["intercom-version"] for record in route.box.requests} <= {version, "2.16"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_write_goes_out_under_the_version_that_was_asked_for(make_route: MakeRoute, version: str) -> None:
    route = make_route(LIVE, version=version)
    route.converge(route.manifest(TOUR))
    assert {write.headers["intercom-version"] for write in route.box.writes} == {version}


def test_the_plan_is_the_same_under_every_version(make_route: MakeRoute) -> None:
    routes = [make_route(LIVE, version=version) for version in VERSIONS]
    plans = [lines(one.document(one.manifest(TOUR))) for one in routes]
    assert plans[0] == plans[1] == plans[2]


# ---- POST /tags: skipped and listed from 2.16, one 404 for all before
def _many(make_route: MakeRoute, version: str, count: int, **how: Any) -> tuple[Route, Any]:
    route = make_route(
        {"contacts": [{"external_id": f"c{n:03}"} for n in range(count)], "companies": [{"company_id": f"k{n:03}"} for n in range(count)]},
        version=version,
        **how,
    )
    written = {
        "tags": ["vip"],
        "companies": [{"company_id": f"k{n:03}", "tags": ["vip"]} for n in range(count)],
        "contacts": [{"external_id": f"c{n:03}", "tags": ["vip"]} for n in range(count)],
    }
    return route, route.manifest(written)


def _writes(route: Route) -> Counter[str]:
    return Counter(f"{w.method} {w.path.split('/')[-1]}" for w in route.box.writes)


@pytest.mark.parametrize("version", ["2.14", "2.15"])
def test_before_2_16_every_link_is_a_call_of_its_own(make_route: MakeRoute, version: str) -> None:
    route, path = _many(make_route, version, 60)
    cost = route.document(path)["cost"]
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert cost["calls"] - cost["reads"] == len(route.box.writes) == 1 + 60 + 60
    assert all(len(w.body.get("companies", [0])) == 1 and "users" not in w.body for w in route.box.writes)
    assert changes(route.document(path)) == []


def test_from_2_16_on_fifty_links_are_one_call(make_route: MakeRoute) -> None:
    route, path = _many(make_route, "2.16", 60)
    cost = route.document(path)["cost"]
    assert {o.status for o in route.converge(path)} == {Status.APPLIED}
    assert cost["calls"] - cost["reads"] == len(route.box.writes) == 1 + 2 + 2
    assert changes(route.document(path)) == []


def _drop(route: Route, kind: str, key: str, by: str) -> None:
    (doc,) = route.box.ws.store.table(kind).find(by, key)
    route.box.ws.store.drop(kind, doc["id"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_contact_that_went_is_skipped_and_the_others_are_tagged(make_route: MakeRoute, version: str) -> None:
    route, path = _many(make_route, version, 5)
    plan = route.saved(path)
    route.box.faults.add("POST", "/tags$", after=1, times=1, run=lambda: _drop(route, "contact", "c003", "external_id"))
    outcomes = statuses(route.apply(plan))
    assert outcomes.pop("attach contact/c003 tag/vip") == "skipped"
    assert set(outcomes.values()) == {"applied"}
    tagged = [doc["external_id"] for doc in route.box.ws.store.table("contact").in_order() if doc["tags"]]
    assert tagged == ["c000", "c001", "c002", "c004"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_company_that_went_is_skipped_and_the_others_are_tagged(make_route: MakeRoute, version: str) -> None:
    route, path = _many(make_route, version, 5)
    plan = route.saved(path)
    route.box.faults.add("POST", "^/tags$", after=1, times=1, run=lambda: _drop(route, "company", "k003", "company_id"))
    outcomes = statuses(route.apply(plan))
    assert outcomes.pop("attach company/k003 tag/vip") == "skipped"
    assert set(outcomes.values()) == {"applied"}


@pytest.mark.parametrize(("listed", "status"), [("[]", "skipped"), ("null", "failed"), ('"all"', "failed"), ("[1]", "failed")])
def test_a_bulk_call_is_trusted_only_for_the_ids_that_it_lists(make_route: MakeRoute, listed: str, status: str) -> None:
    route, path = _many(make_route, "2.16", 3)
    plan = route.saved(path)
    body = f'{{"type":"tag","id":"101","name":"vip","users":{listed},"companies":{listed}}}'
    route.box.faults.add("POST", "^/tags$", after=1, times=None, body=body.encode())
    outcomes = statuses(route.apply(plan))
    assert outcomes.pop("create tag/vip") == "applied"
    assert set(outcomes.values()) == {status}
    assert len(outcomes) == 6


# ---- who was merged: 404 before 2.16, 410 since (the rest is in test_contacts)
@pytest.mark.parametrize(("version", "looks"), [("2.14", ["404", "410", "200"]), ("2.15", ["404", "410", "200"]), ("2.16", ["410", "200"])])
def test_who_was_merged_is_told_by_as_few_reads_as_the_version_allows(make_route: MakeRoute, version: str, looks: list[str]) -> None:
    route = make_route({"contacts": [{"external_id": "25"}, {"external_id": "9", "merged_into": "25"}]}, version=version)
    route.document(route.manifest({"contacts": [{"external_id": "9", "name": "X"}]}))
    reads = [line for line in asked(route.box) if line.startswith("GET /contacts/")]
    assert [line.rpartition(" ")[2] for line in reads] == looks


@pytest.mark.parametrize("version", ["2.14", "2.15"])
def test_who_never_was_costs_one_more_read_under_an_older_version(make_route: MakeRoute, version: str) -> None:
    route = make_route(version=version)
    path = route.manifest({"contacts": [{"external_id": "9", "missing": "create"}]})
    assert changes(route.document(path)) == ["create contact/9"]
    versions = [r.headers["intercom-version"] for r in route.box.requests if "find_by_external_id" in r.path]
    assert versions == [version, "2.16"]


@pytest.mark.parametrize("version", ["2.14", "2.15"])
def test_what_only_2_16_can_count_is_asked_under_it(make_route: MakeRoute, version: str) -> None:
    """GET /content/search is in 2.16 alone: a tombstone under an older version is not refused for that."""
    route = make_route({"tags": ["old"]}, version=version)
    plan = route.document(route.manifest("tags: [{name: old, state: absent}]\n"))
    assert plan["refused"] == []
    assert plan["changes"][0]["uses"] == {"contacts": 0, "companies": 0, "conversations": 0, "content items": 0}


@pytest.mark.parametrize("version", ["2.14", "2.15", "2.16"])
def test_the_route_converges_under_every_version(version: str, make_route: MakeRoute) -> None:
    route = make_route({"tags": ["Old"], "contacts": [{"external_id": "25", "tags": ["Old"]}, {"external_id": "26"}]}, version=version)
    manifest = route.manifest(
        "tags: [vip, {name: New, renamed_from: Old}]\n"
        "companies: [{company_id: '6', tags: [vip]}, {company_id: '7', tags: [vip], plan: pro}]\n"
        "contacts: [{external_id: '25', tags: [vip], companies: ['6'], owner_id: 991267459}, {external_id: '26', tags: [vip, new]}]\n"
    )
    assert {o.status for o in route.converge(manifest)} == {"applied"}
    assert changes(route.document(manifest)) == []
