"""lint: each rule, its levels, the policy file, three formats, the exit code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema

from reconciler.core.compare.lint import RULES
from tests.desk.desk import Desk

PATTERNS = 'pattern_tags: "^[a-z][a-z0-9-]*$", pattern_attributes: "^[a-z_]+$"'
M = f"""\
policy: {{lint: {{owner: off, {PATTERNS}}}}}
attributes:
  - {{name: paid_subscriber, model: company, data_type: boolean, description: Whether they pay}}
  - {{name: PlanName, model: company, data_type: string}}
tags:
  - {{name: vip, description: Answered at once}}
  - {{name: vips, description: "", owner: growth}}
  - {{id: "5", description: Called as it is}}
  - {{name: Old Promo, state: absent}}
"""
EXPECTED = """\
m.yaml:4:5: warning [description] attribute 'PlanName' has no description; write `description: WHAT IT MEANS`
m.yaml:4:5: error [naming] attribute 'PlanName' does not match '^[a-z_]+$'; it keeps its name in Intercom: widen the pattern
m.yaml:7:5: warning [description] tag 'vips' has no description; write `description: WHAT IT MEANS`
m.yaml:7:5: warning [similar] tag 'vips' is like 'vip' at m.yaml:6:5; name them apart, or: reconciler tag merge vips --into vip
"""


def bare(rules: str, entries: str = "[vip]") -> str:
    return f"policy: {{lint: {{{rules}}}}}\ntags: {entries}\n"


def test_what_is_amiss_is_told_at_its_place(desk: Desk) -> None:
    assert desk("lint", "m.yaml", m=M) == 65
    assert desk.out == EXPECTED
    assert desk.err == "1 error, 3 warnings\n"
    assert desk.box.requests == []


@pytest.mark.parametrize(
    ("rules", "code", "lines"),
    [
        ("", 0, {"owner", "description"}),
        ("owner: error", 65, {"owner", "description"}),
        ("owner: off, description: warning", 0, {"description"}),
        ("owner: off, description: off", 0, set()),
        ("owner: off, description: off, pattern_tags: X", 65, {"naming"}),
        ("owner: off, description: off, pattern_tags: X, naming: warning", 0, {"naming"}),
        ("owner: off, description: off, pattern_tags: X, naming: off", 0, set()),
    ],
)
def test_a_rule_is_as_grave_as_its_policy_says(rules: str, code: int, lines: set[str], desk: Desk) -> None:
    assert desk("lint", "m.yaml", "--format", "json", m=bare(rules)) == code
    assert {remark["rule"] for remark in json.loads(desk.out)["remarks"]} == lines


@pytest.mark.parametrize("rules", ["owner: no", "naming:", "pattern_tags: '['", "nosuch: off", "pattern_contacts: a", "pattern_tags: [a]"])
def test_what_is_no_rule_is_invalid(rules: str, desk: Desk) -> None:
    assert desk("lint", "m.yaml", m=bare(rules)) == 65
    assert desk.err.startswith("error: m.yaml:1:")
    assert desk.out == ""


def test_a_policy_file_may_be_tightened_and_not_loosened(desk: Desk) -> None:
    desk.write("p.yaml", "policy: {lint: {description: error, pattern_tags: '^v'}}\n")
    text = bare("owner: error, description: warning, pattern_tags: ''", "\n- {name: trial, description: A month}\n- {name: vip, owner: us}")
    assert desk("lint", "m.yaml", "--policy", "p.yaml", m=text) == 65
    lines = [line.partition(";")[0] for line in desk.out.splitlines()]
    assert lines == [
        "m.yaml:3:3: error [naming] tag 'trial' does not match '^v'",
        "m.yaml:3:3: error [owner] tag 'trial' has no owner",
        "m.yaml:4:3: error [description] tag 'vip' has no description",
    ]
    assert desk.err.splitlines()[0] == "note: lint.description: warning (allowed: error); the rule of p.yaml holds"


@pytest.mark.parametrize(
    ("base", "here", "refused"),
    [
        ("owner: error", "owner: warning", True),
        ("owner: off", "owner: warning", False),
        ("pattern_tags: '^a'", "pattern_tags: '^b'", True),
        ("owner: warning", "pattern_tags: '^b'", False),
    ],
)
def test_a_plan_refuses_a_laxer_level(base: str, here: str, refused: bool, desk: Desk) -> None:
    desk.write("p.yaml", f"policy: {{lint: {{{base}}}}}\n")
    desk.plan("--policy", "p.yaml", m=bare(here))
    assert desk.gates() == (["policy"] if refused else [])


def test_live_asks_what_is_dead_and_which_tombstones_are_done(desk: Desk) -> None:
    tags = ["vip", "dead", "former", "old", "routed"]
    desk.seed(tags=tags, contacts=[{"external_id": "1", "tags": ["vip"]}])
    entries = (
        "[vip, Dead, {name: new, renamed_from: former}, {name: routed, used_by: ['workflow: VIP']}, coming, {name: old, state: absent}"
    )
    entries += ", {name: gone, state: absent}, {name: all, merged_from: [went, old promo]}]"
    text = bare("owner: off, description: off, done: error", entries)
    assert desk("lint", "m.yaml", m=text) == 0
    assert (desk.out, desk.err, desk.box.requests) == ("", "nothing is amiss\n", [])
    assert desk("lint", "m.yaml", "--live", m=text) == 65
    assert [line.partition(": ")[2].partition(";")[0] for line in desk.out.splitlines()] == [
        "warning [dead] tag 'Dead' is dead: no contacts, companies, conversations or content items have it",
        "warning [dead] tag 'new' is dead: no contacts, companies, conversations or content items have it",
        "error [done] the tombstone of tag 'gone' is done: it is gone",
        "error [done] tag 'went' went into 'all' and is gone",
        "error [done] tag 'old promo' went into 'all' and is gone",
    ]
    assert desk.writes == []


def test_what_could_not_be_counted_everywhere_is_not_called_dead(desk: Desk) -> None:
    desk.seed(tags=["vip"])
    desk.box.faults.add("POST", "/conversations/search", times=None, status=403)
    assert desk("lint", "m.yaml", "--live", m=bare("owner: off, description: off")) == 0
    assert desk.out == ""


def test_the_ledger_knows_which_tombstones_are_done(desk: Desk) -> None:
    desk.seed(tags=["old", "vip"])
    text = bare("owner: off, description: off", "[vip, {name: old, state: absent}, {name: other, state: absent}]")
    assert desk("apply", "m.yaml", "--auto-approve", m=text) == 0, desk.err
    desk.box.forget_requests()
    desk.write("m.yaml", text.replace("[vip,", "[{name: vip, state: absent},"))
    assert desk("lint", "m.yaml") == 0
    assert desk.out.startswith("m.yaml:2:36: warning [done] the tombstone of tag 'old' is done: it is gone; remove the entry, once")
    assert len(desk.out.splitlines()) == 1
    assert desk.box.requests == []


def test_a_command_can_be_pasted_whatever_a_name_holds(desk: Desk) -> None:
    entries = '["it\'s $(reboot)", "its $(reboot)"]'
    assert desk("lint", "m.yaml", m=bare("owner: off, description: off, pattern_tags: ^x", entries)) == 65
    assert r"""reconciler tag rename 'it'"'"'s $(reboot)' NEW""" in desk.out
    assert r"""reconciler tag merge 'its $(reboot)' --into 'it'"'"'s $(reboot)'""" in desk.out


def test_a_pin_is_held_before_anything_is_told(desk: Desk) -> None:
    assert desk("lint", "m.yaml", "--live", m="workspace: {app_id: other}\n" + bare("")) == 3
    assert desk.out == ""


def test_the_log_is_sarif(desk: Desk) -> None:
    desk.commit(**{"sub dir/ä": M})
    desk.patch.chdir(desk.folder / "sub dir")
    assert desk("lint", ".", "--format", "sarif") == 65
    log: Any = json.loads(desk.out)
    assert (log["version"], log["$schema"]) == ("2.1.0", "https://json.schemastore.org/sarif-2.1.0.json")
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert driver["name"] == "reconciler"
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    assert all(rule["shortDescription"]["text"].endswith(".") for rule in driver["rules"])
    for result in run["results"]:
        assert result["level"] in ("error", "warning")
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert set(result) == {"ruleId", "ruleIndex", "level", "message", "locations"}
    assert run["results"][0]["message"] == {"text": "attribute 'PlanName' has no description; write `description: WHAT IT MEANS`"}
    place = {"artifactLocation": {"uri": "sub%20dir/%C3%A4.yaml"}, "region": {"startLine": 4, "startColumn": 5}}
    assert run["results"][0]["locations"] == [{"physicalLocation": place}]
    assert len(run["results"]) == 4
    # Models that are generated from the schema of SARIF 2.1.0.
    StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(desk.out)


def test_one_mistake_in_many_places_is_told_once(desk: Desk) -> None:
    text = bare("owner: off", f"[{', '.join(f'name of {chr(97 + n)} {n}' for n in range(20))}, a@b.example]")
    assert desk("lint", "m.yaml", m=text) == 0
    (line,) = desk.out.splitlines()
    assert "(and 20 more like it, also at " in line
    assert desk("lint", "m.yaml", "--full") == 0
    assert len(desk.out.splitlines()) == 21
    assert "a@b.example" not in desk.out


def test_on_github_each_stands_at_its_place(desk: Desk) -> None:
    desk.patch.setenv("GITHUB_ACTIONS", "true")
    desk("lint", "m.yaml", m=M)
    assert "::error file=m.yaml,line=4::attribute 'PlanName' does not match" in desk.err
    assert "::warning file=m.yaml,line=7::tag 'vips' is like" in desk.err


def test_without_a_path_the_manifest_here_is_meant(desk: Desk) -> None:
    assert desk("lint") == 64
    assert desk("lint", m=M) == 65
    assert desk.out == EXPECTED


def test_a_rule_of_what_is_deprecated_is_told_where_it_stands(desk: Desk) -> None:
    tags = "[vip, {name: old, state: deprecated, replaced_by: vip}]"
    rules = "- {tag: vip, on: contacts, include: [a]}\n- {tag: OLD, on: contacts, include: [a]}\n"
    assert desk("lint", "m.yaml", m=f"policy: {{lint: {{owner: off, description: off}}}}\ntags: {tags}\nrules:\n{rules}") == 0
    now = "take the rule out, or let it give what is used instead"
    assert desk.out == f"m.yaml:5:3: warning [deprecated_use] tag 'old' is deprecated, and has a rule; {now}\n"


def test_who_names_what_is_deprecated_is_told_what_to_name_instead(desk: Desk) -> None:
    links = "".join(f"  - {{external_id: '{n}', tags: [old, vip]}}\n" for n in range(5))
    newer = "{name: newer, state: deprecated, replaced_by: vip}"
    tags = f"[vip, {{name: old, state: deprecated, replaced_by: newer}}, {newer}, {{name: lost, state: deprecated}}]"
    written = f"policy: {{lint: {{owner: off, description: off}}}}\ntags: {tags}\ncontacts:\n{links}"
    assert desk("lint", "m.yaml", m=written) == 0
    assert desk.out.splitlines() == [
        "m.yaml:2:117: warning [successor] tag 'lost' is deprecated, and nothing is said to replace it; write `replaced_by: NAME`",
        "m.yaml:4:5: warning [deprecated_use] tag 'old' is deprecated (in 5 places, also at m.yaml:5:5, m.yaml:6:5); name 'vip' instead",
    ]
    lines = "contacts:\n  - external_id: '1'\n    tags:\n      - vip\n      - old\n"
    strict = written.partition("contacts:")[0].replace("owner: off", "owner: off, deprecated_use: error, successor: off") + lines
    assert desk("lint", "m.yaml", m=strict) == 65
    assert desk.out == "m.yaml:7: error [deprecated_use] tag 'old' is deprecated; name 'vip' instead\n"
