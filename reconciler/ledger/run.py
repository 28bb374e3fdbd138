"""A run as the tables hold it: begun, planned, intended, settled. Writes of one connection."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from reconciler.core.model.attempt import Place
from reconciler.core.model.change import Change, LinkChange
from reconciler.ledger.digests import Digests
from reconciler.ledger.tables import KEYS, RUNS, WRITES, unless_there

OUTCOMES = frozenset({"applied", "ineffective", "failed", "skipped"})
# Outcomes that prove that Intercom did it; `ineffective` did all but some fields.
_DONE = ("applied", "ineffective")
# Outcomes are kept so long, in seconds; what was never done, until something else is done there.
KEPT = 30 * 86400.0

# Building a statement costs more than running it, so those of every call are built once.
_PLAN = WRITES.insert()
_PLANNED = select(WRITES.c.id).where(WRITES.c.run == bindparam("of")).order_by(WRITES.c.id)
_INTEND = (
    update(WRITES)
    .where(WRITES.c.id == bindparam("write"))
    .values(intended=bindparam("at"), thing_id=bindparam("source"), target_id=bindparam("other"))
)
_SETTLE = (
    update(WRITES)
    .where(WRITES.c.id == bindparam("write"))
    .values(outcome=bindparam("word"), live_id=bindparam("live"), status=bindparam("code"), settled=bindparam("at"))
)
_SUPERSEDE = (
    update(WRITES)
    .where(WRITES.c.thing == bindparam("of"), WRITES.c.link == bindparam("in_list"), WRITES.c.target == bindparam("to"))
    .where(WRITES.c.id < bindparam("before"), ~WRITES.c.superseded)
    .values(superseded=True)
)


@dataclass(frozen=True, slots=True)
class RunHead:
    """What is known of a run when it starts; each field is a column."""

    # The workspace.
    app_id: str
    # Where it is: us, eu or au.
    region: str
    # The manifest's name.
    name: str
    # The digest of the manifest as it was loaded.
    manifest_digest: str
    # The digest of the plan.
    plan_digest: str
    # What was called: apply, undo or adopt.
    verb: str = "apply"
    # A person and a machine.
    who: str = ""
    # The commit at which the manifest was read.
    revision: str = ""
    # The files that were read.
    files: Sequence[str] = ()
    # The policy under which it is applied.
    policy: Mapping[str, Any] = field(default_factory=dict)
    # The repository it was applied from, None where the ledger belongs to one folder, or repository, anyway.
    remote: str | None = None
    # The first commit of that repository.
    first_commit: str | None = None


class Settlement(NamedTuple):
    """What became of a write. A message is never kept."""

    # Its number.
    write: int
    # One of `OUTCOMES`.
    outcome: str
    # The live id that the reply showed.
    live_id: str | None = None
    # The HTTP status of the reply; MET where a create found somebody in place, STRANGER where that was an archived somebody else,
    # HELD where that one was not looked at.
    status: int | None = None


class PlannedWrite(NamedTuple):
    """A change that a run has in its plan."""

    # What is to be done.
    change: Change
    # Whether what it makes was proved not to be there, in the same run.
    proof: bool = False


def run_id(now: float) -> str:
    """A new id of a run that starts now, in Unix seconds."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"{stamp}-{secrets.token_hex(4)}"


def insert_run(connection: Connection, digests: Digests, run: str, now: float, head: RunHead) -> None:
    """A run that starts now; what is done and old goes."""
    row = {column.name: digests.plainly(getattr(head, column.name)) for column in fields(head)}
    connection.execute(unless_there(connection, KEYS).values(fingerprint=digests.fingerprint, since=now))
    old = WRITES.c.run.in_(select(RUNS.c.id).where(RUNS.c.started < now - KEPT))
    connection.execute(delete(WRITES).where(old & (WRITES.c.outcome.in_(_DONE) | WRITES.c.superseded)))
    connection.execute(RUNS.insert().values(id=run, started=now, key=digests.fingerprint, **row))


def insert_writes(connection: Connection, digests: Digests, app_id: str, run: str, writes: Sequence[PlannedWrite]) -> dict[int, Place]:
    """All that a run has in its plan, in its order: by their numbers, where they are."""
    rows = [_row(digests, app_id, *write) | {"run": run} for write in writes]
    connection.execute(_PLAN, rows)
    numbers = connection.scalars(_PLANNED, {"of": run}).all()[-len(rows) :]
    return {n: Place(r["thing"], r["link"], r["target"]) for n, r in zip(numbers, rows, strict=True)}


def intend_writes(connection: Connection, now: float, writes: Mapping[int, Change]) -> None:
    """The calls of these changes are about to be sent, with the live ids known by now."""
    rows = [{"write": n, "at": now, "source": change.id, "other": getattr(change, "target_id", None)} for n, change in writes.items()]
    connection.execute(_INTEND, rows)


def settle_writes(connection: Connection, now: float, settlements: Sequence[Settlement], places: Mapping[int, Place]) -> None:
    """What became of writes; what was tried before where one was done counts no more."""
    if unknown := {s.outcome for s in settlements} - OUTCOMES:
        raise ValueError(f"no outcomes: {len(unknown)} of {len(settlements)}")
    rows = [{"write": s.write, "word": str(s.outcome), "live": s.live_id, "code": s.status, "at": now} for s in settlements]
    write_ids = [s.write for s in settlements if s.outcome in _DONE]
    former = [dict(zip(("of", "in_list", "to"), places[write], strict=True)) | {"before": write} for write in write_ids]
    if rows:
        connection.execute(_SETTLE, rows)
    if former:
        connection.execute(_SUPERSEDE, former)


def _row(digests: Digests, app_id: str, change: Change, proof: bool) -> dict[str, Any]:
    """A planned change as its row."""
    thing = digests.thing(app_id, change.address)
    row: dict[str, Any] = {"action": change.action.value, "kind": change.address.kind, "thing": thing, "thing_id": change.id}
    row |= {"address": digests.address(change.address), "proof": proof, "intended": 0.0, "superseded": False}
    row |= {"link": "", "target": "", "target_address": "", "target_id": None, "fields": None}
    if isinstance(change, LinkChange):
        target = digests.thing(app_id, change.target)
        target_name = digests.address(change.target)
        return row | {"link": change.link.field, "target": target, "target_address": target_name, "target_id": change.target_id}
    fields = {digests.plain(f.path): digests.claim(thing, f.path, f.after) for f in change.fields}
    return row | {"fields": fields or None}
