"""The pin of the workspace, and that every refusal of a run is listed."""

from __future__ import annotations

import pytest

from tests.conftest import MakeRoute
from tests.stories.gates.test_limits import gates, refused_to_apply


@pytest.mark.parametrize("pin", ["{app_id: other}", "{app_id: sandbox1, region: eu}", "{region: au}"])
def test_a_pin_refuses_every_other_workspace(pin: str, make_route: MakeRoute) -> None:
    route = make_route()
    manifest = route.manifest(f"workspace: {pin}\ntags: [vip]\n")
    assert gates(route.document(manifest)) == ["workspace"]
    refused_to_apply(route, manifest)


def test_a_plan_without_a_pin_warns_and_says_what_to_write(make_route: MakeRoute) -> None:
    route = make_route()
    [note] = [n for n in route.document(route.manifest("tags: []\n"))["notes"] if n["topic"] == "pin"]
    assert "workspace: {app_id: sandbox1, region: us}" in note["message"]
    pinned = route.manifest("workspace: {app_id: sandbox1, region: us}\ntags: []\n")
    assert [n for n in route.document(pinned)["notes"] if n["topic"] == "pin"] == []


def test_every_refusal_of_a_run_is_listed_with_its_place(make_route: MakeRoute) -> None:
    route = make_route({"contacts": [{"external_id": "a", "email": "h@s.example"}, {"external_id": "b", "email": "h@s.example"}]})
    manifest = route.manifest(
        "policy: {missing_contacts: error, limits: {creates: 0}}\ntags: [vip]\ncontacts:\n- {email: h@s.example}\n- {external_id: nobody}\n"
        "- {external_id: a, custom_attributes: {colour: red}}\n"
    )
    plan = route.document(manifest)
    assert sorted(gates(plan)) == ["attribute", "identity", "limits.creates", "missing"]
    by_gate = {refusal["gate"]: refusal["message"] for refusal in plan["refused"]}
    assert f"{manifest}:4:3" in by_gate["identity"]
    assert f"{manifest}:5:3" in by_gate["missing"]
    assert f"{manifest}:6:3" in by_gate["attribute"]
    assert "colour" in by_gate["attribute"]
    ids = [contact["id"] for contact in route.box.ws.store.table("contact").in_order()]
    assert all(live_id in by_gate["identity"] for live_id in ids)
