"""Advancing a rollout: what is to happen next, decided from what the tables say, in one transaction under the lock of its row.

It may be called at any time, by anybody, any number of times: the next wave begins once. So nobody has to live for a rollout to go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Row, func, select, update

from reconciler.fleet.fleet import Wave, allowance
from reconciler.fleet.states import Phase, State, Verb, describe_wait
from reconciler.fleet.tables import ROLLOUTS, RUNS

# What the next wave waits for.
OPEN = (State.QUEUED, State.RUNNING)


class Engine(Protocol):
    """What runs the jobs of workspaces that are queued. Both functions work in a transaction of the tables: the rows and the jobs are
    there together, or neither is."""

    def start(self, connection: Connection, rollout: str, app_ids: Sequence[str], *, writes: bool, later: float = 0.0) -> None:
        """See to it that each of these workspaces, which are queued, is run, and not before a time in Unix seconds."""

    def stop(self, connection: Connection, rollout: str) -> None:
        """Take back the jobs that have not begun."""


@dataclass(frozen=True)
class _Seen:
    """A rollout as its rows say it."""

    # The row of the rollout.
    row: Row[Any]
    # Its waves.
    waves: Sequence[Wave]
    # How many workspaces of each wave are in each state.
    counts: Mapping[int, Counter[str]]
    # How many of the wave that has begun have a plan that waits for people.
    waiting: int


def advance(connection: Connection, engine: Engine, rollout: str, now: float) -> Phase:
    """Do what is to be done next, and say how far the rollout is then."""
    phase = None
    while phase is None:
        # A wave has begun, and there may be nobody in it.
        phase = _step(connection, engine, rollout, now)
    return phase


def lock_rollout(connection: Connection, rollout: str) -> Row[Any] | None:
    """The row of a rollout, which nobody else changes before this transaction ends: one of SQLite has the whole database."""
    return connection.execute(select(ROLLOUTS).where(ROLLOUTS.c.id == rollout).with_for_update()).first()


def waves_of(row: Row[Any]) -> list[Wave]:
    """The waves of a rollout."""
    return [Wave(**wave) for wave in row.waves]


def _step(connection: Connection, engine: Engine, rollout: str, now: float) -> Phase | None:
    row = lock_rollout(connection, rollout)
    if row is None or row.phase in (Phase.STOPPED, Phase.DONE):
        return Phase(row.phase) if row else Phase.DONE
    seen = _look(connection, row)
    for number in range(row.wave + 1):
        if reason := over_budget(seen.waves[number], seen.counts[number]):
            stop(connection, engine, rollout, reason, now)
            return Phase.STOPPED
    if any(seen.counts[number][state] for number in range(row.wave + 1) for state in OPEN):
        _fill(connection, engine, seen, now)
        return _note(connection, row, Phase.RUNNING)
    if seen.waiting:
        return _note(connection, row, Phase.WAITING, _say_plans(seen))
    return _go_on(connection, engine, seen, now)


def _go_on(connection: Connection, engine: Engine, seen: _Seen, now: float) -> Phase | None:
    """The wave is done: wait as long as it says, then begin the next, or end where nobody is left. None where one began."""
    row, number = seen.row, seen.row.wave + 1
    if not any(seen.counts[later].total() for later in range(number, len(seen.waves))):
        connection.execute(_rollout(row.id).values(phase=Phase.DONE, reason="", until=None, ended=now))
        return Phase.DONE
    ended = row.wave_ended if row.wave_ended is not None else now
    # Nothing is to be seen of a wave that nobody is in.
    until = ended + seen.waves[row.wave].wait if row.wave >= 0 and seen.counts[row.wave] else now
    if until > now:
        return _note(connection, row, Phase.WAITING, describe_wait(until), until, ended)
    connection.execute(_rollout(row.id).values(phase=Phase.RUNNING, reason="", wave=number, wave_ended=None, until=None))
    values: dict[str, Any] = {"state": State.QUEUED, "turn": 0, "later": 0.0, "sent": False}
    if seen.waves[number].approve:
        values["approved"] = None
    begun = (RUNS.c.wave == number) & (RUNS.c.state == State.HELD)
    connection.execute(update(RUNS).where(RUNS.c.rollout == row.id, begun).values(**values))
    if seen.waves[number].in_flight is None:
        queue(connection, engine, row, (RUNS.c.wave == number) & (RUNS.c.state == State.QUEUED), {})
    return None


def _fill(connection: Connection, engine: Engine, seen: _Seen, now: float) -> None:
    """Put as many workspaces of the wave into the queue as may be under way: the others would only be taken out and put off again."""
    row, counts, most = seen.row, seen.counts[seen.row.wave], seen.waves[seen.row.wave].in_flight
    if most is None or not counts[State.QUEUED]:
        return
    queued = (RUNS.c.rollout == row.id) & (RUNS.c.wave == row.wave) & (RUNS.c.state == State.QUEUED)
    due = connection.scalar(select(func.count()).where(queued, RUNS.c.sent.is_(True), RUNS.c.later <= now)) or 0
    unsent = select(RUNS.c.app_id).where(queued, RUNS.c.sent.is_(False)).order_by(RUNS.c.place)
    queue(connection, engine, row, RUNS.c.app_id.in_(unsent.limit(max(0, most - counts[State.RUNNING] - due))), {})


def queue(connection: Connection, engine: Engine, row: Row[Any], which: Any, values: Mapping[str, Any]) -> int:
    """Queue the workspaces of a rollout that a condition means, with their jobs, and say how many they are."""
    mine = (RUNS.c.rollout == row.id) & which
    app_ids = connection.scalars(select(RUNS.c.app_id).where(mine).order_by(RUNS.c.place)).all()
    if app_ids:
        connection.execute(update(RUNS).where(mine).values(**values, sent=True))
        engine.start(connection, row.id, app_ids, writes=Verb(row.verb).writes, later=values.get("later", 0.0))
    return len(app_ids)


def stop(connection: Connection, engine: Engine, rollout: str, reason: str, now: float) -> None:
    """Stop a rollout whose row is locked: what is queued is held, what runs ends by itself."""
    connection.execute(_rollout(rollout).values(phase=Phase.STOPPED, reason=reason, until=None, ended=now))
    connection.execute(update(RUNS).where(RUNS.c.rollout == rollout, RUNS.c.state == State.QUEUED).values(state=State.HELD))
    engine.stop(connection, rollout)


def over_budget(wave: Wave, counts: Counter[str]) -> str:
    """Why a rollout stops for what became of the workspaces of one of its waves; empty where it goes on."""
    number = counts.total()
    for state, limit in ((State.FAILED, wave.failures), (State.REFUSED, wave.refused)):
        if counts[state] > allowance(limit, number):
            of = f"wave {wave.name}: " if wave.name else ""
            return f"{of}{counts[state]:,} of {number:,} {state}, and its budget is {limit}"
    return ""


def _look(connection: Connection, row: Row[Any]) -> _Seen:
    mine, counts = RUNS.c.rollout == row.id, dict[int, Counter[str]]()
    for wave, state, number in connection.execute(
        select(RUNS.c.wave, RUNS.c.state, func.count()).where(mine).group_by(RUNS.c.wave, RUNS.c.state)
    ):
        counts.setdefault(wave, Counter())[state] = number
    waves = waves_of(row)
    full = {number: counts.get(number, Counter[str]()) for number in range(len(waves))}
    return _Seen(row, waves, full, full[row.wave][State.HELD] if row.wave >= 0 else 0)


def _say_plans(seen: _Seen) -> str:
    return f"for people to approve the plans of {seen.waiting:,} {'workspace' if seen.waiting == 1 else 'workspaces'}"


def _note(
    connection: Connection, row: Row[Any], phase: Phase, reason: str = "", until: float | None = None, wave_ended: float | None = None
) -> Phase:
    """Keep how far it is, where that is something new."""
    values = {"phase": str(phase), "reason": reason, "until": until, "wave_ended": wave_ended}
    if values != {name: getattr(row, name) for name in values}:
        connection.execute(_rollout(row.id).values(**values))
    return phase


def _rollout(rollout: str) -> Any:
    return update(ROLLOUTS).where(ROLLOUTS.c.id == rollout)
