"""The compiler: a plan's steps become HTTP calls whose ids are bound late. Pure; cost and listings fall out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, LinkChange, ThingChange
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.paths import field_at, live_value, merge_paths
from reconciler.core.model.reference import find_end
from reconciler.core.model.route import Bulk, LinkKind, Write, fill
from reconciler.core.plan.order import Step

# The admin whose token it is, in whose name some calls are made.
ACTOR = Address("admin", "me")
# No name may mean another thing.
SURE: Mapping[Address, str] = {}


@dataclass(frozen=True, slots=True)
class Ref:
    """The id of an address, known only when the call is made."""

    # Whose id it is.
    address: Address


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, but for the ids."""

    # The method and the path, with its placeholders.
    route: str
    # What fills the route and the body.
    values: Mapping[str, str | Ref] = field(default_factory=dict)
    # What is sent, as JSON.
    body: Any = None
    # The fields whose values the reply must show.
    sent: Mapping[str, Any] = field(default_factory=dict)
    # Whether it is safe to send again.
    repeatable: bool = True
    # Whose name it goes by, where it holds no id of it.
    by_name: Address | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """Calls that are made one after the other for one step, or for many that the last one makes."""

    # What is sent, in this order.
    calls: tuple[Call, ...]
    # The positions of the steps.
    covers: tuple[int, ...]
    # Jobs of a lower wave are made first.
    wave: int
    # The positions of the steps that must be done before.
    needs: frozenset[int]
    # Of a call for many: the key of its body under which these stand.
    items: str = ""
    # Calls that are made instead where the first one shows that there is no such thing.
    otherwise: tuple[Call, ...] = ()

    def without(self, steps: Container[int]) -> Job:
        """The same job for fewer steps; the items of its one call stand in the order of the steps that it covers."""
        places = [n for n, step in enumerate(self.covers) if step not in steps]
        if len(places) == len(self.covers):
            return self
        *first, call = self.calls
        body = {**call.body, self.items: [call.body[self.items][n] for n in places]}
        return replace(self, calls=(*first, replace(call, body=body)), covers=tuple(self.covers[n] for n in places))


def compile_steps(kinds: Kinds, steps: Sequence[Step], version: str = "2.16", unsure: Mapping[Address, str] = SURE) -> tuple[Job, ...]:
    """Steps as jobs, in order. `version` is Intercom's API version: it decides which bulk calls can be trusted. The names of `unsure`
    addresses may mean another thing: calls go by the id, and where there is only a name, it is the one here, and Intercom is asked first
    whom it means."""
    jobs = []
    for i, step in enumerate(steps):
        calls: tuple[Call, ...]
        otherwise: tuple[Call, ...] = ()
        if isinstance(step.change, LinkChange):
            calls = tuple(_link_calls(kinds.links[step.change.link], step.change, unsure))
        else:
            kind = kinds[step.change.address.kind]
            calls = tuple(_thing_calls(kind, step.change, version))
            if step.change.recreate:
                otherwise = tuple(_thing_calls(kind, replace(step.change, action=Action.CREATE, id=None), version))
        jobs.append(Job(calls, (i,), step.wave, step.needs, otherwise=otherwise))
    return _in_bulk(kinds.links, steps, jobs, version, unsure)


def _thing_calls(kind: Kind, change: ThingChange, version: str) -> Iterator[Call]:
    match change.action:
        case Action.CREATE:
            yield from _writes(kind, change, (kind.create,), version)
        case Action.UPDATE:
            yield from _writes(kind, change, kind.update, version)
        case Action.UNARCHIVE:
            yield _plain(kind.archive.back if kind.archive else None, change)
            yield from _writes(kind, change, kind.update, version)
        case Action.RENAME:
            yield from _writes(kind, change, (kind.rename,), version)
        case Action.ARCHIVE:
            yield _plain(kind.archive.away if kind.archive else None, change)
        case _:
            yield _plain(kind.delete, change)


def _plain(write: Write | None, change: ThingChange) -> Call:
    assert write is not None, f"{change.address.kind} has no route for {change.action}"
    values = _values_of(change)
    return Call(write.route, values, fill(write.body, values))


def _values_of(change: ThingChange) -> Mapping[str, str | Ref]:
    key = change.key or change.address.key
    return {"id": change.id or Ref(change.address), "key": key, "name": key}


