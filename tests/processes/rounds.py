"""Rounds of two real processes that are started together, each in a folder of its own, against one workspace and one ledger."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.cli.running import whoever
from reconciler.core.model.past import Run
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.token import Token
from reconciler.ledger.ledger import Ledger
from reconciler.manifest.read import read_manifest
from reconciler.workflow.plan import propose
from reconciler.workflow.session import connect
from tests.desk.driving import TOKEN, Box, Ended, Shell, ended, served
from tests.desk.repositories import KEY, PLAIN_GIT, a_clone, a_copy, around
from tests.processes.oracle import Live, assert_ledger_equals_live, assert_once, assert_runs, deeds, live_behind

# Git as somebody has it who configured nothing.
# How long a write takes while both are on their way, in seconds: whoever is second comes while the first one writes.
WRITING = 0.15
# Seconds to wait for the lock, and whether each has a manifest of his own: what the rounds do in turn.
SORTS = (("60", False), ("0", False), ("0", True), ("60", True), ("0", False))


@dataclass
class Tally:
    """What became of rounds."""

    rounds: int = 0
    waited: int = 0
    locked: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class End:
    """How a process ended: what it meant to change, and what it did."""

    who: str
    said: Ended

    @property
    def planned(self) -> int:
        return sum(map(int, re.findall(r"(\d+) to \w+", self.said.out.rpartition("\nPlan: ")[2])))

    @property
    def applied(self) -> int:
        return sum(map(int, re.findall(r"^Apply: (\d+) applied, 0 ineffective, 0 failed, 0 skipped", self.said.out, re.MULTILINE)))


@dataclass
class Arena:
    """One workspace, one ledger, and two folders in which its two processes work. `environ` is for who looks into the ledger from here."""

    box: Box
    address: str
    shells: tuple[Shell, Shell]
    environ: Mapping[str, str]
    runs: list[Run] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = Ledger.open(self.shells[0].folder / ".eye", create=False, address=self.address, environ=self.environ)
        assert opened
        with opened:
            yield opened

    def round(self) -> None:
        """Both start at the same moment, and what came of it is looked at from every side."""
        number, (timeout, apart) = self.tally.rounds, SORTS[self.tally.rounds % len(SORTS)]
        names = [f"r{number}-{side if apart else 0}.yaml" for side in range(2)]
        paths = [shell.write(name, manifest(number, name)) for shell, name in zip(self.shells, names, strict=True)]
        self.box.forget()
        self.box.fault(method="POST", path="^(?!.*(search|list|scroll))", times=None, delay=WRITING)
        began = time.monotonic()
        ends = self._both(names, "--lock-timeout", timeout)
        self.tally.seconds += time.monotonic() - began
        self._check_ends(ends, timeout)
        self._check_deeds(ends)
        for path in {path for path, end in zip(paths, ends, strict=True) if end.said.code == 0}:
            assert self._left(path) == ()
        self.tally.rounds += 1

    def _both(self, names: list[str], *options: str) -> list[End]:
        """How both ended. As soon as one has, nothing is slow any more."""
        processes = [shell.spawn("apply", name, "--auto-approve", *options) for shell, name in zip(self.shells, names, strict=True)]
        while all(process.poll() is None for process in processes):
            time.sleep(0.005)
        self.box.calm()
        me = f"(process {os.getpid()})"
        return [End(whoever().replace(me, f"(process {process.pid})"), ended(process)) for process in processes]

    def _check_ends(self, ends: list[End], timeout: str) -> None:
        first, second = sorted(ends, key=lambda end: (end.said.code, -end.applied))
        assert first.said.code == 0, ends
        assert second.said.code == 0 or (second.said.code, timeout) == (6, "0"), ends
        assert first.applied == first.planned > 0, ends
        if second.said.code == 6:
            # Between taking the lock and writing his name down a holder is nameless.
            assert re.search(rf"error: ({re.escape(first.who)}|another run).* holds the lock of this ledger", second.said.err), ends
            self.tally.locked += 1
        elif second.applied < second.planned:
            self.tally.waited += 1

    def _check_deeds(self, ends: list[End]) -> None:
        done = deeds(self.box.writes())
        assert_once(done)
        assert sum(done.values()) == sum(end.applied for end in ends)
        with self.ledger() as ledger:
            assert_runs(ledger, self.runs, {end.who: end.applied for end in ends if end.said.code == 0})
            self.runs = ledger.runs()

    def _left(self, path: Path) -> tuple[object, ...]:
        """What a manifest still wants."""
        with Client(self.box.url, Token(TOKEN)) as client:
            return propose(connect(client), read_manifest([str(path)])).plan.steps

    def check_ledger(self) -> None:
        """After all rounds."""
        rounds = range(self.tally.rounds)
        people = [f"p{number}-{side}" for number in rounds for side in range(2)]
        with self.ledger() as ledger:
            now = live_behind(self.box, [f"c{number}" for number in rounds], people)
            assert_ledger_equals_live(ledger.read_recorded("sandbox1", "growth"), Live(), now)


def manifest(number: int, name: str) -> str:
    """What is shared by all files of a round, and somebody of its own."""
    mine = name.removeprefix("r").removesuffix(".yaml")
    return f"""
name: growth
workspace: {{app_id: sandbox1, region: us}}
tags: [t{number}, u{mine}]
companies: [{{company_id: c{number}, name: Blue Sun, tags: [t{number}]}}]
contacts: [{{external_id: p{mine}, missing: create, tags: [t{number}, u{mine}], companies: [c{number}]}}]
"""


@contextmanager
def arena(folder: Path, database: str = "") -> Iterator[Arena]:
    """Two folders with a database as their ledger, else two clones with their remote as it."""
    environ = {"RECONCILER_LEDGER_KEY": KEY, **PLAIN_GIT}
    with served(folder / "sandbox.db") as box:
        box.start({})
        if database:
            folders, looking = (folder / "one", folder / "two"), around(folder)
            for made in folders:
                made.mkdir()
        else:
            clone = a_copy(folder)
            folders, looking = (clone, a_clone(clone.with_name("remote.git"), "other")), around(clone)
        address = database or "git"
        first, second = (Shell(made, box, {**environ, "RECONCILER_LEDGER": address}) for made in folders)
        yield Arena(box, address, (first, second), looking)
