"""Image: what a run is about to do and to destroy, as plain values; one part may be shared, the other stays on its machine. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, NamedTuple

from reconciler.core.address import LinkName
from reconciler.core.change import LOSING, Action, Change, LinkChange, ThingChange, Use
from reconciler.core.document import Document, personal_path
from reconciler.core.gates import Case
from reconciler.core.kind import Kind
from reconciler.core.memory import Memory, Thing, Tie
from reconciler.core.order import Step
from reconciler.core.policy import Limits
from reconciler.core.privacy import MAIL
from reconciler.core.resource import Live, Resource, Snapshot

FORMAT = 1
# Things are kept so long, in seconds.
KEPT = 30 * 86400.0


class Hidden(Enum):
    """A value that was kept only on the machine of its run, which is another one."""

    HIDDEN = "hidden"


HIDDEN = Hidden.HIDDEN

Carriers = Mapping[Thing, Mapping[LinkName, Collection[str]]]
"""Who carries what is about to be deleted, by the kind of link: ids of its sources."""


class Moved(NamedTuple):
    """A field before and after; HIDDEN where this machine does not have it."""

    before: Any
    after: Any


class End(NamedTuple):
    """An end of a link: a live thing by its id, or what another deed of the run makes, by its place."""

    kind: str
    id: str | None = None
    made: int | None = None


class Held(NamedTuple):
    """Links of one kind that go with what is deleted: the kind and the ids of the other ends, and to which of these we made the link."""

    link: LinkName
    kind: str
    ids: tuple[str, ...]
    ours: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Deed:
    """One change that a run is about to make, with what is lost by it. `by` and `key` name the thing where ids are given to it anew;
    `had` are the fields of what is deleted, by path. `ours`: the thing, or the link, that goes was made by us; `file` declared it."""

    action: Action
    source: End
    by: str = ""
    key: Any = None
    fields: Mapping[str, Moved] = field(default_factory=dict)
    link: LinkName | None = None
    target: End | None = None
    had: Mapping[str, Any] = field(default_factory=dict)
    held: tuple[Held, ...] = ()
    ours: bool = False
    file: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """What one run is about to do. `limits` are those that it was held to, `name` is the manifest's, `stored` is in Unix seconds."""

    run: str
    app_id: str
    region: str
    name: str
    stored: float
    limits: Mapping[str, Any]
    deeds: tuple[Deed, ...]

    def expired(self, now: float) -> bool:
        return now - self.stored > KEPT


def destroys(changes: Sequence[Change]) -> bool:
    """Whether something is lost by these changes: a thing, a link, or a value."""
    return any(c.action in LOSING or any(moved.before is not None for moved in c.fields) for c in changes)


def doomed(changes: Sequence[Change]) -> list[ThingChange]:
    """The deletions among them: whoever carries such a thing loses it."""
    return [c for c in changes if isinstance(c, ThingChange) and c.action is Action.DELETE]


# ── what is about to be done ───────────────────────────────────────────────────────────────────────────────────────────────


def deeds(case: Case, steps: Sequence[Step], carriers: Carriers) -> tuple[Deed, ...]:
    """The changes of a plan as deeds, in its order."""
    kinds = {kind.name: kind for kind in case.kinds}
    makers = {s.change.address: i for i, s in enumerate(steps) if s.change.action is Action.CREATE}
    carriers = _with_seen(case.kinds, case.live, {(c.address.kind, str(c.id)) for c in doomed([step.change for step in steps])}, carriers)

    def end(address: Any, live_id: str | None) -> End:
        return End(address.kind, live_id, None if live_id else makers.get(address))

    def deed(change: Change) -> Deed:
        source = end(change.address, change.id)
        if isinstance(change, LinkChange):
            target = end(change.target, change.target_id)
            return Deed(change.action, source, link=change.link, target=target, ours=_made_by_us(case.memory, change))
        return _deed(kinds[change.address.kind], change, source, case, carriers)

    return tuple(deed(step.change) for step in steps)


def recounted(kinds: Sequence[Kind], live: Snapshot, changes: Sequence[Change], carriers: Carriers) -> tuple[Change, ...]:
    """The changes, each deletion with no fewer uses and people than were seen to carry the thing: a count may lag, or be wrong."""
    deletions = doomed(changes)
    seen = _with_seen(kinds, live, {(c.address.kind, str(c.id)) for c in deletions}, carriers)
    told = {id(c): _at_least(kinds, c, seen[c.address.kind, str(c.id)]) for c in deletions}
    return tuple(told.get(id(change), change) for change in changes)


