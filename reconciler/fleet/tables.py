"""The tables of rollouts, beside those of the ledger; the same for SQLite and PostgreSQL. No token and no personal value is in them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, Column, Connection, Float, ForeignKey, Index, Integer, MetaData, String, Table, func, inspect, select

from reconciler.errors import ReconcilerError
from reconciler.ledger.tables import alone

# What the tables below are.
VERSION = 1

METADATA = MetaData()


def _end_columns() -> tuple[Column[Any], ...]:
    """How a run of a workspace ended, and what its plan holds."""
    return (
        Column("exit", Integer),
        Column("reason", String, nullable=False),
        Column("shape", String),
        Column("changes", Integer),
        Column("people", Integer),
        Column("calls", Integer),
    )


SCHEMA = Table("fleet_schema", METADATA, Column("version", Integer, nullable=False))

# One rollout. `waves` are as in `fleet.yaml`; `wave` is the number of the one that has begun last, from 0 (-1: none has), and `wave_ended`
# when it was done. `until`: when a wait ends, null where it waits for people. `reason`: why it was stopped, or what it waits for.
# `of_group`: the group that it is limited to. Times are Unix seconds.
ROLLOUTS = Table(
    "fleet_rollout",
    METADATA,
    Column("id", String, primary_key=True),
    Column("fleet", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("phase", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("of_group", String),
    Column("waves", JSON, nullable=False),
    Column("wave", Integer, nullable=False),
    Column("wave_ended", Float),
    Column("until", Float),
    Column("who", String, nullable=False),
    Column("started", Float, nullable=False),
    Column("ended", Float),
    Index("fleet_rollout_by_fleet", "fleet", "started"),
)

# One workspace of a rollout. `place`: where in the order. `turn`: how often it was begun since people queued it; `begun`: how often at all,
# which tells one try from another; `later`: not before this time; `sent`: whether its job was put into the queue. `approved`: the shape
# that people approved, empty where they saw no plan. `worker`: who has it. The rest is what became of it; `plan` is what people look at,
# with personal values masked.
RUNS = Table(
    "fleet_run",
    METADATA,
    Column("rollout", String, ForeignKey(ROLLOUTS.c.id), primary_key=True),
    Column("app_id", String, primary_key=True),
    Column("of_group", String),
    Column("wave", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("state", String, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("begun", Integer, nullable=False),
    Column("later", Float, nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("approved", String),
    Column("worker", String, nullable=False),
    *_end_columns(),
    Column("plan", JSON(none_as_null=True)),
    Column("started", Float),
    Column("ended", Float),
    Index("fleet_run_by_state", "rollout", "state", "place"),
    Index("fleet_run_by_wave", "rollout", "wave", "state"),
)

# What is known of a workspace now: how its last run ended, whatever the rollout, and whether its last look met drift.
LAST = Table(
    "fleet_last",
    METADATA,
    Column("fleet", String, primary_key=True),
    Column("app_id", String, primary_key=True),
    Column("of_group", String),
    Column("rollout", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("state", String, nullable=False),
    *_end_columns(),
    Column("drifted", Boolean),
    Column("ended", Float, nullable=False),
)


def check_ours(connection: Connection, place: str) -> None:
    """Raises ReconcilerError for a file that holds the tables of something else alone."""
    names = inspect(connection).get_table_names()
    if names and SCHEMA.name not in names:
        raise ReconcilerError(f"{place} is a database of something else; name another store")


def make_tables(connection: Connection, place: str) -> None:
    """Create the tables where they are missing. Raises ReconcilerError for those of a newer version."""
    schema = connection.get_execution_options().get("schema_translate_map", {}).get(None)
    if not inspect(connection).has_table(SCHEMA.name, schema=schema):
        alone(connection)
        if not inspect(connection).has_table(SCHEMA.name, schema=schema):
            METADATA.create_all(connection)
            connection.execute(SCHEMA.insert().values(version=VERSION))
    if connection.scalar(select(func.max(SCHEMA.c.version))) != VERSION:
        raise ReconcilerError(f"the rollouts in {place} are of another version of reconciler; upgrade, or name another store")
