"""No token is in a table, a file, a log, an output or the list of processes, whatever fails, and wherever it came from."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from reconciler.fleet.engine.worker import Pace, run_worker
from reconciler.ledger.key import make_spare_key
from tests.desk.fleet import FleetDesk
from tests.desk.postgres import Cluster
from tests.desk.soak import SOAKS

# What each token begins with.
SECRET = b"tok-"
# Prints the token of ws000; of the others something that is none, and the token beside it. It notes how it and who started it were started.
SCRIPT = """\
cat /proc/$$/cmdline /proc/$PPID/cmdline >> {processes}
echo "the secret is tok-secret-of-$1" >&2
case $1 in
  ws000) echo tok-secret-of-ws000;;
  ws001) echo tok-that-nobody-knows;;
  ws002) echo tok-secret-of-ws002; exit 3;;
  ws003) printf 'tok-one\\ntok-two\\n';;
  ws004) printf 'tok-\\303\\251';;
  ws005) yes tok-secret-of-ws005;;
esac
"""


def every_value_of_postgres(server: Cluster) -> Iterator[bytes]:
    """Every column of every row of every table, those of the queue too, and what is said of those who are connected."""
    named = server.run("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'", "ledger")
    ours = [f'"{schema}"."{name}"' for schema, name in named if schema not in ("pg_catalog", "information_schema")]
    assert '"reconciler"."procrastinate_jobs"' in ours
    assert '"reconciler"."fleet_run"' in ours
    for table in [*ours, "pg_stat_activity"]:
        for row in server.run(f"SELECT * FROM {table}", "ledger"):
            yield from (value if isinstance(value, bytes) else str(value).encode() for value in row)


def every_value_of_sqlite(folder: Path) -> Iterator[bytes]:
    """The same of every database below a folder."""
    for file in folder.rglob("*.db"):
        with closing(sqlite3.connect(file)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f'SELECT * FROM "{table}"'):
                    yield from (value if isinstance(value, bytes) else str(value).encode() for value in row)


@contextmanager
def a_worker(fleet: FleetDesk, said: list[str]) -> Iterator[None]:
    """One in a thread of this process."""
    stop = threading.Event()
    with fleet.host() as host:
        thread = threading.Thread(target=run_worker, args=(host, 2, ["apply", "drift"], stop, said.append, Pace(0.4, 1.5, "* * * * * *")))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(timeout=60)
            assert not thread.is_alive()


def go_wrong(fleet: FleetDesk) -> None:
    """Every verb, with reports, and one in a process of its own, whose stderr is that of what it starts."""
    # Somebody between us and Intercom shows what was sent.
    fleet.boxes["ws000"].faults.add("POST", "/tags", status=422, message="no: Bearer tok-secret-of-ws000")
    reports = [argument for name in ("html", "markdown", "ndjson", "json") for argument in ("--report", f"{name}=fleet.{name}")]
    assert fleet("plan", "-o", "plans", *reports) == 1, fleet.err
    assert fleet("apply", "--auto-approve", *reports) == 5, fleet.err
    assert fleet("drift", "--format", "json") == 1, fleet.err
    assert fleet("status", *reports) == 0
    assert "1 workspace failed (1)" in fleet.out
    command = [sys.executable, "-m", "reconciler", "fleet", "drift"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    fleet.said += [ended.stdout, ended.stderr]


def set_up(fleet: FleetDesk, engine: str, token: dict[str, object]) -> None:
    fleet.fleet(manifest="name: acme\ntags: [vip]\n", engine=engine, token=token, rollout=[{"wave": "rest", "failures": "90%"}])


def from_the_environment(fleet: FleetDesk, engine: str) -> None:
    fleet.patch.setenv("TOKEN_ws001", "tok-that-nobody-knows")
    fleet.patch.setenv("TOKEN_ws002", "tok-one\ntok-two")
    fleet.patch.setenv("TOKEN_ws003", "tok-\u00e9")
    set_up(fleet, engine, {"env": "TOKEN_{app_id}"})


def from_a_command(fleet: FleetDesk, engine: str) -> None:
    outside = fleet.folder.parent
    (outside / "token.sh").write_text(SCRIPT.format(processes=outside / "processes"))
    set_up(fleet, engine, {"command": ["sh", "../token.sh", "{app_id}"]})


def assert_nowhere(fleet: FleetDesk, caplog: pytest.LogCaptureFixture) -> None:
    files = {path: path.read_bytes() for path in fleet.folder.rglob("*") if path.is_file()}
    assert [path for path, content in files.items() if SECRET in content] == []
    assert files
    assert SECRET.decode() not in "".join(fleet.said)
    assert SECRET.decode() not in caplog.text
    assert SECRET not in (started := (fleet.folder.parent / "processes").read_bytes())
    assert b"token.sh\0ws005" in started


def test_no_token_is_in_files(fleet: FleetDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fleet.add(6)
    for source in (from_the_environment, from_a_command):
        source(fleet, "local")
        go_wrong(fleet)
    assert_nowhere(fleet, caplog)
    values = list(every_value_of_sqlite(fleet.folder))
    assert b"ws005" in values
    assert [value for value in values if SECRET in value] == []


def test_no_token_is_in_postgresql(fleet: FleetDesk, postgres: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fleet.patch.setenv("RECONCILER_FLEET", postgres.database())
    fleet.patch.setenv("RECONCILER_LEDGER_KEY", make_spare_key().hex())
    fleet.add(6)
    for source in (from_the_environment, from_a_command) if SOAKS else (from_a_command,):
        source(fleet, "postgresql")
        with a_worker(fleet, fleet.said):
            if SOAKS:
                go_wrong(fleet)
            assert fleet("apply", "--auto-approve", "--format", "json") == 5, fleet.err
            values = list(every_value_of_postgres(postgres))
        assert b"ws005" in values
        assert [value for value in values if SECRET in value] == []
    assert_nowhere(fleet, caplog)
