"""The ledger's tables and their schema version; the same code for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    func,
    inspect,
    select,
)

from reconciler.core.model.record import Thing
from reconciler.ledger.database import in_chunks
from reconciler.ledger.errors import BEFORE, LedgerUnusable

# What the tables below are; 0.1.0 begins with it.
VERSION = 1

METADATA = MetaData()

SCHEMA = Table("ledger_schema", METADATA, Column("version", Integer, nullable=False))

# Every key that ever wrote here, by fingerprint.
KEYS = Table("ledger_keys", METADATA, Column("fingerprint", String, primary_key=True), Column("since", Float, nullable=False))

# (app_id, name) is whose run it was, the name being the manifest's; `key` is the fingerprint of the key that wrote it. A run without
# `ended` was killed, or goes on. `policy` is the one it was applied under, `files` are those that were read.
RUNS = Table(
    "runs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("verb", String, nullable=False),
    Column("app_id", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", String, nullable=False),
    Column("key", String, nullable=False),
    Column("who", String, nullable=False),
    Column("revision", String, nullable=False),
    Column("manifest_digest", String, nullable=False),
    Column("plan_digest", String, nullable=False),
    Column("files", JSON(none_as_null=True)),
    Column("policy", JSON(none_as_null=True)),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Column("exit_code", Integer),
    Column("counts", JSON(none_as_null=True)),
    # The repository it was applied from: empty where git did not say, null where nobody asked.
    Column("remote", String),
    Column("first_commit", String),
    Index("runs_by_owner", "app_id", "name", "started"),
)

# The status of a create that found in place what somebody else made.
MET = 409

# The status of a create that failed because an archived thing had its value: `live_id` is that one, which was brought back to see it.
STRANGER = 410

# The status of a write that failed because an archived thing keeps its value: `live_id` is that one, which nobody looked at.
HELD = 423

# What a run had in its plan, one row a change: `intended` is when its call was about to be sent (0: it was not), `outcome` and `settled`
# come after it. `thing` and `target` are keyed digests of app id and address, `address` and
# `target_address` the same for people, without e-mails;
# `fields` are digests of the values by path. `thing_id` and `target_id` are the live ids known before the call, `live_id` the one that
# its reply showed. `proof`: what is made was proved not to be there. `superseded`: a later write to the same place was done.
WRITES = Table(
    "writes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", String, ForeignKey(RUNS.c.id), nullable=False),
    Column("action", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("thing", String, nullable=False),
    Column("address", String, nullable=False),
    Column("thing_id", String),
    Column("link", String, nullable=False),
    Column("target", String, nullable=False),
    Column("target_address", String, nullable=False),
    Column("target_id", String),
    Column("fields", JSON(none_as_null=True)),
    Column("proof", Boolean, nullable=False),
    Column("intended", Float, nullable=False),
    Column("outcome", String),
    Column("status", Integer),
    Column("live_id", String),
    Column("settled", Float),
    Column("superseded", Boolean, nullable=False),
    Index("writes_by_run", "run"),
    Index("writes_by_thing", "thing"),
)

# What is known of each live thing, by owner and by the key that wrote it: `Record`. `fields` and `links` are JSON texts, read
# only where they are needed.
THINGS = Table(
    "things",
    METADATA,
    Column("app_id", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("thing", String, nullable=False),
    Column("address", String, nullable=False),
    Column("owned", Boolean, nullable=False),
    Column("protected", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("file", String, nullable=False),
    Column("run", String, nullable=False),
    Column("written", Float, nullable=False),
    Column("fields", String, nullable=False),
    Column("links", String, nullable=False),
    sqlite_with_rowid=False,
)

# Claims that a write's reply did not show: `place` is the keyed digest of thing and path, `claim` that of thing, path and value.
INEFFECTIVE = Table(
    "ineffective",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("place", String, nullable=False),
    Column("claim", String, nullable=False),
    Column("noted", Float, nullable=False),
    Index("ineffective_by_place", "place"),
)

# The `place` of a run that something is left of and that the table of runs lacks: `claim` is its id, and `noted` when that was seen.
LOST_RUN = "lost run"

# Who holds the lock of a workspace, for who waits for it; the lock itself is not here.
HOLDERS = Table(
    "holders", METADATA, Column("app_id", String, primary_key=True), Column("who", String, nullable=False), Column("since", Float)
)

# What runs were about to destroy, without personal values, where the home keeps it in the database; for thirty days.
IMAGES = Table("images", METADATA, Column("run", String, primary_key=True), Column("stored", Float), Column("preimage", String))


# What a ledger has recorded, wherever it keeps the rest.
RECORDED = tuple(table for table in METADATA.sorted_tables if table not in (HOLDERS, IMAGES))

# The advisory lock of PostgreSQL under which tables are made: eight bytes that nobody else uses.
_MAKING = int.from_bytes(b"recntbls")


def unless_there(connection: Connection, table: Table) -> Any:
    """An insert that does nothing where the row is there already, whoever was faster.

    Imported when they are used: PostgreSQL's dialects cost a twentieth of the time in which a small plan is made.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()


def match_things(names: Collection[Thing]) -> Iterator[ColumnElement[bool]]:
    """Conditions on rows of things, which are together those of these names. One for each kind, for SQLite finds pairs by no index."""
    for kind in sorted({kind for kind, _ in names}):
        for chunk in in_chunks([id for of, id in names if of == kind]):
            yield (THINGS.c.kind == kind) & THINGS.c.id.in_(chunk)


def is_current(connection: Connection, place: str) -> bool:
    """Whether the tables are there; refuses those of another schema, and the database of something else."""
    schemas = connection.get_execution_options().get("schema_translate_map", {})
    names = inspect(connection).get_table_names(schema=schemas.get(None))
    if not names:
        return False
    if SCHEMA.name not in names:
        raise LedgerUnusable(place, "it is a database of something else")
    check_version(connection, place)
    if THINGS.name not in names:
        raise LedgerUnusable(place, BEFORE)
    return True


def check_version(connection: Connection, place: str) -> None:
    """Refuses another schema version than this one."""
    version = connection.scalar(select(func.max(SCHEMA.c.version)))
    if not isinstance(version, int) or version < 1:
        raise LedgerUnusable(place, "it names no schema version")
    if version > VERSION:
        raise LedgerUnusable(place, "it was made by a newer reconciler, or by one from before 0.1.0", "upgrade, or move it away")


def make_tables(connection: Connection, place: str) -> None:
    """Create the tables where there are none; refuses what `is_current` refuses."""
    alone(connection)
    if not is_current(connection, place):
        METADATA.create_all(connection)
        connection.execute(SCHEMA.insert().values(version=VERSION))


def alone(connection: Connection) -> None:
    """Wait until nobody else makes tables, up to the end of this transaction; a writer of SQLite is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING))).close()
