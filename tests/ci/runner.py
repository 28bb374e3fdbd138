"""A runner in small: the steps of a workflow one after the other in a fresh checkout, with the rights that it asks for; artifacts kept,
expressions from a table, GitHub's caps held."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ci.conftest import CI, Repository
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


@dataclass
class GitHub:
    """What lies on GitHub's side, and what an event says. `tree` is what the last job had checked out."""

    state: Path
    hub: Hub
    repository: Repository
    said: dict[str, str]
    run: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    tree: Repository = field(init=False)
    around: dict[str, str] = field(default_factory=dict)

    def workflow(self, name: str) -> bool:
        """Run the one job of a workflow; whether it succeeded."""
        self.run += 1
        self.log, self.summary, self.outputs = "", "", {}
        found = loaded(CI / "github" / f"{name}.yml")
        self.around = {name: str(value) for name, value in found["env"].items()}
        self.hub.rights["github-token"] = found["permissions"]["contents"]
        (job,) = found["jobs"].values()
        good = True
        for step in job["steps"]:
            if good or "cancelled()" in step.get("if", ""):
                good = self._step(step) and good
        return good

    def _step(self, step: dict[str, Any]) -> bool:
        if not self._wanted(step.get("if", "")):
            return True
        if "uses" in step:
            self._used(step)
            return True
        return step["name"] == "Install" or self._ran(step)

    def _wanted(self, condition: str) -> bool:
        terms = condition.removeprefix("${{ ").removesuffix(" }}").split(" && ") if condition else []
        return all(term == "!cancelled()" or self.said[term] == "true" for term in terms)

    def _used(self, step: dict[str, Any]) -> None:
        if "checkout" in step["uses"]:
            self.tree = self.repository.checkout(f"{self.hub.url}/remote.git", int(step["with"].get("fetch-depth", 1)))
        elif "upload-artifact" in step["uses"]:
            path = self.tree.path / self._filled(step["with"]["path"])
            if path.exists():
                folder = self.state / "artifacts" / str(self.run) / self._filled(step["with"]["name"])
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, folder)

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: self._value(found[1]), text)

    def _value(self, expression: str) -> str:
        if expression.startswith("steps."):
            return self.outputs.get(expression, "")
        return self.said[expression]

    def _ran(self, step: dict[str, Any]) -> bool:
        files = {name: self.state / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_text("", encoding="utf-8")
        env = {name: value for name, value in self.repository.env.items() if name not in SECRETS}
        env |= {"GITHUB_ACTIONS": "true", "GH_STATE": str(self.state), "PATH": self._path()} | self.around
        env |= {name: str(path) for name, path in files.items()} | {n: self._filled(v) for n, v in step.get("env", {}).items()}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.tree.path, env=env, capture_output=True, text=True, timeout=180)
        self.log += done.stdout + done.stderr
        summary = files["GITHUB_STEP_SUMMARY"].read_bytes()
        assert len(summary) <= SUMMARY, "the summary is dropped whole"
        self.summary += summary.decode("utf-8")
        for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            self.outputs[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode == 0

    def _path(self) -> str:
        """Our `gh` before any other."""
        script = self.state / "bin/gh"
        script.parent.mkdir(exist_ok=True)
        script.write_text(SCRIPT.format(python=sys.executable, gh=GH), encoding="utf-8")
        script.chmod(0o755)
        return f"{script.parent}:{self.repository.env['PATH']}"
