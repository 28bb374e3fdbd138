"""`init`: from a live workspace to a manifest, its policy, its pipeline and an empty plan, in one command."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.workflow.pipelines import PIPELINES
from tests import ROOT
from tests.desk.desk import Desk

LIVE = {
    "tags": ["vip", {"name": "Beta ", "id": "5"}, "no"],
    "attributes": [{"name": "since", "model": "company", "data_type": "date"}],
    "companies": [{"company_id": "6", "name": "Blue Sun", "custom_attributes": {"since": 1_700_000_000}}],
    "contacts": [{"external_id": "25", "companies": ["6"], "tags": ["vip"]}],
}
CI = ROOT / "examples/ci"


@pytest.fixture
def live(desk: Desk) -> Desk:
    desk.seed(**LIVE)
    return desk


class Keyboard:
    """A terminal at which somebody answers."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    def isatty(self) -> bool:
        return True

    def readline(self, _: int = -1) -> str:
        return self.answers.pop(0) + "\n"


def test_where_the_first_plan_fails_nothing_is_in_the_way_of_the_next_try(live: Desk) -> None:
    fault = live.box.faults.add("GET", "^/tags$", status=403, after=1)
    assert live("init", "--yes", "--ci", "github") == 1
    assert fault.hits == 1
    assert {name for name in live.files() if not name.startswith(".reconciler")} == set()
    assert live("init", "--yes", "--ci", "github") == 0, live.err


def test_one_command_leads_to_an_empty_plan_that_is_the_base_of_drift(live: Desk) -> None:
    assert live("init", "--yes") == 0, live.err
    assert live.out.endswith("No changes. The workspace is as declared.\n")
    assert "workspace sandbox1 (Sandbox), region us" in live.err
    assert "exported 1 attribute, 3 tags, 1 company\n" in live.err
    assert live.writes == []
    assert {name for name in live.files() if not name.startswith(".reconciler")} == {
        "intercom",
        *(f"intercom/{name}" for name in ("workspace.yaml", "attributes.yaml", "tags.yaml", "companies.yaml", "schema.json")),
        "intercom-policy.yaml",
    }
    assert live("drift", "intercom", "--policy", "intercom-policy.yaml") == 0, live.out + live.err
    assert (len(live.records()), live.ours()) == (5, set())
    live("api", "POST", "/companies", "-f", "company_id=6", "-f", "name=Red Sun")
    assert live("drift", "intercom") == 2
    assert 'name: "Red Sun" → "Blue Sun"' in live.out


def test_editors_check_every_file_by_the_schema_beside_it(live: Desk) -> None:
    assert live("init", "--yes", "--only", "tags,companies,contacts,attributes", "-o", "crm") == 0, live.err
    checked: Any = importlib.import_module("jsonschema").Draft202012Validator(json.loads((live.folder / "crm/schema.json").read_bytes()))
    for path in (live.folder / "crm").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# yaml-language-server: $schema=schema.json\n")
        checked.validate(yaml.safe_load(text))


@pytest.mark.parametrize("service", PIPELINES)
def test_the_pipeline_of_choice_is_the_template(service: str, live: Desk) -> None:
    live.git("init", "--quiet")
    (live.folder / "deep").mkdir()
    live.patch.chdir(live.folder / "deep")
    assert live("init", "--yes", "--ci", service, "-o", "../intercom") == 0, live.err
    for place, name in PIPELINES[service].items():
        assert (live.folder / place).read_bytes() == (CI / name).read_bytes()
    laid = {"intercom-policy.yaml", *PIPELINES[service]}
    assert laid == {name for name in live.files() if Path(name).suffix and not name.startswith((".reconciler", "intercom/"))}


@pytest.mark.parametrize(
    ("more", "apart"),
    [(["--ci", "github"], True), (["--ci", "none"], False), (["--ci", "github", "--ledger", "none"], False)],
)
def test_a_ledger_that_the_pipeline_does_not_see_is_said(more: list[str], apart: bool, live: Desk) -> None:
    assert live("init", "--yes", *more) == 0, live.err
    assert ("set RECONCILER_LEDGER=git before `adopt`\n" in live.err) is apart


