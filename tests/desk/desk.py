"""A desk: a folder, a workspace behind a port of this process, and verbs as somebody types them there. `desk` is the fixture."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.core.model.record import Record
from reconciler.core.model.recorded import Recorded
from reconciler.ledger.ledger import Ledger
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve
from tests.desk.driving import Box, Ended, Running, Shell
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, PLAIN_GIT, a_copy

Text = str | Mapping[str, Any]


@dataclass
class Desk:
    """What a verb finds around it, and what it leaves."""

    # The workspace.
    box: Sandbox
    # Where verbs run.
    folder: Path
    # The address of the workspace.
    url: str
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    # The address of the ledger; empty: the file in the folder.
    address: str = ""
    # What verbs in processes of their own find in their environment beside the workspace.
    environ: Mapping[str, str] = field(default_factory=dict)
    # What the last verb said.
    out: str = ""
    err: str = ""
    # What stays open until the test ends.
    held: object = None

    # ---- the workspace and the folder
    def seed(self, **what: Any) -> None:
        self.box.seed(what)

    def id(self, kind: str, **fields: Any) -> str:
        """The id of the thing with this value."""
        ((name, value),) = fields.items()
        return str(next(doc["id"] for doc in self.box.ws.store.table(kind).docs.values() if doc.get(name) == value))

    @property
    def writes(self) -> list[str]:
        return [f"{record.method} {record.path}" for record in self.box.writes]

    def written(self) -> list[str]:
        """What was written since the last look."""
        writes = self.writes
        self.box.forget_requests()
        return writes

    def write(self, name: str, text: Text) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if ".git" not in path.parts}

    # ---- verbs
    def __call__(self, *arguments: str, **files: Text) -> int:
        """The exit code of a verb; `m=…` writes m.yaml first."""
        for name, text in files.items():
            self.write(f"{name}.yaml", text)
        self.capsys.readouterr()
        code = run(cli, arguments)
        self.out, self.err = self.capsys.readouterr()
        return code

    def ends(self, *arguments: str, given: str | bytes = "", **files: Text) -> Ended:
        """How a verb ends; `given` is what it finds on standard input."""
        if given:
            piped = given if isinstance(given, bytes) else given.encode()
            self.patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
        return Ended(self(*arguments, **files), self.out, self.err)

    def json(self, *arguments: str) -> Any:
        assert self(*arguments, "--format", "json") == 0, self.err
        return json.loads(self.out)

    def spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> Running:
        """A verb in a process of its own."""
        return Shell(self.folder, Box(self.url), self.environ).spawn(*arguments, stdin=stdin)

    # ---- plans
    def plan(self, *more: str, **files: Text) -> int:
        return self("plan", "m.yaml", "-o", "plan.json", "--detailed-exitcode", *more, **files)

    def saved(self, name: str = "plan.json") -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.folder / name).read_bytes())
        return document

    def word(self, name: str = "plan.json") -> str:
        """The approval that a refused plan prints."""
        (word,) = {refusal["approve"] for refusal in self.saved(name)["refused"] if refusal["approve"]}
        assert isinstance(word, str)
        return word

    def gates(self, name: str = "plan.json") -> list[str]:
        return [refusal["gate"] for refusal in self.saved(name)["refused"]]

    # ---- git
    def git(self, *arguments: str) -> None:
        name = ["-c", "user.name=ci", "-c", "user.email=ci@serenity.example", "-c", "init.defaultBranch=main"]
        done = subprocess.run(["git", *name, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def commit(self, **files: Text) -> None:
        """Commit these manifests, in a repository that is made if there is none."""
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet")
        for name, text in files.items():
            self.write(f"{name}.yaml", text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")

    # ---- the ledger
    def opens(self, create: bool) -> Ledger | None:
        return Ledger.open(Path(".reconciler"), create=create, address=self.address)

    def ledger(self) -> Ledger:
        """The ledger, made if there is none."""
        ledger = self.opens(True)
        assert ledger
        return ledger

    def recorded(self, name: str = "default") -> Recorded:
        """What the ledger holds now under a name."""
        with self.ledger() as ledger:
            return ledger.read_recorded("sandbox1", name)

    def records(self, name: str = "default") -> dict[str, Record]:
        return {f"{record.kind}/{record.id}": record for record in self.recorded(name).records.values()}

    def ours(self, name: str = "default") -> set[str]:
        return {thing for thing, record in self.records(name).items() if record.owned}


@pytest.fixture
def home() -> str:
    """Where the ledger is: "" as verbs choose by themselves; "file", "git" or "postgresql" with a key in the environment."""
    return ""


@pytest.fixture
def workspace() -> Mapping[str, Any]:
    """What the workspace of a desk is made with."""
    return {}


@pytest.fixture
def desk(
    home: str,
    workspace: Mapping[str, Any],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Desk]:
    """The surroundings are those of all tests: no CI, no terminal."""
    folder, address = tmp_path / "here", ""
    if home == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")
        address = postgres.database()
    elif home == "git":
        folder, address = a_copy(tmp_path), "git"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    environ = {"RECONCILER_LEDGER": address, "RECONCILER_LEDGER_KEY": KEY, **PLAIN_GIT} if home else {}
    with Sandbox(**workspace) as box, serve(box) as serving:
        for name, value in {"INTERCOM_ACCESS_TOKEN": box.token, "INTERCOM_BASE_URL": serving.url, **environ}.items():
            monkeypatch.setenv(name, value)
        yield Desk(box, folder, serving.url, monkeypatch, capsys, address, environ)
