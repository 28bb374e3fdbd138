"""What the functions of the Python API give back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from reconciler.core.model.desired import Manifest
from reconciler.core.model.outcome import Status
from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.errors import Incomplete, Refused
from reconciler.intercom.memory import Memory
from reconciler.report.outcomes import Outcome
from reconciler.workflow import planfile


@dataclass(frozen=True)
class Seen:
    """What a plan was made from."""

    # The address that was asked, the API version, and the workspace.
    where: tuple[str, str, str]
    # What it showed.
    memory: Memory


@dataclass(frozen=True)
class Planned:
    """What would be done, as a value: nothing of it depends on what made it."""

    # What it is a plan of.
    manifest: Manifest
    # What people look at: the document of `plan --format json`. Personal values are masked.
    document: PlanDocument
    # What `apply` takes: the document of `plan -o`, which JSON can hold.
    saved: PlanDocument
    # What to know of the ledger and of Intercom, beside the plan.
    notices: tuple[str, ...] = ()
    # How many calls were made for it, by their methods.
    calls: Mapping[str, int] = field(default_factory=dict)
    # What was seen for it, for the one `apply` that follows within half a minute.
    sights: list[Seen] = field(default_factory=list, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy keeps: what was seen of people goes nowhere."""
        return {**self.__dict__, "sights": []}

    @property
    def changes(self) -> Sequence[ChangeDocument]:
        """The changes, in the order in which they are carried out."""
        return self.document["changes"]

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it may not be carried out, or a part of it."""
        return tuple(f"{refusal['gate']}: {refusal['message']}" for refusal in self.document["refused"])

    @property
    def exit_code(self) -> int:
        """What `plan --detailed-exitcode`, or `drift`, ends with: 0 nothing to do, 2 something, 3 refused."""
        unproven = bool(self.document.get("unproven"))
        if drift := self.document.get("drift"):
            moved = drift["moved"] or drift["undeclared"] or drift.get("refused") or unproven
            return Refused.exit_code if drift.get("blind") else 2 if moved else 0
        return Refused.exit_code if self.refusals else 2 if self.changes or unproven else 0

    def save(self, file: str | PathLike[str]) -> None:
        """Write what `apply` takes, readable by its owner only, whole or not at all. Raises OSError."""
        planfile.write_plan(self.saved, Path(file))


@dataclass(frozen=True)
class Applied:
    """What became of a plan."""

    # What became of each change; addresses are masked.
    outcomes: tuple[Outcome, ...]
    # What was refused and left out, is unproven, or could not be done now.
    left: tuple[str, ...]
    # What was done and Intercom does not show yet.
    waiting: tuple[str, ...]
    # How many calls were made, by their methods.
    calls: Mapping[str, int]
    # What to know of the ledger and of Intercom.
    notices: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many changes have each status."""
        return Counter(str(outcome.status) for outcome in self.outcomes)

    @property
    def whole(self) -> bool:
        """Whether all was done."""
        return not self.left and all(outcome.status == Status.APPLIED for outcome in self.outcomes)


class AppliedInPart(Incomplete):
    """Applied in part; what was done is recorded. `applied` says what became of each change."""

    def __init__(self, text: str, applied: Applied) -> None:
        self.applied = applied
        super().__init__(text)
