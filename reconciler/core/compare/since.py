"""Since: links that the ledger calls ours, held against when Intercom says that they were made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded

# A link that was made so much later than it became ours, in seconds, was made anew by somebody else, however the clocks differ.
MARGIN = 10 * 60.0

Ends = tuple[str, str]
"""The live ids of the source and the target of a link."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """When a link was made, and by whom."""

    # When, in Unix seconds.
    at: float
    # The id of who made it; empty where Intercom does not say.
    by: str = ""


def find_owned_detaches(manifest: Manifest, changes: Sequence[Change]) -> Iterator[LinkChange]:
    """The links that would go for no other reason than that they are ours and no longer written."""
    for change in changes:
        if not isinstance(change, LinkChange) or not change.id or not change.target_id or change.merges or change.by_rule:
            continue
        if is_owned_detach(manifest, change.action, change.address, change.target):
            yield change


def is_owned_detach(manifest: Manifest, action: str, source: Address, target: Address) -> bool:
    """Whether a change takes a link away for no other reason than that it is ours and no longer written."""
    resource = manifest.resources.get(source)
    if manifest.policy.links != "owned" or action != Action.DETACH or resource is None:
        return False
    return not any(target in lists.absent for lists in resource.links.values())


def is_doubted(recorded: Recorded, change: LinkChange) -> bool:
    """Whether a link is ours only as far as a ledger says that lacks what came after."""
    ends = (change.address, change.id or "", change.target, change.target_id or "")
    return recorded.link_origin(change.link, *ends) == LinkOrigin.DOUBTED


def is_later(recorded: Recorded, change: LinkChange, attachments: Mapping[Ends, Attachment], gap: float) -> bool:
    """Whether a link was made after it became ours; where Intercom does not say when it was, whether the ledger lacks runs of a time after
    that. `gap` is when it was seen last to lack some, in Unix seconds."""
    if is_doubted(recorded, change):
        return True
    link, ours_since = attachments.get((change.id or "", change.target_id or "")), _find_recorded(recorded, change)
    return gap > ours_since if link is None else link.at > ours_since + MARGIN


def _find_recorded(recorded: Recorded, change: LinkChange) -> float:
    """When a link became ours, as far as is recorded."""
    record, attempt = recorded.of(change.address.kind, change.id), recorded.attempt(change.address, change.link.field, change.target)
    sent_at = attempt.intended_at if attempt and attempt.is_lost else 0.0
    return max(record.ours_since(change.link.field, change.target_id or "") if record else 0.0, sent_at)
