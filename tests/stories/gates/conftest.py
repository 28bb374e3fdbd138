"""A bench: a desk with plans on it, in a repository."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.desk.desk import Desk, desk_at


@dataclass
class Bench(Desk):
    """A desk at which plans are saved, held against a branch, and applied as a pipeline does it."""

    held: object = None

    def plan(self, *more: str, **files: str | Mapping[str, Any]) -> int:
        return self("plan", "m.yaml", "-o", "plan.json", "--detailed-exitcode", *more, **files)

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
        done = subprocess.run(["git", *name, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
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
    with desk_at(Bench, tmp_path / "here", monkeypatch, capsys) as found:
        yield found
