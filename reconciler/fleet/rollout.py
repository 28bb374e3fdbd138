"""A rollout in the tables: begun, claimed, settled, stopped, resumed, approved. Each function is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from reconciler.errors import Refused, Usage
from reconciler.fleet.advance import OPEN, Engine, advance, lock_rollout, queue, stop, waves_of
from reconciler.fleet.fleet import ALL_AT_ONCE, Fleet, Wave, Workspace, allowance, assign
from reconciler.fleet.shape import EMPTY
from reconciler.fleet.states import LATER, TRIES, Phase, Result, State, Verb, columns_of
from reconciler.fleet.store import Store
from reconciler.fleet.tables import LAST, ROLLOUTS, RUNS
from reconciler.ledger.run import run_id

# Who begins the look for drift of a night.
NIGHTLY = "nightly"
# What a row has before anything is known of its workspace.
_BLANK: dict[str, Any] = {
    "state": State.HELD, "turn": 0, "begun": 0, "later": 0.0, "sent": False, "approved": None, "worker": "", "exit": None, "reason": "",
    "shape": None, "changes": None, "people": None, "calls": None, "plan": None, "started": None, "ended": None,
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """The right to run one workspace of a rollout, once."""

    # The rollout.
    rollout: str
    # The workspace.
    app_id: str
    # What is done there.
    verb: Verb
    # Which of all its tries this is.
    begun: int
    # How many there were since it was queued by people, this one too.
    turn: int
    # The shape that people approved; None where nobody was asked.
    approved: str | None
    # Whether its plan waits for people before it is applied.
    asks: bool


def begin(store: Store, engine: Engine, fleet: Fleet, verb: Verb, group: str | None, who: str) -> str:
    """Begin a rollout over a fleet, or a group of it, and give its id. Raises Usage where nobody is in the group."""
    if group is not None and group not in fleet.groups:
        raise Usage(f"--group {group}: no such group; known are {', '.join(fleet.groups) or 'none'}")
    workspaces = fleet.within(group)
    if not workspaces:
        raise Usage(f"--group {group}: no workspace is in it" if group else "the fleet has no workspace")
    with store.writing() as connection:
        return _begin(connection, engine, fleet, {"verb": verb, "of_group": group, "who": who, "started": store.now()}, workspaces)


def begin_nightly(store: Store, engine: Engine, fleet: Fleet, since: float) -> str | None:
    """Begin the look for drift of a night, which began at this time, and give its id. Who is queued or under way in any rollout is left
    out; None where nobody is left, or where it was begun already."""
    with store.writing() as connection:
        begun = (ROLLOUTS.c.fleet == fleet.name) & (ROLLOUTS.c.who == NIGHTLY) & (ROLLOUTS.c.started >= since)
        if connection.scalar(select(func.count()).where(begun)):
            return None
        open_runs = (ROLLOUTS.c.fleet == fleet.name) & RUNS.c.state.in_(OPEN)
        waiting = set(connection.scalars(select(RUNS.c.app_id).join(ROLLOUTS, ROLLOUTS.c.id == RUNS.c.rollout).where(open_runs)))
        free = [one for one in fleet.workspaces if one.app_id not in waiting]
        head = {"verb": Verb.DRIFT, "of_group": None, "who": NIGHTLY, "started": max(since, store.now())}
        return _begin(connection, engine, fleet, head, free) if free else None


def _begin(connection: Connection, engine: Engine, fleet: Fleet, head: Mapping[str, Any], workspaces: Sequence[Workspace]) -> str:
    rollout, waves = run_id(head["started"]), fleet.waves if head["verb"].writes else ALL_AT_ONCE
    waved = {"waves": list(map(asdict, waves)), "wave": -1, "wave_ended": None, "until": None}
    more = {"id": rollout, "fleet": fleet.name, "phase": Phase.RUNNING, "reason": "", "ended": None}
    connection.execute(ROLLOUTS.insert().values(**head, **waved, **more))
    connection.execute(RUNS.insert(), _rows(rollout, workspaces, waves))
    advance(connection, engine, rollout, head["started"])
    return rollout


def _rows(rollout: str, workspaces: Sequence[Workspace], waves: Sequence[Wave]) -> list[dict[str, Any]]:
    return [
        {**_BLANK, "rollout": rollout, "app_id": one.app_id, "of_group": one.group, "wave": wave, "place": place}
        for place, (one, wave) in enumerate(assign(workspaces, waves))
    ]


def promote(store: Store, engine: Engine, fleet: Fleet, rollout: str, *, reviewed: bool) -> Phase:
    """Carry out a rollout that planned, in the waves of the fleet. What people `reviewed` goes no further than its shape. One that is
    carried out already is only advanced. Raises Usage for one that cannot be carried out."""
    with store.writing() as connection:
        row = find(connection, fleet, rollout)
        if row.verb in (Verb.APPLY, Verb.FIX):
            return advance(connection, engine, rollout, store.now())
        if row.phase != Phase.DONE:
            raise Usage(f"the rollout {rollout} has not planned all of its workspaces; `reconciler fleet resume {rollout}` goes on with it")
        planned = set(connection.scalars(select(RUNS.c.app_id).where(RUNS.c.rollout == rollout)))
        members = [one for one in fleet.workspaces if one.app_id in planned]
        if gone := sorted(planned - {one.app_id for one in members}):
            what = "1 workspace" if len(gone) == 1 else f"{len(gone):,} workspaces"
            raise Usage(f"no longer in the fleet: {what} of {rollout} ({', '.join(gone[:3])}); plan again")
        verb = Verb.FIX if row.verb == Verb.DRIFT else Verb.APPLY
        waved = {"waves": list(map(asdict, fleet.waves)), "wave": -1, "wave_ended": None, "until": None, "ended": None}
        connection.execute(_at(rollout).values(verb=verb, phase=Phase.RUNNING, reason="", **waved))
        for place, (one, wave) in enumerate(assign(members, fleet.waves)):
            values = {"state": State.HELD, "turn": 0, "wave": wave, "place": place, "exit": None, "reason": ""}
            # What could not be planned was not seen by anybody.
            values |= {"approved": func.coalesce(RUNS.c.shape, "")} if reviewed else {}
            connection.execute(update(RUNS).where(RUNS.c.rollout == rollout, RUNS.c.app_id == one.app_id).values(**values))
        return advance(connection, engine, rollout, store.now())


def find(connection: Connection, fleet: Fleet, rollout: str) -> Row[Any]:
    """The row of a rollout of this fleet, locked. Raises Usage where there is none."""
    row = lock_rollout(connection, rollout)
    if row is None or row.fleet != fleet.name:
        raise Usage(f"the fleet {fleet.name} has no rollout {rollout}; `reconciler fleet status` names the last ones")
    return row


def claim(store: Store, rollout: str, app_id: str, worker: str) -> Claim | None:
    """The right to run a workspace now; None where its rollout was stopped, somebody else has it, or its wave has enough under way."""
    with store.writing() as connection:
        row, now = lock_rollout(connection, rollout), store.now()
        mine = (RUNS.c.rollout == rollout) & (RUNS.c.app_id == app_id)
        wanted = select(RUNS.c.state, RUNS.c.wave, RUNS.c.turn, RUNS.c.begun, RUNS.c.later, RUNS.c.approved)
        run = connection.execute(wanted.where(mine)).first()
        if row is None or run is None or run.state != State.QUEUED or run.later > now:
            return None
        wave = waves_of(row)[run.wave]
        if wave.in_flight is not None and _running(connection, rollout, run.wave) >= wave.in_flight:
            return None
        begun = {"state": State.RUNNING, "turn": run.turn + 1, "begun": run.begun + 1, "worker": worker, "started": now, "ended": None}
        connection.execute(update(RUNS).where(mine).values(**begun))
        return Claim(rollout, app_id, Verb(row.verb), run.begun + 1, run.turn + 1, run.approved, wave.approve and run.approved is None)


def _running(connection: Connection, rollout: str, wave: int) -> int:
    running = select(func.count()).where(RUNS.c.rollout == rollout, RUNS.c.wave == wave, RUNS.c.state == State.RUNNING)
    return connection.scalar(running) or 0


def settle(store: Store, engine: Engine, claimed: Claim, result: Result) -> None:
    """Keep what became of a workspace, unless another has it by now."""
    now, mine = store.now(), (RUNS.c.rollout == claimed.rollout) & (RUNS.c.app_id == claimed.app_id)
    if result.later and claimed.turn >= TRIES:
        result = replace(result, state=State.FAILED)
    with store.writing() as connection:
        row = lock_rollout(connection, claimed.rollout)
        still = mine & (RUNS.c.state == State.RUNNING) & (RUNS.c.begun == claimed.begun)
        values = {**columns_of(result), "ended": now, "worker": ""}
        if row is None or not connection.execute(update(RUNS).where(still).values(**values)).rowcount:
            return
        if result.state == State.QUEUED:
            _put_back(connection, engine, row, claimed, now + LATER * 2 ** (claimed.turn - 1) if result.later else 0.0)
        elif result.state != State.HELD:
            _keep_last(connection, row, claimed.app_id, result, now)


def _put_back(connection: Connection, engine: Engine, row: Row[Any], claimed: Claim, later: float) -> None:
    """Queue a workspace once more; it is held where its rollout was stopped meanwhile. An interruption is no try."""
    which, turn = RUNS.c.app_id == claimed.app_id, claimed.turn if later else claimed.turn - 1
    if row.phase in (Phase.STOPPED, Phase.DONE):
        connection.execute(update(RUNS).where(RUNS.c.rollout == row.id, which).values(state=State.HELD))
    else:
        queue(connection, engine, row, which, {"state": State.QUEUED, "turn": turn, "later": later})


def _keep_last(connection: Connection, row: Row[Any], app_id: str, result: Result, now: float) -> None:
    mine = (LAST.c.fleet == row.fleet) & (LAST.c.app_id == app_id)
    group = select(RUNS.c.of_group).where(RUNS.c.rollout == row.id, RUNS.c.app_id == app_id).scalar_subquery()
    values = {name: value for name, value in columns_of(result).items() if name != "plan"}
    values |= {"of_group": group, "rollout": row.id, "verb": row.verb, "ended": now}
    if result.state == State.DONE and row.verb != Verb.PLAN:
        values["drifted"] = row.verb == Verb.DRIFT and result.exit == 2
    if not connection.execute(update(LAST).where(mine).values(**values)).rowcount:
        connection.execute(LAST.insert().values(fleet=row.fleet, app_id=app_id, **values))


def move_on(store: Store, engine: Engine, rollout: str) -> Phase:
    """Advance a rollout."""
    with store.writing() as connection:
        return advance(connection, engine, rollout, store.now())


def list_ready(store: Store, rollout: str, number: int) -> tuple[Sequence[str], float | None]:
    """The next workspaces to run, at most so many, and when the first of those that wait may be tried again."""
    with store.reading() as connection:
        mine, now = (RUNS.c.rollout == rollout) & (RUNS.c.state == State.QUEUED), store.now()
        row = connection.execute(select(ROLLOUTS).where(ROLLOUTS.c.id == rollout)).one()
        most = waves_of(row)[row.wave].in_flight if row.wave >= 0 else None
        if most is not None:
            number = min(number, most - _running(connection, rollout, row.wave))
        ready = select(RUNS.c.app_id).where(mine, RUNS.c.later <= now).order_by(RUNS.c.place).limit(max(0, number))
        app_ids = connection.scalars(ready).all()
        # While there are enough to do, nobody waits.
        waiting = select(func.min(RUNS.c.later)).where(mine, RUNS.c.later > now)
        return app_ids, connection.scalar(waiting) if len(app_ids) < number else None


def list_open(store: Store, fleet: Fleet) -> Sequence[str]:
    """The rollouts of a fleet that have not ended."""
    with store.reading() as connection:
        going = ROLLOUTS.c.phase.in_((Phase.RUNNING, Phase.WAITING))
        return connection.scalars(select(ROLLOUTS.c.id).where(ROLLOUTS.c.fleet == fleet.name, going).order_by(ROLLOUTS.c.started)).all()


def list_in(store: Store, rollout: str, state: State) -> Sequence[str]:
    """The workspaces of a rollout that are in a state."""
    with store.reading() as connection:
        return connection.scalars(select(RUNS.c.app_id).where(RUNS.c.rollout == rollout, RUNS.c.state == state)).all()


def put_off(store: Store, engine: Engine, rollout: str, app_id: str, until: float) -> None:
    """See to it that a workspace whose turn has not come is looked at again, where it is queued still."""
    with store.writing() as connection:
        row = lock_rollout(connection, rollout)
        mine = (RUNS.c.rollout == rollout) & (RUNS.c.app_id == app_id) & (RUNS.c.state == State.QUEUED)
        later = connection.scalar(select(RUNS.c.later).where(mine))
        if row is not None and row.phase == Phase.RUNNING and later is not None:
            engine.start(connection, rollout, [app_id], writes=Verb(row.verb).writes, later=max(later, until))


def reclaim(store: Store, engine: Engine, rollout: str, app_ids: Sequence[str] | None = None) -> Sequence[str]:
    """Take back the workspaces of workers that are gone, of these or all, and give them: tried again, or failed where that was the last
    try."""
    with store.writing() as connection:
        row = lock_rollout(connection, rollout)
        which = RUNS.c.state == State.RUNNING
        which = which if app_ids is None else which & RUNS.c.app_id.in_(app_ids)
        running = (RUNS.c.rollout == rollout) & which
        taken = connection.scalars(select(RUNS.c.app_id).where(running)).all()
        if row is None or not taken:
            return ()
        spent = Result(State.FAILED, 1, f"its worker ended in the middle of it, {TRIES} times")
        for app_id in connection.scalars(select(RUNS.c.app_id).where(running, RUNS.c.turn >= TRIES)).all():
            mine = (RUNS.c.rollout == rollout) & (RUNS.c.app_id == app_id)
            connection.execute(update(RUNS).where(mine).values(**columns_of(spent), worker="", ended=store.now()))
            _keep_last(connection, row, app_id, spent, store.now())
        if row.phase in (Phase.STOPPED, Phase.DONE):
            connection.execute(update(RUNS).where(running).values(state=State.HELD, worker=""))
        else:
            # Its worker stays named: an engine may run those apart that one died of.
            queue(connection, engine, row, which, {"state": State.QUEUED, "later": 0.0})
        return taken


def halt(store: Store, engine: Engine, fleet: Fleet, rollout: str, reason: str) -> Phase:
    """Stop a rollout: no further workspace begins. One that has ended stays as it is: done. Raises Usage for one that is not there."""
    with store.writing() as connection:
        row = find(connection, fleet, rollout)
        if row.phase in (Phase.RUNNING, Phase.WAITING):
            stop(connection, engine, rollout, reason, store.now())
        return Phase.DONE if row.phase == Phase.DONE else Phase.STOPPED


def resume(store: Store, engine: Engine, fleet: Fleet, rollout: str) -> Phase:
    """Go on with a rollout: what was held or failed is run, wave by wave; what is done, refused or stale stays. Raises Usage."""
    with store.writing() as connection:
        row = find(connection, fleet, rollout)
        mine, left = RUNS.c.rollout == rollout, or_(RUNS.c.state == State.HELD, RUNS.c.state == State.FAILED)
        first = connection.scalar(select(func.min(RUNS.c.wave)).where(mine, left))
        if row.phase in (Phase.STOPPED, Phase.DONE) and first is not None:
            # Of earlier waves nothing is left, so the rollout goes on from there, as if that wave had not begun.
            connection.execute(update(RUNS).where(mine, left).values(state=State.HELD, exit=None, reason=""))
            blank = {"reason": "", "wave": first - 1, "wave_ended": 0.0, "until": None, "ended": None}
            connection.execute(_at(rollout).values(phase=Phase.RUNNING, waves=_accept(connection, row), **blank))
        return advance(connection, engine, rollout, store.now())


def _accept(connection: Connection, row: Row[Any]) -> list[dict[str, Any]]:
    """The waves of a rollout, with budgets for what is refused already: who resumes goes on in spite of it."""
    sizes, refused = dict[int, int](), dict[int, int]()
    counts = select(RUNS.c.wave, RUNS.c.state, func.count()).where(RUNS.c.rollout == row.id).group_by(RUNS.c.wave, RUNS.c.state)
    for wave, state, number in connection.execute(counts):
        sizes[wave] = sizes.get(wave, 0) + number
        refused[wave] = number if state == State.REFUSED else refused.get(wave, 0)
    waves = enumerate(waves_of(row))
    return [asdict(replace(wave, refused=max(refused.get(n, 0), allowance(wave.refused, sizes.get(n, 0))))) for n, wave in waves]


def approve(store: Store, engine: Engine, fleet: Fleet, rollout: str, shape: str | None, most: tuple[int, int] | None) -> tuple[int, Phase]:
    """Let the plans of one shape be carried out, or all that wait; how many they are. `most`: at most so many workspaces, and people who
    lose something in all of them. Raises Refused (3) where there are more, Usage where none waits."""
    with store.writing() as connection:
        row = find(connection, fleet, rollout)
        if row.phase == Phase.STOPPED:
            raise Usage(f"{rollout} was stopped; `reconciler fleet resume {rollout}` goes on with it")
        waits = (RUNS.c.state == State.HELD) & (RUNS.c.wave == row.wave) & RUNS.c.shape.is_not(None)
        which = or_(RUNS.c.state == State.STALE, waits) if row.phase == Phase.WAITING else RUNS.c.state == State.STALE
        which = which & (RUNS.c.shape == shape) if shape else which
        mine = select(func.count(), func.sum(func.coalesce(RUNS.c.people, 0))).where(RUNS.c.rollout == rollout, which)
        number, people = connection.execute(mine).one()
        if not number:
            raise Usage(f"no plan of {rollout} waits to be approved{f' in the shape {shape}' if shape else ''}")
        if most and (number > most[0] or people > most[1]):
            waiting = f"{number:,} {'workspace waits' if number == 1 else 'workspaces wait'} so"
            raise Refused([f"{waiting}, where {people:,} people lose something; --up-to allows {most[0]}:{most[1]}"])
        connection.execute(_at(rollout).values(phase=Phase.RUNNING, reason="", until=None, ended=None))
        queue(connection, engine, row, which, {"state": State.QUEUED, "approved": RUNS.c.shape, "turn": 0, "later": 0.0})
        return number, advance(connection, engine, rollout, store.now())


def needs_people(claimed: Claim, shape: str) -> bool:
    """Whether a plan of this shape is not what people approved: then nothing is written. One without changes writes nothing."""
    return shape != EMPTY and (claimed.asks or claimed.approved not in (None, shape))


def _at(rollout: str) -> Any:
    return update(ROLLOUTS).where(ROLLOUTS.c.id == rollout)
