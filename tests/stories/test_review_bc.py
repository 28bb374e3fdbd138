"""What a review of connector and gates found: a section that is emptied under prune, and a refused plan that was carried out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.core.model.policies import policy_model
from reconciler.core.plan.approvals import NO_RULES
from reconciler.errors import Refused
from reconciler.kinds import KINDS
from reconciler.manifest.read import read_manifest
from reconciler.report import RENDERERS
from reconciler.workflow.plan import propose
from tests.conftest import MakeRoute
from tests.desk.desk import Desk
from tests.stories.plan.test_saved_plans import apply, approving, plan

DELETING = "tags: [{name: promo, state: absent}]\npolicy: {limits: {deletes: 0}}\n"


@pytest.mark.parametrize(
    ("prune", "text", "gates"),
    [
        ("never", "tags: []\n", []),
        ("owned", "tags: []\n", ["emptied"]),
        ("all", "tags: []\ncompanies: [{company_id: '6'}]\n", ["emptied"]),
        ("all", "companies: [{company_id: '6'}]\n", []),
        ("all", "tags: [vip]\n", []),
        ("all", "tags: [{name: promo, state: absent}]\n", []),
    ],
)
def test_a_section_written_empty_is_refused_where_prune_could_take_all_of_it(
    prune: str, text: str, gates: list[str], route: MakeRoute
) -> None:
    told = route({"tags": ["vip"], "companies": [{"company_id": "6"}]})
    allowing = policy_model(KINDS).model_validate({"prune": {"tags": prune}, "scope": {"tags": ["*"]}})
    manifest = replace(read_manifest([str(told.manifest(text))]), policy=allowing)
    with told.session() as session:
        planned = propose(session, manifest)
    assert [refusal.gate for refusal in planned.plan.refused] == gates


def test_a_plan_that_was_approved_and_carried_out_is_done_without_its_approval_too(route: MakeRoute) -> None:
    told = route({"tags": ["promo"]})
    found = plan(told, told.manifest(DELETING))
    with pytest.raises(Refused):
        apply(told, found, NO_RULES)
    assert {outcome.status for outcome in apply(told, found, approving(found))} == {"applied"}
    told.box.forget_requests()
    assert apply(told, found, NO_RULES) == []
    assert told.box.writes == []


def test_the_seconds_of_a_plan_are_those_of_our_share_of_the_limit(desk: Desk) -> None:
    text = "policy: {limits: {creates: 999}}\ntags: [" + ", ".join(f"t{n}" for n in range(400)) + "]\n"
    seconds = []
    for share in ("1.0", "0.1"):
        assert desk("plan", "m.yaml", "--format", "json", "--rate-share", share, m=text) == 0
        seconds.append(json.loads(desk.out)["cost"]["seconds"])
    assert seconds == [2.4, 24.2]


@pytest.mark.parametrize(
    ("entry", "gate"),
    [
        ("{external_id: '9', custom_attributes: {nobody: 1}}", "attribute"),
        ("{external_id: '77', missing: error}", "missing"),
        ("{email: twin@serenity.example, name: T}", "identity"),
    ],
)
def test_a_refusal_that_is_about_an_entry_stands_at_its_line(entry: str, gate: str, desk: Desk) -> None:
    twin = {"email": "twin@serenity.example", "role": "lead"}
    desk.seed(contacts=[{"external_id": "9"}, twin, twin])
    desk.patch.setenv("GITHUB_ACTIONS", "true")
    assert desk("plan", "m.yaml", m=f"tags: []\ncontacts:\n  - {entry}\n") == 0
    assert f"::error file=m.yaml,line=3::{gate}: m.yaml:3:5: " in desk.err


@pytest.mark.parametrize(
    ("more", "said"), [("", "limits.people: 30 people lose"), (", {name: b, state: absent}", "limits.people: up to 60 people lose")]
)
def test_people_who_may_be_counted_twice_are_said_to_be_at_most_so_many(more: str, said: str, desk: Desk) -> None:
    desk.seed(tags=["a", "b"], contacts=[{"external_id": f"p{n}", "tags": ["a", "b"]} for n in range(30)])
    assert desk("plan", "m.yaml", m=f"policy: {{limits: {{people: 1}}}}\ntags: [{{name: a, state: absent}}{more}]\n") == 0
    assert said in desk.out
    assert f"\nPeople: {'up to 60' if more else '30'} lose a tag" in desk.out


def test_a_large_plan_names_its_slowest_stage(route: MakeRoute) -> None:
    told = route({"contacts": [{"external_id": str(n)} for n in range(150)]})
    people = [{"external_id": str(n), "unsubscribed_from_emails": True, "tags": ["vip"]} for n in range(150)]
    found = told.document(told.manifest({"tags": ["vip"], "contacts": people}))
    assert (found["cost"]["calls"], found["cost"]["slowest"]) == (307, "update")
    assert "Cost: 307 calls, about 2 seconds, most of it to update." in RENDERERS["text"](found)
    assert "most of it to update" in RENDERERS["markdown"](found)
