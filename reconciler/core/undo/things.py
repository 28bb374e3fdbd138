"""What a run did to things, turned around: what it made goes, what it took comes back, what it wrote gets its value back."""

from __future__ import annotations

from reconciler.core.compare.match import describe
from reconciler.core.model.address import Address, address_by
from reconciler.core.model.change import Action
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live
from reconciler.core.model.note import Note
from reconciler.core.model.paths import field_at, live_value, nullable_at, values_of
from reconciler.core.model.reference import ends_of
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.spelling import spell
from reconciler.core.undo.draft import CHANGED, Draft, Part
from reconciler.core.undo.facts import Effect
from reconciler.core.undo.preimage import HIDDEN, KeptChange, Moved


def turn_thing(draft: Draft, change: KeptChange, effect: Effect) -> None:
    kind = draft.kinds[change.source.kind]
    draft.given.update((kind.name, str(change.source.id), path) for path in change.fields)
    match change.action:
        case Action.CREATE:
            _unmake(draft, kind, change, effect)
        case Action.DELETE:
            _remake(draft, kind, change)
        case Action.ARCHIVE:
            _bring_back(draft, kind, change)
        case Action.UNARCHIVE:
            _put_back(draft, kind, change)
        case _:
            _restore(draft, kind, change)


def _unmake(draft: Draft, kind: Kind, change: KeptChange, effect: Effect) -> None:
    """What was created goes: into the archive where its kind has one, for ever only where it has none."""
    name = Address(kind.name, str(change.key))
    live_id = change.source.id or draft.live.pairs.get(name)
    thing, part = draft.live_of(kind.name, live_id), draft.awake(kind, live_id)
    if thing is None or part is None:
        return
    if effect is Effect.MET or (effect is Effect.LOST and not _is_ours(draft, name, thing)):
        draft.note_loss(part.address, "was there before, as far as the ledger knows, so it stays; what it had then was not read")
    elif _is_as_left(draft, kind, change, thing, part.address, name) and (
        kind.archive or _is_unused(draft, kind, change, thing, part.address, name)
    ):
        part.state = "archived" if kind.archive else "absent"
        if kind.person:
            draft.note_loss(part.address, "is archived, not deleted: undo deletes nobody")


def _is_ours(draft: Draft, name: Address, thing: Live) -> bool:
    """Whether the ledger knows that a thing is ours though the answer to its create was lost."""
    record = draft.recorded.of(thing.kind, thing.id)
    return (record is not None and record.owned) or draft.recorded.has_lost_create(name)


def _is_as_left(draft: Draft, kind: Kind, change: KeptChange, thing: Live, address: Address, run_name: Address) -> bool:
    """Whether a thing still has all that the run gave it; a note where it has not. `run_name` is the address by which the run called it."""
    values = [(path, move.after) for path, move in change.fields.items() if move.after not in (None, HIDDEN)]
    other = [path for path, after in values if not field_at(kind, path).same(live_value(thing, path), after)]
    if other:
        draft.note_change(address, "", f"{', '.join(other)} is not as the run left it, so all of it stays")
        draft.skipped.add((run_name, ""))
    return not other


def _is_unused(draft: Draft, kind: Kind, change: KeptChange, thing: Live, address: Address, run_name: Address) -> bool:
    """Whether nobody but the run has put anything on a thing that would be deleted; a note where somebody has."""
    carriers = draft.carried.get((thing.kind, thing.id), frozenset())
    other = draft.recorded.others.get((thing.kind, thing.id))
    fields = {*change.fields, change.by, *kind.loss.defaults}
    more = [path for path, value in values_of(kind, thing) if value and path not in fields]
    sources = draft.linked[thing.kind, thing.id]
    # Of who came back from the archive in that run the id was not kept.
    others = len((carriers or frozenset()) - set(sources)) - sources.count(None)
    if carriers is None:
        reason = "who carries it cannot be read"
    elif other:
        reason = f"`name: {other.name}` has it too"
    elif others > 0:
        reason = f"{others} that the run did not link to it {'carry' if others > 1 else 'carries'} it now"
    elif more:
        reason = f"it has {', '.join(more)} since"
    elif leading := _find_leading(draft, thing):
        reason = f"{leading[0]} leads to it"
    else:
        return True
    draft.note_change(address, "", f"{reason}, so it stays")
    draft.skipped.add((run_name, ""))
    return False


def _find_leading(draft: Draft, thing: Live) -> list[Address]:
    """The things that lead to a live one, and that the run did not touch."""
    kinds = [kind for kind in draft.kinds if thing.kind in kind.references.values()]
    others = [(kind, t) for kind in kinds for t in draft.live.things.get(kind.name, {}).values() if (t.kind, t.id) not in draft.touched]
    ends = ((t, end) for kind, t in others for end in ends_of(kind, t.fields))
    return [t.address for t, end in ends if end == thing.address or draft.live.pairs.get(end) == thing.id]


