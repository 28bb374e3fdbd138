"""What a review of connector and gates found: a section that is emptied under prune, and a refused plan that was carried out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler import workflow
from reconciler.core.policy import Policy, Prune
from reconciler.core.rules import NO_RULES
from reconciler.errors import Refused
from tests.conftest import MakeRoute
from tests.gates.test_saved_plans import apply, approving, plan

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
    # No manifest can write it yet: prune rests on the ledger.
    allowing = Policy.model_construct(**{**dict(Policy()), "prune": Prune.model_construct(tags=prune, companies="never")})
    manifest = replace(workflow.read_manifest([str(told.manifest(text))]), policy=allowing)
    with told.session() as session:
        planned = workflow.plan(session, manifest)
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
