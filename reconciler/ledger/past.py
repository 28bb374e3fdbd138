"""The past as the tables hold it: runs, what became of what they planned, and whose things are. Reads of one connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from reconciler.core.compare.trail import Write
from reconciler.core.model.live import Workspace
from reconciler.core.model.outcome import Status
from reconciler.core.model.past import Done, Run
from reconciler.core.model.policy import KEYS
from reconciler.core.model.recipient import parse_recipient
from reconciler.core.model.record import LinkOrigin, Thing
from reconciler.ledger.database import in_chunks
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.tables import HELD, INEFFECTIVE, LOST_RUN, MET, RUNS, STRANGER, THINGS, WRITES, match_things


def count_runs(connection: Connection, app_id: str) -> tuple[int, int]:
    """How many runs of a workspace there are, and how many of these have ended."""
    every, ended = connection.execute(select(func.count(RUNS.c.id), func.count(RUNS.c.ended)).where(RUNS.c.app_id == app_id)).one()
    return every, ended


def read_runs(connection: Connection, place: str) -> list[Run]:
    """Every run, newest first. Raises LedgerUnusable, which calls the ledger `place`."""
    try:
        return [_read_run(row) for row in connection.execute(select(RUNS).order_by(RUNS.c.started.desc(), RUNS.c.id.desc()))]
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error


def _read_run(row: Row[Any]) -> Run:
    return Run(
        run=row.id,
        verb=row.verb,
        workspace=Workspace(row.app_id, row.region),
        name=row.name,
        who=row.who,
        started=row.started,
        ended=row.ended,
        exit_code=row.exit_code,
        counts=dict(row.counts or {}),
        revision=row.revision,
        manifest_digest=row.manifest_digest,
        plan_digest=row.plan_digest,
        files=tuple(row.files or ()),
    )


def read_undo_keys(connection: Connection, app_id: str, name: str, place: str) -> tuple[str, ...] | None:
    """The public keys that the last apply under a name encrypted to; None where there was none. Raises LedgerUnusable."""
    mine = (RUNS.c.app_id == app_id) & (RUNS.c.name == name) & (RUNS.c.verb == "apply")
    row = connection.execute(select(RUNS.c.policy).where(mine).order_by(RUNS.c.started.desc(), RUNS.c.id.desc()).limit(1)).first()
    try:
        return None if row is None else tuple(map(parse_recipient, (row.policy or {}).get(KEYS, ())))
    except (AttributeError, TypeError, ValueError):
        raise LedgerUnusable(place, "it is damaged") from None


def read_done(connection: Connection, run: str, place: str) -> list[Done]:
    """What a run had in its plan, in the order of the plan. Raises LedgerUnusable."""
    try:
        return [_read_write(row) for row in connection.execute(select(WRITES).where(WRITES.c.run == run).order_by(WRITES.c.id))]
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error


def _read_write(row: Row[Any]) -> Done:
    instead = "unanswered" if row.intended > 0 else "not started"
    live_id = row.thing_id if row.status in (STRANGER, HELD) else row.live_id or row.thing_id
    fields, is_met = tuple(row.fields or ()), row.status == MET
    return Done(row.action, row.address, row.target_address or None, row.outcome or instead, fields, live_id, is_met)


def read_written(connection: Connection, owner: tuple[str, str], things: Sequence[str], place: str) -> list[Write]:
    """The writes of applies that were done to these things. Raises LedgerUnusable."""
    mine = (RUNS.c.app_id == owner[0]) & (RUNS.c.name == owner[1]) & (RUNS.c.verb == "apply")
    is_applied = (WRITES.c.outcome == Status.APPLIED.value) & WRITES.c.settled.is_not(None) & (WRITES.c.run == RUNS.c.id) & mine
    try:
        return [
            Write(row.run, row.action, (row.thing, row.target), row.link, dict(row.fields or {}), row.settled)
            for chunk in in_chunks(things)
            for row in connection.execute(select(WRITES).where(is_applied, WRITES.c.thing.in_(chunk)))
        ]
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error


def read_workspaces(connection: Connection) -> dict[str, str]:
    """The workspaces of all runs: app id → region."""
    rows = connection.execute(select(RUNS.c.app_id, RUNS.c.region).order_by(RUNS.c.started))
    return {row.app_id: row.region for row in rows}


def read_owners(connection: Connection, app_id: str, name: str) -> dict[Thing, str]:
    """What other names own, whatever their key, and whose it is."""
    theirs = (THINGS.c.app_id == app_id) & (THINGS.c.name != name) & THINGS.c.owned & ~THINGS.c.deleted
    rows = connection.execute(select(THINGS.c.kind, THINGS.c.id, THINGS.c.name).where(theirs).order_by(THINGS.c.name))
    return {(row.kind, row.id): row.name for row in rows}


_NAMES = (THINGS.c.app_id, THINGS.c.name, THINGS.c.kind, THINGS.c.id)
_OURS = THINGS.alias()
_SAME = select(_OURS.c.id).where(*(_OURS.c[column.name] == column for column in _NAMES), _OURS.c.key == bindparam("key")).exists()
# Made once: to make it takes longer than to carry it out.
_UNREAD = select(func.count()).select_from(select(*_NAMES).distinct().where(THINGS.c.key != bindparam("key"), ~_SAME).subquery())


def count_unread(connection: Connection, key: str) -> str:
    """How many things were recorded with other keys alone, as people count; empty where there are none."""
    number = connection.scalar(_UNREAD, {"key": key})
    return f"{number} thing{'s' if number != 1 else ''}" if number else ""


def list_missing_runs(connection: Connection, imaged_ids: Collection[str]) -> set[str]:
    """The runs that are missing though things are recorded by them, or their pre-images are kept."""
    ids = {*imaged_ids, *connection.scalars(select(THINGS.c.run).where(THINGS.c.run != "").distinct())}
    return ids - set(connection.scalars(select(RUNS.c.id))) if ids else set()


def read_lost_runs(connection: Connection) -> Mapping[str, float]:
    """When which runs were seen to be missing, in Unix seconds."""
    rows = connection.execute(select(INEFFECTIVE.c.claim, INEFFECTIVE.c.noted).where(INEFFECTIVE.c.place == LOST_RUN))
    return {row.claim: row.noted for row in rows}


def note_lost_runs(connection: Connection, imaged_ids: Collection[str], now: float) -> None:
    """Note which runs are missing: once all their things are recorded by later ones, nothing else would say it."""
    for run in sorted(list_missing_runs(connection, imaged_ids) - read_lost_runs(connection).keys()):
        connection.execute(INEFFECTIVE.insert().values(place=LOST_RUN, claim=run, noted=float(int(now))))


def disown(connection: Connection) -> None:
    """What a ledger holds that is older than the last run here is recorded from now on, and no longer owned; what it calls our
    links is doubted."""
    connection.execute(
        update(THINGS).values(owned=False, links=func.replace(THINGS.c.links, f'"{LinkOrigin.OWNED}"', f'"{LinkOrigin.DOUBTED}"'))
    )
    connection.execute(update(WRITES).values(superseded=True))


def forget(connection: Connection, owner: tuple[str, str], names: Sequence[Thing]) -> None:
    """Nothing is known of these things any more, whatever key it was written with: who lets go of a thing means the thing."""
    app_id, name = owner
    for condition in match_things(names):
        connection.execute(delete(THINGS).where(THINGS.c.app_id == app_id, THINGS.c.name == name, condition))


def let_go(connection: Connection, owner: tuple[str, str], things: Sequence[str]) -> None:
    """Nothing that was once tried at these places counts any more: an answer that was lost would make them ours again."""
    app_id, name = owner
    theirs = WRITES.c.run.in_(select(RUNS.c.id).where(RUNS.c.app_id == app_id, RUNS.c.name == name))
    for chunk in in_chunks(things):
        connection.execute(update(WRITES).where(WRITES.c.thing.in_(chunk), theirs, ~WRITES.c.superseded).values(superseded=True))
