"""The one comparison: desired and live, paired by address, become changes and notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reconciler.core.compare.led import led_nowhere
from reconciler.core.compare.match import Index, index
from reconciler.core.compare.named import misnamed, name_of, same_names
from reconciler.core.compare.unique import Grip, Holder, Owners
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.paths import claimed, live_value
from reconciler.core.model.recorded import BLANK, LinkOrigin, Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.route import LinkKind
from reconciler.core.model.written import quote
from reconciler.errors import Mark


@dataclass(frozen=True, slots=True)
class Difference:
    """What separates desired from live. `missing` are the contacts that were skipped; `beside` are places
    that differ and are not to be changed, as (address, path): Intercom does not take them, or they were not asked for."""

    changes: tuple[Change, ...]
    notes: tuple[Note, ...] = ()
    missing: tuple[Address, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    beside: frozenset[tuple[Address, str]] = frozenset()


class _Draft:
    """What one comparison collects on its way."""

    def __init__(self, kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded) -> None:
        self.manifest, self.live, self.recorded = manifest, live, recorded
        self.kinds = kinds
        self.persons = kinds.persons
        self.indexes: dict[str, Index] = {}
        self.owning: dict[str, Owners] = {}
        self.changes: list[Change] = []
        self.notes: list[Note] = []
        self.missing: list[Address] = []
        self.refusals: list[Refusal] = []
        self.created: set[Address] = set()
        self.returning: set[Address] = set()
        self.names: dict[str, dict[str, Address]] = defaultdict(dict)
        for address, live_id in live.pairs.items():
            self.names[address.kind][live_id] = address

    def note(self, topic: str, text: str, resource: Resource, *, held: bool = False) -> None:
        self.notes.append(Note(topic, text, resource.address, resource.mark, held))

    def refuse(self, gate: str, text: str, *about: Resource) -> None:
        self.refusals.append(Refusal(gate, text, entries=tuple(resource.address for resource in about)))

    def people(self, kind: str) -> int | None:
        """How many contacts a change at an address of this kind touches; what only a count could tell is None."""
        return 1 if kind in self.persons else None

    def index(self, kind: Kind) -> Index:
        """The live things of a kind by identity, made once."""
        if kind.name not in self.indexes:
            self.indexes[kind.name] = index(kind, self.live.things.get(kind.name, {}).values())
        return self.indexes[kind.name]

    def owners(self, kind: Kind) -> Owners:
        """Who owns the unique values of a kind."""
        if kind.name not in self.owning:
            self.owning[kind.name] = Owners(kind, self.manifest, self.index(kind), self.names[kind.name])
        return self.owning[kind.name]

    def address_of(self, kind: str, live_id: str) -> Address | None:
        """How a live thing is called: by the entry it is paired with, else by its own key; None where it is not to be seen."""
        if live_id in self.names[kind]:
            return self.names[kind][live_id]
        thing = self.live.things.get(kind, {}).get(live_id)
        return thing.address if thing else None


def diff(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded = BLANK) -> Difference:
    """Compare what is claimed with what is live. `kinds` stand in the order in which they need each other. Pure.

    `memory` says which links are ours, and whom to bring back.
    """
    draft = _Draft(kinds, manifest, live, recorded)
    by_kind: dict[str, list[Resource]] = defaultdict(list)
    for address in sorted(manifest.resources):
        if address not in live.withheld:
            by_kind[address.kind].append(manifest.resources[address])
    for kind in kinds:
        for resource in by_kind[kind.name]:
            _compare(kind, resource, draft)
        _refuse_twins(kind, by_kind[kind.name], draft)
        draft.refusals += same_names(kind, by_kind[kind.name], draft.changes)
    for kind in kinds:
        for link in kind.links:
            for resource in by_kind[kind.name]:
                _compare_links(link, resource, draft)
        _report_undeclared(kind, draft)
    draft.refusals += led_nowhere(kinds, manifest, live, draft.changes)
    changes = tuple(_with_key(change, draft) for change in draft.changes)
    return Difference(changes, tuple(draft.notes), tuple(draft.missing), tuple(draft.refusals))


def _compare(kind: Kind, resource: Resource, draft: _Draft) -> None:
    thing = draft.live.of(resource.address)
    if thing is None:
        _absent(kind, resource, draft)
    elif refusal := misnamed(kind, resource, thing, draft.index(kind)):
        draft.refusals.append(refusal)
    elif resource.state == "absent":
        draft.changes.append(ThingChange(Action.DELETE, resource.address, resource.mark, thing.id, people=draft.people(kind.name)))
    elif resource.state == "archived":
        _archive(kind, resource, thing, draft)
    elif kind.dormant(thing):
        fields = tuple(_moved(kind, resource, thing, draft))
        people = draft.people(kind.name)
        draft.changes.append(ThingChange(Action.UNARCHIVE, resource.address, resource.mark, thing.id, fields, people=people))
        _check_free(kind, resource, fields, draft)
    else:
        fields = tuple(_moved(kind, resource, thing, draft))
        draft.changes.extend(_split_rename(kind, resource, thing, list(fields), draft))
        _check_free(kind, resource, fields, draft)


def _check_free(kind: Kind, resource: Resource, fields: Iterable[FieldChange], draft: _Draft) -> None:
    """Refuse what somebody else keeps of the values that a live thing is to have."""
    for moved in fields:
        if moved.path in kind.fields and kind.fields[moved.path].moves and moved.after is not None:
            _taken(kind, resource, moved.path, moved.after, draft)


def _archive(kind: Kind, resource: Resource, thing: Live, draft: _Draft) -> None:
    """To the archive, unless a field that can never change says that the live thing is another one than the declared."""
    refused = len(draft.refusals)
    tuple(_moved(kind, resource, thing, draft))
    if not kind.dormant(thing) and len(draft.refusals) == refused:
        draft.changes.append(ThingChange(Action.ARCHIVE, resource.address, resource.mark, thing.id, people=draft.people(kind.name)))


def _absent(kind: Kind, resource: Resource, draft: _Draft) -> None:
    """A declared thing that is not live: created, brought back, left out, or out of sight."""
    if resource.gone:
        _gone(kind, resource, draft)
        return
    if resource.by == "id":
        _absent_by_id(kind, resource, draft)
        return
    if kind.archive and _known_before(kind, resource, draft):
        return
    wanted = resource.missing or draft.manifest.policy.missing_contacts
    # Who moved is never created: search may not show that person yet, and the former one would be left behind.
    moved = kind.person and resource.former and wanted == "create"
    if not kind.person or resource.state == "present" or (wanted == "create" and not moved):
        _create(kind, resource, draft)
    elif wanted == "error":
        draft.missing.append(resource.address)
        draft.refuse("missing", f"{resource.mark}: {kind.name} not found; correct the entry, or write missing: skip or create", resource)
    else:
        draft.missing.append(resource.address)
        skipped = "skipped, with its links (missing: skip)"
        told = "not created, remove `was` if it never existed" if moved else skipped
        draft.note("missing", f"not found: {told}", resource, held=bool(moved))


def _gone(kind: Kind, resource: Resource, draft: _Draft) -> None:
    """What is declared as not being there, and is found by no name."""
    if thing := _rewritten(kind, resource, draft):
        draft.names[kind.name][thing.id] = resource.address
        change = ThingChange(Action.DELETE, resource.address, resource.mark, thing.id, people=draft.people(kind.name))
        draft.changes.append(replace(change, remark=f"called {thing.key} by Intercom"))
    elif kind.archive and not kind.whole:
        draft.note("unproven", "not found; an archived one cannot be seen from outside", resource)
    elif resource.by == "id" and draft.recorded.of(kind.name, resource.key) is None:
        draft.note("unproven", f"no {kind.name} with this id is live here: it was deleted, or the id is wrong", resource)


def _rewritten(kind: Kind, resource: Resource, draft: _Draft) -> Live | None:
    """The live thing that a tombstone means by the name under which it was applied, of which Intercom made another one."""
    record = draft.recorded.at(resource.address) if resource.by != "id" and kind.whole and kind.delete else None
    thing = draft.live.things.get(kind.name, {}).get(record.id) if record and not record.deleted else None
    if thing is None or thing.id in draft.names[kind.name] or (kind.name, thing.id) in draft.live.doubted:
        return None
    if draft.recorded.rewritten(thing.address, thing.id):
        return thing
    draft.note("lookalike", f"is called {thing.key!a} by now (id {thing.id}): a tombstone takes only what is spelled exactly so", resource)
    return None


def _known_before(kind: Kind, resource: Resource, draft: _Draft) -> bool:
    """Whether somebody who was applied and is gone was dealt with: brought back by the remembered id, or not made anew when deleted."""
    record = draft.recorded.at(resource.address)
    if record is None or record.buried or not (record.deleted or resource.address in draft.live.vanished):
        return False
    if not record.deleted:
        _bring_back(kind, resource, record.id, draft)
        return True
    if resource.recreate:
        _create(kind, resource, draft)
        return True
    draft.missing.append(resource.address)
    draft.note("missing", f"was deleted in Intercom (id {record.id}): not made anew; write `recreate: true` if it is to be", resource)
    return True


def _bring_back(kind: Kind, resource: Resource, live_id: str, draft: _Draft) -> None:
    draft.created.add(resource.address)
    draft.returning.add(resource.address)
    fields = tuple(FieldChange(path, None, after) for path, _, after in claimed(kind, resource))
    change = ThingChange(Action.UNARCHIVE, resource.address, resource.mark, live_id, fields, people=draft.people(kind.name))
    draft.changes.append(replace(change, recreate=resource.recreate))
    _check_free(kind, resource, fields, draft)


def _absent_by_id(kind: Kind, resource: Resource, draft: _Draft) -> None:
    """A thing named by its id cannot be created; an archived one is brought back by it."""
    if resource.state == "present" and kind.archive:
        _bring_back(kind, resource, resource.key, draft)
        return
    if not kind.person:
        text = f"{resource.mark}: no live {kind.name} has the id {resource.key} in this workspace; correct it, or remove the entry"
        draft.refuse("missing", text, resource)
        return
    draft.missing.append(resource.address)
    if (resource.missing or draft.manifest.policy.missing_contacts) == "error":
        draft.refuse("missing", f"{resource.mark}: no live {kind.name} has this id; correct it, or remove the entry", resource)
    else:
        draft.note("missing", "no live one has this id: skipped, with its links", resource)


def _create(kind: Kind, resource: Resource, draft: _Draft) -> None:
    if kind.create is None:
        text = f"no {kind.name} {quote(resource.key)} is live, and Intercom lets no program make one"
        draft.refuse("missing", f"{resource.mark}: {text}; make it in Intercom, correct the name, or remove the entry", resource)
        return
    if _held_by_another(kind, resource, draft):
        return
    # A create may find somebody there (409), whose field is then to be cleared.
    finds = kind.conflict is not None
    fields = tuple(FieldChange(path, None, after) for path, _, after in claimed(kind, resource) if finds or after is not None)
    returns = resource.state == "present" and kind.archive is not None
    draft.created.add(resource.address)
    if returns:
        draft.returning.add(resource.address)
    people = draft.people(kind.name)
    draft.changes.append(ThingChange(Action.CREATE, resource.address, resource.mark, None, fields, returns, people=people))
    if kind.identity[resource.by].find is None and not kind.whole:
        text = "not found, but perhaps not visible yet: search cannot see the last minutes; if it exists, the create finds it"
        draft.note("lag", text, resource)


def _held_by_another(kind: Kind, resource: Resource, draft: _Draft) -> bool:
    """Whether somebody else has a unique value that a create needs, and keeps it: then the entry is refused, with the ids."""
    values = ((name, resource.fields.get(name)) for name in kind.identity)
    unique = [(name, value) for name, value in values if value is not None and kind.fields[name].moves]
    return any([_taken(kind, resource, name, value, draft, anew=True) for name, value in unique])


def _taken(kind: Kind, resource: Resource, name: str, value: Any, draft: _Draft, *, anew: bool = False) -> bool:
    """Whether a unique value can never be what an entry says, for somebody keeps it: refused. What Intercom lets two share is a note; but
    nobody is made beside somebody else who may be meant."""
    owners, own = draft.owners(kind), draft.live.of(resource.address)
    holders = owners.of(name, value, resource)
    kept = [h for h in holders if h.grip is Grip.ARCHIVED or (h.grip is Grip.KEPT and not (h.resource and h.resource.by == name))]
    stuck = [holder for holder in kept if not owners.share(name, resource, own, holder)]
    # What would be lost for this value is not lost while it cannot be had.
    spared = [holder.resource for holder in holders if holder.resource and holder.grip in (Grip.DIES, Grip.ARCHIVED)]
    if anew and kept and not any(holder.grip is Grip.ARCHIVED for holder in kept):
        text = f"another live {kind.name} holds this {name} ({'; '.join(map(str, kept))}); name it as that one is named, or write was:"
        draft.refuse("identity", f"{resource.mark}: {text}", resource, *spared)
    elif stuck:
        draft.refuse("taken", f"{resource.mark}: {_never(kind, name, stuck)}", resource, *spared)
    elif kept:
        text = f"another {kind.name} ({kept[0]}) has this {name} too, and keeps it: Intercom lets both have it"
        draft.note("shared", text, resource)
    return bool(stuck) or bool(kept and anew)


def _never(kind: Kind, name: str, stuck: Sequence[Holder]) -> str:
    """Why a value never comes free, and what to do about it."""
    put_away = [holder for holder in stuck if holder.grip is Grip.ARCHIVED]
    told = " and ".join(map(str, put_away or stuck))
    if put_away:
        text = f"the {kind.name} that is archived ({told}) keeps this {name} in the archive, so Intercom answers 409 in every run"
        return f"{text}; give that one another {name} while it is live, in a plan before, or delete it"
    text = f"another live {kind.name} ({told}) keeps this {name}, and Intercom lets only one of them have it (409)"
    return f"{text}; move it away there first, or correct it here"


def _refuse_twins(kind: Kind, resources: Sequence[Resource], draft: _Draft) -> None:
    """Two entries that would come out as one thing: one is named by a value that the other is to have."""
    named = {(r.by, kind.identity[r.by].fold(r.key)): r for r in resources if not r.gone}
    for resource in filter(partial(_stays, draft), resources):
        for name, value in resource.fields.items():
            if name == resource.by or not kind.fields[name].moves or value is None:
                continue
            other = named.get((name, kind.identity[name].fold(str(value))))
            if other and kind.rank(_expected(kind, resource, draft)) <= kind.rank(_expected(kind, other, draft)):
                text = f"{resource.mark} and {other.mark}: these entries would be the same {kind.name}: both have this {name}; keep one"
                draft.refuse("identity", text, resource, other)


def _stays(draft: _Draft, resource: Resource) -> bool:
    """Whether there is such a thing once the plan is done."""
    return not resource.gone and (resource.address in draft.created or draft.live.of(resource.address) is not None)


def _expected(kind: Kind, resource: Resource, draft: _Draft) -> Live:
    """A thing as it would be once the plan is done."""
    thing = draft.live.of(resource.address)
    fields = {**(thing.fields if thing else {}), **resource.fields}
    return Live(kind.name, thing.id if thing else "", resource.key, fields)


def _moved(kind: Kind, resource: Resource, thing: Live, draft: _Draft) -> Iterator[FieldChange]:
    """The claimed fields that live shows otherwise. Who was merged into another keeps the name of that other."""
    merged = resource.address in draft.live.merged
    for path, field, after in claimed(kind, resource):
        before = live_value(thing, path)
        if field.same(before, after) or (merged and path == resource.by):
            continue
        fixed = "" if kind.writes(path.partition(".")[0]) else "Intercom lets no program change it; change it there, or correct it here"
        if why := field.refuses(before, after) or fixed:
            text = f"{resource.mark}: {path} of this {kind.name} cannot become what is declared: {why}"
            draft.refuse("fixed", text, resource)
            continue
        yield FieldChange(path, before, after)


def _split_rename(kind: Kind, resource: Resource, thing: Live, fields: list[FieldChange], draft: _Draft) -> Iterator[ThingChange]:
    """The name of a thing that has a way to be renamed is a change of its own."""
    renames = tuple(f for f in fields if kind.rename and f.path == kind.identities[0].field)
    rest = tuple(f for f in fields if f not in renames)
    if renames:
        yield ThingChange(Action.RENAME, resource.address, resource.mark, thing.id, renames, people=draft.people(kind.name))
    if rest:
        yield ThingChange(Action.UPDATE, resource.address, resource.mark, thing.id, rest, people=draft.people(kind.name))


def _compare_links(link: LinkKind, resource: Resource, draft: _Draft) -> None:
    written = resource.links.get(link.field)
    thing = draft.live.of(resource.address)
    if written is None or resource.gone or (thing is None and resource.address not in draft.created):
        return
    if resource.address in draft.returning and (written.absent or draft.manifest.policy.links in ("declared", "exact")):
        text = f"an archived one keeps its {link.field}, which can be seen only once it is back: plan again then"
        draft.note("incomplete", text, resource)
    held = _held(link, thing, draft)
    attach = [t for t in written.present if t not in held and _attachable(link, resource, t, draft)]
    sure = (t for t, live_id in held.items() if (link.target, live_id) not in draft.live.doubted)
    detach = [t for t in sure if _unwanted(link, t, held[t], written, resource, draft)]
    if link.attach.named:
        attach, detach = ([t for t in ends if not _shares_name(link, t, resource, draft)] for ends in (attach, detach))
    # What is held and not declared has no name here and counts all the same.
    total = len(_linked(link, thing, draft)) + len(attach) - len(detach)
    if link.most is not None and attach and total > link.most:
        text = f"{resource.mark}: would have {total} {link.field}, Intercom admits {link.most}"
        draft.refuse("capacity", f"{text}; remove some", resource)
    for action, targets in ((Action.ATTACH, attach), (Action.DETACH, detach)):
        for target in sorted(targets):
            line = written.present.get(target) or written.absent.get(target) or resource.mark.line
            mark, target_id = Mark(resource.mark.file, line), held.get(target) or draft.live.pairs.get(target)
            people = draft.people(link.source)
            source_id = thing.id if thing else None
            draft.changes.append(LinkChange(action, resource.address, target, link.name, mark, source_id, target_id, people))


def _shares_name(link: LinkKind, target: Address, resource: Resource, draft: _Draft) -> bool:
    """Whether a link that Intercom takes by the name of its target only may hit another one of that name: then it is refused."""
    twins = draft.live.twins.get((link.target, draft.live.pairs.get(target, "")))
    if twins:
        text = f"{resource.mark}: Intercom takes the {link.field} of a {link.source} by name only, and several have this one: {twins}"
        draft.refuse("twins", f"{text}; rename or delete all but one", resource)
    return twins is not None


def _linked(link: LinkKind, thing: Live | None, draft: _Draft) -> Set[str]:
    """The ids of the other ends of one thing's live links."""
    return draft.live.links.get(link.name, {}).get(thing.id, frozenset()) if thing else frozenset()