def _at_least(kinds: Sequence[Kind], change: ThingChange, carried: Mapping[LinkName, Collection[str]]) -> ThingChange:
    by_name = {kind.name: kind for kind in kinds}
    seen: dict[str, set[str]] = defaultdict(set)
    for link, ids in carried.items():
        seen[by_name[link.source].section].update(ids)
    persons = {kind.section for kind in kinds if kind.person}
    people = sum(len(ids) for section, ids in seen.items() if section in persons)
    uses = tuple(use if use.number is None else _seen_too(use, seen.get(use.where, set())) for use in change.uses)
    return replace(change, uses=uses, people=max(change.people or 0, people) if people else change.people)


def _seen_too(use: Use, ids: Collection[str]) -> Use:
    """A use of no fewer than were seen."""
    every = use.ids | frozenset(ids)
    return replace(use, number=max(use.number or 0, len(every)), ids=every)


def _with_seen(kinds: Sequence[Kind], live: Snapshot, things: Collection[Thing], carriers: Carriers) -> Carriers:
    """The carriers of what is deleted, with those that were seen for the plan: a list may hide some, and a search lags."""
    found = {thing: {name: set(ids) for name, ids in carriers.get(thing, {}).items()} for thing in things}
    for link in (link for kind in kinds for link in kind.links) if things else ():
        for source, ends in live.links.get(link.name, {}).items():
            for thing in found.keys() & {(link.target, end) for end in ends}:
                found[thing].setdefault(link.name, set()).add(source)
    return found


def _made_by_us(memory: Memory, change: LinkChange) -> bool:
    ids = (change.id or "", change.target_id or "")
    return change.action is Action.DETACH and memory.tie(change.link, change.address, ids[0], change.target, ids[1]) == Tie.OWNED


def _deed(kind: Kind, change: ThingChange, source: End, case: Case, carriers: Carriers) -> Deed:
    thing = case.live.things.get(kind.name, {}).get(change.id or "")
    by, key = _name(kind, change, thing, case.manifest.resources.get(change.address))
    moved = {f.path: Moved(f.before, f.after) for f in change.fields}
    if change.action is not Action.DELETE or kind.person or thing is None:
        return Deed(change.action, source, by, key, moved)
    record = case.memory.of(kind.name, thing.id)
    held = tuple(_held(case, thing, carriers.get((kind.name, thing.id), {})))
    ours, file = (record.owned, record.file) if record else (False, "")
    return Deed(change.action, source, by, key, had=dict(values_of(kind, thing)), held=held, ours=ours, file=file)


def _name(kind: Kind, change: ThingChange, thing: Live | None, resource: Resource | None) -> tuple[str, Any]:
    """What names a thing where its id does not: what is live, or for one that is not there yet what is declared."""
    if resource and change.action is Action.CREATE:
        return resource.by, resource.key
    by = kind.identities[0].field
    return ("", None) if thing is None or kind.person else (by, thing.fields.get(by))


def values_of(kind: Kind, thing: Live) -> Iterator[tuple[str, Any]]:
    """All that a thing has, by path."""
    for name, about in kind.fields.items():
        value = thing.fields.get(name)
        if about.merged:
            yield from ((f"{name}.{key}", item) for key, item in sorted((value or {}).items()) if item is not None)
        elif value is not None:
            yield name, value


def _held(case: Case, thing: Live, carriers: Mapping[LinkName, Collection[str]]) -> Iterator[Held]:
    """The links of what is deleted: its own, and those of whoever carries it."""
    for link in (link for kind in case.kinds for link in kind.links):
        if link.source == thing.kind:
            record = case.memory.of(thing.kind, thing.id)
            ids = sorted(case.live.links.get(link.name, {}).get(thing.id, ()))
            kind, ours = link.target, frozenset(i for i in ids if record and record.tie(link.field, i) == Tie.OWNED)
        elif link.target == thing.kind:
            ids = sorted(carriers.get(link.name, ()))
            records = {i: case.memory.of(link.source, i) for i in ids}
            kind, ours = link.source, frozenset(i for i, r in records.items() if r and r.tie(link.field, thing.id) == Tie.OWNED)
        else:
            continue
        if ids:
            yield Held(link.name, kind, tuple(ids), ours)


# ── as documents ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parted(kinds: Sequence[Kind], image: Image) -> tuple[Document, Document]:
    """An image as two documents: one without personal values and without anything that looks like an e-mail, and the rest of it."""
    by_name = {kind.name: kind for kind in kinds}
    changes, private = [], {}
    for i, deed in enumerate(image.deeds):
        shared, rest = _parted(by_name[deed.source.kind], deed)
        changes.append(shared)
        if rest:
            private[str(i)] = rest
    head = {name: getattr(image, name) for name in ("run", "app_id", "region", "name", "stored")}
    whole = {"format": FORMAT, **head, "limits": dict(image.limits), "changes": changes}
    return whole, {"format": FORMAT, "run": image.run, "changes": private} if private else {}


