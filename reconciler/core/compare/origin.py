"""Origin: does a change of the plan follow from a change of the manifest, from an older declaration, or from nothing written?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from enum import StrEnum

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Cause, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.paths import value_at
from reconciler.core.model.scalars import same
from reconciler.errors import Mark


class Origin(StrEnum):
    """Where a change comes from: this change of the manifest, one before it that was never applied, or neither."""

    EXPLAINED = "explained"
    EARLIER = "earlier"
    UNEXPLAINED = "unexplained"


def find_origins(base: Manifest, here: Manifest, changes: Sequence[Change]) -> tuple[Origin, ...]:
    """The origin of every change, between the manifest of the base and this one. Pure."""
    return tuple(_find_origin(base, here, change) for change in changes)


def _find_origin(base: Manifest, here: Manifest, change: Change) -> Origin:
    if isinstance(change, LinkChange) and change.merges:
        # It comes of the line that says what goes into what.
        old, new = base.resources.get(change.merges), here.resources[change.merges]
        return Origin.EARLIER if old and (old.into, old.also) == (new.into, new.also) else Origin.EXPLAINED
    if isinstance(change, LinkChange) and change.by_rule:
        was = base.rules.get(change.target)
        return Origin.EARLIER if was and was.digest == here.rules[change.target].digest else Origin.EXPLAINED
    before, now = base.resources.get(change.address), here.resources.get(change.address)
    if now is None:
        return _find_orphan_origin(before, change)
    if isinstance(change, LinkChange):
        return _find_link_origin(base, here, before, now, change)
    return Origin.EXPLAINED if before is None or _has_moved(before, now, change) else Origin.EARLIER


def _find_orphan_origin(before: Resource | None, change: Change) -> Origin:
    """What nobody declares any more: it left the manifest in this change, or in an earlier one, or was never in it."""
    if before is not None:
        return Origin.EXPLAINED
    ours = isinstance(change, ThingChange) and change.cause in (Cause.CONFIG, Cause.UNAPPLIED)
    return Origin.EARLIER if ours else Origin.UNEXPLAINED


def _is_anew(before: Resource, now: Resource) -> bool:
    """Whether more than fields and links was written otherwise."""
    one, other = ((_read_state(r), r.former, r.missing, r.into, r.also) for r in (before, now))
    return one != other


def _read_state(resource: Resource) -> str | None:
    """What an entry says of its state to Intercom: what goes out of use is there as before."""
    return None if resource.is_deprecated else resource.state


def _has_moved(before: Resource, now: Resource, change: ThingChange) -> bool:
    """Whether what the change carries out was written otherwise in the base."""
    return _is_anew(before, now) or bool(_list_rewritten(before, now, change))


def _list_rewritten(before: Resource, now: Resource, change: Change) -> tuple[FieldChange, ...]:
    return tuple(f for f in change.fields if not same(value_at(before.fields, f.path), value_at(now.fields, f.path)))


def explained_fields(base: Manifest, here: Manifest, change: Change) -> tuple[FieldChange, ...]:
    """The fields of a change that follow from what was written since the base; all of them where that was more than fields."""
    before, now = base.resources.get(change.address), here.resources.get(change.address)
    return change.fields if before is None or now is None or _is_anew(before, now) else _list_rewritten(before, now, change)


def is_rewritten(before: Resource | None, now: Resource) -> bool:
    """Whether an entry says something else than it did, wherever it stands."""
    return before is None or _read_claims(before) != _read_claims(now)


def _read_claims(entry: Resource) -> tuple[Resource, Mapping[str, tuple[Set[Address], Set[Address]]]]:
    links = {name: (lists.present.keys(), lists.absent.keys()) for name, lists in entry.links.items()}
    return replace(entry, mark=Mark(""), links={}), links


def _find_link_origin(base: Manifest, here: Manifest, before: Resource | None, now: Resource, change: LinkChange) -> Origin:
    lists = now.links.get(change.link.field)
    old = before.links.get(change.link.field) if before else None
    is_present = change.target in lists.present if lists else False
    is_written = is_present or (lists is not None and change.target in lists.absent)
    was_present = change.target in old.present if old else False
    was_written = was_present or (old is not None and change.target in old.absent)
    if (is_present, is_written) != (was_present, was_written):
        return Origin.EXPLAINED
    if change.action is Action.DETACH and not is_written:
        # Taken away because the policy lets the list decide: explained by a list or a policy that is new, else by nothing written.
        new = old is None or base.policy.links != here.policy.links
        # Only what we attached is taken away under `owned`: it was written once.
        return Origin.EXPLAINED if new else Origin.EARLIER if here.policy.links == "owned" else Origin.UNEXPLAINED
    return Origin.EARLIER
