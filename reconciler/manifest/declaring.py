"""What a thing is called in a manifest, changed in its entry and wherever it is named: declared, renamed, retired."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.model.kind import Kind
from reconciler.core.model.written import quote
from reconciler.errors import Usage
from reconciler.manifest.editing import Draft, Place
from reconciler.manifest.overlays import OMIT
from reconciler.manifest.sentences import closest

FORMER, STATE = "renamed_from", "state"


def declare(draft: Draft, kind: Kind, name: str) -> str:
    """A thing is to be there: an entry of its name is added, or loses its `state: absent`. Returns what is true then."""
    there = draft.having(kind, _by(kind), name)
    if not there:
        draft.add(kind, name)
        return f"{kind.name} {quote(name)} is declared in {draft.file_for(kind)}"
    gone = [place for place in there if _is_gone(place)]
    for place in gone:
        draft.drop(place, STATE)
    what = "is to be there again" if gone else "is declared already"
    return f"{kind.name} {quote(_spelled(kind, there[0]))} {what} ({there[0].mark})"


def rename(draft: Draft, kind: Kind, old: str, new: str) -> str:
    """A thing gets another name, its entry keeps the old one as a former name, and whoever names it names the new one. Where that was
    begun before, the rest of it is done. Returns what is true then. Raises Usage."""
    by, fold = _by(kind), kind.identity[_by(kind)].fold
    there, done = draft.having(kind, by, old), [p for p in draft.having(kind, by, new) if fold(old) in map(fold, _former(p))]
    if not there and not done:
        raise _not_declared(draft, kind, old)
    if any(map(_is_gone, there)):
        raise Usage(f"{kind.name} {quote(old)} is declared absent at {there[0].mark}; what is to go gets no new name")
    for place in there:
        kept = _kept(kind, place, old, new)
        if kept or isinstance(place.written, dict):
            draft.put(place, {by: new, **kept}, after=by)
        else:
            draft.replace([place], new)
    references = [place for place in draft.references(kind, [old]) if place.written != new]
    draft.replace(references, new)
    places = len(references) + draft.edit_lists(kind, [old], (), new)
    return f"{kind.name} {quote(_spelled(kind, there[0]) if there else old)} is {quote(new)} now, also in {_places(places)} that named it"


def retire(draft: Draft, kind: Kind, name: str) -> str:
    """A thing is to go: its entry says so, and nobody names it any more. Returns what is true then. Raises Usage."""
    there = draft.having(kind, _by(kind), name)
    if not there:
        raise _not_declared(draft, kind, name)
    for place in there:
        if not _is_gone(place) and not _is_omitted(place):
            draft.put(place, {STATE: "absent"})
        if _former(place):
            draft.drop(place, FORMER)
    names = [name, *(former for place in there for former in _former(place))]
    ids = [str(place.written["id"]) for place in there if isinstance(place.written, dict) and "id" in place.written]
    references = list(draft.references(kind, names, ids))
    draft.remove(references)
    places = len(references) + draft.edit_lists(kind, names, ids, None)
    gone = f", and gone from {_places(places)} that named it" if places else ""
    return f"{kind.name} {quote(_spelled(kind, there[0]))} is declared absent{gone}"


def _places(number: int) -> str:
    return f"{number:,} {'place' if number == 1 else 'places'}"


def _by(kind: Kind) -> str:
    """The field that names things of a kind."""
    return kind.identities[0].field


def _spelled(kind: Kind, place: Place) -> str:
    return str(place.written[_by(kind)] if isinstance(place.written, dict) else place.written)


def _is_gone(place: Place) -> bool:
    return isinstance(place.written, dict) and place.written.get(STATE) == "absent"


def _is_omitted(place: Place) -> bool:
    """Whether an overlay says so; such an entry has nothing but its name."""
    return isinstance(place.written, dict) and OMIT in place.written


def _former(place: Place) -> Sequence[str]:
    """The former names that an entry has."""
    former = place.written.get(FORMER, ()) if isinstance(place.written, dict) else ()
    return [str(name) for name in (former if isinstance(former, (list, tuple)) else (former,)) if isinstance(name, str)]


def _kept(kind: Kind, place: Place, old: str, new: str) -> dict[str, str | list[str]]:
    """The former names of an entry that is renamed. What its id names, and what gets another case only, needs none more."""
    fold = kind.identity[_by(kind)].fold
    if fold(old) == fold(new) or _is_omitted(place) or (isinstance(place.written, dict) and "id" in place.written):
        return {}
    names = [_spelled(kind, place), *(name for name in _former(place) if fold(name) != fold(new))]
    return {FORMER: names if len(names) > 1 else names[0]}


def _not_declared(draft: Draft, kind: Kind, name: str) -> Usage:
    declared = [_spelled(kind, place) for place in draft.entries(kind) if not isinstance(place.written, dict) or _by(kind) in place.written]
    close = closest(name, tuple(declared))
    now = f"did you mean {quote(close)}?" if close else f"declare it first: reconciler {kind.name} add NAME"
    return Usage(f"{kind.name} {quote(name)} is not declared in {', '.join(draft.paths)}; {now}")
