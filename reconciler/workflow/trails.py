"""Trails: Intercom and the ledger are asked how what moved came to be so."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.trail import Subject, Trail, find_trails
from reconciler.core.model.change import Action, LinkChange
from reconciler.workflow.session import Session
from reconciler.workflow.since import links_made, names_of

# Of so many things Intercom is asked who linked them.
MOST_ASKED = 100


def follow(session: Session, comparison: Comparison) -> Mapping[Subject, Trail]:
    """Since when, and by whom, what a comparison holds is otherwise."""
    changes = comparison.difference.changes
    detaches = [change for change in changes if isinstance(change, LinkChange) and change.action is Action.DETACH]
    ids = set([*dict.fromkeys(change.id for change in detaches)][:MOST_ASKED])
    attachments = links_made(session, [change for change in detaches if change.id in ids])
    recorded, name = comparison.recorded, comparison.manifest.name
    things = {recorded.digests.thing(recorded.app_id, change.address) for change in changes}
    writes = session.ledger.read_written(session.here.app_id, name, sorted(things)) if session.ledger else ()
    return find_trails(comparison, attachments, names_of(session), writes, session.now())
