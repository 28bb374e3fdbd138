"""The links that a run made, took away, or let go with a thing, turned around."""

from __future__ import annotations

from reconciler.core.model.address import LinkName, address_by
from reconciler.core.model.change import Action
from reconciler.core.model.note import Note
from reconciler.core.model.record import Thing
from reconciler.core.undo.draft import CHANGED, Draft
from reconciler.core.undo.facts import goes_by_name
from reconciler.core.undo.preimage import End, KeptChange


def turn_links(draft: Draft, change: KeptChange) -> None:
    if change.link and change.target:
        _turn_link(draft, change, change.link, change.target)
    for links in change.held if (change.source.kind, change.source.id) in draft.parts else ():
        missing = [end for end in links.ids if not _bring_link_back(draft, change, links.link, (links.kind, end), ours=end in links.ours)]
        if missing:
            name, ends = draft.parts[change.source.kind, str(change.source.id)].address, draft.kinds[links.kind].section
            text = f"{len(missing)} of the {len(links.ids)} {ends} that were linked to it are gone"
            draft.notes.append(Note(CHANGED, text, name, draft.mark))


def _turn_link(draft: Draft, change: KeptChange, link: LinkName, end: End) -> None:
    """A link that the run made or took away."""
    thing, target = (change.source.kind, change.source.id or ""), _find_end(draft, change, end)
    present = change.action is Action.DETACH
    if not present and _must_stay(draft, link, thing, target):
        return
    if not _claim_link(draft, link, thing, target, present=present) and present:
        end_gone = next(end for end in (thing, target) if draft.part(*end) is None)
        draft.note_change(address_by(end_gone[0], "id", end_gone[1]), "", "is gone, and its links with it")
    if present and change.ours:
        draft.ours.add((thing, target))


def _find_end(draft: Draft, change: KeptChange, end: End) -> Thing:
    """The other end of a link: the thing with its id, or the one that has its name since that one was deleted."""
    again = draft.live.pairs.get(address_by(end.kind, change.by, change.key)) if goes_by_name(change) else None
    return (end.kind, again) if again and draft.part(end.kind, end.id) is None else (end.kind, end.id or "")


def _must_stay(draft: Draft, link: LinkName, thing: Thing, target: Thing) -> bool:
    """Whether a link that the run made stays: because the whole of its source stays, or because another `name:` has it too."""
    source, end = draft.part(*thing), draft.part(*target)
    if source is None or end is None:
        return False
    other = draft.recorded.elsewhere(link, thing[1], target[1])
    if other:
        draft.note_change(source.address, str(end.address), f"`name: {other}` has the link to {end.address} too, so it stays")
    return other is not None or (source.address, "") in draft.skipped


def _bring_link_back(draft: Draft, change: KeptChange, link: LinkName, end: Thing, *, ours: bool) -> bool:
    """A link that went with a deletion."""
    thing = (change.source.kind, str(change.source.id))
    source, target = (thing, end) if link.source == thing[0] else (end, thing)
    if ours:
        draft.ours.add((source, target))
    return _claim_link(draft, link, source, target, present=True)


def _claim_link(draft: Draft, link: LinkName, source: Thing, target: Thing, *, present: bool) -> bool:
    """A link that is to be there, or not; False where an end of it is gone."""
    part = draft.part(*source)
    if part is None or draft.part(*target) is None:
        return False
    part.links.setdefault(link.field, {})[target] = present
    return True
