"""The engine: SQLite with write-ahead log and explicit transactions, or whatever else the URL names."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.util import LRUCache

from reconciler.core.model.jsons import parse_json

T = TypeVar("T")

# Seconds for which a write waits for another process.
_BUSY = 30
# Named, so that each is imported where there is such a ledger.
registry.register("sqlite.shared", "reconciler.ledger.dialects.sqlite", "SharedDialect")
registry.register("postgresql.shared", "reconciler.ledger.dialects.postgres", "SharedDialect")
# What was compiled for any ledger of this process.
COMPILED: LRUCache[Any, Any] = LRUCache(500)


def engine_for(url: str | URL) -> Engine:
    """An engine whose errors show no parameters."""
    url = make_url(url)
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, json_deserializer=parse_json)
    # What lies in memory lives as long as its one connection, which all threads share.
    alone: dict[str, Any] = {} if url.database else {"poolclass": StaticPool}
    arguments = {"timeout": _BUSY} | ({} if url.database else {"check_same_thread": False})
    engine = create_engine(
        url.set(drivername="sqlite+shared"),
        hide_parameters=True,
        json_deserializer=parse_json,
        connect_args=arguments,
        execution_options={"compiled_cache": COMPILED},
        **alone,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def for_reading(engine: Engine) -> Engine:
    """The same engine for transactions that only read, each of them one moment of the database, and wait for no writer."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.execution_options(reads=True)


def keep_log(engine: Engine) -> None:
    """Put a SQLite database that is ours into WAL mode, in which it stays: sqlite.org/wal.html."""
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            _log_ahead(connection.cursor())
        finally:
            connection.close()


def _log_ahead(cursor: Any) -> None:
    """Where several open a new database at once, SQLite refuses all but one right away, instead of letting them wait."""
    ends = time.monotonic() + _BUSY
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
        time.sleep(0.01)


def _prepare(connection: Any, record: object) -> None:
    # The driver's own BEGIN comes late, before the first write only: docs.sqlalchemy.org, SQLite, transactions.
    connection.isolation_level = None
    try:
        # In WAL mode NORMAL survives the death of the process; of the machine, all but the last transactions: sqlite.org/pragma.html.
        connection.execute("PRAGMA synchronous = NORMAL").close()
        connection.execute("PRAGMA foreign_keys = ON").close()
    except BaseException:
        connection.close()
        raise


def _begin(connection: Connection) -> None:
    # A transaction that reads before it writes fails at once when another process wrote in between, unless it starts as a writer.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")


def in_chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at once as a statement takes: SQLite before 3.32 allows 999 parameters, sqlite.org/limits.html; a pair is two."""
    return (items[start : start + 400] for start in range(0, len(items), 400))
