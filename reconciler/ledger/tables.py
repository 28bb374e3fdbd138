"""The ledger's tables and their schema version, which only ever moves forward; the same code for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
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
    text,
    update,
)

from reconciler.ledger.errors import LedgerUnusable

Migration = Callable[[Connection], None]

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
    Column("verb", String, nullable=False, server_default="apply"),
    Column("app_id", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", String, nullable=False),
    Column("key", String, nullable=False, server_default=""),
    Column("who", String, nullable=False, server_default=""),
    Column("revision", String, nullable=False, server_default=""),
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
    Column("link", String, nullable=False, server_default=""),
    Column("target", String, nullable=False, server_default=""),
    Column("target_address", String, nullable=False, server_default=""),
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
    Index("ineffective_by_claim", "claim"),
)

# Who holds the lock of a workspace, for who waits for it; the lock itself is not here.
HOLDERS = Table(
    "holders", METADATA, Column("app_id", String, primary_key=True), Column("who", String, nullable=False), Column("since", Float)
)

# What runs were about to destroy, without personal values, where the home keeps it in the database; for thirty days.
IMAGES = Table("images", METADATA, Column("run", String, primary_key=True), Column("stored", Float), Column("preimage", String))


def _from_first(connection: Connection) -> None:
    """Schema 1 knew runs and writes. Its runs stay; its writes become what they prove: live ids, and creates that were never answered.

    None of its things is owned: it did not say which of its creates found somebody there.
    """
    columns = ("verb VARCHAR NOT NULL DEFAULT 'apply'", "key VARCHAR NOT NULL DEFAULT ''", "who VARCHAR NOT NULL DEFAULT ''")
    for column in (*columns, "revision VARCHAR NOT NULL DEFAULT ''", "files JSON", "policy JSON"):
        connection.execute(text(f"ALTER TABLE runs ADD COLUMN {column}"))
    connection.execute(text("ALTER TABLE writes RENAME TO writes_first"))
    connection.execute(text("DROP INDEX IF EXISTS writes_by_thing"))
    METADATA.create_all(connection)
    for statement in (_KEYED, _KNOWN, _UNANSWERED, "DROP TABLE writes_first"):
        connection.execute(text(statement))


def _from_second(connection: Connection) -> None:
    """Schema 2 held one record of a thing for all keys, so that a run with a wrong key took the place of what the right one knew."""
    names = ", ".join(THINGS.primary_key.columns.keys())
    if connection.dialect.name == "postgresql":
        schema = connection.get_execution_options()["schema_translate_map"][None]
        connection.execute(text(f"ALTER TABLE {schema}.things DROP CONSTRAINT things_pkey, ADD PRIMARY KEY ({names})"))
        return
    connection.execute(text("ALTER TABLE things RENAME TO things_second"))
    THINGS.create(connection)
    columns = ", ".join(THINGS.columns.keys())
    connection.execute(text(f"INSERT INTO things ({columns}) SELECT {columns} FROM things_second"))
    connection.execute(text("DROP TABLE things_second"))


def _from_third(connection: Connection) -> None:
    """Schema 3 did not say from which repository a run was applied."""
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    known = {column["name"] for column in inspect(connection).get_columns("runs", schema=schema)}
    for column in ("remote", "first_commit"):
        if column not in known:
            connection.execute(text(f"ALTER TABLE {f'{schema}.' if schema else ''}runs ADD COLUMN {column} VARCHAR"))


# A key is there since its first run; schema 1 did not say whose a run was, so it is the newest key's of its time.
_KEYED = """
UPDATE runs SET key = COALESCE((SELECT fingerprint FROM ledger_keys WHERE since <= runs.started ORDER BY since DESC LIMIT 1), '')
"""
# The last write of each name to each thing that told its live id, unless that id was deleted since.
_KNOWN = """
WITH told AS (
  SELECT w.id AS number, r.app_id, r.name, r.key, w.run, w.action, w.kind, COALESCE(w.live_id, w.thing_id) AS id, w.thing, w.settled
  FROM writes_first w JOIN runs r ON r.id = w.run
  WHERE w.outcome IN ('applied', 'ineffective')
    AND (w.action IN ('create', 'unarchive', 'rename', 'update', 'delete') OR (w.link IS NOT NULL AND w.thing_id IS NOT NULL))
), gone AS (SELECT app_id, kind, id, MAX(number) AS number FROM told WHERE action = 'delete' GROUP BY app_id, kind, id)
INSERT OR REPLACE INTO things
  (app_id, name, kind, id, key, thing, address, owned, protected, deleted, file, run, written, fields, links)
SELECT t.app_id, t.name, t.kind, t.id, t.key, t.thing, '', 0, 0, 0, '', t.run, t.settled, '{}', '{}'
FROM told t LEFT JOIN gone g ON g.app_id = t.app_id AND g.kind = t.kind AND g.id = t.id AND g.number > t.number
WHERE t.number IN (SELECT MAX(number) FROM told GROUP BY app_id, name, thing)
  AND t.action != 'delete' AND t.id IS NOT NULL AND g.id IS NULL ORDER BY t.number
"""
_UNANSWERED = """
INSERT INTO writes (run, action, kind, thing, address, proof, intended, superseded)
SELECT run, action, kind, thing, '', 0, intended, 0 FROM writes_first w WHERE action = 'create' AND outcome IS NULL
  AND NOT EXISTS (SELECT 1 FROM writes_first l WHERE l.thing = w.thing AND l.id > w.id AND l.outcome IN ('applied', 'ineffective'))
ORDER BY id
"""

# The advisory lock of PostgreSQL under which tables are made: eight bytes that nobody else uses.
_MAKING = int.from_bytes(b"recntbls")

# Step n leads from schema n + 1 to n + 2. Tables are created as they stand above; a step changes those that an older release created.
MIGRATIONS: tuple[Migration, ...] = (_from_first, _from_second, _from_third)


def unless_there(connection: Connection, table: Table) -> Any:
    """An insert that does nothing where the row is there already, whoever was faster.

    Imported when they are used: PostgreSQL's dialects cost a twentieth of the time in which a small plan is made.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table).on_conflict_do_nothing()


def is_current(connection: Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether the tables are there in the newest schema; refuses a newer or a foreign one."""
    return _version(connection, place, len(migrations) + 1) == len(migrations) + 1


def upgrade(connection: Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables in an empty database, or take an older schema forward; refuses a newer or a foreign one."""
    latest = len(migrations) + 1
    alone(connection)
    version = _version(connection, place, latest)
    if version == 0:
        METADATA.create_all(connection)
        connection.execute(SCHEMA.insert().values(version=latest))
        return
    for step in migrations[version - 1 :]:
        step(connection)
    connection.execute(update(SCHEMA).values(version=latest))


def alone(connection: Connection) -> None:
    """Wait until nobody else makes or changes tables, up to the end of this transaction; a writer of SQLite is alone already."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_MAKING))).close()


def _version(connection: Connection, place: str, latest: int) -> int:
    """The schema version that is there; 0 where there is nothing at all."""
    schemas = connection.get_execution_options().get("schema_translate_map", {})
    names = inspect(connection).get_table_names(schema=schemas.get(None))
    if not names:
        return 0
    if SCHEMA.name not in names:
        raise LedgerUnusable(place, "it is a database of something else")
    version = connection.scalar(select(func.max(SCHEMA.c.version)))
    if not isinstance(version, int) or version < 1:
        raise LedgerUnusable(place, "it names no schema version")
    if version > latest:
        raise LedgerUnusable(place, f"a newer reconciler wrote it (schema {version}, this one knows {latest})", "upgrade reconciler")
    return version
