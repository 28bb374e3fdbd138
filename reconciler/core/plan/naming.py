"""Naming: of which things a name is no sure sign, since Intercom may take it for another live thing. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, LinkChange
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.route import LinkKind
from reconciler.core.plan.order import Step


def unsure(kinds: Kinds, steps: Sequence[Step], live: Snapshot) -> frozenset[Address]:
    """The targets of links that their name does not surely mean: another live thing has one like it, or they are spelled otherwise; and
    those that were declared by their id."""
    ends = [c for step in steps if isinstance(c := step.change, LinkChange) and _by_name(kinds.links[c.link], c.action)]
    targets, by_id = {c.target: c.target_id for c in ends}, {c.target for c in ends if c.target_key}
    renames = {step.change.address for step in steps if step.change.action is Action.RENAME}
    looks = _looks({address.kind for address in targets}, live)
    return frozenset(
        address
        for address, live_id in targets.items()
        if address in by_id
        or looks[address.kind].get(live.facts.blur(address.key), set()) - {live_id}
        or (live_id and address not in renames and live.things[address.kind][live_id].key != address.key)
    )


def _by_name(link: LinkKind, action: Action) -> bool:
    single, bulk = (link.attach, link.bulk_attach) if action is Action.ATTACH else (link.detach, link.bulk_detach)
    return single.is_by_name or bool(bulk and bulk.write.is_by_name)


def _looks(kinds: set[str], live: Snapshot) -> Mapping[str, Mapping[str, set[str]]]:
    """The ids of live things by kind and by the form in which names that anybody may take for one are the same."""
    looks: dict[str, dict[str, set[str]]] = {}
    for kind in kinds:
        alike = looks.setdefault(kind, defaultdict(set))
        for live_id, thing in live.things.get(kind, {}).items():
            alike[live.facts.blur(thing.key)].add(live_id)
    return looks
