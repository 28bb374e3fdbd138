"""explain: what it says of one thing after the other is what the plan of the whole says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.plan.approvals import NO_APPROVALS
from reconciler.manifest.read import read_manifest
from reconciler.report.explain import as_document
from reconciler.workflow.explain import explain_one
from tests.conftest import MakeRoute
from tests.desk.route import Route
from tests.stories.ledger.records import by_hand, contact_id, tag_id

LIVE = {
    "attributes": [{"name": "tier", "model": "company", "data_type": "options", "options": ["a", "b"]}],
    "tags": ["VIP", "theirs", "old", "Beta", "into"],
    "companies": [{"company_id": "6", "name": "Blue Sun", "tags": ["theirs"]}],
    "contacts": [
        {"external_id": "25", "email": "zoe@serenity.example", "tags": ["theirs", "old"], "companies": ["6"]},
        {"external_id": "26", "name": "Wash", "tags": ["into"]},
        {"external_id": "30", "email": "kaylee@serenity.example"},
        {"external_id": "31", "email": "kaylee@serenity.example"},
    ],
}
BEFORE = """
policy: {links: owned, prune: {tags: owned}}
tags: [vip, theirs, {name: beta, renamed_from: Beta}, left]
companies: [{company_id: '6', name: Blue Sun, tags: [vip]}]
contacts: [{external_id: '25', tags: [vip, beta], companies: ['6']}]
"""
AFTER = """
policy: {links: owned, prune: {tags: owned}}
attributes: [{name: tier, model: company, data_type: options, options: [a, c]}]
tags: [vip, theirs, beta, {name: old, state: absent}, {name: new, merged_from: [into]}]
companies: [{company_id: '6', name: Blue Sun, plan: p1, tags: [theirs]}, {company_id: '7', name: Seven}]
contacts:
  - {external_id: '25', name: Zoe, tags: [vip, new], companies: ['6', '7']}
  - {external_id: '26', state: archived}
  - {email: kaylee@serenity.example, name: Kaylee}
  - {external_id: nobody, name: Nobody}
"""


def explain_document(route: Route, path: Path, address: Address) -> Any:
    with route.session() as session:
        one = explain_one(session, read_manifest([str(path)]), address, NO_APPROVALS)
    return as_document(one.sides, one.plan, one.limits, one.people)


def shorten(row: Any) -> Any:
    """A change without what only explain, or only drift, says of it."""
    fields = [{key: value for key, value in field.items() if key != "was"} for field in row["fields"]]
    return {key: value for key, value in row.items() if key not in ("limits", "moved")} | {"fields": fields}


def test_what_is_said_of_each_thing_is_what_the_plan_of_all_says(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    path = route.manifest(BEFORE)
    route.converge(path)
    route.box.seed({"companies": [{"company_id": "6", "name": "Firefly"}]})
    by_hand(route, "DELETE", f"/contacts/{contact_id(route)}/tags/{tag_id(route, 'vip')}")
    route.manifest(AFTER)
    writes = len(route.box.writes)
    whole = route.document(path)
    changes = {str(address): explain_document(route, path, address)["plan"]["changes"] for address in read_manifest([str(path)]).resources}
    changes["tag/left"] = explain_document(route, path, Address("tag", "left"))["plan"]["changes"]
    assert {row["action"] for row in whole["changes"]} == {"create", "update", "attach", "detach", "archive", "delete"}
    for address in {row["address"] for row in whole["changes"]} | changes.keys():
        mine = [shorten(row) for row in changes.get(address, ())]
        assert mine == [shorten(row) for row in whole["changes"] if row["address"] == address], address
    assert len(route.box.writes) == writes


def test_what_refuses_an_entry_is_named_where_that_is_explained_and_nowhere_else(make_route: MakeRoute) -> None:
    route = make_route(LIVE, ledger=True)
    path = route.manifest(AFTER)
    whole = route.document(path)
    gates = {
        str(address): {refusal["gate"] for refusal in explain_document(route, path, address)["plan"]["refused"]}
        for address in read_manifest([str(path)]).resources
    }
    assert gates["contact/kaylee@serenity.example"] == {"identity"} <= {refusal["gate"] for refusal in whole["refused"]}
    assert gates["contact/nobody"] == gates["tag/vip"] == gates["contact/25"] == set()
