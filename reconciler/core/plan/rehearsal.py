"""A rehearsal: what became of a plan that was carried out on a private copy of what it reads, as a value and as a document. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.live import Workspace
from reconciler.core.model.outcome import Outcome, Status
from reconciler.core.model.privacy import hide, show_address
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.touched import Subject, subject_of
from reconciler.errors import Incomplete, Refused

FORMAT = "1.0"
# Of the changes that rest on one reading, and of those that are left, so many are named.
NAMED = 3
# Why a change is left that a second plan has.
BEFORE = "it is not in this plan: something moved since, or the plan has only a part"
NEW = "it follows from what the plan does"


@dataclass(frozen=True, slots=True)
class Rest:
    """Something that nobody established, on which what became of some changes rests."""

    # The case.
    what: str
    # How the copy reads it.
    here: str
    # The things, as they are shown.
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, what: str, here: str, addresses: Iterable[Address], app_id: str) -> Rest:
        """With the addresses as they are shown."""
        return cls(what, here, tuple(show_address(address, app_id) for address in addresses))


@dataclass(frozen=True, slots=True)
class Again:
    """What would be planned then."""

    # The plan; None where there can be none.
    plan: Plan | None = None
    # Why there can be none.
    refused: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Subject, ...]:
        return tuple(subject_of(c, self.plan.workspace.app_id) for c in self.plan.changes) if self.plan else ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it may not be carried out, without personal values."""
        return (*self.refused, *(str(hide(str(refusal), False)) for refusal in (self.plan.refusals if self.plan else ())))

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.reasons)


@dataclass(frozen=True, slots=True)
class Kill:
    """What a kill in the middle would leave, and what the next apply of the same plan would do."""

    # The write after which, and before whose answer, it is killed.
    after: int
    # How many writes there are.
    of: int
    # How many changes the ledger then has with which outcome; None without a ledger.
    known: Mapping[str, int] | None
    # The calls of the next apply, by route.
    calls: Mapping[str, int] = field(default_factory=dict)
    # What became of its changes.
    outcomes: tuple[Outcome, ...] = ()
    # What it would leave unproven.
    unproven: int = 0
    # What would be planned after it.
    again: Again = Again()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What became of a plan on a copy."""

    # The workspace that it is a copy of.
    workspace: Workspace
    # How many calls it admits in ten seconds.
    window: int
    # How many changes the plan has.
    planned: int
    # Why entries are left out of it, where the policy lets the rest pass.
    gates: tuple[str, ...]
    # The calls of an apply before its first write, by route.
    looks: Mapping[str, int]
    # What was to be done before it, besides.
    before: frozenset[Subject] = frozenset()
    # What became of each change that was left to do.
    outcomes: tuple[Outcome, ...] = ()
    # The calls after the looks, by route: the writes, and what is read beside them.
    calls: Mapping[str, int] = field(default_factory=dict)
    # What would be planned after it.
    again: Again = Again()
    # What a kill would leave; None where nothing is written.
    kill: Kill | None = None
    # What it rests on.
    rests: tuple[Rest, ...] = ()
    # What could not be read.
    unread: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long the calls take at the limit, in seconds."""
        return round(sum(self.looks.values()) * 10 / self.window + sum(self.calls.values()) * 10 / self.window, 1)

    def of(self, *statuses: Status) -> tuple[Outcome, ...]:
        """What became of the changes that ended so."""
        return tuple(outcome for outcome in self.outcomes if outcome.status in statuses)

    @property
    def left_over(self) -> tuple[tuple[Subject, str], ...]:
        """What a second plan has, each with why."""
        app_id = self.workspace.app_id
        ends = {subject_of(o.change, app_id): o for o in self.outcomes if o.status is not Status.APPLIED}
        return tuple((subject, _explain(subject, ends, self.before)) for subject in self.again.changes)

    @property
    def is_whole(self) -> bool:
        """Whether an apply would do all of it, and leave nothing that it is the cause of."""
        is_applied = len(self.of(Status.APPLIED)) == len(self.outcomes)
        return is_applied and not self.again.reasons and all(subject in self.before for subject in self.again.changes)

    @property
    def exit_code(self) -> int:
        if self.gates or self.of(Status.FAILED, Status.SKIPPED):
            return Refused.exit_code
        return 0 if self.is_whole else Incomplete.exit_code


def _explain(subject: Subject, ends: Mapping[Subject, Outcome], before: frozenset[Subject]) -> str:
    if subject in ends:
        return {Status.FAILED: "it is refused", Status.SKIPPED: "it is not tried"}.get(ends[subject].status, "the reply does not show it")
    return BEFORE if subject in before else NEW


def document(rehearsal: Rehearsal) -> dict[str, Any]:
    """A rehearsal as plain values, personal ones masked; the same one gives the same document."""
    here, app_id = rehearsal.workspace, rehearsal.workspace.app_id
    counts = Counter(outcome.status.value for outcome in rehearsal.outcomes)
    return {
        "format_version": FORMAT,
        "workspace": {"app_id": here.app_id, "region": here.region},
        "summary": {"planned": rehearsal.planned} | {status.value: counts[status.value] for status in Status},
        "gates": list(rehearsal.gates),
        "refused": _show(rehearsal.of(Status.FAILED), app_id),
        "skipped": _show(rehearsal.of(Status.SKIPPED), app_id),
        "ineffective": _show(rehearsal.of(Status.INEFFECTIVE), app_id),
        "calls": {
            "total": sum(rehearsal.looks.values()) + sum(rehearsal.calls.values()),
            "seconds": rehearsal.seconds,
            "before": dict(rehearsal.looks),
            "during": dict(rehearsal.calls),
        },
        "again": {
            "empty": rehearsal.again.is_empty,
            "changes": [{**subject._asdict(), "why": why} for subject, why in rehearsal.left_over],
            "refused": list(rehearsal.again.reasons),
        },
        "kill": _show_kill(rehearsal.kill, app_id) if rehearsal.kill else None,
        "rests_on": [{"what": r.what, "here": r.here, "addresses": list(r.addresses)} for r in rehearsal.rests],
        "unread": list(rehearsal.unread),
    }


def _show(outcomes: Iterable[Outcome], app_id: str) -> list[dict[str, Any]]:
    return [{**subject_of(o.change, app_id)._asdict(), "reason": str(hide(o.reason, False))} for o in outcomes]


def _show_kill(kill: Kill, app_id: str) -> dict[str, Any]:
    outcomes = [o for o in kill.outcomes if o.status is not Status.APPLIED]
    return {
        "after": kill.after,
        "of": kill.of,
        "ledger": dict(kill.known) if kill.known is not None else None,
        "next": {
            "changes": len(kill.outcomes),
            "calls": dict(kill.calls),
            "not_applied": _show(outcomes, app_id),
            "unproven": kill.unproven,
            "refused": list(kill.again.reasons),
            "left": len(kill.again.changes),
        },
    }
