"""Ruling: whom the rules of a manifest reach, read where a look needs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.core.compare.ruled import governs
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Snapshot
from reconciler.core.model.recorded import Recorded
from reconciler.errors import Refused, Usage
from reconciler.workflow.session import Session, by_their_clock

if TYPE_CHECKING:
    from reconciler.intercom.observe import Observer


@dataclass(frozen=True)
class Beside:
    """What a look reads and compares beside what entries declare."""

    # What the rules are about that are read; None for all.
    rules: Set[Address] | None = None
    # The day that was today for their relative times, where a plan says it.
    days: Mapping[str, str | None] = field(default_factory=dict)
    # Whether also what Intercom did not take before is compared.
    retry: bool = False


NOTHING = Beside(frozenset())


def with_members(session: Session, observer: Observer, manifest: Manifest, live: Snapshot, recorded: Recorded, beside: Beside) -> Snapshot:
    """The live side with whom the rules reach. Raises Refused (3) for a condition that cannot be asked here."""
    wanted = {a: rule for a, rule in manifest.rules.items() if beside.rules is None or a in beside.rules}
    if not wanted:
        return live
    from reconciler.intercom.membership import Reading

    start = Counter(session.client.sent)
    reading = Reading(observer, observer.kinds, session.here, by_their_clock(session), beside.days)
    members = {}
    for address, rule in sorted(wanted.items()):
        live_id, before = live.pairs.get(address), Counter(session.client.sent)
        try:
            found = reading.read(rule, live_id, total=not governs(recorded, rule, live_id))
            members[address] = replace(found, reads=Counter(session.client.sent) - before)
        except Usage as error:
            raise Refused([f"rule: {rule.mark}: {str(error).removeprefix('--')}"]) from None
    return replace(live, members=members, reads=live.reads + (Counter(session.client.sent) - start).total())
