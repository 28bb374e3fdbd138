"""tag report --due and tag retire --due: what is due is listed, and becomes a tombstone in the files; Intercom is never written to."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest

from tests.desk.desk import Desk

AFTER = "retire_after: {no_new_use_for: 90d}"
TAGS = f"""\
tags:
  - vip
  # Until spring.
  - {{name: old, state: deprecated, replaced_by: vip, {AFTER}}}   # of 2019
  - name: older
    state: deprecated
    replaced_by: old
    {AFTER}
  - {{name: kept, state: deprecated, {AFTER}, used_by: ["macro: mal@serenity.example"]}}
  - {{name: busy, state: deprecated, replaced_by: vip, {AFTER}}}
  - {{id: "300", state: deprecated, {AFTER}}}
  - {{name: last, state: deprecated, replaced_by: older}}
"""
PEOPLE = "contacts:\n  - {external_id: '1', tags: [vip, Old]}   # Mal\n  - {external_id: '2', tags: [busy]}\n"
NOW = int(time.time())
DAY = 86_400


def day(at: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))


SEEN, DUE = day(NOW - 200 * DAY), day(NOW - 110 * DAY)


@pytest.fixture
def due(desk: Desk) -> Desk:
    desk.seed(
        tags=["vip", "old", "older", "kept", "busy", {"name": "by id", "id": "300"}, "last"],
        contacts=[
            {"external_id": "1", "tags": ["vip", {"tag": "old", "applied_at": NOW - 200 * DAY}]},
            {"external_id": "2", "tags": [{"tag": "busy", "applied_at": NOW - 2 * DAY}]},
        ],
    )
    desk.write("m/tags.yaml", TAGS)
    desk.write("m/people.yaml", PEOPLE)
    return desk


def test_what_is_due_is_listed_with_what_holds_it_in_every_format(due: Desk) -> None:
    assert due("tag", "report", "--due") == 0, due.err
    head, *lines = due.out.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["by id", "kept", "older", "old"]
    assert lines[0].endswith("deprecated; due: no use is known; dead")
    assert 'held: used by "macro: m***@serenity.example' in lines[1]
    assert f"deprecated; due since {DUE}: last new use {SEEN} (contact)" in lines[3]
    assert due.err.splitlines()[-1] == "of 5 deprecated tags with `retire_after`: 1 in use, 4 due"
    assert due("tag", "report", "--due", "--format", "csv") == 0
    rows = {row["tag"]: row for row in csv.DictReader(io.StringIO(due.out))}
    assert (rows["old"]["due since"][:10], rows["old"]["held by"]) == (DUE, "")
    assert due("tag", "report", "--due", "--format", "json") == 0
    found = {tag["name"]: tag for tag in json.loads(due.out)["tags"]}
    assert found["old"]["due"]["since"][:10] == DUE
    assert found["kept"]["due"]["held_by"] != []
    assert "mal@" not in due.out
    assert due("tag", "report", "--due", "--format", "html") == 0
    assert f"due since {DUE}" in due.out
    assert due.writes == []


def test_without_due_a_report_says_that_it_is_deprecated_and_asks_no_more(due: Desk) -> None:
    assert due("tag", "report") == 0
    assert any(line.startswith("busy") and line.endswith("deprecated") for line in due.out.splitlines())
    assert "due" not in due.out


def test_one_command_makes_the_tombstones_and_keeps_comments(due: Desk) -> None:
    assert due("tag", "retire", "--due") == 0, due.err
    tags = (due.folder / "m/tags.yaml").read_text()
    assert (
        tags
        == f"""\
tags:
  - vip
  # Until spring.
  - {{name: old, state: absent}}   # of 2019
  - name: older
    state: absent
  - {{name: kept, state: deprecated, {AFTER}, used_by: ["macro: mal@serenity.example"]}}
  - {{name: busy, state: deprecated, replaced_by: vip, {AFTER}}}
  - {{id: "300", state: absent}}
  - {{name: last, state: deprecated}}
"""
    )
    assert (due.folder / "m/people.yaml").read_text() == PEOPLE.replace(", Old]", "]")
    assert "changed m/people.yaml, m/tags.yaml: tag '300' and 'old' and 'older' are declared absent, and gone from 2 places" in due.err
    assert 'tag/kept stays, held: used by "macro: m***@serenity.example' in due.err
    assert "3 to delete" in due.out
    assert due.writes == []
    assert due("tag", "retire", "--due") == 0
    assert due.err.splitlines()[-1] == "nothing is changed: nothing is to be retired now"
    assert due("apply", "m", "--auto-approve") == 0
    assert len(due.written()) == 3


def test_a_tag_that_goes_out_of_use_in_one_environment_gets_its_tombstone_there_alone(due: Desk) -> None:
    due.write("m/tags.yaml", "tags: [vip, old]\nenvs: {prod: {}}\n")
    due.write("m/people.yaml", "contacts:\n  - {external_id: '1', tags: [vip]}\n")
    over = f"tags:\n  - {{name: old, state: deprecated, replaced_by: vip, {AFTER}}}  # sold\n"
    due.write("m/tags.prod.yaml", over)
    assert due("tag", "retire", "--due", "--in", "m") == 0
    assert due.err.splitlines()[-1] == "nothing is changed: nothing is to be retired now"
    assert due("tag", "retire", "--due", "--in", "m", "--env", "prod") == 0, due.err
    assert (due.folder / "m/tags.prod.yaml").read_text() == "tags:\n  - {name: old, state: absent}  # sold\n"
    assert (due.folder / "m/tags.yaml").read_text() == "tags: [vip, old]\nenvs: {prod: {}}\n"
    assert "1 to delete" in due.out
    # Who names it in every environment is not edited for one.
    due.write("m/tags.prod.yaml", over)
    due.write("m/people.yaml", "contacts:\n  - {external_id: '1', tags: [vip, old]}\n")
    assert due("tag", "retire", "--due", "--in", "m", "--env", "prod") == 65
    assert "m/people.yaml:2:36: tag 'old' is declared absent" in due.err
    assert (due.folder / "m/tags.prod.yaml").read_text() == over


@pytest.mark.parametrize("args", [(), ("old", "--due"), ("old", "--env", "prod")])
def test_what_is_meant_must_be_said_once(due: Desk, args: tuple[str, ...]) -> None:
    assert due("tag", "retire", *args) == 64


def test_what_is_not_known_is_said_and_stays(due: Desk) -> None:
    due.box.settings.plan_restricted = True
    assert due("tag", "retire", "--due") == 0
    assert "tag/old: not known whether it is still in use: conversations cannot be read" in due.err
    assert (due.folder / "m/tags.yaml").read_text() == TAGS


def test_a_successor_that_is_renamed_or_merged_is_named_anew(due: Desk) -> None:
    assert due("tag", "rename", "vip", "VIPs") == 0
    assert (due.folder / "m/tags.yaml").read_text().count("replaced_by: VIPs") == 2
    assert due("tag", "merge", "VIPs", "--into", "gold") == 0, due.err
    assert (due.folder / "m/tags.yaml").read_text().count("replaced_by: gold") == 2


def test_what_is_due_and_has_a_rule_stays(due: Desk) -> None:
    due.write(
        "m/rules.yaml", "rules:\n  - {tag: last, on: contacts, where: role = user}\n  - {tag: older, on: contacts, where: role = user}\n"
    )
    assert due("tag", "retire", "--due", "--in", "m") == 0, due.err
    assert "what has a rule stays until that is taken out: 'older'" in due.err
    assert "- name: older\n    state: deprecated" in (due.folder / "m/tags.yaml").read_text(encoding="utf-8")
