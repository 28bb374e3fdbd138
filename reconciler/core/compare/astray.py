"""Astray: a link that Intercom takes by the name of its target only, where that name was seen to mean another thing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import replace
from typing import Any

from reconciler.core.compare.draft import Difference
from reconciler.core.model.address import Address
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal

# What was meant by a name: its address, and its live id.
Target = tuple[Address, str]
_PLACE = "by name"


def targets_by_name(kinds: Kinds, changes: Iterable[Change]) -> Set[Target]:
    """The live things that links go to which Intercom takes by the name of their target only."""
    links = [c for c in changes if isinstance(c, LinkChange) and kinds.links[c.link].attach.is_by_name]
    return {(change.target, change.target_id) for change in links if change.target_id}


def claim_of(live: Snapshot, target: Target) -> tuple[Address, str, Any]:
    """A place at the target of a link, and what decides whom its name means: that name, what looks like it, and what is known of names.
    While all that is the same, so is its meaning."""
    address, target_id = target
    things, look_of = live.things.get(address.kind, {}), live.facts.blur
    name = things[target_id].key if target_id in things else ""
    alike = sorted(live_id for live_id, other in things.items() if look_of(other.key) == look_of(name))
    return address, _PLACE, [target_id, name, alike, live.facts.name_html]


def find_astray(kinds: Kinds, changes: Iterable[Change], live: Snapshot, recorded: Recorded) -> Set[Target]:
    """Those whose name was seen to mean another thing."""
    targets = targets_by_name(kinds, changes) if recorded.ineffective else ()
    return {target for target in targets if recorded.reply_match(*claim_of(live, target), None)}


def refuse_astray(kinds: Kinds, difference: Difference, live: Snapshot, recorded: Recorded) -> Difference:
    """The difference without the links to those whose name was seen to mean another thing, and with a refusal for each of these."""
    astray = find_astray(kinds, difference.changes, live, recorded)
    if not astray:
        return difference
    refusals, changes = list(difference.refusals), list[Change]()
    for change in difference.changes:
        if isinstance(change, LinkChange) and (change.target, change.target_id) in astray:
            refusals.append(Refusal("fixed", f"{change.mark}: {describe_astray(change)}", entries=(change.address,)))
        else:
            changes.append(change)
    return replace(difference, changes=tuple(changes), refusals=tuple(refusals))


def describe_astray(change: LinkChange) -> str:
    """Why a link is not tried again, and what to do now."""
    text = f"Intercom takes the {change.link.field} of a {change.link.source} by name only, and was seen to take this name for another"
    text = f"{text} {change.target.kind} than the one that has it (id {change.target_id})"
    return f"{text}; give it another name, or try again with --retry-ineffective"
