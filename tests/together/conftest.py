"""A desk for every home of a ledger: verbs as typed, in this process or in one of their own, before a sandbox of this process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.core.model.recorded import Recorded
from reconciler.ledger.ledger import Ledger
from tests.desk import desk_at
from tests.gates.conftest import Bench
from tests.ledger.repositories import KEY, a_copy
from tests.postgres import Cluster
from tests.process.driving import TOKEN, Box, Running, Shell
from tests.together.oracle import Live, assert_ledger_equals_live, live_in
from tests.together.rounds import PLAIN_GIT

AT_ONCE = ("--auto-approve", "--lock-timeout", "0")


@dataclass
class Desk(Bench):
    """A bench whose verbs use the ledger at `address`, under the name `growth`."""

    address: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> Running:
        """A verb in a process of its own."""
        return Shell(self.folder, Box(self.url), self.environ).spawn(*arguments, stdin=stdin)

    def opens(self, create: bool) -> Ledger | None:
        return Ledger.open(Path(".reconciler"), create=create, address=self.address)

    def memory(self) -> Recorded:
        """What the ledger holds now."""
        ledger = self.opens(False)
        assert ledger
        with ledger:
            return ledger.memory("sandbox1", "growth")

    def check_ledger(self, before: Live) -> None:
        assert_ledger_equals_live(self.memory(), before, live_in(self.box))


@pytest.fixture
def home() -> str:
    """Which ledger a desk has; tests name several."""
    return "file"


@pytest.fixture
def desk(
    home: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    folder, address = tmp_path / "here", ""
    if home == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")
        address = postgres.database()
    elif home == "git":
        folder, address = a_copy(tmp_path), "git"
    environ = {"RECONCILER_LEDGER": address, "RECONCILER_LEDGER_KEY": KEY, **PLAIN_GIT}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with desk_at(Desk, folder, monkeypatch, capsys, token=TOKEN) as found:
        found.address, found.environ = address, environ
        yield found