def _writes(kind: Kind, change: ThingChange, writes: Sequence[Write | None], version: str) -> Iterator[Call]:
    fields_written = [f for f in change.fields if f.after is not None or change.action is not Action.CREATE]
    values, fields = _values_of(change), merge_paths(fields_written, kind)
    for write in writes:
        assert write is not None, f"{kind.name} has no route for {change.action}"
        body_fields = {k: v for k, v in fields.items() if write.carries is None or k in write.carries}
        if not body_fields:
            continue
        wire = dict(_on_wire(kind, name, value, version) for name, value in body_fields.items())
        body = {**(fill(write.body, values) or {}), **wire}
        fields_sent = {f.path: f.after for f in change.fields if f.path in body_fields or f.path.partition(".")[0] in body_fields}
        yield Call(write.route, values, body, fields_sent, not (change.action is Action.CREATE and kind.unrepeatable(body)))


def _on_wire(kind: Kind, name: str, value: Any, version: str) -> tuple[str, Any]:
    """A field as a body holds it: under its name there, and with the id of what it leads to."""
    field, end = kind.fields[name], find_end(kind, name, value)
    return field.wire_name or name, Ref(end) if end else field.wire(value, version)


def _link_calls(link: LinkKind, change: LinkChange, unsure: Mapping[Address, str]) -> Iterator[Call]:
    write = link.attach if change.action is Action.ATTACH else link.detach
    if write.is_by_name and change.target in unsure and link.names:
        yield _link_write(link.names, change, unsure)
    yield _link_write(write, change, unsure)


def _link_write(write: Write, change: LinkChange, unsure: Mapping[Address, str]) -> Call:
    values: Mapping[str, str | Ref] = {
        "source": change.id or Ref(change.address),
        "target": change.target_id or Ref(change.target),
        "name": unsure.get(change.target) or change.target_key or change.target.key,
        "actor": Ref(ACTOR),
    }
    return Call(write.route, values, fill(write.body, values), by_name=change.target if write.is_by_name else None)


def _in_bulk(
    links: Mapping[Any, LinkKind], steps: Sequence[Step], jobs: Sequence[Job], version: str, unsure: Mapping[Address, str]
) -> tuple[Job, ...]:
    """The bulk pass: links to one target that one call can make become one job, where the first of them stood."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for i, step in enumerate(steps):
        change = step.change
        if not isinstance(change, LinkChange):
            continue
        bulk = _bulk(links[change.link], change.action)
        if bulk and bulk.since <= version and (change.target not in unsure or jobs[i].calls[-1].by_name):
            groups[change.link, change.action, change.target, step.wave].append(i)
    replacements: dict[int, Job | None] = {}
    for (name, action, _, _), members in groups.items():
        bulk = _bulk(links[name], action)
        assert bulk is not None
        for start in range(0, len(members), bulk.size):
            part = members[start : start + bulk.size]
            if len(part) > 1:
                replacements.update(dict.fromkeys(part))
                replacements[part[0]] = _join_calls(bulk, steps, part, jobs[part[0]].calls[:-1], unsure)
    return tuple(job for i, old in enumerate(jobs) if (job := replacements.get(i, old)) is not None)


def _bulk(link: LinkKind, action: Action) -> Bulk | None:
    return link.bulk_attach if action is Action.ATTACH else link.bulk_detach


def _join_calls(bulk: Bulk, steps: Sequence[Step], part: Sequence[int], first: tuple[Call, ...], unsure: Mapping[Address, str]) -> Job:
    calls = []
    for i in part:
        change = steps[i].change
        assert isinstance(change, LinkChange)
        calls.append(_link_write(bulk.write, change, unsure))
    body = {**calls[0].body, bulk.items: [item for call in calls for item in call.body[bulk.items]]}
    needs = frozenset().union(*(steps[i].needs for i in part))
    return Job((*first, replace(calls[0], body=body)), tuple(part), steps[part[0]].wave, needs, bulk.items)


def rewrites(kind: Kind, change: ThingChange, here: Live, version: str) -> tuple[Call, ...]:
    """The calls that make a thing which a create found in place what the create would have made it."""
    fields = tuple(f for f in change.fields if not field_at(kind, f.path).same(live_value(here, f.path), f.after))
    update = replace(change, action=Action.UPDATE, id=here.id, fields=fields)
    return tuple(_writes(kind, update, kind.update, version))
