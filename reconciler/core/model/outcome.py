"""What became of a change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.model.change import Change
from reconciler.core.model.live import Live


class Status(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    INEFFECTIVE = "ineffective"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, and why."""

    # The position of its step in the plan.
    step: int
    # What was to be done.
    change: Change
    # What became of it.
    status: Status
    # Why, where it was not simply done.
    reason: str = ""
    # What Intercom calls the thing.
    id: str | None = None
    # Intercom's id of the request, to quote to its support.
    request_id: str | None = None
    # The fields that the reply did not show.
    fields: tuple[str, ...] = ()
    # Whether it is done and takes effect later.
    settling: bool = False
    # Whether no other call can succeed.
    fatal: bool = False
    # Whether the answer never came.
    lost: bool = False
    # Whether a create found in place what somebody else made.
    met: bool = False
    # Whether Intercom said that the thing was deleted for good.
    deleted: bool = False
    # Whether what was to be brought back was made anew.
    anew: bool = False
    # The id of who keeps a unique value in the archive, so that Intercom answered 409.
    holder: str | None = None
    # Whether that one was brought back from the archive once and is somebody else.
    woken: bool = False
    # The thing as the reply shows it, where it shows not all that was sent.
    seen: Live | None = None
    # Whether the name that its call went by was shown to mean another thing.
    astray: bool = False
    # What the reply calls the thing, where that is not the name that was sent.
    shown_as: str = ""
