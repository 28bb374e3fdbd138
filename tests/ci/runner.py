"""A runner in small: the `run` steps of a workflow one after the other, artifacts kept, expressions from a table, GitHub's caps held."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ci.conftest import CI, Repository
from tests.ci.test_lint import loaded

SUMMARY = 1024 * 1024
GH = Path(__file__).with_name("gh.py")


@dataclass
class GitHub:
    """What lies on GitHub's side, and what an event says."""

    state: Path
    repository: Repository
    said: dict[str, str]
    run: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    def workflow(self, name: str) -> bool:
        """Run the one job of a workflow; whether it succeeded."""
        self.run += 1
        self.log, self.summary, self.outputs = "", "", {}
        shutil.rmtree(self.repository.path / "out", ignore_errors=True)
        found = loaded(CI / "github" / f"{name}.yml")
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
        if "upload-artifact" in step["uses"]:
            path = self.repository.path / self._filled(step["with"]["path"])
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
        env = self.repository.env | {"GITHUB_ACTIONS": "true", "GH_STATE": str(self.state), "PATH": self._path()}
        env = {name: value for name, value in env.items() if name != "INTERCOM_ACCESS_TOKEN"}
        env |= {name: str(path) for name, path in files.items()} | {n: self._filled(v) for n, v in step.get("env", {}).items()}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=self.repository.path, env=env, capture_output=True, text=True, timeout=180)
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
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {GH} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        return f"{script.parent}:{self.repository.env['PATH']}"