def _remake(draft: Draft, kind: Kind, change: KeptChange) -> None:
    """What was deleted is made anew, with what it had; where it is there again, it stays as it is."""
    if kind.person:
        draft.note_loss(address_by(kind.name, "id", str(change.source.id)), "was deleted for ever")
        return
    if not isinstance(change.key, str):
        draft.note_hidden(address_by(kind.name, "id", str(change.source.id)), "its name")
        return
    name = Address(kind.name, change.key)
    thing = draft.live_of(kind.name, draft.live.pairs.get(name))
    if thing and thing.id == change.source.id:
        draft.note_loss(name, "is still there under its old id: if it was deleted, that takes effect later; undo again when it is gone")
        draft.skipped.add((name, ""))
    elif thing and spell(thing.key) != spell(change.key):
        draft.refusals.append(_refuse_other(draft, kind, name, thing))
    elif thing:
        again = Part(kind, thing.id, change.by, str(thing.fields[change.by]))
        draft.parts[kind.name, str(change.source.id)] = again
        draft.notes.append(Note(CHANGED, f"is there again (id {thing.id}): only links that it lacks are made", again.address, draft.mark))
    else:
        draft.parts[kind.name, str(change.source.id)] = _make_anew(draft, kind, change, name)


def _refuse_other(draft: Draft, kind: Kind, name: Address, thing: Live) -> Refusal:
    """To make it anew by its name would hit another thing, which Intercom takes for it."""
    text = f"{draft.mark}: {kind.name} {name.key!a} cannot come back while {describe(thing)} is live, which is another one"
    now = "to Intercom the two names are one; rename or delete that one, then undo"
    return Refusal("twins", f"{text}: {now}", entries=(name,))


def _make_anew(draft: Draft, kind: Kind, change: KeptChange, name: Address) -> Part:
    """A thing with all that it had, but for its id."""
    part = Part(kind, None, change.by, name.key)
    draft.note_loss(name, "; ".join(filter(None, (f"comes back, but not its id {change.source.id}", kind.loss.unrestored))))
    if paths := [path for path, value in change.had.items() if value is HIDDEN]:
        draft.note_hidden(name, f"{', '.join(paths)}:")
    for path, value in change.had.items():
        if value is not HIDDEN:
            part.claim(path, value)
    if change.ours:
        draft.files[name] = change.files
    return part


def _bring_back(draft: Draft, kind: Kind, change: KeptChange) -> None:
    """Whoever was archived becomes live again. Of a kind that is listed as a whole, the thing lies in the archive and is seen there; of
    others nobody can see it."""
    if kind.whole:
        draft.part(kind.name, change.source.id)
    elif change.source.id:
        draft.parts[kind.name, change.source.id] = Part(kind, change.source.id, "id", change.source.id, state="present")


def _put_back(draft: Draft, kind: Kind, change: KeptChange) -> None:
    """Whoever was brought back from the archive goes there again."""
    thing, part = draft.live_of(kind.name, change.source.id), draft.awake(kind, change.source.id)
    if thing is None or part is None:
        return
    if _is_as_left(draft, kind, change, thing, part.address, part.address):
        part.state = "archived"
        if change.fields:
            draft.note_loss(part.address, f"{', '.join(change.fields)}: stays as the run wrote it; what was archived could not be seen")


def _restore(draft: Draft, kind: Kind, change: KeptChange) -> None:
    """Fields that are as the run left them get their values back."""
    thing, part = draft.live_of(kind.name, change.source.id), draft.awake(kind, change.source.id)
    if thing is None or part is None:
        draft.note_change(address_by(kind.name, "id", str(change.source.id)), "", "is gone: archived, merged or deleted")
        return
    for path, move in change.fields.items():
        if _may_restore(draft, kind, path, move, thing, part):
            part.claim(path, move.before)


def _may_restore(draft: Draft, kind: Kind, path: str, move: Moved, thing: Live, part: Part) -> bool:
    """Whether a field can have its value back; a note where it cannot."""
    about, now = field_at(kind, path), live_value(thing, path)
    if HIDDEN in move:
        draft.note_hidden(part.address, f"{path}:")
    elif about.same(now, move.before):
        return True
    elif not about.same(now, move.after):
        draft.note_change(part.address, path, f"{path} is not as the run left it")
    elif move.before is None and not nullable_at(kind, path):
        draft.note_loss(part.address, f"{path}: there was nothing, and Intercom takes no null for it")
    elif why := about.refuses(now, move.before):
        draft.note_loss(part.address, f"{path}: {why}")
    else:
        return True
    return False