def _held(link: LinkKind, thing: Live | None, draft: _Draft) -> Mapping[Address, str]:
    """The live links of one thing whose other end has a name: its address → its id."""
    named = ((draft.address_of(link.target, live_id), live_id) for live_id in _linked(link, thing, draft))
    return {address: live_id for address, live_id in named if address}


def _attachable(link: LinkKind, resource: Resource, target: Address, draft: _Draft) -> bool:
    declared = draft.manifest.resources[target]
    if declared.free:
        draft.note("free", f"{target} says members: free, so this link is left as it is", resource)
        return False
    if target in draft.live.withheld:
        draft.note("withheld", f"{target} cannot be attached: nothing is done with it in this plan, which says why", resource, held=True)
        return False
    if draft.live.of(target) is None and target not in draft.created:
        draft.note("withheld", f"{target} cannot be attached: it is not live and not created by this plan", resource, held=True)
        return False
    return True


def _unwanted(link: LinkKind, target: Address, target_id: str, written: WrittenLinks, resource: Resource, draft: _Draft) -> bool:
    """Whether a live link is to go: because it is written so, or because the policy lets the manifest decide."""
    declared = draft.manifest.resources.get(target)
    if target in written.absent and declared and declared.free:
        draft.note("free", f"{target} says members: free, so this link is left as it is", resource)
    if declared and (declared.free or declared.gone):
        return False
    if target in written.absent or target in written.present:
        return target in written.absent
    match draft.manifest.policy.links:
        case "exact":
            return target not in draft.live.withheld
        case "declared":
            return declared is not None or target in draft.manifest.beside
        case "owned":
            ours = _made_by_us(link, resource, target, target_id, draft)
            return ours and not _written_before(link, resource, target, target_id, draft)
        case _:
            return False


