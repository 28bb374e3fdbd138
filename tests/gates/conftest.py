"""A bench: a folder, a workspace behind a port of this process, and verbs run in it as a pipeline would."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.sandbox import Sandbox, serve

VARIABLES = ("CI", "GITHUB_ACTIONS", "INTERCOM_BASE_URL", "RECONCILER_LEDGER_KEY")


@dataclass
class Bench:
    """What a verb finds around it, and what it leaves."""

    box: Sandbox
    folder: Path
    url: str
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""
    held: object = None

    def seed(self, **what: Any) -> None:
        self.box.seed(what)

    def write(self, name: str, text: str | Mapping[str, Any]) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def __call__(self, *arguments: str, **files: str | Mapping[str, Any]) -> int:
        """The exit code of a verb; `m=…` writes m.yaml first."""
        for name, text in files.items():
            self.write(f"{name}.yaml", text)
        self.capsys.readouterr()
        code = run(cli, arguments)
        self.out, self.err = self.capsys.readouterr()
        return code

    def plan(self, *more: str, **files: str | Mapping[str, Any]) -> int:
        return self("plan", "m.yaml", "-o", "plan.json", "--detailed-exitcode", *more, **files)

    @property
    def writes(self) -> list[str]:
        return [f"{record.method} {record.path}" for record in self.box.writes]

    def written(self) -> list[str]:
        """What was written since the last look."""
        found = self.writes
        self.box.forget_requests()
        return found

    def saved(self, name: str = "plan.json") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return found

    def word(self, name: str = "plan.json") -> str:
        """The approval that a refused plan prints."""
        (word,) = {refusal["approve"] for refusal in self.saved(name)["refused"] if refusal["approve"]}
        assert isinstance(word, str)
        return word

    def gates(self, name: str = "plan.json") -> list[str]:
        return [refusal["gate"] for refusal in self.saved(name)["refused"]]

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if ".git" not in path.parts}

    def git(self, *arguments: str) -> None:
        name = ["-c", "user.name=ci", "-c", "user.email=ci@serenity.example", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *name, *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def commit(self, **files: str | Mapping[str, Any]) -> None:
        """Commit these manifests, in a repository that is made if there is none."""
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet")
        for name, text in files.items():
            self.write(f"{name}.yaml", text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as box, serve(box) as serving:
        monkeypatch.setenv("INTERCOM_ACCESS_TOKEN", "sandbox")
        monkeypatch.setenv("INTERCOM_BASE_URL", serving.url)
        yield Bench(box, folder, serving.url, monkeypatch, capsys)
