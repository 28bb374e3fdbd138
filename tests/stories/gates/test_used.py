"""The gate `used`: what is in use where Intercom shows nobody keeps its name, and stays."""

from __future__ import annotations

import pytest

from tests.desk.desk import Desk

USED = "used_by: ['workflow: VIP routing', 'view: VIPs']"


@pytest.fixture
def two(desk: Desk) -> Desk:
    desk.seed(tags=["vip", "beta"], contacts=[{"external_id": "1", "tags": ["vip"]}])
    return desk


@pytest.mark.parametrize(("entry", "action"), [("name: vip, state: absent", "delete"), ("name: VIPs, renamed_from: vip", "rename")])
def test_it_stops_a_deletion_and_a_rename_until_the_list_is_empty(two: Desk, entry: str, action: str) -> None:
    gone = "  - {name: beta, state: absent}\n"
    assert two.plan(m=f"policy: {{refused_entries: hold}}\ntags:\n  - {{{entry}, {USED}}}\n{gone}") == 3
    assert two.gates() == ["used"]
    message = 'm.yaml:3:5: this tag is used by "workflow: VIP routing" and "view: VIPs", which Intercom does not show'
    assert f"! used: {message}; before its {action}, change that in Intercom" in " ".join(two.out.split())
    assert [change["address"] for change in two.saved()["changes"]] == ["tag/beta"]
    assert two("apply", "m.yaml", "--auto-approve") == 5
    assert two.written() == [f"DELETE /tags/{102}"]
    assert two.plan(m=f"tags:\n  - {{{entry}, {USED}}}\n") == 3
    assert two("apply", "plan.json") == 3
    assert two.writes == []
    assert two("apply", "m.yaml", "--auto-approve", m=f"tags:\n  - {{{entry}, used_by: []}}\n") == 0
    assert len(two.writes) == 1


def test_what_is_used_may_change_otherwise(two: Desk) -> None:
    assert two("apply", "m.yaml", "--auto-approve", m=f"tags: [{{name: vip, {USED}}}]\ncontacts: [{{external_id: '1', tags: []}}]\n") == 0
    assert two.plan() == 0


def test_a_deletion_names_what_nobody_can_count(two: Desk) -> None:
    assert two.plan(m="tags: [{name: vip, state: absent}]") == 2
    assert "0 content items, tickets, workflows, series, views and macros cannot be counted" in two.out
    assert two.saved()["changes"][0]["uncounted"] == ["tickets", "workflows", "series", "views", "macros"]


def test_what_is_no_list_of_texts_is_invalid(two: Desk) -> None:
    for written in ("", "x", "[{a: b}]", "[[a]]"):
        assert two("validate", "m.yaml", m=f"tags: [{{name: vip, used_by: {written}}}]\n") == 65, written
        assert "used_by" in two.err
