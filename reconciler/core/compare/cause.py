"""Cause: why a change is needed, field by field, from what is declared, what was applied and what is live. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.core.compare.ruled import find_rule_cause
from reconciler.core.model.attempt import Attempt
from reconciler.core.model.change import Action, Cause, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.paths import field_at
from reconciler.core.model.record import OURS, LinkOrigin, Record
from reconciler.core.model.recorded import Recorded

_GRAVEST = tuple(Cause)
_GOING = (Action.DELETE, Action.ARCHIVE)


def gravest(causes: Iterable[Cause]) -> Cause:
    """The gravest of some causes."""
    return min(causes, key=_GRAVEST.index)


def find_causes(kinds: Kinds, manifest: Manifest, recorded: Recorded, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes with their causes; without a ledger they have none."""
    if not recorded.there:
        return tuple(changes)
    return tuple(_find_cause(kinds, manifest, recorded, change) for change in changes)


def _find_cause(kinds: Kinds, manifest: Manifest, recorded: Recorded, change: Change) -> Change:
    if isinstance(change, LinkChange) and change.by_rule:
        return replace(change, cause=find_rule_cause(recorded, manifest.rules.get(change.target), change))
    if isinstance(change, LinkChange):
        return replace(change, cause=_find_link_cause(manifest, recorded, change))
    sides = _Sides(kinds[change.address.kind], recorded, change, _find_record(recorded, change), recorded.attempt(change.address))
    if not change.fields:
        return replace(change, cause=sides.judge_whole())
    fields = tuple(replace(field, cause=sides.judge_field(field)) for field in change.fields)
    return replace(change, fields=fields, cause=gravest(f.cause for f in fields if f.cause))


def _find_record(recorded: Recorded, change: ThingChange) -> Record | None:
    """What is recorded of the live thing; of one that is to be made, or took the place of another, what was applied under its address."""
    record = recorded.of(change.address.kind, change.id)
    then = recorded.at(change.address) if record is None and change.action not in _GOING else None
    return record or (None if then is None or then.is_buried else then)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The three sides of one change of a thing, and what was last tried there."""

    # Its kind.
    kind: Kind
    # All that the ledger holds.
    recorded: Recorded
    # What is to be done.
    change: ThingChange
    # What is recorded of the thing, if anything.
    record: Record | None
    # What was last tried there, and is not known to be done.
    attempt: Attempt | None

    def judge_whole(self) -> Cause:
        """The cause of a change that has no fields."""
        if self.attempt and self.attempt.action == self.change.action:
            return Cause.UNAPPLIED
        if self._was_ended():
            return Cause.DRIFT
        if self.record is None and self.recorded.has_lost_create(self.change.address):
            # A create of ours made it whose answer was lost.
            return Cause.CONFIG
        if self.record is None or self.record.deleted:
            return Cause.FOREIGN if self.change.action in _GOING else Cause.CONFIG
        return Cause.CONFIG if self.change.action in _GOING else Cause.DRIFT

    def _was_ended(self) -> bool:
        """Whether the thing was declared to be gone, and was, and is there again."""
        if self.change.action not in _GOING:
            return False
        then = self.record or self.recorded.at(self.change.address)
        return then is not None and bool(then.end_digest)

    def judge_field(self, field: FieldChange) -> Cause:
        """The cause of one field."""
        if self.record is None:
            return self._judge_unrecorded(field)
        applied = self.record.fields.get(self.recorded.digests.plain(field.path))
        if applied is None:
            return self._judge_loss() or (Cause.UNAPPLIED if self._was_tried(field) else Cause.CONFIG)
        if applied == self._digest(field.path, field.after):
            return Cause.DRIFT
        if not self._judge_loss() and applied == self._digest(field.path, field.before):
            return Cause.UNAPPLIED if self._was_tried(field) else Cause.CONFIG
        return Cause.CONFLICT

    def _judge_unrecorded(self, field: FieldChange) -> Cause:
        if self._was_tried(field):
            return Cause.UNAPPLIED
        return Cause.CONFIG if self.change.action in (Action.CREATE, Action.UNARCHIVE) else Cause.FOREIGN

    def _judge_loss(self) -> Cause | None:
        """A thing that was applied and is not there any more."""
        return Cause.DRIFT if self.change.action in (Action.CREATE, Action.UNARCHIVE) else None

    def _digest(self, path: str, value: object) -> str:
        assert self.record is not None
        return self.recorded.digests.claim(self.record.salt, path, field_at(self.kind, path).form(value))

    def _was_tried(self, field: FieldChange) -> bool:
        """Whether an earlier apply had this value in its plan, and it was not done."""
        if self.attempt is None:
            return False
        thing = self.recorded.digests.thing(self.recorded.app_id, self.change.address)
        claim = self.recorded.digests.claim(thing, field.path, field.after)
        return self.attempt.fields.get(self.recorded.digests.plain(field.path)) == claim


def _find_link_cause(manifest: Manifest, recorded: Recorded, change: LinkChange) -> Cause:
    record = recorded.of(change.address.kind, change.id) or recorded.at(change.address)
    link_origin = _find_link_origin(recorded, record, change)
    attempt = recorded.attempt(change.address, change.link.field, change.target)
    is_retry = attempt is not None and attempt.action == change.action
    if change.action is Action.ATTACH:
        if link_origin in (*OURS, LinkOrigin.FOUND):
            return Cause.DRIFT
        return Cause.UNAPPLIED if is_retry else Cause.CONFIG
    if link_origin == LinkOrigin.ABSENT:
        return Cause.DRIFT
    if is_retry:
        return Cause.UNAPPLIED
    if link_origin or recorded.link_origin(change.link, change.address, change.id or "", change.target, change.target_id or ""):
        return Cause.CONFIG
    return Cause.DRIFT if _was_made_later(manifest, record, change) else Cause.FOREIGN


def _find_link_origin(recorded: Recorded, record: Record | None, change: LinkChange) -> str | None:
    """What is recorded of a link, whose other end may be another live thing by now."""
    if record is None:
        return None
    then = recorded.at(change.target)
    ids = (change.target_id, then.id if then else None)
    return next((link_origin for end in ids if end and (link_origin := record.link_origin(change.link.field, end))), None)


def _was_made_later(manifest: Manifest, record: Record | None, change: LinkChange) -> bool:
    """Whether a link that nobody declares came after the list had been the authority over it: the list did not have it then."""
    resource: Resource | None = manifest.resources.get(change.address)
    lists = resource.links.get(change.link.field) if resource else None
    is_written = lists is not None and change.target in lists.absent
    policy = record.policies.get(change.link.field) if record else None
    return not is_written and policy is not None and policy == manifest.policy.links
