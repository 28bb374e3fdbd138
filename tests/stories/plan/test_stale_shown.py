"""A plan that is stale: what a reviewer approved against what it would be now, as `diff` shows it, before anything is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.desk.desk import Desk

MANIFEST = """tags: [vip, new]
companies: [{company_id: "6", name: Blue Sun, size: 9}]
contacts: [{external_id: "25", name: Hoban, tags: [vip]}]
"""


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.seed(tags=["vip"], companies=[{"company_id": "6", "name": "Blue", "size": 7}], contacts=[{"external_id": "25", "name": "Wash"}])
    assert desk.plan(m=MANIFEST) == 2
    return desk


def show_stale(desk: Desk) -> list[str]:
    """What an apply shows that ends with 4, also in its events."""
    desk.box.forget_requests()
    assert desk("apply", "plan.json", "--events", "events.ndjson") == 4, desk.err
    assert desk.writes == []
    events = [json.loads(line) for line in (desk.folder / "events.ndjson").read_text().splitlines()]
    stale = [event for event in events if event["type"] == "stale"]
    lines = desk.out.splitlines()
    assert len(stale) == bool(lines)
    assert sum(len(event["differences"]) for event in stale) == sum(line[0] in "-+~" for line in lines)
    for private in ("Wash", "Hoban", "Zoe"):
        assert private not in desk.out + desk.err + json.dumps(events)
    return lines


def test_a_value_that_moved_and_a_change_that_is_new(desk: Desk) -> None:
    contact, company = desk.id("contact", external_id="25"), desk.id("company", company_id="6")
    desk.box.ws.store.table("contact").docs[contact]["name"] = "Zoe"
    desk.box.ws.store.table("company").docs[company]["size"] = 9
    assert show_stale(desk) == [
        "~ update company/6",
        "    size: set | not there",
        "~ update contact/25",
        "    name: set | set, from another value",
        "2 differences: 0 only in the first, 0 only in the second, 2 in both.",
    ]
    assert desk.err.endswith(
        "error: the workspace is not as it was when this was planned; plan again:\n"
        "  update contact/25: name is no longer what it was when this was planned\n"
    )


def test_what_is_gone_stands_on_the_side_that_was_reviewed(desk: Desk) -> None:
    assert desk("api", "DELETE", f"/contacts/{desk.id('contact', external_id='25')}") == 0
    assert [line for line in show_stale(desk) if line.startswith("-")] == ["- update contact/25", "- attach contact/25 tag/vip"]


def test_another_manifest_is_planned_anew_to_be_compared(desk: Desk) -> None:
    desk.write("m.yaml", MANIFEST.replace(", new", ", gold").replace(", tags: [vip]", ""))
    lines = show_stale(desk)
    assert [line for line in lines if line[0] in "-+"] == ["- create tag/new", "- attach contact/25 tag/vip", "+ create tag/gold"]
    assert lines[0] == "~ plan as a whole"
    assert "the manifest is not the one that was planned" in desk.err


def test_it_is_what_diff_shows_but_for_values_that_moved(desk: Desk) -> None:
    desk.write("m.yaml", MANIFEST.replace(", new", ", gold"))
    lines = show_stale(desk)
    assert desk("plan", "m.yaml", "-o", "now.json") == 0
    assert desk("diff", "plan.json", "now.json") == 2
    assert desk.out.splitlines() == lines
    assert desk("rehearse", "plan.json") == 4
    assert desk.out.splitlines() == lines
    assert (desk("rehearse", "plan.json", "--format", "json"), desk.out, desk.writes) == (4, "", [])


def test_where_it_cannot_be_planned_anew_the_error_is_the_same(desk: Desk) -> None:
    desk.write("m.yaml", MANIFEST.replace(", new", ", gold"))
    desk.box.faults.add("GET", "/tags", status=403, times=None)
    assert show_stale(desk) == []
    assert "the manifest is not the one that was planned" in desk.err


def test_an_undo_that_is_stale_shows_it_too(desk: Desk) -> None:
    assert desk("apply", "plan.json") == 0, desk.err
    assert desk("undo", "last", "-o", "plan.json") == 0
    desk.box.ws.store.table("contact").docs[desk.id("contact", external_id="25")]["name"] = "Zoe"
    assert "- update contact/id:" in "\n".join(show_stale(desk))


def test_a_plan_that_fits_shows_none_of_it(desk: Desk) -> None:
    assert desk("apply", "plan.json", "--events", "events.ndjson") == 0
    assert "only in the first" not in desk.out
    events: list[Any] = [json.loads(line)["type"] for line in (desk.folder / "events.ndjson").read_text().splitlines()]
    assert "stale" not in events
