"""Since: what would go because it is ours is held against Intercom's own word, where no machine remembers the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache

from reconciler.core.compare.diff import Difference
from reconciler.core.compare.since import Ends, Made, by_ownership, came_later
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import shown
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.scalars import moment
from reconciler.core.plan.gates import Approval, affected, fingerprint, standing
from reconciler.workflow.session import Session


@dataclass(frozen=True, slots=True)
class Agreed:
    """What people agreed to: their approvals, and the changes of a plan that they saw, as (action, address, target) are shown."""

    approvals: Sequence[Approval] = ()
    planned: Set[tuple[str, str, str | None]] = frozenset()


def untouched(session: Session, manifest: Manifest, memory: Recorded, live: Snapshot, found: Difference, agreed: Agreed) -> Difference:
    """The difference without the links that were made after they were recorded: these stay, and are told, until somebody agrees."""
    if session.ledger is None or session.ledger.remembered:
        return found
    app_id = session.here.app_id
    asked = [c for c in by_ownership(manifest, found.changes) if subject(c, app_id) not in agreed.planned]
    made = _made(session, asked)
    gap = any((c.id, c.target_id) not in made for c in asked) and session.ledger.gap()
    later = [change for change in asked if came_later(memory, change, made, gap)]
    if not later:
        return found
    word = str(Approval(fingerprint(later, live), affected(session.kinds, later).number))
    if not standing([Refusal("touched since", "", word)], agreed.approvals):
        return found
    by = _names(session)
    notes = [Note("touched since", _told(change, app_id, made, by, word), change.address, change.mark) for change in later]
    beside = {(change.address, f"{change.link.field} {change.target}") for change in later}
    stays = frozenset(later)
    kept = tuple(change for change in found.changes if change not in stays)
    return replace(found, changes=kept, notes=(*found.notes, *notes), beside=found.beside | beside)


def subject(change: Change, app_id: str) -> tuple[str, str, str | None]:
    """A change as a saved plan names it: its action and its ends as they are shown."""
    return change.action.value, shown(change.address, app_id), shown(change.target, app_id) if change.target else None


def _made(session: Session, asked: Sequence[LinkChange]) -> Mapping[Ends, Made]:
    """When these links were made, of those of which Intercom says it: a read for each source."""
    from reconciler.intercom.trace import made

    links = {link.name: link for kind in session.kinds for link in kind.links if link.dated}
    sources = sorted({(change.link, change.id) for change in asked if change.link in links and change.id})
    return made(session.client, [(links[name], live_id) for name, live_id in sources])


def _names(session: Session) -> Callable[[str, str], str]:
    """Who made a link to a kind, as people know them; each is asked for once."""
    from reconciler.intercom.trace import named

    kinds = {kind.name: kind for kind in session.kinds}
    return cache(lambda kind, who: named(session.client, kinds[kind], who))


def _told(change: LinkChange, app_id: str, made: Mapping[Ends, Made], by: Callable[[str, str], str], word: str) -> str:
    """Why a link stays, and what takes it away."""
    found = made.get((change.id or "", change.target_id or ""))
    link = f"the link to {shown(change.target, app_id)} is ours"
    if found:
        why = f"was made{by(change.target.kind, found.who)} at {moment(found.at)}, after it became ours"
    else:
        why = "the ledger lacks runs, so somebody else may have made it since"
    return f"{link}, and {why}: it stays; `--approve {word}` takes it away, and so does the next apply after `reconciler adopt`"
