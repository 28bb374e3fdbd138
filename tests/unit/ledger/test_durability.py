"""Death, threads and other processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action
from reconciler.errors import Locked
from reconciler.ledger.homes.home import Waiting
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, Settlement
from tests import ROOT
from tests.desk.clock import Clock
from tests.unit.ledger.changes import APP, HEAD, HOBAN, VIP, a_change, a_record, is_lost_create, live_id_of

DIES = """
import sys
from pathlib import Path
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, Settlement
from tests.unit.ledger.changes import APP, HEAD, VIP, a_change, a_record
from tests.desk.clock import Clock
ledger = Ledger.open(Path(sys.argv[1]), create=True, now=lambda: 5.0, environ={})
with ledger.lock(APP, "wash on serenity", Clock(1_767_225_600.0).waiting()):
    run, changes = ledger.begin(HEAD), [a_change(address=VIP), a_change(), a_change(address=VIP)]
    numbers = ledger.plan(run, [PlannedWrite(change, proof=True) for change in changes])
    ledger.intend({numbers[0]: changes[0]})
    ledger.settle(run, [Settlement(numbers[0], "applied", "t-1", 200)], [a_record(ledger.digests, VIP, "t-1")])
    ledger.intend({numbers[1]: changes[1]})
    print("intended", flush=True)
    sys.stdin.read()
"""

WRITES = """
import sys
from pathlib import Path
from reconciler.core.model.address import Address
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, Settlement
from tests.unit.ledger.changes import HEAD, a_change, a_record
with Ledger.open(Path(sys.argv[1]), create=True, environ={"RECONCILER_LEDGER_KEY": "0f" * 32}) as ledger:
    run = ledger.begin(HEAD)
    for n in range(150):
        change = a_change(address=Address("contact", f"{sys.argv[2]}-{n}"))
        [number] = ledger.plan(run, [PlannedWrite(change)])
        ledger.intend({number: change})
        record = a_record(ledger.digests, change.address, f"c-{change.address.key}")
        ledger.settle(run, [Settlement(number, "applied", record.id, 200)], [record])
"""
HERE = ROOT


def start(script: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *args], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def one_that_waits_for_an_answer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock and has sent a call."""
    with start(DIES, str(folder)) as process:
        assert process.stdout
        assert process.stdout.readline() == "intended\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def test_an_intent_survives_kill_9(folder: Path) -> None:
    with one_that_waits_for_an_answer(folder):
        pass
    ledger = Ledger.open(folder, create=False, environ={})
    assert ledger
    with ledger:
        assert (live_id_of(ledger, VIP), live_id_of(ledger, HOBAN)) == ("t-1", None)
        assert (is_lost_create(ledger, VIP), is_lost_create(ledger, HOBAN)) == (False, True)
        attempts = [ledger.read_recorded(APP).attempt(address) for address in (VIP, HOBAN)]
        assert [attempt.intended_at for attempt in attempts if attempt] == [0.0, 5.0]


def test_the_lock_of_a_process_is_free_after_kill_9_and_not_before(folder: Path) -> None:
    def held() -> bool:
        ledger = Ledger.open(folder, create=False, environ={})
        assert ledger
        with ledger:
            try:
                with ledger.lock(APP, "kaylee on serenity", Clock(1_767_225_600.0).waiting()):
                    return False
            except Locked as refused:
                return str(refused).startswith("wash on serenity, since 2026-01-01 00:00:00 UTC, holds the lock")

    with one_that_waits_for_an_answer(folder) as process:
        assert held()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert not held()


def test_processes_write_at_the_same_time(folder: Path) -> None:
    processes = [start(WRITES, str(folder), name) for name in "abc"]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    ledger = Ledger.open(folder, create=False, environ={"RECONCILER_LEDGER_KEY": "0f" * 32})
    assert ledger
    with ledger:
        memory = ledger.read_recorded(APP)
        assert {r.id for r in memory.records.values()} == {f"c-{name}-{n}" for name in "abc" for n in range(150)}
        assert (memory.runs, memory.attempts) == (3, {})


def test_eight_threads_share_a_ledger(ledger: Ledger) -> None:
    run = ledger.begin(HEAD)

    def work(worker: int) -> list[int]:
        done = []
        for n in range(40):
            change, other = a_change(address=Address("contact", f"{worker}-{n}")), a_change(Action.UPDATE, id="c-9")
            writes = ledger.plan(run, [PlannedWrite(change), PlannedWrite(other)])
            ledger.intend({writes[0]: change})
            record = a_record(ledger.digests, change.address, f"c-{worker}-{n}")
            ledger.settle(run, [Settlement(writes[0], "applied", record.id, 200)], [record])
            done += writes
        return done

    with ThreadPoolExecutor(8) as pool:
        writes = [number for done in pool.map(work, range(8)) for number in done]
    assert len(set(writes)) == 8 * 40 * 2
    addresses = [Address("contact", f"{w}-{n}") for w in range(8) for n in range(40)]
    assert [live_id_of(ledger, address) for address in addresses[::40]] == [f"c-{address.key}" for address in addresses[::40]]
    assert len(ledger.read_recorded(APP).records) == 320


def test_a_new_ledger_is_opened_by_several_at_once(tmp_path: Path) -> None:
    def work(folder: Path) -> str:
        ledger = Ledger.open(folder, create=True, now=Clock(1_767_225_600.0), environ={})
        assert ledger
        with ledger:
            ledger.begin(HEAD)
            return ledger.warning

    for round in range(10):
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, [tmp_path / str(round)] * 8)) == {""}
        # Of several that close at once none may be the last to SQLite, which then leaves its log behind: sqlite.org/wal.html.
        left = {path.name for path in (tmp_path / str(round)).iterdir()} - {"ledger.db-wal", "ledger.db-shm"}
        assert left == {".gitignore", "key", "last", "ledger.db"}


def test_of_many_who_want_the_lock_one_has_it_at_a_time(folder: Path) -> None:
    inside: list[int] = []

    def work(worker: int) -> int:
        ledger = Ledger.open(folder, create=True, environ={})
        assert ledger
        with ledger, ledger.lock(APP, f"{worker}", Waiting(60, time.sleep, time.monotonic, time.time)):
            inside.append(worker)
            assert inside == [worker]
            return inside.pop()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))
