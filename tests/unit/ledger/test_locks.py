"""Who may write: the same promises of a file, of PostgreSQL and of a git remote."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.ledger_choice import LOCK_TIMEOUT
from reconciler.core.model.change import Action
from reconciler.errors import Locked
from reconciler.ledger.homes.choice import home_of
from reconciler.ledger.homes.git import LEASE
from reconciler.ledger.homes.home import Home, LockLost, Waiting
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite
from tests import ROOT
from tests.desk.clock import Clock
from tests.desk.postgres import Cluster
from tests.desk.repositories import KEY, a_copy, around
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, an_attach, attempt, is_lost_create, live_id_of, write

WASH, ZOE = "wash on serenity", "zoe on serenity"
HOLDS = """
import os, sys, time
from pathlib import Path
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.ledger import Ledger
from tests.unit.ledger.changes import APP, write
with Ledger.open(Path(sys.argv[2]), create=True, address=sys.argv[1]) as ledger:
    with ledger.lock(APP, "wash on serenity", Waiting(0, time.sleep, time.monotonic, time.time)):
        write(ledger)
        ledger.home.publish()
        print("held", flush=True)
        sys.stdin.read()
"""
HERE = ROOT


@dataclass(frozen=True)
class There:
    """A ledger's address as several processes of one machine use it."""

    address: str
    folder: Path
    environ: Mapping[str, str]
    stack: ExitStack

    def home(self) -> Home:
        home = home_of(self.address, self.folder, self.environ)
        self.stack.callback(home.close)
        return home

    def ledger(self, clock: Clock) -> Ledger:
        ledger = Ledger.open(self.folder, create=True, address=self.address, now=clock, environ=self.environ)
        assert ledger
        return self.stack.enter_context(ledger)


