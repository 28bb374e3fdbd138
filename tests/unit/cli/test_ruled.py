"""Rules as commands tell of them: what is left to the next run, and with which exit code."""

from __future__ import annotations

from tests.desk.desk import Desk

RULED = "name: growth\ntags: [pro]\nrules:\n- {tag: pro, on: contacts, where: custom_attributes.plan = pro}\n"


def test_an_apply_says_with_a_number_who_came_and_went_since_it_was_planned(desk: Desk) -> None:
    people = [{"external_id": f"u{n}", "custom_attributes": {"plan": "pro" if n % 2 else "free"}} for n in range(6)]
    desk.seed(attributes=[{"name": "plan", "model": "contact", "data_type": "string"}], contacts=people)
    assert desk.plan(m=RULED) == 2
    desk.seed(contacts=[{"external_id": "u0", "custom_attributes": {"plan": "pro"}}])
    assert desk("apply", "plan.json") == 0, desk.err
    assert "Left to the next run of rules (1):\n  ! tag/pro: 1 began to match and 0 ceased to since this was planned: the next" in desk.out
    assert desk("plan", "m.yaml", "--detailed-exitcode") == 0
    assert desk("plan", "m.yaml", "--only", "rules", "--detailed-exitcode") == 2
