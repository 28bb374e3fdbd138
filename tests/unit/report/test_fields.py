"""What changes inside a list, in every report and in `drift`; nobody pays for it whose plan has no nested value."""

from __future__ import annotations

import html
import json
import subprocess
import sys
from typing import Any

import pytest

from reconciler.core.plan.schema import PlanDocument
from reconciler.report import html as page
from reconciler.report import markdown, text
from reconciler.report.fields import NAMED, show_inside
from tests.desk.desk import Desk
from tests.unit.report.plans import a_change, a_field, a_plan

SECTOR = {"name": "sector", "model": "company", "data_type": "options"}


def show_options(before: Any, after: Any) -> str:
    return show_inside(a_field("options", before, after))


def plan_of(before: Any, after: Any) -> PlanDocument:
    return a_plan(a_change("update", "attribute/sector", a_field("options", before, after)))


def test_every_report_names_what_was_added_removed_and_moved(desk: Desk) -> None:
    desk.seed(attributes=[{**SECTOR, "options": ["space", "catering", "mining"]}])
    assert desk("plan", "m.yaml", m={"attributes": [{**SECTOR, "options": ["mining", "space", "robotics"]}]}) == 0
    inside = 'added "robotics"; removed "catering"; moved "mining"'
    assert f'      options: ["space", "catering", "mining"] → ["mining", "space", "robotics"]; {inside}\n' in desk.out
    assert desk("plan", "m.yaml", "--format", "markdown") == 0
    assert f'→ &#91;"mining", "space", "robotics"&#93;; {inside}\n' in desk.out
    assert desk("plan", "m.yaml", "--format", "html") == 0
    assert f"</ins> <span>{inside}</span>" in html.unescape(desk.out)


def test_the_json_plan_holds_both_values_and_nothing_more(desk: Desk) -> None:
    desk.seed(attributes=[{**SECTOR, "options": ["space", "catering"]}])
    desk.write("m.yaml", {"attributes": [{**SECTOR, "options": ["catering", "space"]}]})
    (change,) = desk.json("plan", "m.yaml")["changes"]
    assert change["fields"] == [{"path": "options", "before": ["space", "catering"], "after": ["catering", "space"], "cause": None}]


def test_drift_names_it_too(desk: Desk) -> None:
    desk.seed(attributes=[{**SECTOR, "options": ["space", "catering"]}])
    assert desk("apply", "m.yaml", "--auto-approve", m={"attributes": [{**SECTOR, "options": ["space", "catering", "mining"]}]}) == 0
    assert desk("api", "GET", "/data_attributes?model=company") == 0
    (attribute,) = (row for row in json.loads(desk.out)["data"] if row["name"] == "sector")
    desk.write("body.json", '{"options": [{"value": "space"}, {"value": "mining"}, {"value": "law"}]}')
    assert desk("api", "PUT", f"/data_attributes/{attribute['id']}", "--input", "body.json") == 0, desk.err
    assert desk("drift", "m.yaml") == 2
    assert 'options: ["space", "mining", "law"] → ["space", "catering", "mining"]; added "catering"; removed "law"\n' in desk.out


def test_many_parts_are_counted_and_long_ones_are_cut() -> None:
    named = ", ".join(f'"{n}"' for n in range(NAMED))
    assert show_options([], [str(n) for n in range(NAMED)]) == f"added {named}"
    assert show_options([], [str(n) for n in range(2000)]) == f"added {named} and 1,990 more"
    assert len(show_options([], ["x" * 5000])) < 250


def test_maps_are_named_by_their_keys() -> None:
    assert show_options({"a": {"b": 1, "c": True}}, {"a": {"b": 2, "c": True, "d": [0]}}) == "added a.b: 2, a.d: [0]; removed a.b: 1"


@pytest.mark.parametrize(
    "pair", [("a", "b"), (1, 2), (None, ["a"]), (["a"], ["a"]), (["h***@serenity.example"], ["h***@serenity.example"])]
)
def test_of_other_values_nothing_is_said(pair: tuple[Any, Any]) -> None:
    assert show_options(*pair) == ""


def test_masks_stand_as_they_are() -> None:
    assert show_options(["***"], ["h***@serenity.example"]) == "added h***@serenity.example; removed ***"


def test_what_nobody_can_tell_apart_is_escaped() -> None:
    assert show_options(["a b", "c"], ["a\u00a0b", "d"]) == r'added "a\u00a0b", "d"; removed "a b", "c"'


@pytest.mark.parametrize("foreign", ["\x1b[31m", "::error::x", "\u202e", "\n## x", "<script>", "@all", "|", "<!-- -->", "```"])
def test_foreign_text_is_harmless(foreign: str) -> None:
    document = plan_of(["a", {foreign: 1}], [foreign, {foreign: 2}])
    clean, pieces = text.render(document), markdown.render(document)
    assert "\x1b" not in clean + pieces
    assert "\u202e" not in clean + pieces
    assert not [line for line in clean.splitlines() if line.lstrip().startswith(("::", "##"))]
    assert not any(mark in pieces.partition("<pre>")[2].partition("</pre>")[0] for mark in ("<script", "@", "|", "<!--", "`"))
    assert page.render(document).count("<script>") == 1


@pytest.mark.parametrize(("options", "loaded"), [(["space", "catering"], False), (["catering", "space"], True)])
def test_only_a_nested_value_that_changes_loads_deepdiff(desk: Desk, options: list[str], loaded: bool) -> None:
    desk.seed(attributes=[{**SECTOR, "options": ["space", "catering"]}])
    desk.write("m.yaml", {"attributes": [{**SECTOR, "options": options, "description": "What they do"}], "tags": ["vip"]})
    code = "import sys; from reconciler.cli.running import run; from reconciler.cli import cli; run(cli, ['plan', 'm.yaml'])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('deepdiff' in sys.modules)"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "description" in done.stdout
    assert done.stdout.endswith(f"{loaded}\n")