def _parted(kind: Kind, deed: Deed) -> tuple[Document, Document]:
    """One deed as both documents. What is told stands in a list, so that a null in its place says that it is not told here."""
    personal = kind.person or _mail(deed.key)
    fields, own_fields = _hidden(kind, {path: list(moved) for path, moved in deed.fields.items()})
    had, own_had = _hidden(kind, {path: [value] for path, value in deed.had.items()})
    shared = {
        "action": deed.action.value,
        "source": _end(deed.source),
        "by": deed.by,
        "key": None if personal else [deed.key],
        "fields": fields,
        "link": list(deed.link or ()),
        "target": _end(deed.target) if deed.target else None,
        "had": had,
        "held": [{"link": list(h.link), "kind": h.kind, "ids": list(h.ids), "ours": sorted(h.ours)} for h in deed.held],
        "ours": deed.ours,
        "file": deed.file,
    }
    private = {"key": [deed.key] if personal and deed.key else None, "fields": own_fields, "had": own_had}
    return _filled(shared), _filled(private)


def _filled(found: Document) -> Document:
    return {name: value for name, value in found.items() if value}


def _hidden(kind: Kind, values: Mapping[str, Any]) -> tuple[Document, Document]:
    """Values by path as they may be shared, and those that may not: all of a person. A path that holds an e-mail is not even named."""
    private = {p: value for p, value in values.items() if kind.person or personal_path(kind, p) or _mail(p) or _mail(value)}
    return {p: None if p in private else value for p, value in values.items() if not _mail(p)}, private


def _mail(value: Any) -> bool:
    """Whether an e-mail may stand somewhere in a value."""
    if isinstance(value, str):
        return MAIL.search(value) is not None
    if isinstance(value, Mapping):
        return any(_mail(part) for item in value.items() for part in item)
    return isinstance(value, (list, tuple)) and any(map(_mail, value))


def _end(end: End) -> Document:
    return {"kind": end.kind, **({"id": end.id} if end.id else {}), **({"made": end.made} if end.made is not None else {})}


def joined(shared: Document, private: Document, kinds: Sequence[Kind]) -> Image:
    """An image from its documents; of the private one may be nothing here. Raises ValueError, KeyError, TypeError for other documents."""
    if shared["format"] != FORMAT:
        raise ValueError(f"format {shared['format']}")
    rest = private.get("changes", {}) if private.get("run") == shared["run"] else {}
    found = tuple(_deed_of(change, rest.get(str(i), {})) for i, change in enumerate(shared["changes"]))
    head = {name: shared[name] for name in ("run", "app_id", "region", "name", "stored", "limits")}
    _check(head, found, kinds)
    return Image(**head, deeds=found)


def _check(head: Document, found: Sequence[Deed], kinds: Sequence[Kind]) -> None:
    """Raises TypeError, KeyError, ValueError where it is not what this release writes."""
    words = all(isinstance(head[name], str) for name in ("run", "app_id", "region", "name"))
    if not words or not isinstance(head["stored"], (int, float)):
        raise TypeError("another shape")
    Limits.model_validate(head["limits"])
    fields = {kind.name: kind.fields for kind in kinds}
    for deed in found:
        ends = [deed.source, *([deed.target] if deed.target else ())]
        paths = {path.partition(".")[0] for path in (*deed.fields, *deed.had)}
        if any(end.kind not in fields for end in ends) or not paths <= fields[deed.source.kind].keys():
            raise KeyError("another kind or field")


def _listed(value: Any) -> Any:
    """A value out of a document, whose lists are the tuples of ours."""
    return tuple(value) if isinstance(value, list) else value


def _deed_of(shared: Document, private: Document) -> Deed:
    key = private.get("key") or shared.get("key")
    fields = {**shared.get("fields", {}), **private.get("fields", {})}
    had = {**shared.get("had", {}), **private.get("had", {})}
    return Deed(
        action=Action(shared["action"]),
        source=End(**shared["source"]),
        by=shared.get("by", ""),
        key=key[0] if key else HIDDEN,
        fields={path: Moved(*map(_listed, value or (HIDDEN, HIDDEN))) for path, value in fields.items()},
        link=LinkName(*shared["link"]) if "link" in shared else None,
        target=End(**shared["target"]) if "target" in shared else None,
        had={path: _listed(value[0]) if value else HIDDEN for path, value in had.items()},
        held=tuple(Held(LinkName(*h["link"]), h["kind"], tuple(h["ids"]), frozenset(h["ours"])) for h in shared.get("held", ())),
        ours=shared.get("ours", False),
        file=shared.get("file", ""),
    )
