"""Prune takes what is ours and no longer declared, and never what somebody else has, protects or renamed."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.model.policies import policy_model
from reconciler.core.model.policy import Policy, tighten
from reconciler.core.plan.scope import Scope
from reconciler.kinds import KINDS
from reconciler.ledger.ledger import Ledger
from tests.conftest import MakeRoute
from tests.desk.route import changes, lines
from tests.stories.ledger.records import PRUNING, by_hand, contact_id, record, tag_id, topics


def test_a_target_prunes_nothing(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, old]\n")
    route.converge(path)
    route.manifest(PRUNING + "tags: [vip]\n")
    assert changes(route.document(path, scope=Scope(target=("tag/*",)))) == []
    assert changes(route.document(path, scope=Scope(exclude=("contact/**",)))) == ["delete tag/old"]


def test_a_saved_plan_prunes_and_a_second_time_writes_nothing(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, old]\ncompanies: [{company_id: '6'}, {company_id: '7'}]\n")
    route.converge(path)
    route.manifest(PRUNING + "tags: [vip]\ncompanies: [{company_id: '7'}]\n")
    plan = route.saved(path)
    assert [o.status for o in route.apply(plan)] == ["applied", "applied"]
    route.box.forget_requests()
    assert route.apply(plan) == []
    assert not route.box.writes
    assert record(route, "tag/old") is None


def test_a_tag_made_anew_between_plan_and_apply_makes_the_prune_stale(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, old]\n")
    route.converge(path)
    route.manifest(PRUNING + "tags: [vip]\n")
    plan = route.saved(path)
    old = next(t for t in route.box.ws.store.table("tag").in_order() if t["name"] == "old")
    route.box.ws.store.drop("tag", old["id"])
    route.box.seed({"tags": ["old"]})
    # The one that was ours is gone, which is what the plan wanted; the new one is somebody's own.
    assert route.apply(plan) == []
    assert changes(route.document(path)) == []


def test_a_company_whose_own_read_fails_is_never_pruned(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "companies: [{company_id: '6'}, {company_id: '7'}]\n")
    route.converge(path)
    route.manifest(PRUNING + "companies: [{company_id: '7'}]\n")
    route.box.faults.add("GET", "^/companies/", status=500, times=None)
    with pytest.raises(Exception, match="500"):
        route.document(path)


def test_a_policy_file_that_never_prunes_cannot_be_loosened(make_route: MakeRoute) -> None:
    _, refused = tighten(_policy(), _policy(prune={"tags": "owned"}))
    assert refused == ("prune.tags: owned (allowed: never)",)
    base = _policy(prune={"tags": "all"}, scope={"tags": ["growth/*", "sales/*"]})
    merged, refused = tighten(base, _policy(scope={"tags": ["growth/*"]}))
    assert (merged.reach("tags"), refused) == (("growth/*",), ())
    assert tighten(base, _policy(scope={"tags": ["**"]}))[1]


def _policy(**written: Any) -> Policy:
    return policy_model(KINDS).model_validate(written)


def test_a_protection_ends_only_by_an_apply_of_its_own(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("tags: [{name: gold, protect: true}]\n")
    route.converge(path)
    route.manifest("tags: [{name: gold, state: absent}]\n")
    assert lines(route.document(path)) == ["delete tag/gold (config)", "refused protect"]
    route.manifest("tags: [gold]\n")
    route.converge(path)
    route.manifest("tags: [{name: gold, state: absent}]\n")
    assert lines(route.document(path)) == ["delete tag/gold (config)"]


def test_to_leave_the_new_name_out_does_not_lift_the_gate_for_a_rename(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest(PRUNING + "tags: [Beta]\ncontacts: [{external_id: '25', tags: [Beta]}]\n")
    route.converge(path)
    route.manifest(PRUNING + "tags: [beta-2026]\ncontacts: [{external_id: '25', tags: [beta-2026]}]\n")
    assert "refused rename" in lines(route.document(path, scope=Scope(exclude=("tag/beta-2026",))))


def test_prune_all_of_companies_looks_at_all_that_are_listed(make_route: MakeRoute) -> None:
    mine = [{"company_id": f"growth/{n}", "name": "x"} for n in range(65)]
    route = make_route({"companies": mine, "contacts": [{"external_id": "25", "companies": [c["company_id"] for c in mine]}]}, ledger=True)
    text = 'policy: {prune: {companies: all}, scope: {companies: ["growth/*"]}, limits: {deletes: 100}}\ncompanies: [{company_id: a}]\n'
    path = route.manifest(text)
    route.converge(path)
    assert route.document(path)["summary"]["delete"] == 65


def test_what_another_key_recorded_under_another_name_is_spared_too(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    route.converge(route.manifest("name: a\n" + PRUNING + "tags: [shared, mine]\n", "a.yaml"))
    assert route.ledger
    route.ledger.close()
    key = (route.folder / ".reconciler" / "key").read_text()
    for name, text in (("b", "0f" * 32), ("a", key)):
        route.ledger = Ledger.open(route.folder / ".reconciler", create=True, now=route.clock, environ={"RECONCILER_LEDGER_KEY": text})
        if name == "b":
            route.converge(route.manifest("name: b\ntags: [shared]\n", "b.yaml"))
    assert route.ledger
    with route.ledger:
        assert "with another key" in route.ledger.warning
        plan = route.document(route.manifest("name: a\n" + PRUNING + "tags: [mine]\n", "a.yaml"))
        assert changes(plan) == []
        assert "`name: b` has it too" in topics(plan, "orphaned")[0]


def test_what_somebody_gave_another_name_is_not_pruned_under_it(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest(PRUNING + "tags: [vip, x]\n")
    route.converge(path)
    by_hand(route, "POST", "/tags", {"id": tag_id(route, "vip"), "name": "Churn risk Q4"})
    route.manifest(PRUNING + "tags: [x]\n")
    plan = route.document(path)
    assert changes(plan) == []
    assert "it was tag/vip when it was applied, and somebody renamed it: left alone" in topics(plan, "orphaned")[0]


def test_what_another_name_linked_is_not_pruned_though_its_run_was_killed(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "1"}]}, ledger=True)
    growth = route.manifest("name: growth\n" + PRUNING + "tags: [vip, x]\n", "growth.yaml")
    route.converge(growth)
    route.converge(route.manifest("name: support\ntags: [vip]\ncontacts: [{external_id: '1', tags: [vip]}]\n", "support.yaml"))
    assert route.ledger
    route.ledger.record(route.app_id(), "support", [], [("tag", tag_id(route, "vip"))])
    route.manifest("name: growth\n" + PRUNING + "tags: [x]\n", "growth.yaml")
    plan = route.document(growth)
    assert changes(plan) == []
    assert "`name: support` has it too" in topics(plan, "orphaned")[0]


def test_a_list_that_is_no_longer_written_does_not_keep_what_somebody_undid(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    path = route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n")
    route.converge(path)
    route.manifest("tags: [vip]\ncontacts: [{external_id: '25'}]\n")
    route.converge(path)
    link = f"/contacts/{contact_id(route)}/tags"
    by_hand(route, "DELETE", f"{link}/{tag_id(route, 'vip')}")
    route.converge(path)
    by_hand(route, "POST", link, {"id": tag_id(route, "vip")})
    route.manifest("tags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n")
    assert changes(route.document(path)) == []


@pytest.mark.parametrize("prune", [{"prune": {"tags": "owned"}}, {"prune": {"tags": "all"}, "scope": {"tags": ["**"]}}])
def test_nobody_loses_a_tag_because_somebody_renamed_it_and_made_another_of_its_name(make_route: MakeRoute, prune: dict[str, Any]) -> None:
    route = make_route({"contacts": [{"external_id": "26"}, {"external_id": "27"}]}, ledger=True)
    people = [{"external_id": "26", "tags": ["vip"]}, {"external_id": "27", "tags": ["vip"]}]
    written = {"policy": {"links": "owned", **prune}, "tags": ["vip"], "contacts": people}
    route.converge(route.manifest(written))
    was = tag_id(route, "vip")
    by_hand(route, "POST", "/tags", {"id": was, "name": "gold"})
    route.box.seed({"tags": ["vip"]})
    for left in (["attach contact/26 tag/vip", "attach contact/27 tag/vip"], []):
        plan = route.document(route.manifest(written))
        assert changes(plan) == left
        (text,) = topics(plan, "moved")
        assert f"is ours (id {was}) and was tag/vip when it was applied; another one has that name now" in text
        assert sum("the link to tag/gold" in text for text in topics(plan, "orphaned")) == 2
        route.converge(route.manifest(written))
    people[0]["tags"] = []
    assert sorted(changes(route.document(route.manifest(written)))) == ["detach contact/26 tag/gold", "detach contact/26 tag/vip"]


def test_a_link_that_another_name_has_too_stays(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "25"}]}, ledger=True)
    text = "tags: [vip]\ncontacts: [{external_id: '25', tags: [vip]}]\n"
    route.converge(route.manifest("name: a\n" + text, "a.yaml"))
    route.converge(route.manifest("name: b\n" + text, "b.yaml"))
    plan = route.document(route.manifest("name: a\ntags: [vip]\ncontacts: [{external_id: '25', tags: []}]\n", "a.yaml"))
    assert changes(plan) == []
    assert "`name: b` has it too" in topics(plan, "foreign")[0]


def test_a_tombstone_does_not_take_what_another_name_protects(make_route: MakeRoute) -> None:
    route = make_route({"tags": ["gold"]}, ledger=True)
    route.converge(route.manifest("name: b\ntags: [{name: gold, protect: true}]\n", "b.yaml"))
    plan = route.document(route.manifest("name: a\ntags: [{name: gold, state: absent}]\n", "a.yaml"))
    assert lines(plan)[:2] == ["delete tag/gold (foreign)", "refused protect"]
    assert "`name: b` has it too" in plan["changes"][0]["remark"]


def test_under_a_target_nobody_who_was_not_looked_at_is_called_an_orphan(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    path = route.manifest("tags: [a]\ncontacts: [{email: wash@serenity.example, missing: create}]\n")
    route.converge(path)
    route.manifest("tags: [a]\ncontacts: [{external_id: '25', was: {email: wash@serenity.example}}]\n")
    assert topics(route.document(path, scope=Scope(target=("tag/a",))), "orphaned") == []


def test_an_empty_scope_under_prune_all_is_a_refusal_and_no_crash() -> None:
    base = _policy(prune={"tags": "all"}, scope={"tags": ["growth/*"]})
    assert tighten(base, _policy(scope={"tags": []}))[1] == ("scope.tags: none (allowed: growth/*)",)
    assert tighten(base, _policy(scope={"tags": ["growth/x"]}))[1] == ()
