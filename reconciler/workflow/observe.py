"""Observe and compare: the live side as far as it can be known, and what separates it from what is declared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.core.compare import diff as comparison
from reconciler.core.compare.cause import explained, gravest
from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.diff import Difference
from reconciler.core.compare.drift import Drift
from reconciler.core.compare.lasting import resembling
from reconciler.core.compare.likeness import notes, pairs, same_person
from reconciler.core.compare.orphan import candidates, foreign, orphans
from reconciler.core.compare.typed import settle_types
from reconciler.core.model.address import Address
from reconciler.core.model.change import DRIFTED, Action, Cause, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import WAITING, Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.recorded import Deaf, Recorded, Thing
from reconciler.core.model.scalars import moment
from reconciler.core.undo.preimage import recounted
from reconciler.workflow.recall import LAG, hints
from reconciler.workflow.session import Session
from reconciler.workflow.since import Agreed, untouched

# A lead whose create was never answered is not created again before this, and then only if search shows none.
LOST = 10 * 60.0
# So many of those who left the manifest are looked at when somebody new arrives: one search.
LEFT = 150


def observe(session: Session, manifest: Manifest, memory: Recorded, certain: frozenset[Address]) -> Snapshot:
    """The live side of what is declared; `certain` things are read by their id."""
    from reconciler.intercom.observe import Observer

    observer = Observer(session.client, session.kinds, session.tick)
    return observer.observe(manifest, session.here, session.window, hints(session, manifest, memory), certain)


def compare(
    session: Session,
    manifest: Manifest,
    live: Snapshot,
    memory: Recorded,
    *,
    whole: bool,
    agreed: Agreed | None = None,
    retry: bool = False,
) -> Comparison:
    """Both sides with values typed and doubts settled, what separates them, and why.

    `whole`: of the whole manifest; `agreed`: what people agreed to, where something may go; `retry`: also what Intercom did not take.
    """
    manifest, untyped = settle_types(session.kinds, manifest, live)
    live = _withhold_lost(session, manifest, memory, replace(live, refusals=(*live.refusals, *untyped)))
    lost = _lost_ends(session, manifest, memory, live)
    left = orphans(session.kinds, manifest, live, memory, whole=whole)
    found = comparison.diff(session.kinds, manifest, live, memory)
    told = {live.things[kind][live_id].address for kind, live_id in left.things if live_id in live.things.get(kind, {})}
    notes = [note for note in found.notes if note.topic != "undeclared" or note.address not in told]
    ends = {note.address for note in lost}
    notes = [note for note in notes if note.topic != "unproven" or note.address not in ends]
    notes += [*lost, *left.notes, *_others(memory, live), *_arrived(session, manifest, memory, found)]
    twins, alike = resembling(session.kinds, manifest, live, {note.address for note in left.notes})
    live, notes = replace(live, refusals=(*live.refusals, *twins)), [*notes, *alike]
    found = _settling(session, memory, replace(found, notes=tuple(notes), changes=(*found.changes, *left.changes)))
    if agreed is not None:
        found = untouched(session, manifest, memory, live, found, agreed)
    found = replace(found, changes=explained(session.kinds, manifest, memory, found.changes))
    found = found if retry else _without_ineffective(session, found)
    return Comparison(session.kinds, manifest, live, replace(found, changes=_remarked(memory, found.changes)), memory)


def _remarked(memory: Recorded, changes: Sequence[Change]) -> tuple[Change, ...]:
    """Changes with what to know of them: that what is deleted was never ours, or that another name has it too."""
    return tuple(_with_remark(memory, change) for change in changes)


def _with_remark(memory: Recorded, change: Change) -> Change:
    if not isinstance(change, ThingChange) or change.remark:
        return change
    called = f"called {change.key}" if change.key and change.action is not Action.RENAME else ""
    if change.action is not Action.DELETE or not memory.there:
        return replace(change, remark=called) if called else change
    record, other = memory.of(change.address.kind, change.id), memory.others.get((change.address.kind, change.id or ""))
    told = [called] if called else []
    told += [] if record and record.owned else ["never ours"]
    told += [f"`name: {other.name}` has it too"] if other else []
    return replace(change, remark="; ".join(told))


def _others(memory: Recorded, live: Snapshot) -> tuple[Note, ...]:
    """Whose the declared things are that another name has recorded."""
    text = "of the declared things are recorded under `name: {}` and not under this one, which prunes nothing of that"
    return tuple(Note("foreign", f"{n} {text.format(name)}") for name, n in sorted(foreign(memory, live).items()))


def _arrived(session: Session, manifest: Manifest, memory: Recorded, found: Difference) -> tuple[Note, ...]:
    """Notes on people who arrive while somebody of ours who looks like them left the manifest."""
    gone = newcomers(session, manifest, memory, found)
    return tuple(same_person(session.kinds, found.changes, _read(session, gone))) if gone else ()


def newcomers(session: Session, manifest: Manifest, memory: Recorded, found: Difference) -> Sequence[Thing]:
    """The people of ours who left the manifest while somebody arrives: who arrives may be one of them."""
    lenient = {kind.name for kind in session.kinds if kind.lenient}
    if not any(c.action is Action.CREATE and c.address.kind in lenient for c in found.changes):
        return ()
    return [record.name for record in candidates(manifest, memory) if record.kind in lenient][:LEFT]


def _read(session: Session, wanted: Sequence[tuple[str, str]]) -> Sequence[Live]:
    from reconciler.intercom.observe import Observer

    observer = Observer(session.client, session.kinds, session.tick)
    found: list[Live] = []
    for kind in session.kinds:
        ids = [live_id for name, live_id in wanted if name == kind.name]
        found += observer.by_ids(kind, ids) if ids else ()
    return found


def _withhold_lost(session: Session, manifest: Manifest, memory: Recorded, live: Snapshot) -> Snapshot:
    """Creates whose answer was lost a moment ago, and that no conflict would stop a second time, are held back."""
    kinds = {kind.name: kind for kind in session.kinds}
    asked = [a for a, r in manifest.resources.items() if a not in live.pairs and not r.gone and kinds[a.kind].unrepeatable(r.fields)]
    held = {a: until for a in asked if (until := _unanswered(memory, a, (Action.CREATE,)) + LOST) > session.now()}
    text = "its create was sent a few minutes ago and never answered: search may not show it yet, so it is not sent again before {}"
    notes = tuple(Note("withheld", text.format(moment(held[a])), a, manifest.resources[a].mark, True, held[a]) for a in sorted(held))
    return replace(live, withheld=live.withheld | held.keys(), notes=(*live.notes, *notes))


def _unanswered(memory: Recorded, address: Address, actions: Sequence[Action]) -> float:
    """When the last write to a thing was sent that is one of these and was never answered; long ago where it was not."""
    found = memory.attempt(address)
    return found.intended if found is not None and found.action in actions and not found.answered else 0.0


def _lost_ends(session: Session, manifest: Manifest, memory: Recorded, live: Snapshot) -> tuple[Note, ...]:
    """Notes on who is to be gone and is not found, where our last write to them was never answered and only a search says so."""
    kinds = {kind.name: kind for kind in session.kinds}
    notes = []
    for address in sorted(a for a, r in manifest.resources.items() if r.gone and a not in live.pairs):
        kind, resource = kinds[address.kind], manifest.resources[address]
        sent = _unanswered(memory, address, (Action.ARCHIVE, Action.DELETE))
        weak = not kind.whole and kind.identity[resource.by].find is None
        if weak and sent and sent + LAG > session.now():
            text = f"what is to end it was sent and never answered, and search may not show the truth before {moment(sent + LAG)}"
            notes.append(Note("unproven", text, address, resource.mark, True, sent + LAG))
    return tuple(notes)


def _settling(session: Session, memory: Recorded, found: Difference) -> Difference:
    """Deletions that Intercom accepted and carries out later are waited for, not asked for again at once."""
    settling = {kind.name for kind in session.kinds if kind.settles}
    waiting = {}
    for change in found.changes:
        record = memory.of(change.address.kind, change.id) if change.action is Action.DELETE and change.address.kind in settling else None
        if record and record.buried and record.written + LAG > session.now():
            until = record.written + LAG
            text = f"was deleted, and Intercom still shows it, which takes a while: it is not asked again before {moment(until)}"
            waiting[change.address] = Note(WAITING, text, change.address, change.mark, until=until)
    left = tuple(change for change in found.changes if not (change.action is Action.DELETE and change.address in waiting))
    return replace(found, changes=left, notes=(*found.notes, *waiting.values()))


def _without_ineffective(session: Session, found: Difference) -> Difference:
    """What Intercom answered 200 for and did not take is named, not sent for ever: while live shows what it showed then, and nothing
    else of that thing is written. Live showing another value is drift."""
    asked = [claim for c in found.changes if not _anew(c) for claim in _held_against(c)]
    if session.ledger is None or not asked:
        return found
    known = session.ledger.ineffective(session.here.app_id, asked)
    changes, notes, beside = [], list(found.notes), set[tuple[Address, str]]()
    for change in found.changes:
        mute = [] if _anew(change) else sorted(path for _, path, _ in claims(change) if known.get((change.address, path)) is Deaf.SAME)
        left = [path for _, path, _ in claims(change) if path not in mute]
        if not mute or left or change.action is Action.UNARCHIVE or _was_there(change):
            changes.append(change if _anew(change) else _moved_again(change, known))
            continue
        text = f"{', '.join(mute)}: Intercom answered 200 and did not take this; change it here or there, or --retry-ineffective"
        notes.append(Note("ineffective", text, change.address, change.mark))
        beside.update((change.address, path) for path in mute)
    return replace(found, changes=tuple(changes), notes=tuple(notes), beside=frozenset(beside))


def _was_there(change: Change) -> bool:
    """Whether a link was seen since, and is gone again."""
    return isinstance(change, LinkChange) and change.cause is Cause.DRIFT


def _held_against(change: Change) -> list[tuple[Address, str, Any, Any]]:
    """What a change asks of Intercom, each with what live shows; a link that is asked for shows nothing but that."""
    before = {field.path: field.before for field in change.fields}
    return [(*claim, before.get(claim[1])) for claim in claims(change)]


def _moved_again(change: Change, known: Mapping[tuple[Address, str], Deaf]) -> Change:
    """A change whose fields moved, where live shows another value than it showed instead of ours."""
    if isinstance(change, LinkChange) or not any(known.get((change.address, field.path)) is Deaf.OTHER for field in change.fields):
        return change
    moved = [known.get((change.address, field.path)) is Deaf.OTHER for field in change.fields]
    fields = tuple(replace(f, cause=Cause.DRIFT) if other else f for f, other in zip(change.fields, moved, strict=True))
    return replace(change, fields=fields, cause=gravest(f.cause for f in fields if f.cause))


def _anew(change: Change) -> bool:
    """What is made anew, or may be, is made with all that is declared."""
    return change.action is Action.CREATE or (isinstance(change, ThingChange) and change.recreate)


def claims(change: Change) -> list[tuple[Address, str, Any]]:
    """What a change asks of Intercom, as (address, path, value): its fields, or the link that is to be there or not."""
    if isinstance(change, LinkChange):
        return [(change.address, f"{change.link.field} {change.target}", change.action.value)]
    return [(change.address, field.path, field.after) for field in change.fields]


def counted(session: Session, live: Snapshot, found: Difference) -> Difference:
    """The difference with what is in use counted, where something goes, gets another name or offers a choice no more; no less than what
    was seen."""
    from reconciler.intercom import uses as count

    changes = count.counted(session.client, session.kinds, found.changes, live)
    return replace(found, changes=recounted(session.kinds, live, changes, {}))


def renames(session: Session, case: Comparison) -> tuple[Note, ...]:
    """Notes on what may have been a rename and stops nothing, with who stays behind."""
    from reconciler.intercom import uses as count

    changes = case.difference.changes
    found = tuple(pairs(session.kinds, case.manifest, case.live, case.memory, changes, changes))
    left = {pair.old.id: pair.kind for pair in found if not pair.gone}
    uses = {live_id: count.uses(session.client, kind, live_id) for live_id, kind in left.items()}
    return tuple(notes(found, uses))


def moved(case: Comparison) -> Comparison:
    """Only what live moved away from: what somebody changed there, of each change the fields that were. What was never applied is noted.

    Where nothing was ever applied there is nothing to hold live against but the manifest: every difference is unrecorded.
    """
    if case.memory.runs == 0:
        changes = tuple(_unrecorded(change) for change in case.difference.changes)
        return replace(case, difference=replace(case.difference, changes=changes))
    kept, notes, beside = list[Change](), list(case.difference.notes), set(case.difference.beside)
    for change in case.difference.changes:
        fields = tuple(field for field in change.fields if field.cause in DRIFTED)
        partly = isinstance(change, ThingChange) and fields and change.action in (Action.UPDATE, Action.RENAME)
        if partly and isinstance(change, ThingChange):
            kept.append(replace(change, fields=fields))
        elif change.cause in DRIFTED:
            kept.append(change)
        if change.cause not in DRIFTED or (partly and fields != change.fields):
            notes.append(_pending(change))
            beside.update(claim[:2] for claim in claims(change) if claim[1] not in {field.path for field in fields})
    found = replace(case.difference, changes=tuple(kept), notes=tuple(notes), beside=frozenset(beside))
    return replace(case, difference=found)


def _unrecorded(change: Change) -> Change:
    if isinstance(change, LinkChange):
        return replace(change, cause=Cause.UNRECORDED)
    fields = tuple(replace(field, cause=Cause.UNRECORDED) for field in change.fields)
    return replace(change, cause=Cause.UNRECORDED, fields=fields)


def _pending(change: Change) -> Note:
    """A note on a change that no apply made yet."""
    left = [field for field in change.fields if field.cause not in DRIFTED]
    about = f" {change.target}" if change.target else f" {', '.join(field.path for field in left)}" if left else ""
    cause = gravest(field.cause for field in left if field.cause) if left else change.cause
    return Note("not applied yet", f"{change.action}{about} ({cause})", change.address, change.mark)


def drift_of(case: Comparison) -> Drift:
    """How far live moved, as `moved` left it."""
    topics = Counter(note.topic for note in case.difference.notes)
    undeclared = topics["undeclared"] if case.manifest.policy.undeclared_tags == "drift" else 0
    elsewhere = topics["moved"] + sum(note.topic == "moved" for note in case.live.notes)
    # Who was applied and is gone for good is no change, and moved all the same.
    refused = case.refused_entries if case.memory.runs == 0 else ()
    gone = (address for address in case.difference.missing if address not in refused)
    lost = sum(case.memory.runs == 0 or case.memory.at(address) is not None for address in gone)
    return Drift(len(case.difference.changes) + elsewhere + lost, topics["not applied yet"], undeclared, case.memory.runs > 0)


def traced(session: Session, case: Comparison, notes: Sequence[Note]) -> tuple[Note, ...]:
    """The notes, with who put what is undeclared on somebody last, where the policy calls it drift and Intercom says."""
    from reconciler.intercom.trace import traced as seen

    if case.manifest.policy.undeclared_tags != "drift":
        return tuple(notes)
    kinds = {kind.name: kind for kind in session.kinds}
    ids = {thing.address: thing.id for things in case.live.things.values() for thing in things.values()}
    told = []
    for note in notes:
        asked = note.address if note.topic == "undeclared" else None
        who = seen(session.client, kinds[asked.kind], ids[asked]) if asked else ""
        told.append(replace(note, message=f"{note.message}; {who}") if who else note)
    return tuple(told)


def as_declared(case: Comparison) -> Mapping[Address, str]:
    """The live ids of all that was found as it is declared, in every field and link."""
    open_ = {change.address for change in case.difference.changes} | {address for address, _ in case.difference.beside}
    open_ |= case.refused_entries
    return {a: i for a, i in case.live.pairs.items() if a not in open_ and not case.manifest.resources[a].gone}