def _written_before(link: LinkKind, resource: Resource, target: Address, target_id: str, draft: _Draft) -> bool:
    """Whether a link is still written under the name that its end had when it was applied, and that another thing has now."""
    recorded, record = draft.recorded, draft.recorded.of(link.target, target_id)
    names = {recorded.digests.thing(recorded.app_id, end): end for end in resource.links[link.field].present} if record else {}
    if record is None or record.thing not in names:
        return False
    text = f"the link to {target} (id {target_id}) is ours, and was written as {names[record.thing]} when it was applied: it stays"
    draft.note("orphaned", text, resource)
    return True


def _made_by_us(link: LinkKind, resource: Resource, target: Address, target_id: str, draft: _Draft) -> bool:
    source_id = draft.live.pairs.get(resource.address, "")
    if draft.recorded.link_origin(link.name, resource.address, source_id, target, target_id) != LinkOrigin.OWNED:
        return False
    record = draft.recorded.of(link.source, source_id)
    if unread := draft.recorded.files.unread(record) if record else ():
        text = f"the link to {target} is ours, and {', '.join(unread)}, which declares it too, was not given: it stays"
        draft.note("not read", text, resource)
        return False
    if other := draft.recorded.elsewhere(link.name, source_id, target_id):
        draft.note("foreign", f"the link to {target} is ours and no longer written; `name: {other}` has it too, so it stays", resource)
    return other is None


