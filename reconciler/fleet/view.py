"""A rollout, or what is known of a fleet now, as a value: what reports and exit codes are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select

from reconciler.errors import Incomplete, Refused, Usage
from reconciler.fleet.advance import waves_of
from reconciler.fleet.fleet import Fleet
from reconciler.fleet.shape import EMPTY, Line, lines_of
from reconciler.fleet.states import State, Verb
from reconciler.fleet.store import Store
from reconciler.fleet.tables import LAST, ROLLOUTS, RUNS
from reconciler.report.json import deep
from reconciler.workflow.planfile import write_whole

# All that is kept of a workspace but its plan.
_COLUMNS = [column for column in RUNS.c if column is not RUNS.c.plan]


@dataclass(frozen=True)
class One:
    """One workspace, as it is."""

    # Its app id.
    app_id: str
    # Its group, and the name of its wave; None where it has none.
    group: str | None
    wave: str | None  # as in `rollout:`
    # How far it is.
    state: State
    # The exit code, None where it has not ended.
    exit: int | None = None
    # The shape of its plan, and what that comes to; None where there is none.
    shape: str | None = None
    changes: int | None = None  # as planned
    people: int | None = None  # who lose something
    calls: int | None = None  # made, or planned where none was
    # Why it is not done; empty where it is.
    reason: str = ""
    # Whether its last look met drift; None where nobody has looked.
    drifted: bool | None = None
    # When it ended, in Unix seconds.
    ended: float | None = None


@dataclass(frozen=True)
class View:
    """Many workspaces, as they are."""

    # The name of the fleet.
    fleet: str
    # The rollout, what it does, how far it is and why; empty where it is what is known of the fleet now.
    run: str
    verb: str  # empty as well
    state: str  # its phase
    reason: str  # why it was stopped, or what it waits for
    # The workspaces, in the order in which they run.
    workspaces: Sequence[One]
    # What a plan of each shape does.
    shapes: Mapping[str, Sequence[Line]] = field(default_factory=dict)
    # When it began and ended, in Unix seconds.
    started: float | None = None
    ended: float | None = None  # None where it has not

    @property
    def summary(self) -> Mapping[str, int]:
        """How many workspaces are in each state."""
        counts = Counter(str(one.state) for one in self.workspaces)
        return {str(state): counts[state] for state in State}

    def only(self, test: Callable[[One], bool]) -> View:
        """The same with those workspaces alone."""
        return View(**{**vars(self), "workspaces": [one for one in self.workspaces if test(one)]})


def view_rollout(store: Store, fleet: Fleet, rollout: str) -> View:
    """A rollout of this fleet. Raises Usage where there is none."""
    with store.reading() as connection:
        row = connection.execute(select(ROLLOUTS).where(ROLLOUTS.c.id == rollout)).first()
        if row is None or row.fleet != fleet.name:
            raise Usage(f"the fleet {fleet.name} has no rollout {rollout}; `reconciler fleet status` names the last ones")
        waves = [wave.name for wave in waves_of(row)]
        runs = connection.execute(select(*_COLUMNS).where(RUNS.c.rollout == rollout).order_by(RUNS.c.place)).all()
        workspaces = [_one(run, waves[run.wave], Verb(row.verb)) for run in runs]
        shapes = _read_shapes(connection, rollout)
    return View(fleet.name, rollout, row.verb, row.phase, row.reason, workspaces, shapes, row.started, row.ended)


def count_workspaces(store: Store, rollout: str) -> int:
    """How many workspaces a rollout has."""
    with store.reading() as connection:
        return connection.scalar(select(func.count()).where(RUNS.c.rollout == rollout)) or 0


def _one(run: Row[Any], wave: str | None, verb: Verb) -> One:
    drifted = run.exit == 2 if verb == Verb.DRIFT and run.state == State.DONE else None
    told = (run.exit, run.shape, run.changes, run.people, run.calls, run.reason, drifted, run.ended)
    return One(run.app_id, run.of_group, wave, State(run.state), *told)


def _read_shapes(connection: Connection, rollout: str) -> dict[str, Sequence[Line]]:
    """What each shape does, by the plan of one workspace that has it."""
    mine = (RUNS.c.rollout == rollout) & RUNS.c.shape.is_not(None)
    first = select(func.min(RUNS.c.app_id)).where(mine).group_by(RUNS.c.shape)
    plans = connection.execute(select(RUNS.c.shape, RUNS.c.plan).where(mine, RUNS.c.app_id.in_(first))).all()
    return {EMPTY: (), **{row.shape: lines_of(row.plan["changes"]) for row in plans if row.plan}}


def view_now(store: Store, fleet: Fleet) -> View:
    """What is known of each workspace of a fleet now: how its last run ended. Of whom nothing is known, is held."""
    with store.reading() as connection:
        rows = {row.app_id: row for row in connection.execute(select(LAST).where(LAST.c.fleet == fleet.name))}
    workspaces = []
    for workspace in fleet.workspaces:
        row = rows.get(workspace.app_id)
        told = (row.exit, row.shape, row.changes, row.people, row.calls, row.reason, row.drifted, row.ended) if row else ()
        workspaces.append(One(workspace.app_id, workspace.group, None, State(row.state) if row else State.HELD, *told))
    return View(fleet.name, "", "", "", "", workspaces)


def last_rollouts(store: Store, fleet: Fleet, number: int) -> Sequence[Row[Any]]:
    """The newest rollouts of a fleet, the newest first: id, verb, phase and reason."""
    wanted = select(ROLLOUTS.c.id, ROLLOUTS.c.verb, ROLLOUTS.c.phase, ROLLOUTS.c.reason).where(ROLLOUTS.c.fleet == fleet.name)
    with store.reading() as connection:
        return list(connection.execute(wanted.order_by(ROLLOUTS.c.started.desc()).limit(number)))


def exit_code(view: View, *, detailed: bool = True) -> int:
    """What the verb of a rollout ends with. `detailed`: a plan ends with 2 where there are changes, with 3 where it is refused."""
    states = {one.state for one in view.workspaces}
    if Verb(view.verb).writes:
        return 0 if states == {State.DONE} else Refused.exit_code if states == {State.REFUSED} else Incomplete.exit_code
    if State.FAILED in states:
        return 1
    if view.verb == Verb.PLAN and not detailed:
        return 0
    return Refused.exit_code if State.REFUSED in states else 2 if any(one.exit == 2 for one in view.workspaces) else 0


def write_plans(store: Store, rollout: str, folder: Path) -> None:
    """Write the plan of each workspace of a rollout into a folder as APP_ID.json, to look at. Raises OSError."""
    wanted = select(RUNS.c.app_id, RUNS.c.plan).where(RUNS.c.rollout == rollout, RUNS.c.plan.is_not(None))
    with store.reading() as connection:
        for row in connection.execute(wanted.execution_options(yield_per=100)):
            write_whole(folder / f"{row.app_id}.json", deep(row.plan), 0o644)
