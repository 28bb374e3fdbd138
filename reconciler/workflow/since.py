"""Since: what would go because it is ours is held against Intercom's own word, where no machine remembers the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.since import Attachment, Ends, is_doubted
from reconciler.core.model.change import LinkChange
from reconciler.core.plan.touched import Agreement, links_to_ask, spare_touched
from reconciler.workflow.session import Session


def spare(session: Session, comparison: Comparison, agreement: Agreement) -> Comparison:
    """The comparison without the links that somebody else made since they were recorded as ours, until somebody agrees."""
    if session.ledger is None:
        return comparison
    changes, is_as_left = links_to_ask(comparison, agreement), session.ledger.is_as_left
    doubted = {change for change in changes if is_doubted(comparison.recorded, change)}
    changes = [change for change in changes if change in doubted or not is_as_left]
    dated = [change for change in changes if change not in doubted]
    attachments = links_made(session, dated)
    links_read = frozenset((c.link, c.id) for c in dated if c.id and session.kinds.links[c.link].has_dates)
    if session.memory:
        session.memory.sight.whole |= links_read
    gap = session.ledger.find_gap() if any((change.id, change.target_id) not in attachments for change in dated) else 0.0
    return spare_touched(comparison, changes, attachments, gap, agreement, names_of(session))


def links_made(session: Session, changes: Sequence[LinkChange]) -> Mapping[Ends, Attachment]:
    """When these links were made, by link, as far as Intercom says it; costs a read for each source."""
    from reconciler.intercom.uses import read_made

    links = session.kinds.links
    sources = sorted({(change.link, change.id) for change in changes if change.id and links[change.link].has_dates})
    return read_made(session.client, [(links[name], live_id) for name, live_id in sources])


def names_of(session: Session) -> Callable[[str, str], str]:
    """A function from a kind and the id of an admin to the name that people know; each is asked for once."""
    from reconciler.intercom.uses import name_admin

    return cache(lambda kind, admin_id: name_admin(session.client, session.kinds[kind], admin_id))
