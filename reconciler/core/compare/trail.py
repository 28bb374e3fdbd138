"""Trail: since when what moved is otherwise, by whom, and how often it was put right before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.ignored import digest_live, list_paths
from reconciler.core.compare.since import Attachment, Ends
from reconciler.core.model.address import Address
from reconciler.core.model.change import DRIFTED, Cause, Change, LinkChange
from reconciler.core.model.recorded import Recorded

# What was put right so often within so many seconds, and moved again, is a tug of war.
OFTEN, LATELY = 3, 30 * 86_400.0

Subject = tuple[str, str, str]
"""What a plan can hold only one of: the action and the ends of a change."""


class Write(NamedTuple):
    """A write that was done."""

    # Its run.
    run: str
    # The action of its change.
    action: str
    # The digests of its thing, and of the other end of a link.
    ends: tuple[str, str]
    # The list of a link.
    link: str
    # The digests of the values that it wrote, by path.
    fields: Mapping[str, str]
    # When it was done, in Unix seconds.
    at: float


@dataclass(frozen=True, slots=True)
class Trail:
    """What is known of how one place moved."""

    # When it was last known to be as applied, or, if that is exact, when it moved; in Unix seconds, None where nobody knows.
    since: float | None = None
    # Whether Intercom says when it moved.
    exact: bool = False
    # Who moved it; empty where Intercom does not say.
    by: str = ""
    # How often it was put right lately.
    put_right: int = 0
    # The keyed digest of what is live there.
    live_digest: str = ""


def find_trails(
    comparison: Comparison, attachments: Mapping[Ends, Attachment], by: Callable[[str, str], str], writes: Sequence[Write], now: float
) -> Mapping[Subject, Trail]:
    """The trail of every change of what was applied.

    `attachments` is when links were made, as far as Intercom says; `by` says who made a link to a kind.
    """
    history: dict[str, list[Write]] = {}
    for write in writes:
        history.setdefault(write.ends[0], []).append(write)
    recorded, trails = comparison.recorded, {}
    for change in comparison.difference.changes:
        if change.cause is Cause.UNRECORDED:
            # It never was as it is declared, as far as anybody knows.
            continue
        thing = recorded.digests.thing(recorded.app_id, change.address)
        put_right = _count_repairs(recorded, change, history.get(thing, ()), now)
        link = attachments.get((change.id or "", change.target_id or "")) if isinstance(change, LinkChange) else None
        digest = digest_live(recorded, change, list_paths(change, recorded.app_id), recorded.app_id)
        if link and isinstance(change, LinkChange):
            trails[change.subject] = Trail(link.at, True, by(change.target.kind, link.by).removeprefix(" by "), put_right, digest)
        else:
            trails[change.subject] = Trail(_last_proof(recorded, change), put_right=put_right, live_digest=digest)
    return trails


def _last_proof(recorded: Recorded, change: Change) -> float | None:
    record = recorded.of(change.address.kind, change.id) or recorded.at(change.address)
    return record.proved_at or None if record else None


def _count_repairs(recorded: Recorded, change: Change, writes: Sequence[Write], now: float) -> int:
    """How often lately the same was written there. The first time ever put nothing right: the manifest asked for it."""
    if isinstance(change, LinkChange):
        place = (change.action, change.link.field, _digest(recorded, change.target))
        return _repairs([write for write in writes if (write.action, write.link, write.ends[1]) == place], now)
    subjects = {
        recorded.digests.plain(field.path): recorded.digests.claim(_digest(recorded, change.address), field.path, field.after)
        for field in change.fields
        if field.cause in DRIFTED
    }
    if not subjects:
        return _repairs([write for write in writes if write.action == change.action and not write.link], now)
    return max(_repairs([write for write in writes if write.fields.get(path) == claim], now) for path, claim in subjects.items())


def _digest(recorded: Recorded, address: Address) -> str:
    return recorded.digests.thing(recorded.app_id, address)


def _repairs(writes: Sequence[Write], now: float) -> int:
    runs: dict[str, float] = {write.run: write.at for write in writes}
    first = min(runs.values(), default=now)
    return sum(first < at and now - LATELY <= at for at in runs.values())
