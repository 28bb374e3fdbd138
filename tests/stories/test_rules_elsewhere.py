"""Rules where a plan is not of all: in drift, under a target, in explain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.model.address import Address
from reconciler.core.plan.approvals import NO_APPROVALS
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope
from reconciler.errors import Refused
from reconciler.manifest.read import read_manifest
from reconciler.report.explain import as_document
from reconciler.report.explaining import lines
from reconciler.workflow.explain import explain_one
from tests.conftest import MakeRoute
from tests.desk.route import WIDE, Route
from tests.desk.soak import only_in_soak
from tests.stories.test_rules import DUE, LONG, RULE, gates, having, list_changes, put, seed, write_manifest


def notes(plan: PlanDocument, topic: str) -> list[str]:
    return [note["message"] for note in plan["notes"] if note["topic"] == topic]


def test_drift_calls_who_came_and_went_due_and_nothing_that_a_rule_asks_for_drift(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    contacts = [{"external_id": "u1", "tags": []}, {"external_id": "u3", "tags": ["vip"]}]
    more = {"policy": {**WIDE, "links": "exact"}, "contacts": contacts}
    route.converge(write_manifest(route, **more))
    put(route, ["u0", "u2"], "pro")
    put(route, ["u5"], "free")
    route.clock.now += LONG
    drift = route.document(write_manifest(route, **more), scope=Scope(moved=True))
    assert (drift["drift"]["moved"], drift["drift"]["pending"], drift["changes"], drift["refused"]) == (0, 0, [], [])
    assert notes(drift, "due") == ["2 began to match and 1 ceased to: `apply --only rules` carries it out"]
    changed = route.document(write_manifest(route, {**RULE, "where": "custom_attributes.plan = free"}, **more), scope=Scope(moved=True))
    assert (changed["drift"]["moved"], changed["drift"]["pending"], changed["refused"]) == (0, 1, [])
    assert notes(changed, "not applied yet") == ["its rule gives it to 4 and takes it from 5 (config)"]


def test_a_saved_plan_of_drift_leaves_its_rules_to_be_applied(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, contacts=[{"external_id": "u1", "name": "Zoe"}])
    route.converge(
        route.manifest({"name": "growth", "policy": WIDE, "tags": ["pro", "vip"], "contacts": [{"external_id": "u1", "name": "Zoe"}]})
    )
    route.box.seed({"contacts": [{"external_id": "u1", "name": "Zoë"}]})
    write_manifest(route, contacts=[{"external_id": "u1", "name": "Zoe"}])
    route.apply(route.saved(path, scope=Scope(moved=True)))
    assert having(route) == set()
    assert {c["cause"] for c in route.document(path)["changes"]} == {"config"}


def test_a_target_takes_the_rule_of_its_tag_along(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    rules = [RULE, {"tag": "vip", "on": "contacts", "where": "custom_attributes.plan = free"}]
    path = write_manifest(route, *rules, contacts=[{"external_id": "u1", "name": "Zoe"}])
    part = Scope(target=("tag/pro",))
    plan = route.saved(path, scope=part)
    assert list_changes(plan) == ["create tag/pro", *["attach tag/pro"] * 6]
    assert notes(plan, "excluded") == ["1 of 2 rules left out: --target does not name what they are about, or --exclude does"]
    route.apply(plan)
    assert having(route) == {f"u{n}" for n in range(1, 12, 2)}
    assert route.document(path, scope=part)["changes"] == []
    put(route, ["u0"], "pro")
    route.clock.now += LONG
    assert list_changes(route.document(path, scope=replace(part, rules=True))) == ["attach tag/pro"]
    rest = route.document(path, scope=Scope(exclude=("tag/vip",)))
    assert list_changes(rest) == ["update contact/u1"]
    assert list_changes(route.document(path, scope=Scope(target=("contact/u1",)))) == ["update contact/u1"]
    assert {c["target"] for c in route.document(path)["changes"]} == {None, "tag/vip"}


def explain_document(route: Route, path: Any, address: Address) -> tuple[Any, str]:
    """What explain says of an address, as JSON and as text."""
    with route.session() as session:
        one = explain_one(session, read_manifest([str(path)]), address, NO_APPROVALS)
    document = as_document(one.sides, one.plan, one.limits, one.people)
    return document, "\n".join(lines(document))


def test_explain_says_which_rule_decides_and_what_it_is_about_to_do(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, contacts=[{"external_id": "u1", "tags": ["vip"]}])
    for name in ("u1", "u3"):
        document, text = explain_document(route, path, Address("contact", name))
        (link,) = [link for link in document["links"] if link["target"] == "tag/pro"]
        assert (link["decides"], link["action"], link["rule"]["matches"], "due" in link) == ("rule", "attach", True, False)
        assert f"its rule decides ({path.name}:" in text.replace(str(path.parent) + "/", "")
        assert "next plan: attach" in text
        assert text.splitlines()[-1].startswith("Planned:")
    route.converge(path)
    put(route, ["u1", "u3"], "free")
    put(route, ["u2"], "pro")
    route.clock.now += LONG
    for name, action in (("u1", "detach"), ("u3", "detach"), ("u2", "attach")):
        document, text = explain_document(route, path, Address("contact", name))
        assert [(c["action"], c["target"], c["cause"]) for c in document["plan"]["changes"]] == [(action, "tag/pro", "due")]
        assert f"due, with `apply --only rules`: {action}" in text
        assert text.endswith(f"Due, and left to `apply --only rules`: 1 to {action}.")
    assert explain_document(route, path, Address("contact", "u7"))[1].endswith("Nothing is planned: it is as its rules say.")
    document, text = explain_document(route, path, Address("contact", "u4"))
    assert (document["plan"]["changes"], text.endswith("Nothing is planned: nothing declares it.")) == ([], True)
    assert not any(link["target"] == "tag/pro" for link in document["links"])


def test_explain_says_of_a_tag_whom_its_rule_reaches(make_route: MakeRoute) -> None:
    route = make_route(seed(60), ledger=True)
    path = write_manifest(route)
    document, text = explain_document(route, path, Address("tag", "pro"))
    assert document["rule"] | {"source": None} == {"source": None, "where": RULE["where"], "matching": 30, "having": 0}
    assert [c["action"] for c in document["plan"]["changes"]] == ["create", *["attach"] * 30]
    assert "and 11 more (--full lists them)" in text
    assert "counts against limits.attaches (1000000)" in text
    limited = write_manifest(route, {**RULE, "limits": {"attaches": 500}})
    document, text = explain_document(route, limited, Address("tag", "pro"))
    assert [c["limits"] for c in document["plan"]["changes"]] == [{"creates": 100_000}, *[{"rule.attaches": 500}] * 30]
    assert "counts against rule.attaches (500)" in text
    write_manifest(route)
    route.converge(path)
    put(route, ["u1"], "free")
    route.clock.now += LONG
    document, text = explain_document(route, path, Address("tag", "pro"))
    assert document["plan"]["changes"] == []
    assert "0 began to match and 1 ceased to" in text
    assert "29 match, 30 have it" in text


def test_explain_offers_no_approval_of_one_for_a_rule_of_many(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, {**RULE, "where": "role = user"}, contacts=[{"external_id": "u1", "tags": []}])
    for address in (Address("contact", "u1"), Address("contact", "u3")):
        document, _ = explain_document(route, path, address)
        assert [(refusal["gate"], refusal["approve"]) for refusal in document["plan"]["refused"]] == [("rule", None)]
    document, _ = explain_document(route, path, Address("tag", "pro"))
    assert [refusal["approve"] for refusal in document["plan"]["refused"]] == [r["approve"] for r in route.document(path)["refused"]]


def test_explain_reads_no_rule_that_cannot_reach_it(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, companies=[{"company_id": "1", "name": "One"}])
    document, _ = explain_document(route, path, Address("company", "1"))
    assert "POST /contacts/search" not in {f"{request.method} {request.path}" for request in route.box.requests}
    assert [c["action"] for c in document["plan"]["changes"]] == ["update"]


def test_a_rule_of_which_a_part_was_left_out_is_still_to_be_applied(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    people = [{"external_id": "u1", "name": "Zoe"}]
    route.converge(route.manifest({"name": "growth", "policy": WIDE, "tags": ["pro", "vip"], "contacts": people}))
    base = read_manifest([str(write_manifest(route, contacts=people))])
    path = write_manifest(route, contacts=[{"external_id": "u1", "name": "Zoë"}])
    plan = route.saved(path, scope=Scope(since=base))
    assert list_changes(plan) == ["update contact/u1"]
    route.apply(plan)
    assert having(route) == set()
    assert {c["cause"] for c in route.document(path)["changes"]} == {"config"}


@pytest.mark.parametrize("links", ["declared", pytest.param("additive", marks=only_in_soak)])
def test_a_merge_moves_nobody_of_whom_a_rule_alone_says_whether_they_have_it(make_route: MakeRoute, links: str) -> None:
    route = make_route(seed(tags=["vip", "old"]), ledger=True)
    route.box.seed(
        {"contacts": [{"external_id": n, "tags": ["old"]} for n in ("u0", "u1", "u2")], "companies": [{"company_id": "1", "tags": ["old"]}]}
    )
    rule = RULE if links == "declared" else {**RULE, "links": links}
    path = write_manifest(route, rule, tags=[{"name": "pro", "merged_from": ["old"]}, "vip"])
    plan = route.saved(path)
    matching = {f"u{n}" for n in range(1, 12, 2)}
    if links == "declared":
        assert notes(plan, "merging")[0].startswith("of its contacts those get tag/pro who match the rule of that (at ")
    route.apply(plan)
    assert having(route) == (matching if links == "declared" else matching | {"u0", "u2"})
    store = route.box.ws.store
    (new,) = (i for i, doc in store.table("tag").docs.items() if doc["name"] == "pro")
    assert [doc["company_id"] for doc in store.table("company").docs.values() if new in doc["tags"]] == ["1"]
    assert having(route, "old") == set()
    route.clock.now += LONG
    assert route.document(path)["changes"] == route.document(path, scope=DUE)["changes"] == []


def test_a_condition_on_values_that_cannot_be_yet_says_what_to_apply_first(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    more = {"attributes": [{"name": "tier", "model": "contact", "data_type": "integer"}]}
    path = write_manifest(route, {**RULE, "where": "custom_attributes.tier > 1", "expect": {"min": 0}}, **more)
    with pytest.raises(Refused, match="attribute/tier is declared, and not live yet; apply --target attribute/tier first"):
        route.planned(path)
    route.apply(route.saved(path, scope=Scope(target=("attribute/tier",))))
    assert gates(route.document(path)) == []


def test_explain_says_whom_a_rule_names_whatever_its_conditions_say(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True)
    path = write_manifest(route, {**RULE, "include": ["u0"], "exclude": ["u1"]})
    route.converge(path)
    for name, matches, said in (("u0", True, "`include` names it"), ("u3", True, "it matches")):
        document, text = explain_document(route, path, Address("contact", name))
        (link,) = [link for link in document["links"] if link["target"] == "tag/pro"]
        assert (link["rule"]["matches"], link["rule"]["by_name"]) == (matches, "include" in said)
        assert f"): {said}" in text
    route.box.seed({"contacts": [{"external_id": "u1", "tags": ["pro"]}]})
    _, text = explain_document(route, path, Address("contact", "u1"))
    assert "): `exclude` names it" in text
