"""The one comparison: desired and live, paired by address, become changes and notes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import NoneType

from reconciler.core.compare.absent import compare_absent
from reconciler.core.compare.draft import Difference, Draft
from reconciler.core.compare.led import refuse_dangling
from reconciler.core.compare.links import compare_links, find_differing
from reconciler.core.compare.named import find_name, long_names, refuse_misnamed, refuse_same_names
from reconciler.core.compare.ruled import compare_rules
from reconciler.core.compare.taken import refuse_same_entries, refuse_taken_fields
from reconciler.core.model.address import Address, in_order
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.paths import claims, live_value
from reconciler.core.model.recorded import BLANK, Recorded


def diff(kinds: Kinds, manifest: Manifest, live: Snapshot, recorded: Recorded = BLANK, now: float = 0.0) -> Difference:
    """Compare what is claimed with what is live. `kinds` stand in the order in which they need each other. Pure.

    `recorded` says which links are ours, and whom to bring back; `now`, in Unix seconds, what was written so lately that search lags.
    """
    draft = Draft(kinds, manifest, live, recorded)
    by_kind: dict[str, list[Resource]] = defaultdict(list)
    for address in in_order(manifest.resources):
        if address not in live.withheld:
            by_kind[address.kind].append(manifest.resources[address])
    for kind in kinds.every:
        for resource, thing in _find_differing(kind, by_kind[kind.name], live):
            _compare(kind, resource, thing, draft)
        refuse_same_entries(kind, by_kind[kind.name], draft)
        draft.refusals += refuse_same_names(kind, by_kind[kind.name], draft.changes)
        draft.refusals += long_names(kind, by_kind[kind.name], draft.changes, live.facts)
    for kind in kinds.every:
        for link in kind.links:
            for resource in find_differing(link, by_kind[kind.name], draft):
                compare_links(link, resource, draft)
        _report_undeclared(kind, draft)
    compare_rules(draft, now)
    draft.refusals += refuse_dangling(kinds, manifest, live, draft.changes)
    changes = tuple(_add_key(change, draft) for change in draft.changes)
    return Difference(changes, tuple(draft.notes), tuple(draft.missing), tuple(draft.refusals))


def _find_differing(kind: Kind, resources: Iterable[Resource], live: Snapshot) -> Iterator[tuple[Resource, Live | None]]:
    """Those that are not plainly as declared, with their live things."""
    things = live.things.get(kind.name, {})
    for resource in resources:
        thing = things.get(live.pairs.get(resource.address, ""))
        if thing is None or not _is_plainly_as_declared(kind, resource, thing):
            yield resource, thing


def _compare(kind: Kind, resource: Resource, thing: Live | None, draft: Draft) -> None:
    if thing is None:
        compare_absent(kind, resource, draft)
    elif refusal := refuse_misnamed(kind, resource, thing, draft.index(kind)):
        draft.refusals.append(refusal)
    elif resource.state == "absent":
        change = ThingChange(Action.DELETE, resource.address, resource.mark, thing.id, people=draft.people(kind.name), into=resource.into)
        draft.changes.append(replace(change, also=resource.also))
    elif resource.state == "archived":
        _archive(kind, resource, thing, draft)
    elif kind.dormant(thing):
        fields = tuple(_compare_fields(kind, resource, thing, draft))
        people = draft.people(kind.name)
        draft.changes.append(ThingChange(Action.UNARCHIVE, resource.address, resource.mark, thing.id, fields, people=people))
        refuse_taken_fields(kind, resource, fields, draft)
    else:
        fields = tuple(_compare_fields(kind, resource, thing, draft))
        draft.changes.extend(_split_rename(kind, resource, thing, list(fields), draft))
        refuse_taken_fields(kind, resource, fields, draft)


# Values of these types are the same where they are equal, whatever field they stand in.
_PLAIN = frozenset({str, int, float, bool, NoneType})


def _is_plainly_as_declared(kind: Kind, resource: Resource, thing: Live) -> bool:
    """Whether a thing is there and shows every claimed field exactly so, as far as that takes no knowledge of the fields: so are most, and
    nothing else can be said of these."""
    fields = thing.fields
    for name, value in resource.fields.items():
        live = fields.get(name)
        if type(value) is not type(live) or value != live or type(value) not in _PLAIN:
            return False
    return resource.state in (None, "present") and not kind.dormant(thing)


def _archive(kind: Kind, resource: Resource, thing: Live, draft: Draft) -> None:
    """To the archive, unless a field that can never change says that the live thing is another one than the declared."""
    number_before = len(draft.refusals)
    tuple(_compare_fields(kind, resource, thing, draft))
    if not kind.dormant(thing) and len(draft.refusals) == number_before:
        draft.changes.append(ThingChange(Action.ARCHIVE, resource.address, resource.mark, thing.id, people=draft.people(kind.name)))


def _compare_fields(kind: Kind, resource: Resource, thing: Live, draft: Draft) -> Iterator[FieldChange]:
    """The claimed fields that live shows otherwise. Who was merged into another keeps the name of that other."""
    is_merged = resource.address in draft.live.merged
    for path, field, after in claims(kind, resource):
        before = live_value(thing, path)
        if field.same(before, after) or (is_merged and path == resource.by):
            continue
        advice = "" if kind.writes(path.partition(".")[0]) else "Intercom lets no program change it; change it there, or correct it here"
        if why := field.refuses(before, after) or advice:
            text = f"{resource.mark}: {path} of this {kind.name} cannot become what is declared: {why}"
            draft.refuse("fixed", text, resource)
            continue
        yield FieldChange(path, before, after)


def _split_rename(kind: Kind, resource: Resource, thing: Live, fields: list[FieldChange], draft: Draft) -> Iterator[ThingChange]:
    """The name of a thing that has a way to be renamed is a change of its own."""
    renames = tuple(f for f in fields if kind.rename and f.path == kind.identities[0].field)
    rest = tuple(f for f in fields if f not in renames)
    if renames:
        yield ThingChange(Action.RENAME, resource.address, resource.mark, thing.id, renames, people=draft.people(kind.name))
    if rest:
        yield ThingChange(Action.UPDATE, resource.address, resource.mark, thing.id, rest, people=draft.people(kind.name))


def _report_undeclared(kind: Kind, draft: Draft) -> None:
    if (
        not kind.reports_undeclared
        or kind.section not in draft.manifest.sections
        or draft.manifest.policy.on_undeclared(kind.section) == "ignore"
    ):
        return
    things = draft.live.things.get(kind.name, {})
    first, ours = kind.identities[0], (r for r in draft.manifest.resources.values() if r.address.kind == kind.name)
    refused_keys = {first.fold(key) for r in ours for by, key in ((r.by, r.key), *r.former) if by == first.field}
    # Of twins that an entry names nobody can say which is declared: the refusal speaks of all.
    things_unnamed = (t for i, t in things.items() if (kind.name, i) not in draft.live.twins or first.fold(t.key) not in refused_keys)
    names = sorted(thing.key for thing in things_unnamed if thing.id not in draft.names[kind.name])
    for name in names:
        draft.notes.append(Note("undeclared", "live, but not declared", Address(kind.name, name)))


def _add_key(change: Change, draft: Draft) -> Change:
    """A change with the names of those whose addresses are ids."""
    if isinstance(change, LinkChange):
        return replace(change, target_key=key) if (key := _find_key(change.target, draft)) else change
    return replace(change, key=key) if (key := _find_key(change.address, draft)) else change


def _find_key(address: Address, draft: Draft) -> str:
    resource = draft.manifest.resources.get(address)
    return find_name(draft.kinds[address.kind], resource, draft.live.of(address)) if resource else ""
