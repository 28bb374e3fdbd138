"""Observe and compare: the live side as far as it can be known, and what separates it from what is declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.core.compare.compare import compare, find_leavers
from reconciler.core.compare.comparison import Comparison, add_notes
from reconciler.core.compare.draft import Difference
from reconciler.core.compare.drift import is_drift
from reconciler.core.compare.hints import make_hints
from reconciler.core.compare.likeness import find_pairs, note_renames, note_same_person
from reconciler.core.compare.merge import NO_CARRIERS, Carriers
from reconciler.core.compare.reads import NOTHING, Certain
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import Recorded
from reconciler.core.plan.touched import Agreement
from reconciler.core.undo.preimage import recount_uses
from reconciler.workflow.ruling import NOTHING as NO_MORE
from reconciler.workflow.ruling import Beside, with_members
from reconciler.workflow.session import Session
from reconciler.workflow.since import spare

if TYPE_CHECKING:
    from reconciler.intercom.observe import Observer


def look(
    session: Session,
    manifest: Manifest,
    recorded: Recorded,
    certain: Certain = NOTHING,
    *,
    whole: bool = True,
    agreement: Agreement | None = None,
    beside: Beside = NO_MORE,
) -> Comparison:
    """The live side of what is declared, compared with it.

    What must be `certain` is seen by a strong read. `whole`: of the whole manifest. `agreement`: what people agreed to, where something may
    go. `beside`: which rules are read, and whether also what Intercom did not take is compared.
    """
    from reconciler.intercom.observe import Observer

    kinds = session.kinds.under(session.facts)
    memory = session.memory
    observer = Observer(session.client, kinds, session.tick, memory.sight) if memory else Observer(session.client, kinds, session.tick)
    hints = make_hints(kinds, session.now(), manifest, recorded)
    live = replace(observer.observe(manifest, session.here, session.window, hints, certain), facts=session.facts)
    live = with_members(session, observer, manifest, live, recorded, beside)
    comparison = compare(kinds, session.now(), manifest, live, recorded, whole=whole, retry=beside.retry)
    if leavers := find_leavers(comparison.kinds, comparison.manifest, comparison.difference.changes, recorded):
        comparison = add_notes(comparison, note_same_person(kinds, comparison.difference.changes, _read(observer, kinds, leavers)))
    comparison = spare(session, comparison, agreement) if agreement is not None else comparison
    if memory:
        memory.close(session.now(), session.runs)
    return comparison


def _read(observer: Observer, kinds: Kinds, things: Sequence[Thing]) -> Sequence[Live]:
    """These live things, as far as they are there."""
    live: list[Live] = []
    for kind in kinds:
        ids = [live_id for name, live_id in things if name == kind.name]
        live += observer.by_ids(kind, ids) if ids else ()
    return live


def add_uses(session: Session, live: Snapshot, difference: Difference, carriers: Carriers = NO_CARRIERS) -> Difference:
    """The difference with what is in use counted, where something goes, gets another name or offers a choice no more; no less than what
    was seen. `carriers`: who carries what goes, as far as all of them were read."""
    from reconciler.intercom.uses import count_uses

    changes = session.memory.recall(difference.changes) if session.memory else None
    if changes is None:
        changes = count_uses(session.client, session.kinds, difference.changes, live, carriers, session.tick)
    if session.memory:
        session.memory.note(difference.changes, changes)
    return replace(difference, changes=recount_uses(session.kinds, live, changes, carriers))


def renames(session: Session, comparison: Comparison) -> tuple[Note, ...]:
    """Notes on what may have been a rename and stops nothing, with the number of people who keep the old name."""
    from reconciler.intercom.uses import uses_of_each

    changes = comparison.difference.changes
    pairs = tuple(find_pairs(comparison, changes, changes))
    staying = {pair.old.id: pair.kind for pair in pairs if not pair.deletion}
    return tuple(note_renames(pairs, uses_of_each(session.client, staying)))


def trace(session: Session, comparison: Comparison, notes: Sequence[Note]) -> tuple[Note, ...]:
    """The notes. Where the policy calls what is undeclared drift, each says who put it on somebody last, as far as Intercom shows it."""
    from reconciler.intercom.uses import describe_last_use

    ids = {thing.address: thing.id for things in comparison.live.things.values() for thing in things.values()}
    new = []
    for note in notes:
        address = note.address if is_drift(comparison, note) else None
        sentence = describe_last_use(session.client, session.kinds[address.kind], ids[address]) if address else ""
        new.append(replace(note, message=f"{note.message}; {sentence}") if sentence else note)
    return tuple(new)
