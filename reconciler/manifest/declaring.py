"""What a thing is called in a manifest, changed in its entry and wherever it is named: declared, renamed, merged, retired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from reconciler.core.model.ability import Merge
from reconciler.core.model.desired import DEPRECATED, Resource
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
    tombstones = [place for place in there if _is_gone(place)]
    for place in tombstones:
        draft.drop(place, STATE)
    state = "is to be there again" if tombstones else "is declared already"
    return f"{kind.name} {quote(_spelling(kind, there[0]))} {state} ({there[0].mark})"


def rename(draft: Draft, kind: Kind, old: str, new: str) -> str:
    """A thing gets another name, its entry keeps the old one as a former name, and whoever names it names the new one. Where that was
    begun before, the rest of it is done. Returns what is true then. Raises Usage."""
    by, fold = _by(kind), kind.identity[_by(kind)].fold
    there, entries_renamed = draft.having(kind, by, old), [p for p in draft.having(kind, by, new) if fold(old) in map(fold, _former(p))]
    if not there and not entries_renamed:
        raise _not_declared(draft, kind, old)
    if any(map(_is_gone, there)):
        raise Usage(f"{kind.name} {quote(old)} is declared absent at {there[0].mark}; what is to go gets no new name")
    for place in there:
        former = _former_names(kind, place, old, new)
        if former or isinstance(place.value, dict):
            draft.put(place, {by: new, **former}, after=by)
        else:
            draft.replace([place], new)
    references = [place for place in draft.references(kind, [old]) if place.value != new]
    draft.replace(references, new)
    places = len(references) + draft.edit_lists(kind, [old], (), new)
    return f"{kind.name} {quote(_spelling(kind, there[0]) if there else old)} is {quote(new)} now, also in {_places(places)} that named it"


def merge(draft: Draft, kind: Kind, olds: Sequence[str], new: str, also: Sequence[str] = ()) -> str:
    """Things go into another one: its entry says so in place of theirs, and whoever names one of them names that one. `also` are the
    sections of what else is moved. Returns what is true then. Raises Usage."""
    by, fold = _by(kind), kind.identity[_by(kind)].fold
    there, into = [place for old in olds for place in draft.having(kind, by, old)], draft.having(kind, by, new)
    for place in (*there, *into):
        _refuse_kept(kind, place, into)
    if fold(new) in map(fold, olds):
        raise Usage(f"{kind.name} {quote(new)} cannot go into itself; leave it out before --into")
    names = {fold(name): name for place in there for name in (*_names_under(place, FORMER), *_names_under(place, _merge(kind).key))}
    names |= {fold(old): old for old in olds} | {fold(name): name for place in there if (name := _spelling(kind, place))}
    new = _spelling(kind, into[0]) if into else new
    sections = {section: None for place in (*there, *into) for section in _names_under(place, _merge(kind).also)} | dict.fromkeys(also)
    entry = {by: new, _merge(kind).key: list(names.values())} | ({_merge(kind).also: list(sections)} if sections else {})
    _write_merge(draft, kind, there, into, entry)
    ids = _ids(there)
    having = draft.references(kind, [new], _ids(into))
    number = _rename_references(draft, list(draft.references(kind, names.values(), ids)), having, new)
    number += draft.edit_lists(kind, names.values(), ids, new, merge=True)
    goes, pronoun = ("goes", "it") if len(olds) == 1 else ("go", "them")
    return f"{kind.name} {' and '.join(map(quote, olds))} {goes} into {quote(new)}, also in {_places(number)} that named {pronoun}"


def _refuse_kept(kind: Kind, place: Place, into: Sequence[Place]) -> None:
    """Raises Usage where what an entry says forbids that its thing goes, or that others go into it."""
    name, value = f"{kind.name} {quote(_spelling(kind, place))}", place.value if isinstance(place.value, dict) else {}
    if place in into:
        if _is_gone(place):
            raise Usage(f"{name} is declared absent at {place.mark}; what is to go takes nothing in")
    elif value.get("used_by"):
        raise Usage(f"{name} is in use ({', '.join(map(str, value['used_by']))}, {place.mark}); change that first, then empty `used_by`")
    elif str(value.get("protect")) == "true":
        raise Usage(f"{name} is protected at {place.mark}; remove `protect: true` first, in a change of its own")


def _write_merge(draft: Draft, kind: Kind, there: Sequence[Place], into: Sequence[Place], entry: dict[str, Any]) -> None:
    """Write what goes into a thing into its entry, and take the entries of that away. A new one takes the place of the first of these."""
    key, fold = _merge(kind).key, kind.identity[_by(kind)].fold
    staying = [place for place in into if not _is_omitted(place)]
    for place in staying[:1]:
        going = {fold(name) for name in entry[key]}
        there_already = list(map(fold, _names_under(place, key)))
        new = [name for name in entry[key] if fold(name) not in there_already]
        new_keys = {key: [*_names_under(place, key), *new]} if new else {}
        if (also := entry.get(_merge(kind).also)) and also != _names_under(place, _merge(kind).also):
            new_keys[_merge(kind).also] = also
        if new_keys:
            draft.put(place, new_keys, after=key if there_already else _by(kind))
        if members := [name for name in _names_under(place, FORMER) if fold(name) in going]:
            rest = [name for name in _names_under(place, FORMER) if name not in members]
            draft.put(place, {FORMER: rest}) if rest else draft.drop(place, FORMER)
    first = [] if staying else [place for place in there if not _is_omitted(place)][:1]
    draft.replace(first, entry)
    draft.remove(place for place in there if place not in first)
    if not staying and not first:
        draft.add(kind, entry)


def _rename_references(draft: Draft, places: Sequence[Place], having: Iterable[Place], new: str) -> int:
    """Let whoever names one of these name the new one, once; who was not to have it needs no word of it any more. Returns how many did."""
    there = {(place.document.file, place.loc[: _item_at(place)]) for place in having if not _is_absent(place)}
    changed_places, repeated_places = list[Place](), list[Place]()
    for place in places:
        here = (place.document.file, place.loc[: _item_at(place)])
        if _item_at(place) > 1 and (here in there or _is_absent(place)):
            repeated_places.append(place)
            continue
        there.add(here)
        changed_places.append(Place(place.document, place.loc[:-1], place.value) if place.loc[-1] == "id" else place)
    draft.replace(changed_places, new)
    draft.remove(repeated_places)
    return len(places)


def _item_at(place: Place) -> int:
    """Where in the way to a reference the number of its item stands."""
    return next(n for n in range(len(place.loc) - 1, 0, -1) if isinstance(place.loc[n], int))


def _is_absent(place: Place) -> bool:
    """Whether a reference says that there is to be no link."""
    item: Any = place.document.value
    for step in place.loc[: _item_at(place) + 1]:
        item = item[step]
    return isinstance(item, dict) and item.get(STATE) == "absent"


def _merge(kind: Kind) -> Merge:
    assert kind.merge is not None
    return kind.merge


def retire(draft: Draft, kind: Kind, name: str) -> str:
    """A thing is to go: its entry says so, and nobody names it any more. Returns what is true then. Raises Usage."""
    there = draft.having(kind, _by(kind), name)
    if not there:
        raise _not_declared(draft, kind, name)
    if rule := _find_rule(draft, kind, name, there):
        raise Usage(
            f"{kind.name} {quote(name)} has a rule at {rule.mark}, which gives it to people; take that out first, in a change of its own"
        )
    return _retire(draft, kind, {name: there})


def _find_rule(draft: Draft, kind: Kind, name: str, there: Sequence[Place]) -> Place | None:
    """Where a rule is about a thing, by any name that its entries give it; None where none is."""
    names = [name, *(_spelling(kind, place) for place in there), *(former for place in there for former in _former(place))]
    return next(draft.rules(kind, filter(None, names)), None)


def retire_due(draft: Draft, kind: Kind, due: Iterable[Resource]) -> str:
    """What goes out of use, and is due, is to go; where only overlays say that it goes out of use, in these alone. What has a rule stays.
    Returns what is true then."""
    by_name: dict[str, list[Place]] = {}
    over: dict[str, list[Place]] = {}
    lists, with_rules = list[str](), list[str]()
    for resource in due:
        places = draft.having(kind, resource.by, resource.key)
        if _find_rule(draft, kind, resource.key if resource.by == _by(kind) else "", places):
            with_rules.append(resource.key)
            continue
        leaving = [place for place in places if isinstance(place.value, dict) and place.value.get(STATE) == DEPRECATED]
        base = [place for place in leaving if not draft.environments([place.document.file])]
        if not leaving:
            lists.append(resource.key)
        elif base:
            by_name[resource.key] = list(places)
        else:
            over[resource.key] = [place for place in leaving if place.document.file in resource.overlays]
    sentences = [_retire(draft, kind, by_name)] if by_name else []
    sentences += [_retire(draft, kind, over, {place.document.file for places in over.values() for place in places})] if over else []
    sentences += [f"what a list declares is edited there: {', '.join(map(quote, lists))}"] if lists else []
    sentences += [f"what has a rule stays until that is taken out: {', '.join(map(quote, with_rules))}"] if with_rules else []
    return "; ".join(sentences)


def _retire(draft: Draft, kind: Kind, by_name: Mapping[str, Sequence[Place]], files: Set[str] = frozenset()) -> str:
    """Make tombstones of entries, by what their things are called, and let nobody name these; in some files alone where these are given."""
    there = [place for places in by_name.values() for place in places]
    for place in there:
        if not _is_gone(place) and not _is_omitted(place):
            draft.put(place, {STATE: "absent"})
        draft.drop(place, *_list_dropped(kind, place))
    names = [*filter(None, (_spelling(kind, place) for place in there)), *(former for place in there for former in _former(place))]
    ids, entries = _ids(there), {(place.document.file, place.loc) for place in there}
    references = [p for p in draft.references(kind, [*by_name, *names], ids) if (p.document.file, p.loc[:2]) not in entries]
    references = [place for place in references if not files or place.document.file in files]
    draft.remove(references)
    number = len(references) + (0 if files else draft.edit_lists(kind, [*by_name, *names], ids, None))
    names_text, (are, pronoun) = " and ".join(quote(_spelling(kind, p[0]) or name) for name, p in by_name.items()), _WORDS[len(by_name) > 1]
    removal = f", and gone from {_places(number)} that named {pronoun}" if number else ""
    return f"{kind.name} {names_text} {are} declared absent{removal}"


_WORDS = {False: ("is", "it"), True: ("are", "them")}


def _list_dropped(kind: Kind, place: Place) -> Iterator[str]:
    """The keys of an entry that say nothing of what is to go."""
    names = (FORMER, *((kind.merge.key, kind.merge.also) if kind.merge else ()))
    yield from (key for key in names if _names_under(place, key))
    if kind.retirement and isinstance(place.value, dict):
        yield from (key for key in (kind.retirement.successor, kind.retirement.after) if key in place.value)


def _ids(places: Iterable[Place]) -> list[str]:
    """The ids that entries have."""
    return [str(place.value["id"]) for place in places if isinstance(place.value, dict) and "id" in place.value]


def _places(number: int) -> str:
    return f"{number:,} {'place' if number == 1 else 'places'}"


def _by(kind: Kind) -> str:
    """The field that names things of a kind."""
    return kind.identities[0].field


def _spelling(kind: Kind, place: Place) -> str:
    """The name that an entry gives its thing; empty where its id says all."""
    return str(place.value.get(_by(kind), "") if isinstance(place.value, dict) else place.value)


def _is_gone(place: Place) -> bool:
    return isinstance(place.value, dict) and place.value.get(STATE) == "absent"


def _is_omitted(place: Place) -> bool:
    """Whether an overlay says so; such an entry has nothing but its name."""
    return isinstance(place.value, dict) and OMIT in place.value


def _former(place: Place) -> Sequence[str]:
    """The former names that an entry has."""
    return _names_under(place, FORMER)


def _names_under(place: Place, key: str) -> Sequence[str]:
    """The names under a key of an entry: one of them, or a list."""
    names = place.value.get(key, ()) if isinstance(place.value, dict) else ()
    return [str(name) for name in (names if isinstance(names, (list, tuple)) else (names,)) if isinstance(name, str)]


def _former_names(kind: Kind, place: Place, old: str, new: str) -> dict[str, str | list[str]]:
    """The former names of an entry that is renamed. What its id names, and what gets another case only, needs none more."""
    fold = kind.identity[_by(kind)].fold
    if fold(old) == fold(new) or _is_omitted(place) or (isinstance(place.value, dict) and "id" in place.value):
        return {}
    names = [_spelling(kind, place), *(name for name in _former(place) if fold(name) != fold(new))]
    return {FORMER: names if len(names) > 1 else names[0]}


def _not_declared(draft: Draft, kind: Kind, name: str) -> Usage:
    entries, by = tuple(draft.entries(kind)), _by(kind)
    names = [_spelling(kind, place) for place in entries if not isinstance(place.value, dict) or by in place.value]
    close = closest(name, tuple(names))
    lists = [str(place.value["from"]) for place in entries if isinstance(place.value, dict) and "from" in place.value]
    other = f"what {', '.join(lists)} declares is edited there" if lists else f"declare it first: reconciler {kind.name} add NAME"
    now = f"did you mean {quote(close)}?" if close else other
    return Usage(f"{kind.name} {quote(name)} is not declared in {', '.join(draft.paths)}; {now}")
