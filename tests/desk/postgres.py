"""A PostgreSQL of the tests' own: one a worker, on loopback and in a socket of its own, gone when the worker is."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

# Stays until its stdin ends, which it does when we do, however we do; then it stops the server and takes its folder away.
_UNTIL_WE_END = '"$@" & server=$!; cat >/dev/null; kill -QUIT $server; wait $server; rm -rf "$FOLDER"'
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "16MB", "max_connections": "40"}
_ACCESS = """
local all all trust
host all secretive 127.0.0.1/32 scram-sha-256
host all unwelcome 127.0.0.1/32 reject
host all all 127.0.0.1/32 trust
"""
_DATABASE = "ledger"
_EMPTY = f"""
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_DATABASE}' AND pid <> pg_backend_pid();
DROP SCHEMA IF EXISTS reconciler CASCADE;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
ALTER DATABASE {_DATABASE} RESET ALL
"""
# How long a server may take to start, in seconds.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Cluster:
    """A server with its superuser `postgres`; `folder` holds its socket."""

    folder: Path
    port: int

    def address(self, database: str = "postgres", user: str = "postgres") -> str:
        """A database of it, as `--ledger` takes it; a user may be written with a password."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The address of a database in which nothing is, and nobody: the same one every time, which costs far less than a new one."""
        self.run(_EMPTY, _DATABASE)
        return self.address(_DATABASE)

    def run(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that a statement of the superuser answers."""
        where: dict[str, Any] = {"host": str(self.folder), "port": self.port, "dbname": database, "user": "postgres"}
        with psycopg.connect(**where, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            answer = connection.execute(sql.encode())
            return answer.fetchall() if answer.description else []

    def turn_away(self, seconds: float) -> None:
        """End every connection to that database and let nobody in for a time, as a server does that is started again."""
        self.run(f"ALTER DATABASE {_DATABASE} ALLOW_CONNECTIONS false")
        self.run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{_DATABASE}'")
        time.sleep(seconds)
        self.run(f"ALTER DATABASE {_DATABASE} ALLOW_CONNECTIONS true")

    def crash(self) -> None:
        """Start the server again as after the death of a process of its own: all connections end, and it recovers."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.address(), autocommit=True) as connection:
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            connection.execute("SELECT pg_sleep(60)")
        ends = time.monotonic() + _PATIENCE
        while True:
            try:
                self.run("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < ends, "it did not start again"
                time.sleep(0.02)
            else:
                return


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running server; without the programs of PostgreSQL the test is skipped."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql")
    # The path of a socket has at most 107 bytes: man 7 unix.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        with _started(programs, folder) as server:
            assert server.stdin
            yield _reached(server, folder)
            server.stdin.close()
            server.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    named = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    return Path(named).resolve().parent if named else installed[-1].parent if installed else None


def _user() -> str | None:
    """Who runs the server: it refuses root."""
    if os.geteuid():
        return None
    with suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return "nobody"


def _started(programs: Path, folder: Path, **more: str) -> subprocess.Popen[bytes]:
    user, data = _user(), folder / "data"
    if user:
        shutil.chown(folder, user)
    who: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    made = ["--auth=trust", "--username=postgres", "--no-sync", "--no-locale", "--encoding=UTF8"]
    subprocess.run([str(programs / "initdb"), f"--pgdata={data}", *made], check=True, capture_output=True, cwd=folder, timeout=100, **who)
    (data / "pg_hba.conf").write_text(_ACCESS)
    settings = _FAST | {"listen_addresses": "127.0.0.1", "port": str(_free_port()), "unix_socket_directories": str(folder)} | more
    (folder / "port").write_text(settings["port"])
    server = [str(programs / "postgres"), "-D", str(data), *(f"--{name}={value}" for name, value in settings.items())]
    with open(folder / "log", "wb") as log:
        return subprocess.Popen(
            ["sh", "-c", _UNTIL_WE_END, "sh", *server],
            cwd=folder,
            env=os.environ | {"FOLDER": str(folder)},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **who,
        )


def _reached(server: subprocess.Popen[bytes], folder: Path) -> Cluster:
    cluster = Cluster(folder, int((folder / "port").read_text()))
    ends = time.monotonic() + _PATIENCE
    while True:
        try:
            cluster.run(f"CREATE DATABASE {_DATABASE}")
        except psycopg.OperationalError:
            if time.monotonic() > ends:
                raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}") from None
            time.sleep(0.05)
        else:
            return cluster


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port
