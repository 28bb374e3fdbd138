"""A desk: a folder, a workspace behind a port of this process, and verbs as somebody types them there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from reconciler.cli import cli
from reconciler.cli.running import run
from reconciler.sandbox.app import Sandbox
from reconciler.sandbox.server import serve


@dataclass
class Desk:
    """What a verb finds around it, and what it leaves; `out` and `err` are what the last one said."""

    box: Sandbox
    folder: Path
    url: str
    patch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

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

    def json(self, *arguments: str) -> Any:
        assert self(*arguments, "--format", "json") == 0, self.err
        return json.loads(self.out)

    @property
    def writes(self) -> list[str]:
        return [f"{record.method} {record.path}" for record in self.box.writes]

    def written(self) -> list[str]:
        """What was written since the last look."""
        found = self.writes
        self.box.forget_requests()
        return found


D = TypeVar("D", bound=Desk)


@contextmanager
def desk_at(kind: type[D], folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **how: Any) -> Iterator[D]:
    """A desk in a folder that is made, before a sandbox made so. The surroundings are those of all tests: no CI, no ledger but a file."""
    folder.mkdir(exist_ok=True)
    patch.chdir(folder)
    with Sandbox(**how) as box, serve(box) as serving:
        patch.setenv("INTERCOM_ACCESS_TOKEN", box.token)
        patch.setenv("INTERCOM_BASE_URL", serving.url)
        yield kind(box, folder, serving.url, patch, capsys)