def _report_undeclared(kind: Kind, draft: _Draft) -> None:
    if not kind.undeclared or kind.section not in draft.manifest.sections or draft.manifest.policy.undeclared(kind.section) == "ignore":
        return
    things = draft.live.things.get(kind.name, {})
    first, ours = kind.identities[0], (r for r in draft.manifest.resources.values() if r.address.kind == kind.name)
    refused = {first.fold(key) for r in ours for by, key in ((r.by, r.key), *r.former) if by == first.field}
    # Of twins that an entry names nobody can say which is declared: the refusal speaks of all.
    unnamed = (t for i, t in things.items() if (kind.name, i) not in draft.live.twins or first.fold(t.key) not in refused)
    names = sorted(thing.key for thing in unnamed if thing.id not in draft.names[kind.name])
    for name in names:
        draft.notes.append(Note("undeclared", "live, but not declared", Address(kind.name, name)))


def _with_key(change: Change, draft: _Draft) -> Change:
    """A change with the names of those whose addresses are ids."""
    if isinstance(change, LinkChange):
        return replace(change, target_key=key) if (key := _key_of(change.target, draft)) else change
    return replace(change, key=key) if (key := _key_of(change.address, draft)) else change


def _key_of(address: Address, draft: _Draft) -> str:
    resource = draft.manifest.resources.get(address)
    return name_of(draft.kinds[address.kind], resource, draft.live.of(address)) if resource else ""
