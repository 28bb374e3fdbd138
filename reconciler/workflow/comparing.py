"""Observe and compare: the live side as far as it can be known, and what separates it from what is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.core import diff as comparison
from reconciler.core.change import Action, Change, LinkChange, ThingChange
from reconciler.core.diff import Difference
from reconciler.core.resource import Address, Manifest, Note, Snapshot
from reconciler.core.typing import settle_types
from reconciler.workflow.session import Session

# Search may not show a write for some minutes (API 2.16, POST /contacts/search); how many is not said.
LAG = 15 * 60.0

# A lead whose create was never answered is not created again before this, and then only if search shows none.
LOST = 10 * 60.0


def observe(session: Session, manifest: Manifest, certain: frozenset[Address]) -> Snapshot:
    """The live side of what is declared; `certain` things are read by their id."""
    from reconciler.intercom.observe import Observer

    observer = Observer(session.client, session.kinds, session.tick)
    return observer.observe(manifest, session.here, session.window, _remembered(session, manifest), certain)


def _remembered(session: Session, manifest: Manifest) -> Mapping[Address, str]:
    """The ids of what we wrote so lately that search may not show it."""
    if session.ledger is None:
        return {}
    lagging = {kind.name for kind in session.kinds if kind.search}
    asked = [a for a, r in manifest.resources.items() if a.kind in lagging and r.by != "id"]
    known = session.ledger.known(session.here.app_id, asked)
    recent = session.now() - LAG
    return {address: memory.id for address, memory in known.items() if memory.written_at >= recent}


def compare(session: Session, manifest: Manifest, live: Snapshot) -> tuple[Manifest, Snapshot, Difference]:
    """Both sides with values typed and doubts settled, and what separates them."""
    manifest, untyped = settle_types(session.kinds, manifest, live)
    live = _withhold_lost(session, manifest, replace(live, refusals=(*live.refusals, *untyped)))
    found = comparison.diff(session.kinds, manifest, live)
    return manifest, live, _without_ineffective(session, found)


def _withhold_lost(session: Session, manifest: Manifest, live: Snapshot) -> Snapshot:
    """Creates whose answer was lost a moment ago, and that no conflict would stop a second time, are held back."""
    kinds = {kind.name: kind for kind in session.kinds}
    asked = [a for a, r in manifest.resources.items() if a not in live.pairs and not r.gone and kinds[a.kind].unrepeatable(r.fields)]
    if session.ledger is None or not asked:
        return live
    lost = session.ledger.lost_creates(session.here.app_id, asked)
    held = {a for a, when in lost.items() if session.now() - when < LOST}
    text = "its create was sent a few minutes ago and never answered: it is not sent again before ten minutes have passed"
    notes = tuple(Note("withheld", text, a, manifest.resources[a].mark) for a in sorted(held))
    return replace(live, withheld=live.withheld | held, notes=(*live.notes, *notes))


def _without_ineffective(session: Session, found: Difference) -> Difference:
    """Fields that Intercom answered 200 for and did not take are named, not sent for ever."""
    # What is made anew is made with all that is declared.
    asked = [claim for c in found.changes if c.action is not Action.CREATE for claim in claims(c)]
    if session.ledger is None or not asked:
        return found
    known = session.ledger.is_ineffective(session.here.app_id, asked)
    changes, notes = [], list(found.notes)
    for change in found.changes:
        mute = sorted(path for address, path, _ in claims(change) if (address, path) in known)
        if mute:
            text = f"{', '.join(mute)}: Intercom answered 200 and did not take this; change it here or there"
            notes.append(Note("ineffective", text, change.address, change.mark))
        if isinstance(change, ThingChange):
            change = replace(change, fields=tuple(f for f in change.fields if f.path not in mute))
        if not mute or change.fields or change.action is Action.UNARCHIVE:
            changes.append(change)
    return replace(found, changes=tuple(changes), notes=tuple(notes))


def claims(change: Change) -> list[tuple[Address, str, Any]]:
    """What a change asks of Intercom, as (address, path, value): its fields, or the link that is to be there or not."""
    if isinstance(change, LinkChange):
        return [(change.address, f"{change.link.field} {change.target}", change.action.value)]
    return [(change.address, field.path, field.after) for field in change.fields]


def counted(session: Session, found: Difference) -> Difference:
    """The difference with what is in use counted, where something goes or gets another name."""
    from reconciler.intercom import count

    return replace(found, changes=count.counted(session.client, session.kinds, found.changes))
