"""Since: what would go because it is ours is held against Intercom's own word, where no machine remembers the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.since import Ends, Made
from reconciler.core.model.change import LinkChange
from reconciler.core.plan.touched import Agreed, links_to_ask, spare_touched
from reconciler.workflow.session import Session


def spare(session: Session, comparison: Comparison, agreed: Agreed) -> Comparison:
    """The comparison without the links that somebody else made since they were recorded as ours, until somebody agrees."""
    if session.ledger is None or session.ledger.is_as_left:
        return comparison
    asked = links_to_ask(comparison, agreed)
    made = links_made(session, asked)
    read = frozenset((c.link, c.id) for c in asked if c.id and session.kinds.links[c.link].dated)
    if session.memory:
        session.memory.sight.whole |= read
    gap = any((change.id, change.target_id) not in made for change in asked) and session.ledger.gap()
    return spare_touched(comparison, asked, made, gap, agreed, names_of(session))


def links_made(session: Session, asked: Sequence[LinkChange]) -> Mapping[Ends, Made]:
    """When these links were made, of those of which Intercom says it: a read for each source."""
    from reconciler.intercom.uses import read_made

    links = session.kinds.links
    sources = sorted({(change.link, change.id) for change in asked if change.id and links[change.link].dated})
    return read_made(session.client, [(links[name], live_id) for name, live_id in sources])


def names_of(session: Session) -> Callable[[str, str], str]:
    """Who made a link to a kind, as people know them; each is asked for once."""
    from reconciler.intercom.uses import name_admin

    return cache(lambda kind, who: name_admin(session.client, session.kinds[kind], who))
