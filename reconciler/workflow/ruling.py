"""Ruling: whom the rules of a manifest reach, read where a look needs it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.core.compare.ruled import governs, list_losing
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.rule import Membership, Rule
from reconciler.errors import Refused, Usage
from reconciler.workflow.session import Session, by_their_clock

if TYPE_CHECKING:
    from reconciler.intercom.membership import Reading
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
    # Whether writes follow, so that whoever is to lose something is read once more; else only who changed lately is.
    writes: bool = False


NOTHING = Beside(frozenset())


def with_members(session: Session, observer: Observer, manifest: Manifest, live: Snapshot, recorded: Recorded, beside: Beside) -> Snapshot:
    """The live side with whom the rules reach. Raises Refused (3) for a condition that cannot be asked here."""
    rules = {a: rule for a, rule in manifest.rules.items() if beside.rules is None or a in beside.rules}
    if not rules:
        return live
    from reconciler.intercom.membership import Reading

    for rule in rules.values():
        _refuse_unmade(observer.kinds, manifest, live, rule)
    start = Counter(session.client.sent)
    reading = Reading(observer, observer.kinds, session.here, by_their_clock(session), beside.days)
    members = {}
    for address, rule in sorted(rules.items()):
        live_id, before = live.pairs.get(address), Counter(session.client.sent)
        try:
            membership = reading.read(rule, live_id, total=not governs(recorded, rule, live_id))
            membership = _check(
                reading, rule, membership, list_losing(recorded, rule, membership, live_id, session.now()), writes=beside.writes
            )
            members[address] = replace(membership, reads=Counter(membership.reads) + (Counter(session.client.sent) - before))
        except Usage as error:
            raise Refused([f"rule: {rule.mark}: {str(error).removeprefix('--')}"]) from None
    return replace(live, members=members, reads=live.reads + (Counter(session.client.sent) - start).total())


def _refuse_unmade(kinds: Kinds, manifest: Manifest, live: Snapshot, rule: Rule) -> None:
    """Raises Refused for a condition on custom values of which the manifest declares that they can be, and that cannot be yet."""
    from reconciler.core.search.language import list_conditions, parse
    from reconciler.core.search.query import list_prefixes

    assert kinds.ruling is not None
    links = {key: kinds.links[kinds.ruling.through[key]] for key in rule.through}
    conditions = [(kinds[rule.link.source], rule.where), *((kinds[links[key].target], text) for key, text in rule.through.items())]
    for kind, text in conditions:
        fields = [condition.field for condition in list_conditions(parse(text))] if text else []
        for prefix, typed_by in list_prefixes(kind).items():
            names = (Address(typed_by, field.removeprefix(prefix)) for field in fields if field.startswith(prefix))
            for address in (a for a in names if a in manifest.resources and a not in live.pairs):
                raise Refused(
                    [f"rule: {rule.mark}: {address} is declared, and not live yet; apply --target {shlex.quote(str(address))} first"]
                )


def _check(reading: Reading, rule: Rule, members: Membership, losing: Set[str], *, writes: bool) -> Membership:
    """Whom a rule reaches, and who of those that would lose something is otherwise by now. What a look just before a write reads of them,
    and this one does not, counts as a read too."""
    from reconciler.intercom.membership import LATE

    kind, doubtful = reading.kinds[rule.link.source], losing - members.excluded
    since = 0.0 if writes else reading.now - LATE
    unsure = reading.check(kind, members, doubtful, since)
    later = sum(at is not None and at < since for at in map(members.changed.get, doubtful))
    return replace(members, unsure=unsure, reads=Counter({str(kind.get): later}))
