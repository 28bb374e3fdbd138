"""Limits: what a plan may do at most, in numbers and in percent of what is live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Refused
from tests.conftest import MakeRoute
from tests.desk.route import Route, changes

Doc = dict[str, Any]


def gates(plan: PlanDocument) -> list[str]:
    return [refusal["gate"] for refusal in plan["refused"]]


def refused_to_apply(route: Route, manifest: Path) -> None:
    """An apply of a refused plan ends with 3 and writes nothing."""
    with pytest.raises(Refused) as refused:
        route.converge(manifest)
    assert refused.value.exit_code == 3
    assert route.box.writes == []


NO_TRIAL = "tags: [{tag: trial, state: absent}]"

OVER: tuple[tuple[str, str], ...] = (
    ("creates", "tags: [a, b]\n"),
    ("creates", "contacts: [{external_id: '1', missing: create}, {external_id: '2', state: present}]\n"),
    ("attaches", "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}, {external_id: '26', tags: [vip]}]\n"),
    ("deletes", "tags: [{name: vip, state: absent}]\ncompanies: [{company_id: '6', state: absent}]\n"),
    ("contact_deletes", "contacts: [{external_id: '25', state: absent}, {external_id: '26', state: absent}]\n"),
    ("archives", "contacts: [{external_id: '25', state: archived}, {external_id: '26', state: archived}]\n"),
    ("detaches", f"tags: [trial]\ncontacts: [{{external_id: '25', {NO_TRIAL}}}, {{external_id: '26', {NO_TRIAL}}}]\n"),
    ("people", f"tags: [trial]\ncontacts: [{{external_id: '25', {NO_TRIAL}}}, {{external_id: '26', state: archived}}]\n"),
    ("missing", "contacts: [{external_id: '1'}, {email: no@s.example}]\n"),
)

PEOPLE: Doc = {
    "tags": ["vip", "trial"],
    "companies": [{"company_id": "6"}],
    "contacts": [{"external_id": "25", "tags": ["trial"]}, {"external_id": "26", "tags": ["trial"]}],
}


@pytest.mark.parametrize(("limit", "desired"), OVER, ids=[f"{limit}-{n}" for n, (limit, _) in enumerate(OVER)])
def test_one_more_than_the_limit_is_refused_and_the_limit_itself_is_not(limit: str, desired: str, make_route: MakeRoute) -> None:
    route = make_route(PEOPLE)
    other = "" if limit == "contact_deletes" else "contact_deletes: 9, "
    over = route.manifest(f"policy: {{limits: {{{other}{limit}: 1}}}}\n{desired}")
    assert gates(route.document(over)) == [f"limits.{limit}"]
    refused_to_apply(route, over)
    within = route.manifest(f"policy: {{limits: {{{other}{limit}: 2}}}}\n{desired}")
    assert gates(route.document(within)) == []


def test_no_contact_is_deleted_unless_the_limit_is_raised(make_route: MakeRoute) -> None:
    route = make_route(PEOPLE)
    manifest = route.manifest("contacts: [{external_id: '25', state: absent}]\n")
    assert gates(route.document(manifest)) == ["limits.contact_deletes"]
    refused_to_apply(route, manifest)


def test_updates_and_renames_and_what_a_deletion_implies_never_count(make_route: MakeRoute) -> None:
    route = make_route(PEOPLE)
    manifest = route.manifest(
        "policy: {limits: {creates: 0, attaches: 0, detaches: 0, archives: 0, missing: 0, deletes: 1, people: 2}}\n"
        "tags: [{name: best, renamed_from: vip}, {name: trial, state: absent}]\ncompanies: [{company_id: '6', name: New}]\n"
        "contacts: [{external_id: '25', name: A}, {external_id: '26', name: B}, {external_id: '7', state: archived}]\n"
    )
    assert gates(route.document(manifest)) == []
    assert {outcome.status for outcome in route.converge(manifest)} == {"applied"}


def test_people_are_counted_once_however_much_they_lose(make_route: MakeRoute) -> None:
    route = make_route({"companies": [{"company_id": "6"}], "contacts": [{"external_id": "25", "tags": ["a", "b"], "companies": ["6"]}]})
    manifest = route.manifest(
        "policy: {links: exact, limits: {people: 1, detaches: 3}}\ntags: [a, b]\ncompanies: [{company_id: '6'}]\n"
        "contacts: [{external_id: '25', tags: [], companies: []}]\n"
    )
    plan = route.document(manifest)
    assert (gates(plan), len(changes(plan))) == ([], 3)


def test_created_and_unproven_contacts_are_not_missing(make_route: MakeRoute) -> None:
    route = make_route(PEOPLE)
    manifest = route.manifest(
        "policy: {limits: {missing: 0}}\n"
        "contacts: [{external_id: '1', missing: create}, {external_id: '2', state: archived}, {external_id: '3', state: absent}]\n"
    )
    assert gates(route.document(manifest)) == []


NO_X = "tags: [{tag: x, state: absent}]"

PERCENT: tuple[tuple[str, int, str, list[str]], ...] = (
    ("deletes: 10%", 10, "tags: [{name: t00, state: absent}]", []),
    ("deletes: 10%", 10, "tags: [{name: t00, state: absent}, {name: t01, state: absent}]", ["limits.deletes"]),
    ("deletes: 10%", 9, "tags: [{name: t00, state: absent}, {name: t01, state: absent}]", []),
    ("deletes: 0%", 10, "tags: [{name: t00, state: absent}]", ["limits.deletes"]),
    ("creates: 50%", 10, "tags: [a, b, c, d, e]", []),
    ("creates: 50%", 10, "tags: [a, b, c, d, e, f]", ["limits.creates"]),
    ("archives: 10%", 10, "contacts: [{external_id: c00, state: archived}, {external_id: c01, state: archived}]", ["limits.archives"]),
    ("archives: 20%", 10, "contacts: [{external_id: c00, state: archived}, {external_id: c01, state: archived}]", []),
    (
        "contact_deletes: 10%",
        10,
        "contacts: [{external_id: c00, state: absent}, {external_id: c01, state: absent}]",
        ["limits.contact_deletes"],
    ),
    ("missing: 10%", 10, "contacts: [{external_id: x}, {external_id: y}]", ["limits.missing"]),
    ("people: 10%", 10, f"tags: [x]\ncontacts: [{{external_id: c00, {NO_X}}}, {{external_id: c01, {NO_X}}}]", ["limits.people"]),
    ("detaches: 10%", 10, f"tags: [x]\ncontacts: [{{external_id: c00, {NO_X}}}, {{external_id: c01, {NO_X}}}]", []),
    ("missing: 20%", 10, "contacts: [{external_id: x}, {external_id: y}]", []),
)


@pytest.mark.parametrize(("limit", "live", "desired", "wanted"), PERCENT, ids=[f"{p[0]} of {p[1]} {n}" for n, p in enumerate(PERCENT)])
def test_a_percentage_is_of_what_is_live_and_not_applied_below_ten(
    limit: str, live: int, desired: str, wanted: list[str], make_route: MakeRoute
) -> None:
    people = [{"external_id": f"c{n:02}", "tags": ["x"] if n < 2 else []} for n in range(live)]
    route = make_route({"tags": [f"t{n:02}" for n in range(live - 1)], "contacts": people})
    assert gates(route.document(route.manifest(f"policy: {{limits: {{{limit}}}}}\n{desired}\n"))) == wanted


@pytest.mark.parametrize("others", [0, 3])
def test_who_loses_several_things_is_one_person(make_route: MakeRoute, others: int) -> None:
    """Of a deletion the count's own answer says who they are, as far as one page shows them."""
    names = [f"t{n}" for n in range(15)]
    people = [{"external_id": "25", "tags": names, "companies": ["6"]}, *({"external_id": f"o{n}", "tags": ["t0"]} for n in range(others))]
    route = make_route({"tags": names, "companies": [{"company_id": "6"}], "contacts": people})
    entries = [{"name": name, "state": "absent"} for name in names[:14]] + ["t14"]
    limits = {"deletes": 20, "people": 1 + others}
    written = {
        "policy": {"limits": limits},
        "tags": entries,
        "companies": [{"company_id": "6", "state": "absent"}],
        "contacts": [{"external_id": "25", "tags": [{"tag": "t14", "state": "absent"}]}],
    }
    plan = route.document(route.manifest(written))
    assert plan["people"] == {"losing": 1 + others, "exact": True}
    assert plan["refused"] == []
