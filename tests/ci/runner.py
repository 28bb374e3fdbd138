"""A runner in small: the steps of a workflow and of our action one after the other in a fresh checkout, with the rights that the workflow
asks for; artifacts kept, expressions from a table, GitHub's caps held."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import ROOT
from tests.ci.conftest import ACTION, CI, Repository
from tests.ci.hub import Hub
from tests.ci.test_lint import loaded

SUMMARY = 1024 * 1024
GH = Path(__file__).with_name("gh.py")
SECRETS = ("INTERCOM_ACCESS_TOKEN", "RECONCILER_LEDGER_KEY")
# git asks often, so what it asks is answered without Python.
SCRIPT = """#!/bin/sh
case "$1 $2 $3" in
    "auth git-credential get") printf 'username=x-access-token\\npassword=%s\\n' "$GH_TOKEN" ;;
    "auth git-credential "*) ;;
    *) exec {python} {gh} "$@" ;;
esac
"""


def _is_ours(step: dict[str, Any]) -> bool:
    return bool(step.get("uses", "").startswith("OWNER/reconciler@"))


@dataclass
class Scope:
    """What the expressions of some steps can see beside the event."""

    # The inputs of the action, as `inputs.NAME`; none in a workflow.
    inputs: dict[str, str] = field(default_factory=dict)
    # What earlier steps and jobs said, as `steps.ID.outputs.NAME` and `needs.ID.outputs.NAME`.
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class GitHub:
    """What lies on GitHub's side, and what an event says. `tree` is what the last job had checked out, `awaited` the environments that the
    jobs of the last run waited for."""

    state: Path
    hub: Hub
    repository: Repository
    said: dict[str, str]
    run: int = 0
    log: str = ""
    summary: str = ""
    awaited: list[str] = field(default_factory=list)
    tree: Repository = field(init=False)

    def workflow(self, name: str, **more: str) -> bool:
        """Run the jobs of a workflow one after the other, whose steps with our action get `more` inputs; whether they succeeded. Whoever is
        asked by an environment lets the job through."""
        self.run += 1
        self.log, self.summary, self.awaited = "", "", []
        runs = self.state / "runs.json"
        rows = [
            *(json.loads(runs.read_text(encoding="utf-8")) if runs.exists() else []),
            {"id": self.run, "workflow": name, "status": "completed"},
        ]
        runs.write_text(json.dumps(rows), encoding="utf-8")
        workflow = loaded(CI / "github" / f"{name}.yml")
        assert "env" not in workflow, "the action brings what it needs"
        self.hub.rights |= dict.fromkeys(("github-token", "request-token"), workflow["permissions"]["contents"])
        outputs, good = dict[str, str](), dict[str, bool]()
        for name, job in workflow["jobs"].items():
            scope = Scope(outputs=dict(outputs))
            shutil.rmtree(self.state / "temp", ignore_errors=True)
            if not good.get(job.get("needs", ""), True) or not self._may(job.get("if", ""), scope):
                good[name] = not job.get("needs") or good[job["needs"]]
                continue
            assert job["timeout-minutes"]
            self.awaited += [job["environment"]] if "environment" in job else []
            ours = [step | {"with": step["with"] | more} if _is_ours(step) else step for step in job["steps"]]
            good[name] = self._steps(ours, scope)
            outputs[f"needs.{name}.result"] = "success" if good[name] else "failure"
            outputs |= {f"needs.{name}.outputs.{key}": self._filled(value, scope) for key, value in job.get("outputs", {}).items()}
        return all(good.values())

    def _steps(self, steps: list[dict[str, Any]], scope: Scope) -> bool:
        """Run steps; whether all succeeded. After one that failed, only those run that ask for it: also inside of an action, since 2021."""
        good = True
        for step in steps:
            condition = step.get("if", "")
            if (good or "!cancelled()" in condition) and self._may(condition, scope):
                good = self._step(step, scope) and good
        return good

    def _may(self, condition: str, scope: Scope) -> bool:
        """Whether a condition is true, of terms with && and || between them."""
        bare = re.sub(r"^\$\{\{ | \}\}$", "", condition)
        if grouped := re.search(r"\(([^()]+ \|\| [^()]+)\)", bare):
            return any(self._may(bare.replace(grouped[0], part), scope) for part in grouped[1].split(" || "))
        return any(all(self._holds(term, scope) for term in part.split(" && ")) for part in bare.split(" || "))

    def _step(self, step: dict[str, Any], scope: Scope) -> bool:
        if _is_ours(step):
            return self._action(step, scope)
        if "uses" in step:
            self._used(step, scope)
            return True
        return step["name"] == "Install" or self._ran(step, scope)

    def _action(self, step: dict[str, Any], outer: Scope) -> bool:
        """Run the steps of our action, which see its inputs and one another."""
        action = loaded(ACTION)
        inputs = {name: self._filled(about.get("default", ""), outer) for name, about in action["inputs"].items()}
        given = {name: self._filled(value, outer) for name, value in step["with"].items()}
        assert set(given) <= set(inputs), "GitHub only warns of an input that the action does not have"
        scope = Scope(inputs | given)
        good = self._steps(action["runs"]["steps"], scope)
        for name, about in action["outputs"].items():
            outer.outputs[f"steps.{step.get('id')}.outputs.{name}"] = self._filled(about["value"], scope)
        return good

    def _holds(self, term: str, scope: Scope) -> bool:
        """Whether one term of a condition is true: a comparison with a text, or what the event says of it."""
        if compared := re.fullmatch(r"(\S+) (==|!=) '(.*)'", term):
            return (self._value(compared[1], scope) == compared[3]) == (compared[2] == "==")
        return term in ("", "!cancelled()") or self.said[term] == "true"

    def _used(self, step: dict[str, Any], scope: Scope) -> None:
        if "checkout" in step["uses"]:
            assert self._filled(step["with"].get("ref", "main"), scope) == "main"
            self.tree = self.repository.checkout(f"{self.hub.url}/remote.git", int(step["with"].get("fetch-depth", 1)))
        elif "download-artifact" in step["uses"]:
            kept = self.state / "artifacts" / str(self.run) / self._filled(step["with"]["name"], scope)
            shutil.copytree(kept, self.tree.path / step["with"]["path"], dirs_exist_ok=True)
        elif "upload-artifact" in step["uses"]:
            path = self.tree.path / self._filled(step["with"]["path"], scope)
            if path.exists():
                folder = self.state / "artifacts" / str(self.run) / self._filled(step["with"]["name"], scope)
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder)

    def _filled(self, text: str, scope: Scope) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda match: self._value(match[1], scope), text)

    def _value(self, expression: str, scope: Scope) -> str:
        if chosen := re.fullmatch(r"(\S+) == '(\w+)' && format\('(.*)', (\S+)\) \|\| (\S+)", expression):
            name, value, text, filling, other = chosen.groups()
            return text.format(self._value(filling, scope)) if self._value(name, scope) == value else self._value(other, scope)
        if " || " in expression:
            return next((value for part in expression.split(" || ") if (value := self._value(part, scope))), "")
        if expression.startswith("'"):
            return expression.strip("'")
        if expression.startswith("inputs."):
            return scope.inputs[expression.removeprefix("inputs.")]
        if expression.startswith(("steps.", "needs.")):
            return scope.outputs.get(expression, "")
        return self.said[expression]

    def _ran(self, step: dict[str, Any], scope: Scope) -> bool:
        files = {name: self.state / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("", encoding="utf-8")
        env = {name: value for name, value in self.repository.env.items() if name not in SECRETS}
        event = self.state / "event.json"
        event.write_text(json.dumps({"issue": {"number": 12, "body": self.said.get("issue.body", "")}}), encoding="utf-8")
        env |= {"GITHUB_EVENT_PATH": str(event)}
        env |= {"RUNNER_TEMP": str(self.state / "temp")}
        env |= {"GITHUB_SHA": self.tree.git("rev-parse", "HEAD"), "GITHUB_RUN_ID": str(self.run)}
        env |= {"GITHUB_ACTIONS": "true", "GH_STATE": str(self.state), "PATH": self._path(), "GITHUB_ACTION_PATH": str(ROOT)}
        env |= {name: str(path) for name, path in files.items()}
        env |= {name: self._filled(value, scope) for name, value in step.get("env", {}).items()}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.tree.path, env=env, capture_output=True, text=True, timeout=180)
        self.log += done.stdout + done.stderr
        summary = files["GITHUB_STEP_SUMMARY"].read_bytes()
        assert len(summary) <= SUMMARY, "the summary is dropped whole"
        self.summary += summary.decode("utf-8")
        for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            scope.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode == 0

    def _path(self) -> str:
        """Our `gh` before any other."""
        script = self.state / "bin/gh"
        script.parent.mkdir(exist_ok=True)
        script.write_text(SCRIPT.format(python=sys.executable, gh=GH), encoding="utf-8")
        script.chmod(0o755)
        return f"{script.parent}:{self.repository.env['PATH']}"
