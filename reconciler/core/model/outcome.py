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
    """What became of one change, and why. `id` is what Intercom calls the thing; `fields` are those that a reply did not show.

    `settling`: done, but it takes effect later. `fatal`: no other call can succeed. `lost`: the answer never came. `met`: a create
    found in place what somebody else made. `deleted`: Intercom said that the thing was deleted for good. `anew`: what was to
    be brought back was made anew. `stranger`: the id of who was brought back from the archive and turned out to be somebody else.
    """

    step: int
    change: Change
    status: Status
    reason: str = ""
    id: str | None = None
    request_id: str | None = None
    fields: tuple[str, ...] = ()
    settling: bool = False
    fatal: bool = False
    lost: bool = False
    met: bool = False
    deleted: bool = False
    anew: bool = False
    stranger: str | None = None
    # The thing as the reply shows it, where it shows not all that was sent.
    seen: Live | None = None
    # What the reply calls the thing, where that is not the name that was sent.
    shown_as: str = ""
