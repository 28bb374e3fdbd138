"""Unique values that cannot be given back, as somebody else has them now."""

from __future__ import annotations

from reconciler.core.compare.index import Index
from reconciler.core.model.live import Live
from reconciler.core.undo.draft import Draft, Part


def leave_contested(draft: Draft) -> None:
    """Take out the unique values that somebody else has now and keeps, as they cannot be given back. Whoever gets no value back keeps the
    one they have, which may stop another one in turn."""
    while fields := [(part, path) for part in draft.parts.values() for path in part.fields if _is_kept(draft, part, path)]:
        for part, path in fields:
            del part.fields[path]
            thing = draft.live_of(part.kind.name, part.id)
            part.key = str(thing.fields[path]) if thing and path == part.by else part.key
            draft.note_loss(part.address, f"{path}: another {part.kind.name} has this value now and keeps it")


def _is_kept(draft: Draft, part: Part, path: str) -> bool:
    """Whether another thing keeps a unique value. Where all things of the kind are read, any of them counts; else only those to which the
    run gave it."""
    kind, identity, value = part.kind, part.kind.identity.get(path), part.fields[path]
    if identity is None or value is None or part.id is None:
        return False
    if kind.name not in draft.indexes:
        draft.indexes[kind.name] = Index(kind, draft.live.things[kind.name].values())
    holders = [t for t in draft.indexes[kind.name].get((path, identity.fold(value))) if t.id != part.id]
    return any((kind.whole or (kind.name, t.id, path) in draft.given) and not _gives_up(draft, t, path) for t in holders)


def _gives_up(draft: Draft, thing: Live, path: str) -> bool:
    part = draft.parts.get((thing.kind, thing.id))
    return part is not None and (part.state == "absent" or path in part.fields)
