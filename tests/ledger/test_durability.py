"""Death, threads and other processes."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reconciler.core.change import Action
from reconciler.core.resource import Address
from reconciler.ledger import Ledger
from tests.ledger.changes import APP, HEAD, HOBAN, a_change
from tests.ledger.conftest import Clock

DIES = """
import sys
from pathlib import Path
from reconciler.ledger import Ledger
from tests.ledger.changes import HEAD, VIP, a_change
ledger = Ledger.open(Path(sys.argv[1]), create=True, now=lambda: 5.0, environ={})
run = ledger.begin(HEAD)
ledger.settle(ledger.intend(run, a_change(address=VIP)), "applied", "t-1", 200)
ledger.intend(run, a_change())
print("intended", flush=True)
sys.stdin.read()
"""

WRITES = """
import sys
from pathlib import Path
from reconciler.core.resource import Address
from reconciler.ledger import Ledger
from tests.ledger.changes import HEAD, a_change
with Ledger.open(Path(sys.argv[1]), create=True, environ={"RECONCILER_LEDGER_KEY": "0f" * 32}) as ledger:
    run = ledger.begin(HEAD)
    for n in range(150):
        write = ledger.intend(run, a_change(address=Address("contact", f"{sys.argv[2]}-{n}")))
        ledger.settle(write, "applied", f"c-{n}", 200)
"""
HERE = Path(__file__).parents[2]


def start(script: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *args], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_an_intent_survives_kill_9(folder: Path) -> None:
    with start(DIES, str(folder)) as process:
        assert process.stdout
        assert process.stdout.readline() == "intended\n"
        process.send_signal(signal.SIGKILL)
    ledger = Ledger.open(folder, create=False, environ={})
    assert ledger
    with ledger:
        vip = Address("tag", "vip")
        assert {a: k.id for a, k in ledger.known(APP, [vip, HOBAN]).items()} == {vip: "t-1"}
        assert ledger.lost_creates(APP, [vip, HOBAN]) == {HOBAN: 5.0}


def test_processes_write_at_the_same_time(folder: Path) -> None:
    processes = [start(WRITES, str(folder), name) for name in "abc"]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    ledger = Ledger.open(folder, create=False, environ={"RECONCILER_LEDGER_KEY": "0f" * 32})
    assert ledger
    with ledger:
        assert len(ledger.known(APP, [Address("contact", f"{name}-{n}") for name in "abc" for n in range(150)])) == 450


def test_eight_threads_share_a_ledger(ledger: Ledger) -> None:
    run = ledger.begin(HEAD)

    def work(worker: int) -> list[int]:
        done = []
        for n in range(40):
            writes = ledger.intend_many(run, [a_change(address=Address("contact", f"{worker}-{n}")), a_change(Action.UPDATE, id="c-9")])
            ledger.settle(writes[0], "applied", f"c-{worker}-{n}", 200)
            done += writes
        return done

    with ThreadPoolExecutor(8) as pool:
        writes = [number for done in pool.map(work, range(8)) for number in done]
    assert len(set(writes)) == 8 * 40 * 2
    known = ledger.known(APP, [Address("contact", f"{w}-{n}") for w in range(8) for n in range(40)])
    assert all(known[address].id == f"c-{address.key}" for address in known)
    assert len(known) == 320


def test_a_new_ledger_is_opened_by_several_at_once(tmp_path: Path) -> None:
    def work(folder: Path) -> str:
        ledger = Ledger.open(folder, create=True, now=Clock(), environ={})
        assert ledger
        with ledger:
            ledger.begin(HEAD)
            return ledger.warning

    for round in range(10):
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(work, [tmp_path / str(round)] * 8)) == {""}
        assert sorted(path.name for path in (tmp_path / str(round)).iterdir()) == ["key", "ledger.db"]
