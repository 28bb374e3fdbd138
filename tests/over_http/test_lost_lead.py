"""A lead whose create was never answered: nothing in Intercom would stop a second one."""

from __future__ import annotations

import pytest

from tests.over_http.driving import Desk

LEAD = "tags: [vip]\ncontacts: [{email: lead@story.example, role: lead, missing: create, tags: [vip]}]\n"
ARRIVED, LOST = {"drop": "after"}, {"drop": "before"}


def _creates(desk: Desk) -> int:
    return len([w for w in desk.workspace.writes if (w["method"], w["path"]) == ("POST", "/contacts")])


@pytest.mark.parametrize("fault", [ARRIVED, LOST], ids=["arrived", "never arrived"])
def test_it_is_sent_again_after_ten_minutes_and_only_if_search_shows_none(desk: Desk, fault: dict[str, str]) -> None:
    desk.workspace.set(search_delay=300.0)
    manifest = desk.write(LEAD)
    desk.workspace.tell("POST", "faults", {"method": "POST", "path": "^/contacts$", **fault})
    told = desk.ends(5, "apply", manifest, "--auto-approve")
    assert "it may have been carried out" in told
    assert "lead@story.example" not in told

    # Search is blind still: nobody can say whether it is there.
    assert "not sent again before ten minutes have passed" in desk.ends(0, "plan", manifest, "--detailed-exitcode")
    desk.ends(0, "apply", manifest, "--auto-approve")
    desk.pass_minutes(9)
    desk.ends(0, "apply", manifest, "--auto-approve")
    assert _creates(desk) == 1

    desk.pass_minutes(2)
    desk.workspace.set(clock_offset=660.0)
    desk.ends(0, "apply", manifest, "--auto-approve")
    assert _creates(desk) == (1 if fault is ARRIVED else 2)
    query = {"query": {"field": "role", "operator": "=", "value": "lead"}}
    desk.workspace.set(clock_offset=3600.0)
    (lead,) = desk.workspace.ask("POST", "/contacts/search", query)["data"]
    assert [tag["id"] for tag in lead["tags"]["data"]] == [tag["id"] for tag in desk.workspace.ask("GET", "/tags")["data"]]
    desk.ends(0, "plan", manifest, "--detailed-exitcode")