@pytest.mark.parametrize("service", ["github", "gitlab", "plain"])
def test_the_pipeline_of_another_folder_plans_that_folder(service: str, live: Desk) -> None:
    (live.folder / "crm").mkdir()
    assert live("init", "--yes", "--ci", service, "-o", "crm/live") == 0, live.err
    texts = {place: (live.folder / place).read_text(encoding="utf-8") for place in PIPELINES[service]}
    for place, text in texts.items():
        assert re.findall(r"(?<![\w-])intercom/(?!\w)", text) == [], place
        if place.endswith(".sh"):
            assert "\nMANIFEST=${MANIFEST:-crm/live} " in text
    if service == "github":
        steps = [step for text in texts.values() for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
        assert {step["with"]["manifest"] for step in steps if "command" in step.get("with", {})} == {"crm/live"}
    if service == "gitlab":
        assert yaml.safe_load(texts[".gitlab-ci.yml"])["variables"]["MANIFEST"] == "crm/live"


def test_at_a_terminal_it_asks_which_sections_and_which_pipeline(live: Desk) -> None:
    live.patch.setattr(sys, "stdin", Keyboard("tugs", "tags", "plain"))
    assert live("init") == 0, live.err
    assert re.search(r"Which sections of [a-z,]*,contacts \[[a-z,]*tags,[a-z,]*\]: ", live.err)
    assert "tugs cannot be exported" in live.err
    assert {name for name in live.files() if name.startswith(("ci/", "intercom/"))} == {
        *("ci/intercom.sh", "intercom/workspace.yaml", "intercom/tags.yaml", "intercom/schema.json")
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "there is no terminal to ask at; use --yes"),
        (["--yes", "-o", "full"], "full is not empty"),
        (["--yes", "-o", "full/m.yaml"], "full/m.yaml is not empty"),
        (["--yes", "--ci", "plain"], "there is already ci/intercom.sh"),
        (["--yes", "--ci", "plain", "-o", "a b"], "a pipeline takes no folder with blanks"),
        (["--yes", "-o", "no/where"], "the folder does not exist"),
        (["--yes", "--only", "tugs"], "tugs cannot be exported"),
    ],
)
def test_nothing_that_is_there_is_replaced_and_nothing_is_written(arguments: list[str], said: str, live: Desk) -> None:
    live.write("full/m.yaml", "tags: []\n")
    live.write("ci/intercom.sh", "echo mine\n")
    before = live.files()
    assert live("init", *arguments) == 64
    assert said in live.err
    assert live.files() == before


def test_a_policy_that_is_there_stays(live: Desk) -> None:
    live.write("intercom-policy.yaml", "policy: {links: exact}\n")
    assert live("init", "--yes", "--ci", "plain") == 0, live.err
    assert (live.folder / "intercom-policy.yaml").read_text() == "policy: {links: exact}\n"
    assert "written: intercom, ci/intercom.sh\n" in live.err


def test_the_command_that_comes_next_can_be_typed(live: Desk) -> None:
    assert live("init", "--yes", "-o", "my tags", "--api-version", "2.15") == 0, live.err
    command = "reconciler adopt --all 'my tags' --api-version 2.15"
    assert live.err.endswith(f"next: commit them; `{command}` makes what is live yours to prune\n")
    assert live(*shlex.split(command)[1:], "--auto-approve") == 0, live.err
    assert len(live.ours()) == 5


def test_an_empty_workspace_and_an_empty_folder_will_do(desk: Desk) -> None:
    (desk.folder / "intercom").mkdir()
    assert desk("init", "--yes", "--ledger", "none", "--name", "growth") == 0, desk.err
    assert "exported nothing" in desk.err
    assert desk.err.endswith("next: commit them\n")
    assert (desk.folder / "intercom/workspace.yaml").read_text(encoding="utf-8").split("\n")[1] == "name: growth"


def test_a_read_that_fails_leaves_nothing(live: Desk) -> None:
    live.box.faults.add(method="GET", path="^/tags$", status=403)
    assert live("init", "--yes") == 1
    assert not (live.folder / "intercom").exists()
