"""A served sandbox for all tests of a worker, and a desk for every home of a ledger; each test begins with a workspace of its own."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.core.model.recorded import Recorded
from reconciler.ledger.ledger import Ledger
from tests.desk.desk import desk_at
from tests.desk.driving import TOKEN, Box, Running, Shell, served
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_copy
from tests.processes.oracle import Live, assert_ledger_equals_live, live_in
from tests.processes.rounds import PLAIN_GIT
from tests.processes.story import ids, manifest, seed, told
from tests.stories.gates.conftest import Bench

AT_ONCE = ("--auto-approve", "--lock-timeout", "0")


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with served(tmp_path_factory.mktemp("served") / "sandbox.db") as found:
        yield found


@pytest.fixture
def shell(box: Box, tmp_path: Path) -> Shell:
    box.start({})
    return Shell(tmp_path, box)


@pytest.fixture
def story(shell: Shell) -> Shell:
    # Search is blind for what an apply creates, as it is in Intercom.
    shell.box.start(seed(), search_delay=600)
    shell.write("intercom.yaml", manifest())
    return shell


@pytest.fixture(scope="session")
def undisturbed(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """The writes of one apply that nothing disturbs."""
    shell = Shell(tmp_path_factory.mktemp("undisturbed"), box)
    box.start(seed(), search_delay=600)
    before = ids(box)
    shell.write("intercom.yaml", manifest())
    assert shell.run("apply", "intercom.yaml", "--auto-approve").code == 0
    return told(box, box.writes(), before)


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
