"""Where references lead: to what is live, or is made by the same plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.reference import find_end
from reconciler.core.model.refusal import Refusal


def refuse_dangling(kinds: Kinds, manifest: Manifest, live: Snapshot, changes: Sequence[Change]) -> Iterator[Refusal]:
    """A refusal for what is to lead to a thing that is not live, and that these changes do not make."""
    new_addresses = {change.address for change in changes if change.action in (Action.CREATE, Action.UNARCHIVE)}
    there = {thing.address for things in live.things.values() for thing in things.values()} if any(k.references for k in kinds) else set()
    for change in changes:
        for field in change.fields:
            end = find_end(kinds[change.address.kind], field.path, field.after)
            if end and end not in new_addresses and end not in live.pairs and end not in there:
                text = f"{change.mark}: {field.path} leads to {end}, which is not live and is not made here; correct it"
                yield Refusal("missing", text, entries=(change.address,))
