"""The states of a rollout and of its workspaces, and what an exit code makes of a workspace. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from reconciler.core.plan.schema import PlanDocument
from reconciler.errors import Locked, Refused, Stale


class State(StrEnum):
    """How far a workspace is."""

    # Its wave has not begun, its rollout was stopped, or its plan waits for people.
    HELD = "held"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    # Its plan has another shape than the one that people saw.
    STALE = "stale"


class Phase(StrEnum):
    """How far a rollout is."""

    RUNNING = "running"
    # For a time, or for people.
    WAITING = "waiting"
    STOPPED = "stopped"
    DONE = "done"


class Verb(StrEnum):
    """What is done in each workspace."""

    PLAN = "plan"
    DRIFT = "drift"
    APPLY = "apply"
    # Carries out what puts drift right.
    FIX = "fix"

    @property
    def writes(self) -> bool:
        return self in (Verb.APPLY, Verb.FIX)


# So often a workspace is begun before it counts as failed: when its worker died, or another run held its lock.
TRIES = 3
# So many seconds after a try that met a lock comes the next; twice as many after that.
LATER = 30.0


@dataclass(frozen=True)
class Result:
    """What became of one workspace."""

    # How far it is now.
    state: State
    # The exit code of the verb; None where it has not ended.
    exit: int | None = None
    # Why it is not done, without personal values; empty where it is.
    reason: str = ""
    # The shape of its plan, and how many changes that has; None where there is none.
    shape: str | None = None
    changes: int | None = None  # as planned
    # How many people lose something by it.
    people: int | None = None
    # How many calls were made, or would be.
    calls: int | None = None
    # The plan to look at, with personal values masked.
    plan: PlanDocument | None = None
    # Whether it is tried again later, as far as there are tries left.
    later: bool = False


# Which state an exit code means; every other is a failure: 1, 5 and 65.
BY_EXIT: Mapping[int, State] = MappingProxyType(
    {0: State.DONE, 2: State.DONE, Refused.exit_code: State.REFUSED, Stale.exit_code: State.STALE, Locked.exit_code: State.QUEUED}
)


def state_of(code: int) -> State:
    """The state of a workspace whose verb ended with this exit code."""
    return BY_EXIT.get(code, State.FAILED)


def describe_wait(until: float) -> str:
    """`until 2026-11-30T18:30:00Z`, of a time in Unix seconds."""
    return datetime.fromtimestamp(until, UTC).strftime("until %Y-%m-%dT%H:%M:%SZ")


def columns_of(result: Result) -> dict[str, Any]:
    """What a table keeps of a result."""
    names = ("state", "exit", "reason", "shape", "changes", "people", "calls", "plan")
    return {name: getattr(result, name) for name in names}
