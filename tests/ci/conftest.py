"""What the pipelines meet: a repository with a manifest and a remote, and a served workspace that tells what was asked of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests import ROOT
from tests.desk.forkserver import Process, programs

CI = ROOT / "examples/ci"
ACTION = ROOT / "action.yml"
BIN = Path(sys.executable).parent

KEY = "0f" * 32
SEED = {"tags": ["vip", "old"], "contacts": [{"external_id": "25", "name": "Hoban Washburn", "email": "wash@serenity.example"}]}
FIRST = "workspace: {app_id: sandbox1, region: us}\ntags: [vip]\ncontacts:\n  - {external_id: '25'}\n"
NEXT = (
    "workspace: {app_id: sandbox1, region: us}\ntags:\n  - vip\n  - {name: old, state: absent}\n"
    "contacts:\n  - {external_id: '25', name: Wash, tags: [vip]}\n"
)


@dataclass(frozen=True)
class Served:
    """A workspace behind HTTP."""

    url: str

    def control(self, method: str, path: str, body: Any = None) -> Any:
        asked = urllib.request.Request(self.url + path, method=method, headers={"Authorization": "Bearer sandbox"})
        if body is not None:
            asked.data = json.dumps(body).encode()
            asked.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(asked) as answer:
            return json.load(answer)

    def seed(self, what: Mapping[str, Any]) -> None:
        self.control("POST", "/_sandbox/seed", what)

    def writes(self) -> list[str]:
        """What was written since the last look."""
        calls = self.control("GET", "/_sandbox/requests")["writes"]
        self.control("DELETE", "/_sandbox/requests")
        return [f"{one['method']} {one['path']}" for one in calls]

    def tags(self) -> list[str]:
        return sorted(tag["name"] for tag in self.control("GET", "/tags")["data"])


@dataclass
class Repository:
    """A work tree with a bare repository as its remote `origin`, in which pipelines run."""

    path: Path
    env: dict[str, str]

    @property
    def remote(self) -> Path:
        return self.path.parent / "remote.git"

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, env=self.env, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self, **files: str) -> None:
        """Commit the manifest (`m`) and the policy as given."""
        for name, text in files.items():
            self.write({"m": "intercom/all.yaml", "policy": "intercom-policy.yaml"}[name], text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")

    def checkout(self, url: str, depth: int = 0) -> Repository:
        """HEAD as a runner checks it out: a fresh folder, as much of the history as it was told to fetch, a remote that has a URL."""
        self.git("push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/merge")
        fresh = Repository(self.path.parent / "runner", self.env)
        shutil.rmtree(fresh.path, ignore_errors=True)
        fresh.path.mkdir()
        fresh.git("init", "--quiet")
        fresh.git("remote", "add", "origin", url)
        wanted = [f"--depth={depth}"] if depth else ["--tags"]
        branches = [] if depth else ["+refs/heads/*:refs/remotes/origin/*"]
        fresh.git("fetch", "--quiet", *wanted, self.remote.as_uri(), "+refs/pull/7/merge:refs/remotes/pull/7/merge", *branches)
        fresh.git("checkout", "--quiet", "--detach", "refs/remotes/pull/7/merge")
        return fresh

    def applied(self) -> None:
        """What HEAD declares is applied, and the ledger remembers it."""
        done = Process(["apply", "intercom", "--auto-approve", "--ledger", "git"], self.path, self.env)
        _, err = done.communicate(120)
        assert done.returncode == 0, err

    def refs(self) -> list[str]:
        """What the remote holds of ours."""
        lines = self.git("ls-remote", "origin", "refs/reconciler/*").splitlines()
        return [line.split("\t")[1] for line in lines]

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One command of the pipeline, with what it says."""
        command = ["sh", "ci/intercom.sh", *arguments]
        return subprocess.run(command, cwd=self.path, env={**self.env, **more}, capture_output=True, text=True, timeout=120)

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")


Make = Callable[..., tuple[Repository, Served]]


def surroundings(home: Path) -> dict[str, str]:
    """What a job finds: our `reconciler`, git that can commit, and nothing of whoever runs the tests."""
    home.mkdir(exist_ok=True)
    name = {f"GIT_{who}_{what}": "ci@serenity.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{programs()}:{BIN}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8", "CI": "true", "GIT_CONFIG_NOSYSTEM": "1", **name}


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[tuple[Repository, Served]]:
    """A repository whose main branch declares FIRST, and the workspace that it is about."""
    env = surroundings(tmp_path / "home")
    repository = Repository(tmp_path / "work", env)
    repository.path.mkdir()
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.write(".gitignore", ".reconciler/\nout/\nci-*/\n")
    repository.write("ci/intercom.sh", (CI / "plain.sh").read_text(encoding="utf-8"))
    repository.commit(m=FIRST, policy="policy: {limits: {deletes: 1}}\n")
    repository.git("clone", "--quiet", "--bare", ".", str(repository.remote))
    repository.git("remote", "add", "origin", repository.remote.as_uri())
    repository.git("fetch", "--quiet", "origin")
    with Sandbox() as box, serve(box) as serving:
        served = Served(serving.url)
        served.seed(SEED)
        env |= {"INTERCOM_BASE_URL": served.url, "INTERCOM_ACCESS_TOKEN": "sandbox", "RECONCILER_LEDGER_KEY": KEY}
        yield repository, served