@pytest.fixture(params=["file", "postgresql", "git"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[There]:
    environ: Mapping[str, str] = {"RECONCILER_LEDGER_KEY": KEY}
    address = ""
    if request.param == "postgresql":
        postgres: Cluster = request.getfixturevalue("postgres")
        address = postgres.database()
    elif request.param == "git":
        address, environ = "git", around(a_copy(tmp_path))
    with ExitStack() as stack:
        yield There(address, tmp_path / ".reconciler", environ, stack)


def now(timeout: float = 0.0, ahead: float = 0.0) -> Waiting:
    """To wait by the clock of the machine, or by one that is ahead of it."""
    return Waiting(timeout, lambda seconds: time.sleep(min(seconds, 0.02)), time.monotonic, lambda: time.time() + ahead)


def test_a_lock_that_is_let_go_can_be_taken_again(there: There, clock: Clock) -> None:
    home = there.home()
    for _ in range(3):
        lock = home.lock(APP, WASH, clock.waiting())
        lock.check()
        lock.release()
        lock.release()
    assert lock.taken_over == ""


def test_whoever_waits_in_vain_learns_who_holds_it(there: There, clock: Clock) -> None:
    lock, other, ended = there.home().lock(APP, WASH, clock.waiting()), there.home(), clock.now + 7
    with pytest.raises(Locked) as said:
        other.lock(APP, ZOE, clock.waiting(7))
    assert clock.now >= ended
    lasts = "it ends with that process"
    if there.address == "git":
        lasts = "it was last renewed at 2026-01-01 00:00:00 UTC and ends by itself at 2026-01-01 00:01:00 UTC unless it is renewed"
    assert str(said.value) == (
        f"wash on serenity, since 2026-01-01 00:00:00 UTC, holds the lock of this ledger ({other.place}); {lasts}; "
        "wait for it, or give --lock-timeout more seconds"
    )
    lock.check()
    lock.release()
    other.lock(APP, ZOE, clock.waiting()).release()


def test_who_does_not_say_how_long_waits_longer_than_the_lease_of_a_run_that_was_killed() -> None:
    template = (HERE / "examples" / "ci" / "plain.sh").read_text()
    (written,) = re.findall(r"^WAIT=\$\{WAIT:-(\d+)\}", template, re.MULTILINE)
    assert min(LOCK_TIMEOUT, float(written)) > LEASE


def test_whoever_waits_has_it_as_soon_as_it_is_let_go(there: There, clock: Clock) -> None:
    lock, waited = there.home().lock(APP, WASH, clock.waiting()), []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        lock.release()

    taken = there.home().lock(APP, ZOE, Waiting(60, sleep, clock, clock))
    assert (len(waited), taken.taken_over) == (1, "")
    taken.release()


@contextmanager
def holding(there: There) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has written something and holds the lock."""
    command = [sys.executable, "-c", HOLDS, there.address, str(there.folder)]
    environ = os.environ | there.environ | {"TMPDIR": str(there.folder.parent)}
    with subprocess.Popen(command, cwd=HERE, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_holder_that_is_killed_holds_nothing_any_more(there: There, clock: Clock) -> None:
    leased = 60.0 if there.address == "git" else 0.0
    with holding(there) as process:
        with pytest.raises(Locked, match=WASH):
            there.home().lock(APP, ZOE, now())
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    if leased:
        with pytest.raises(Locked, match=WASH):
            there.home().lock(APP, ZOE, now(ahead=leased - 30))
    lock = there.home().lock(APP, ZOE, now(timeout=2, ahead=leased + 1))
    assert lock.taken_over.startswith(WASH if leased else "")
    lock.release()
    assert live_id_of(there.ledger(clock)) == "c-1"


def test_what_is_written_under_it_is_read_by_whoever_comes_next(there: There, clock: Clock) -> None:
    first, second = there.ledger(clock), there.ledger(clock)
    with first.lock(APP, WASH, clock.waiting()):
        run = first.begin(HEAD)
        write(first, HOBAN, "c-1")
        attempt(first, a_change(address=VIP), outcome=None, proof=True)
        attempt(first, an_attach(), outcome="failed")
        first.plan(run, [PlannedWrite(a_change(Action.UPDATE, HOBAN, "c-1", name="Wash"))])
        first.note_ineffective(APP, HOBAN, "phone", "+1")
        first.record(APP, "other", [a_record(first.digests, HOBAN, "c-1", {"name": "Wash"})])
        first.end(run, 5, {"create": 1})
        before = first.read_recorded(APP)
    with second.lock(APP, ZOE, clock.waiting()):
        after = second.read_recorded(APP)
        assert (after.records, after.others, after.attempts, after.runs) == (before.records, before.others, before.attempts, before.runs)
        assert (live_id_of(second), is_lost_create(second, VIP), after.runs, len(after.attempts)) == ("c-1", True, 4, 3)
        assert after.reply_match(HOBAN, "phone", "+1", None) is not None
        assert second.warning == ""


def test_two_that_write_in_turn_lose_nothing(there: There, clock: Clock) -> None:
    there.ledger(clock)

    def work(number: int) -> list[int]:
        ledger, counted = there.ledger(clock), []
        for _ in range(3):
            with ledger.lock(APP, f"run {number}", now(timeout=30)):
                counted.append(ledger.read_recorded(APP).runs)
                write(ledger)
        return counted

    with ThreadPoolExecutor(2) as pool:
        counted = [number for numbers in pool.map(work, range(2)) for number in numbers]
    assert sorted(counted) == list(range(6))


def test_an_image_is_found_by_another_process(there: There, clock: Clock) -> None:
    with there.ledger(clock).lock(APP, WASH, clock.waiting()):
        there.home().put_preimage("r-1", '{"tag": "vip"}', time.time())
    assert [there.home().read_preimage(run) for run in ("r-1", "r-2")] == ['{"tag": "vip"}', None]


@pytest.mark.parametrize("there", ["postgresql"], indirect=True)
def test_a_lost_connection_is_a_lost_lock_and_harms_no_successor(there: There, clock: Clock, postgres: Cluster) -> None:
    ledger, database = there.ledger(clock), there.address.rpartition("/")[2]
    with ledger.lock(APP, WASH, clock.waiting()):
        ledger.check()
        postgres.run(f"SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                     f"WHERE locktype = 'advisory' AND datname = '{database}'")  # fmt: skip
        successor = there.home().lock(APP, ZOE, now(timeout=5))
        for _ in range(2):
            with pytest.raises(LockLost, match="which held its lock, is gone: nothing more is written to Intercom; run again"):
                ledger.check()
        with pytest.raises(LockLost):
            attempt(ledger, a_change())
    with pytest.raises(Locked, match="zoe on serenity, since"):
        there.home().lock(APP, WASH, clock.waiting())
    successor.check()
    successor.release()


@pytest.mark.parametrize("there", ["postgresql"], indirect=True)
def test_many_threads_may_ask_at_once_whether_the_lock_is_held(there: There, clock: Clock) -> None:
    with there.ledger(clock).lock(APP, WASH, clock.waiting()) as lock, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: lock.check(), range(200))) == [None] * 200
