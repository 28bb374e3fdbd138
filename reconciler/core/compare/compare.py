"""Compare: what separates desired from live, and why, as far as live and the ledger are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.core.compare.archived import note_holders
from reconciler.core.compare.astray import refuse_astray
from reconciler.core.compare.cause import find_causes, gravest
from reconciler.core.compare.comparison import Comparison, claims_of
from reconciler.core.compare.diff import diff
from reconciler.core.compare.draft import Difference
from reconciler.core.compare.hints import LAG
from reconciler.core.compare.lasting import find_resembling
from reconciler.core.compare.likeness import spare_members
from reconciler.core.compare.mentioned import spare_mentioned
from reconciler.core.compare.orphan import count_foreign, find_left, find_orphans
from reconciler.core.compare.typed import settle_types
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Cause, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import WAITING, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.model.recorded import Recorded, ReplyMatch
from reconciler.core.model.times import format_time

# A lead whose create was never answered is not created again before so many seconds, and then only if search shows none.
LOST = 10 * 60.0
# So many of those who left the manifest are looked at when somebody new arrives: one search.
LEFT = 150


def compare(
    kinds: Kinds, now: float, manifest: Manifest, live: Snapshot, recorded: Recorded, *, whole: bool, retry: bool = False
) -> Comparison:
    """Both sides with values typed and doubts settled, what separates them, and why.

    `now` is in Unix seconds. `whole`: of the whole manifest, so that what it lacks is no longer declared. `retry`: with what Intercom
    answered 200 for before and did not take.
    """
    manifest, type_refusals = settle_types(kinds, manifest, live)
    live = replace(live, refusals=(*live.refusals, *type_refusals))
    live = _withhold_lost_creates(kinds, now, manifest, live, recorded)
    live, difference = spare_mentioned(kinds, manifest, live, recorded, diff(kinds, manifest, live, recorded, now))
    orphans = find_orphans(kinds, manifest, live, recorded, whole=whole)
    twins, alike = find_resembling(kinds, manifest, live, {note.address for note in orphans.notes})
    lost_notes = _note_lost_ends(kinds, now, manifest, live, recorded)
    notes = _drop_repeated(
        difference.notes, {live.things[kind][i].address for kind, i in orphans.things if i in live.things.get(kind, {})}, lost_notes
    )
    notes += [*lost_notes, *orphans.notes, *_note_other_names(recorded, live), *alike]
    notes += note_holders(kinds, manifest, live, difference.changes, recorded)
    difference = replace(difference, notes=tuple(notes), changes=(*difference.changes, *orphans.changes))
    difference = _hold_settling(kinds, now, difference, recorded)
    difference = replace(difference, changes=find_causes(kinds, manifest, recorded, difference.changes))
    difference = difference if retry else refuse_astray(kinds, _drop_ineffective(difference, recorded), live, recorded)
    difference = replace(difference, changes=tuple(_add_remark(recorded, change) for change in difference.changes))
    live = replace(live, refusals=(*live.refusals, *twins))
    return spare_members(Comparison(kinds, manifest, live, difference, recorded, left=orphans.things))


def _drop_repeated(notes: Sequence[Note], orphaned: set[Address], lost_notes: Sequence[Note]) -> list[Note]:
    """The notes without those that say of an orphan that it is undeclared, or of a lost end that it is unproven."""
    topics = {*(("undeclared", address) for address in orphaned), *(("unproven", note.address) for note in lost_notes)}
    return [note for note in notes if (note.topic, note.address) not in topics]


def _add_remark(recorded: Recorded, change: Change) -> Change:
    """A change with what to know of it: that what is deleted was never ours, or that another name has it too."""
    if not isinstance(change, ThingChange) or change.remark:
        return change
    remarks = [f"goes into {change.into}"] if change.into else []
    remarks += [f"called {change.key}"] if change.key and change.action is not Action.RENAME else []
    if change.action is Action.DELETE and recorded.there:
        record, other = recorded.of(change.address.kind, change.id), recorded.others.get((change.address.kind, change.id or ""))
        remarks += [] if record and record.owned else ["never ours"]
        remarks += [f"`name: {other.name}` has it too"] if other else []
    return replace(change, remark="; ".join(remarks)) if remarks else change


def _note_other_names(recorded: Recorded, live: Snapshot) -> tuple[Note, ...]:
    """Whose the declared things are that another name has recorded."""
    text = "of the declared things are recorded under `name: {}` and not under this one, which prunes nothing of that"
    return tuple(Note("foreign", f"{n} {text.format(name)}") for name, n in sorted(count_foreign(recorded, live).items()))


def find_leavers(kinds: Kinds, manifest: Manifest, changes: Sequence[Change], recorded: Recorded) -> Sequence[Thing]:
    """The people of ours who left the manifest while somebody arrives: who arrives may be one of them."""
    lenient = kinds.persons
    if not any(c.action is Action.CREATE and c.address.kind in lenient for c in changes):
        return ()
    return [record.name for record in find_left(manifest, recorded) if record.kind in lenient][:LEFT]


def _withhold_lost_creates(kinds: Kinds, now: float, manifest: Manifest, live: Snapshot, recorded: Recorded) -> Snapshot:
    """Creates whose answer was lost a moment ago, and that no conflict would stop a second time, are held back."""
    missing = [a for a, r in manifest.resources.items() if a not in live.pairs and not r.is_gone and kinds[a.kind].unrepeatable(r.fields)]
    until_by_address = {a: until for a in missing if (until := _read_unanswered(recorded, a, (Action.CREATE,)) + LOST) > now}
    # The last of their times: what says the same of many is said once.
    last = format_time(max(until_by_address.values(), default=now))
    text = f"its create was sent a few minutes ago and never answered: search may not show it yet, and a plan after {last} sends it again"
    notes = tuple(Note("withheld", text, a, manifest.resources[a].mark, True, until_by_address[a]) for a in sorted(until_by_address))
    return replace(live, withheld=live.withheld | until_by_address.keys(), notes=(*live.notes, *notes))


def _read_unanswered(recorded: Recorded, address: Address, actions: Sequence[Action]) -> float:
    """When the last write to a thing was sent that is one of these and was never answered; long ago where it was not."""
    attempt = recorded.attempt(address)
    return attempt.intended_at if attempt is not None and attempt.action in actions and not attempt.answered else 0.0


def _note_lost_ends(kinds: Kinds, now: float, manifest: Manifest, live: Snapshot, recorded: Recorded) -> tuple[Note, ...]:
    """Notes on who is to be gone and is not found, where our last write to them was never answered and only a search says so."""
    notes = []
    for address in sorted(a for a, r in manifest.resources.items() if r.is_gone and a not in live.pairs):
        kind, resource = kinds[address.kind], manifest.resources[address]
        sent_at = _read_unanswered(recorded, address, (Action.ARCHIVE, Action.DELETE))
        weak = not kind.whole and kind.identity[resource.by].find is None
        if weak and sent_at and sent_at + LAG > now:
            text = f"what is to end it was sent and never answered, and search may not show the truth before {format_time(sent_at + LAG)}"
            notes.append(Note("unproven", text, address, resource.mark, True, sent_at + LAG))
    return tuple(notes)


def _hold_settling(kinds: Kinds, now: float, difference: Difference, recorded: Recorded) -> Difference:
    """Deletions that Intercom accepted and carries out later are waited for, not asked for again at once."""
    settling, waiting = {kind.name for kind in kinds if kind.loss.settles}, {}
    for change in difference.changes:
        is_deletion = change.action is Action.DELETE and change.address.kind in settling
        record = recorded.of(change.address.kind, change.id) if is_deletion else None
        if record and record.is_buried and record.written + LAG > now:
            until = record.written + LAG
            text = f"was deleted, and Intercom still shows it, which takes a while: it is not asked again before {format_time(until)}"
            waiting[change.address] = Note(WAITING, text, change.address, change.mark, until=until)
    changes = tuple(change for change in difference.changes if not (change.action is Action.DELETE and change.address in waiting))
    return replace(difference, changes=changes, notes=(*difference.notes, *waiting.values()))


def _drop_ineffective(difference: Difference, recorded: Recorded) -> Difference:
    """What Intercom answered 200 for and did not take is named, not sent for ever: while live shows what it showed then, and nothing
    else of that thing is written. Live showing another value is drift."""
    changes, notes, beside = [], list(difference.notes), set[tuple[Address, str]]()
    for change in difference.changes:
        reply_match = {} if _makes_anew(change) else _find_ineffective(change, recorded)
        mute = sorted(path for path, answer in reply_match.items() if answer is ReplyMatch.SAME)
        paths = [path for _, path, _ in claims_of(change) if path not in mute]
        if not mute or paths or change.action is Action.UNARCHIVE or _was_there(change):
            changes.append(_mark_moved(change, reply_match))
            continue
        text = f"{', '.join(mute)}: Intercom answered 200 and did not take this; change it here or there, or --retry-ineffective"
        notes.append(Note("ineffective", text, change.address, change.mark))
        beside.update((change.address, path) for path in mute)
    return replace(difference, changes=tuple(changes), notes=tuple(notes), beside=difference.beside | beside)


def _find_ineffective(change: Change, recorded: Recorded) -> Mapping[str, ReplyMatch]:
    """What of a change a reply did not show once, and how live stands to what it showed instead."""
    live = {field.path: field.before for field in change.fields}
    answers = ((path, recorded.reply_match(address, path, value, live.get(path))) for address, path, value in claims_of(change))
    return {path: answer for path, answer in answers if answer}


def _was_there(change: Change) -> bool:
    """Whether a link was seen since, and is gone again."""
    return isinstance(change, LinkChange) and change.cause is Cause.DRIFT


def _mark_moved(change: Change, reply_match: Mapping[str, ReplyMatch]) -> Change:
    """A change whose fields moved, where live shows another value than it showed instead of ours."""
    if isinstance(change, LinkChange) or ReplyMatch.OTHER not in reply_match.values():
        return change
    fields = tuple(replace(f, cause=Cause.DRIFT) if reply_match.get(f.path) is ReplyMatch.OTHER else f for f in change.fields)
    return replace(change, fields=fields, cause=gravest(f.cause for f in fields if f.cause))


def _makes_anew(change: Change) -> bool:
    """What is made anew, or may be, is made with all that is declared."""
    return change.action is Action.CREATE or (isinstance(change, ThingChange) and change.recreate)
