"""Naming: of which things a name is no sure sign, since Intercom may take it for another live thing. Pure."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, LinkChange
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.route import LinkKind
from reconciler.core.plan.order import Step


def unsure(kinds: Kinds, steps: Sequence[Step], live: Snapshot, recorded: Recorded) -> Mapping[Address, str]:
    """The targets of links that their name does not surely mean, each with the name to ask for it by: another live thing has one like it,
    they are spelled otherwise, Intercom may make another name of theirs; and those that were declared by their id."""
    ends = [c for step in steps if isinstance(c := step.change, LinkChange) and _by_name(kinds.links[c.link], c.action)]
    targets, by_id = {c.target: c.target_id for c in ends}, {c.target: c.target_key for c in ends if c.target_key}
    renames = {step.change.address for step in steps if step.change.action is Action.RENAME}
    looks, names = _looks({address.kind for address in targets}, live), {}
    for address, live_id in targets.items():
        thing = live.things.get(address.kind, {}).get(live_id or "")
        is_alike = looks[address.kind].get(live.facts.blur(address.key), set()) - {live_id}
        is_other = thing and address not in renames and not (thing.key == address.key and _is_kept(thing, live, recorded))
        if address in by_id or is_alike or is_other:
            name = by_id.get(address, address.key)
            names[address] = _spelling(thing, name, live, recorded) if thing else name
    return names


def _is_kept(thing: Live, live: Snapshot, recorded: Recorded) -> bool:
    """Whether Intercom surely takes the name of a live thing as it is: by its signs, or since a write of ours was answered with it."""
    return live.facts.keeps(thing.key) or recorded.proves_name(thing.address, thing.id)


def _spelling(thing: Live, name: str, live: Snapshot, recorded: Recorded) -> str:
    """The name to send for a live thing: the one of which Intercom made the name that it has, where that is known."""
    sent = html.unescape(name)
    if name != thing.key or sent == name or html.escape(sent, quote=False) != name:
        return name
    known = live.facts.name_html == "escaped" or recorded.became(Address(thing.kind, sent), thing.address, thing.id)
    return sent if known else name


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
