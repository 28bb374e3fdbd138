"""A section that is written empty is refused where prune could take all of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.core.model.policies import policy_model
from reconciler.kinds import KINDS
from reconciler.manifest.read import read_manifest
from reconciler.workflow.plan import propose
from tests.conftest import MakeRoute


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
    prune: str, text: str, gates: list[str], make_route: MakeRoute
) -> None:
    route = make_route({"tags": ["vip"], "companies": [{"company_id": "6"}]})
    allowing = policy_model(KINDS).model_validate({"prune": {"tags": prune}, "scope": {"tags": ["*"]}})
    manifest = replace(read_manifest([str(route.manifest(text))]), policy=allowing)
    with route.session() as session:
        planned = propose(session, manifest)
    assert [refusal.gate for refusal in planned.plan.refusals] == gates
