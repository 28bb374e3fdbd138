"""The ledger's tables and their schema version, which only ever moves forward; the same code for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    inspect,
    select,
    update,
)

from reconciler.ledger.errors import LedgerUnusable

Migration = Callable[[Connection], None]

# Step n leads from schema n + 1 to n + 2. Tables are created as they stand below; a step changes those that an older release created.
MIGRATIONS: tuple[Migration, ...] = ()

METADATA = MetaData()

SCHEMA = Table("ledger_schema", METADATA, Column("version", Integer, nullable=False))

# Every key that ever wrote here, by fingerprint.
KEYS = Table("ledger_keys", METADATA, Column("fingerprint", String, primary_key=True), Column("since", Float, nullable=False))

# `name` is the manifest's: (app_id, name) is whose run it was. A run without `ended` was killed, or goes on.
RUNS = Table(
    "runs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("app_id", String, nullable=False),
    Column("region", String, nullable=False),
    Column("name", String, nullable=False),
    Column("manifest_digest", String, nullable=False),
    Column("plan_digest", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Column("exit_code", Integer),
    Column("counts", JSON(none_as_null=True)),
    Index("runs_by_owner", "app_id", "name", "started"),
)

# The intent, with the outcome added after the call. `thing` and `target` are keyed digests of app id and address; `fields` are paths,
# without values. `thing_id` and `target_id` are the live ids known before the call, `live_id` the one that its reply showed.
WRITES = Table(
    "writes",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("run", String, ForeignKey(RUNS.c.id), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("action", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("thing", String, nullable=False),
    Column("thing_id", String),
    Column("link", String),
    Column("target", String),
    Column("target_id", String),
    Column("fields", JSON(none_as_null=True)),
    Column("intended", Float, nullable=False),
    Column("outcome", String),
    Column("status", Integer),
    Column("live_id", String),
    Column("settled", Float),
    UniqueConstraint("run", "seq"),
    Index("writes_by_thing", "thing", "id"),
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


def is_current(connection: Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> bool:
    """Whether the tables are there in the newest schema; refuses a newer or a foreign one."""
    return _version(connection, place, len(migrations) + 1) == len(migrations) + 1


def upgrade(connection: Connection, place: str, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Create the tables in an empty database, or take an older schema forward; refuses a newer or a foreign one."""
    latest = len(migrations) + 1
    version = _version(connection, place, latest)
    if version == 0:
        METADATA.create_all(connection)
        connection.execute(SCHEMA.insert().values(version=latest))
        return
    for step in migrations[version - 1 :]:
        step(connection)
    connection.execute(update(SCHEMA).values(version=latest))


def _version(connection: Connection, place: str, latest: int) -> int:
    """The schema version that is there; 0 where there is nothing at all."""
    names = inspect(connection).get_table_names()
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
