"""A ledger's tables as files of JSON lines, in which a change changes little; and a database that knows which files it has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import JSON, URL, Connection, Engine, Row, Table, event, literal_column, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from reconciler.core.model.jsons import parse_json
from reconciler.ledger.database import engine_for, keep_log
from reconciler.ledger.errors import unusable
from reconciler.ledger.tables import METADATA, RECORDED, SCHEMA, THINGS, WRITES, check_version, make_tables

_SUFFIX = ".jsonl"

_LINE = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# What the file of a row is told by; the tables that are not here have one file each.
_SPLIT = {WRITES.name: ("run",), THINGS.name: ("kind", "id")}


def file_of(table: str, *parts: str) -> str:
    """The file in which a row stands: writes by run, things in 256 files by kind and id."""
    if not parts:
        return f"{table}{_SUFFIX}"
    name = parts[0] if len(parts) == 1 else hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:2]
    return f"{table}/{name}{_SUFFIX}"


def table_of(path: str) -> str:
    """The table of which a file holds rows; empty where it is no such file."""
    name = path.partition("/")[0].removesuffix(_SUFFIX)
    return name if path.endswith(_SUFFIX) and path.count("/") == (name in _SPLIT) and name in METADATA.tables else ""


class Damaged(Exception):
    """Files that no release wrote."""


def load(path: str, place: str, files: Mapping[str, bytes]) -> Engine:
    """A SQLite database at a path, filled from files of rows; without files an empty ledger. Raises Damaged, and LedgerUnusable for a newer
    schema or where the database cannot be written."""
    engine = engine_for(URL.create("sqlite", database=path))
    event.listen(engine, "connect", _prepare)
    try:
        with unusable(place), _damage():
            keep_log(engine)
            with engine.begin() as connection:
                if files:
                    _fill(connection, place, files)
                else:
                    make_tables(connection, place)
                _watch(connection)
                if not files:
                    connection.exec_driver_sql("INSERT INTO touched VALUES (?)", (file_of(SCHEMA.name),)).close()
    except BaseException:
        engine.dispose()
        raise
    return engine


def _prepare(connection: Any, record: object) -> None:
    connection.create_function("file_of", -1, file_of, deterministic=True)
    # What survives this machine is the remote's.
    connection.execute("PRAGMA synchronous = OFF").close()


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except OperationalError:
        # The disk, not the data.
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, SQLAlchemyError) as error:
        raise Damaged from error


def take_changes(engine: Engine) -> dict[str, bytes]:
    """The files that changed since this was asked last, with what they hold now; one without rows is empty."""
    with engine.begin() as connection:
        paths = connection.exec_driver_sql("SELECT file FROM touched ORDER BY file").scalars().all()
        connection.exec_driver_sql("DELETE FROM touched").close()
        rows = {path: _read_rows(connection, path) for path in paths}
    return {path: _write_lines(lines) for path, lines in rows.items()}


def _fill(connection: Connection, place: str, files: Mapping[str, bytes]) -> None:
    """Make the tables and fill them from files."""
    _insert(connection, SCHEMA, files)
    check_version(connection, place)
    for table in RECORDED:
        if table.name != SCHEMA.name:
            _insert(connection, table, files)


def _insert(connection: Connection, table: Table, files: Mapping[str, bytes]) -> None:
    table.create(connection)
    for path in sorted(path for path in files if table_of(path) == table.name):
        if rows := [_read_row(table, line) for line in files[path].decode().split("\n") if line]:
            connection.execute(table.insert(), rows)


def _read_row(table: Table, line: str) -> dict[str, Any]:
    row = parse_json(line)
    for name, types in _column_types(table).items():
        # SQLite keeps a text where a number belongs: sqlite.org/flextypegood.html.
        if row[name] is not None and type(row[name]) not in types:
            raise ValueError(f"{table.name}.{name} has a value of another type")
    return dict(row)


@cache
def _column_types(table: Table) -> dict[str, tuple[type, ...]]:
    """What the values of each column are in Python; the columns of JSON take any."""
    kinds = {column.name: column.type.python_type for column in table.columns if not isinstance(column.type, JSON)}
    return {name: (float, int) if kind is float else (kind,) for name, kind in kinds.items()}


def _read_rows(connection: Connection, path: str) -> Sequence[Row[Any]]:
    table = METADATA.tables[table_of(path)]
    order = list(table.primary_key.columns) or list(table.columns)
    return connection.execute(select(table).where(literal_column(_file_in_sql(table)) == path).order_by(*order)).all()


def _write_lines(rows: Sequence[Row[Any]]) -> bytes:
    return b"".join(_LINE(dict(row._mapping)).encode() + b"\n" for row in rows)


def _file_in_sql(table: Table, of: str = "") -> str:
    """The file of a row, in SQL."""
    return f"file_of({', '.join([repr(table.name), *(of + name for name in _SPLIT.get(table.name, ()))])})"


def _watch(connection: Connection) -> None:
    """Let the database note in which files a row came, went or became another."""
    connection.exec_driver_sql("CREATE TABLE touched (file TEXT PRIMARY KEY) WITHOUT ROWID").close()
    for table in RECORDED:
        if table.name in _SPLIT:
            connection.exec_driver_sql(f"CREATE INDEX {table.name}_by_file ON {table.name} ({_file_in_sql(table)})").close()
        for what, rows in {"INSERT": ("NEW.",), "UPDATE": ("OLD.", "NEW."), "DELETE": ("OLD.",)}.items():
            notes = " ".join(f"INSERT OR IGNORE INTO touched VALUES ({_file_in_sql(table, row)});" for row in rows)
            connection.exec_driver_sql(f"CREATE TRIGGER {table.name}_{what} AFTER {what} ON {table.name} BEGIN {notes} END").close()
