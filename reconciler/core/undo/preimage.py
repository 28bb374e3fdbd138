"""Image: what a run is about to do and to destroy, as plain values; one part may be shared, the other stays on its machine. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.merge import Carriers, add_seen
from reconciler.core.model.address import LinkName
from reconciler.core.model.change import LOSING, Action, Change, LinkChange, ThingChange, Use
from reconciler.core.model.desired import Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.paths import values_of
from reconciler.core.model.policy import Limits
from reconciler.core.model.recipient import Recipient
from reconciler.core.model.record import LinkOrigin
from reconciler.core.model.recorded import Recorded
from reconciler.core.plan.order import Step

# Things are kept so long, in seconds.
KEPT = 30 * 86400.0


class Hidden(Enum):
    """A value that was kept only on the machine of its run, which is another one."""

    HIDDEN = "hidden"


HIDDEN = Hidden.HIDDEN


class Moved(NamedTuple):
    """A field before and after; HIDDEN where this machine does not have it."""

    # The value before.
    before: Any
    # The value after.
    after: Any


# ── as it is stored: a value stands in a list, so that a null in its place says that it is not told here ─────────────────────
def _write(value: Any) -> list[Any] | None:
    if isinstance(value, Moved):
        return None if HIDDEN in value else list(value)
    return None if value is HIDDEN else [value]


def _read(value: Any) -> Any:
    match value:
        case None:
            return HIDDEN
        case [one]:
            return _make_live(one)
    raise ValueError("neither null nor one value")


def _read_moved(value: Any) -> Moved:
    match value:
        case None:
            return Moved(HIDDEN, HIDDEN)
        case [before, after]:
            return Moved(_make_live(before), _make_live(after))
    raise ValueError("neither null nor two values")


def _make_live(value: Any) -> Any:
    """A live thing has tuples where a document has lists."""
    return tuple(value) if isinstance(value, list) else value


def _check_limits(limits: Any) -> Any:
    Limits.model_validate(limits)
    return limits


def _split(lines: Any) -> tuple[str, ...]:
    if not isinstance(lines, str):
        raise ValueError("no text")
    return tuple(lines.split("\n"))


Files = Annotated[tuple[str, ...], Field(alias="file"), PlainValidator(_split), PlainSerializer("\n".join)]
Value = Annotated[Any, BeforeValidator(_read), PlainSerializer(_write)]
Values = Mapping[str, Value]
Moves = Mapping[str, Annotated[Moved, PlainValidator(_read_moved), PlainSerializer(_write)]]


@dataclass(frozen=True, slots=True)
class End:
    """An end of a link: a live thing, or what the run makes."""

    # Its kind.
    kind: str
    # Its live id; None for what the run makes.
    id: str | None = None
    # The place of the change that makes it.
    made: int | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Links of one kind that go with what is deleted."""

    # The kind of link.
    link: LinkName
    # The kind of the other ends.
    kind: str
    # The live ids of the other ends.
    ids: tuple[str, ...]
    # To which of these we made the link.
    ours: Annotated[frozenset[str], PlainSerializer(sorted)]


@dataclass(frozen=True, slots=True)
class KeptChange:
    """One change that a run is about to make, with what is lost by it."""

    # What is done.
    action: Action
    # The thing; of a link its source.
    source: End
    # The field that names the thing where it gets a new id; of a link that a merge undoes, its other end.
    by: str = ""
    # Its value; HIDDEN where this machine does not have it.
    key: Value = HIDDEN
    # The fields that move, by path.
    fields: Moves = field(default_factory=dict)
    # The kind of link, if it is one that is made or undone.
    link: LinkName | None = None
    # The other end of that link.
    target: End | None = None
    # The fields of what is deleted, by path.
    had: Values = field(default_factory=dict)
    # Its links.
    held: tuple[Held, ...] = ()
    # Whether the thing, or the link, that goes was made by us.
    ours: bool = False
    # The files that declared it.
    files: Files = ()


@dataclass(frozen=True, slots=True)
class Preimage:
    """What one run is about to do."""

    # The run's id.
    run: str
    # The workspace.
    app_id: str
    # Where that is: `us`, `eu` or `au`.
    region: str
    # The manifest's.
    name: str
    # When, in Unix seconds.
    stored: float
    # Those that the run was held to.
    limits: Annotated[Mapping[str, Any], AfterValidator(_check_limits)]
    # What it is about to do, change by change.
    kept_changes: Annotated[tuple[KeptChange, ...], Field(alias="changes")]
    # The public keys that its personal half is encrypted to; none where that stays on the machine of the run.
    keys: tuple[Recipient, ...] = ()

    def is_expired(self, now: float) -> bool:
        return now - self.stored > KEPT


def destroys(changes: Sequence[Change]) -> bool:
    """Whether something is lost by these changes: a thing, a link, or a value."""
    return any(c.action in LOSING or any(move.before is not None for move in c.fields) for c in changes)


def list_deletions(changes: Sequence[Change]) -> list[ThingChange]:
    """The deletions among them: whoever carries such a thing loses it."""
    return [c for c in changes if isinstance(c, ThingChange) and c.action is Action.DELETE]


# ── what is about to be done ───────────────────────────────────────────────────────────────────────────────────────────────
def keep_changes(comparison: Comparison, steps: Sequence[Step], carriers: Carriers) -> tuple[KeptChange, ...]:
    """The changes of a plan as they are kept, in its order."""
    makers = {s.change.address: i for i, s in enumerate(steps) if s.change.action is Action.CREATE}
    carriers = add_seen(
        comparison.kinds, comparison.live, {(c.address.kind, str(c.id)) for c in list_deletions([step.change for step in steps])}, carriers
    )

    def end(address: Any, live_id: str | None) -> End:
        return End(address.kind, live_id, None if live_id else makers.get(address))

    def keep(change: Change) -> KeptChange:
        source = end(change.address, change.id)
        if isinstance(change, LinkChange):
            target = end(change.target, change.target_id)
            by, key = _find_end_name(comparison, change)
            return KeptChange(change.action, source, by, key, link=change.link, target=target, ours=_is_ours(comparison.recorded, change))
        return _keep_change(comparison.kinds[change.address.kind], change, source, comparison, carriers)

    return tuple(keep(step.change) for step in steps)


def recount_uses(kinds: Kinds, live: Snapshot, changes: Sequence[Change], carriers: Carriers) -> tuple[Change, ...]:
    """The changes, each deletion with no fewer uses and people than were seen to carry the thing: a count may lag, or be wrong."""
    deletions = list_deletions(changes)
    carriers_seen = add_seen(kinds, live, {(c.address.kind, str(c.id)) for c in deletions}, carriers)
    recounts = {id(c): _raise_counts(kinds, c, carriers_seen[c.address.kind, str(c.id)]) for c in deletions}
    return tuple(recounts.get(id(change), change) for change in changes)


def _raise_counts(kinds: Kinds, change: ThingChange, ids_by_link: Mapping[LinkName, Collection[str]]) -> ThingChange:
    ids_by_kind: dict[str, set[str]] = defaultdict(set)
    for link, ids in ids_by_link.items():
        ids_by_kind[link.source].update(ids)
    people = sum(len(ids) for kind, ids in ids_by_kind.items() if kind in kinds.persons)
    ids_by_section = {kinds[kind].section: ids for kind, ids in ids_by_kind.items()}
    uses = tuple(use if use.number is None else _count_seen(use, ids_by_section.get(use.where, set())) for use in change.uses)
    return replace(change, uses=uses, people=max(change.people or 0, people) if people else change.people)


def _count_seen(use: Use, ids: Collection[str]) -> Use:
    """A use of no fewer than were seen."""
    every = use.ids | frozenset(ids)
    return replace(use, number=max(use.number or 0, len(every)), ids=every)


def _is_ours(recorded: Recorded, change: LinkChange) -> bool:
    ids = (change.id or "", change.target_id or "")
    return (
        change.action is Action.DETACH
        and recorded.link_origin(change.link, change.address, ids[0], change.target, ids[1]) == LinkOrigin.OWNED
    )


def _keep_change(kind: Kind, change: ThingChange, source: End, comparison: Comparison, carriers: Carriers) -> KeptChange:
    thing = comparison.live.things.get(kind.name, {}).get(change.id or "")
    by, key = _find_name(kind, change, thing, comparison.manifest.resources.get(change.address))
    moves = {f.path: Moved(f.before, f.after) for f in change.fields}
    if change.action is not Action.DELETE or kind.person or thing is None:
        return KeptChange(change.action, source, by, key, moves)
    record = comparison.recorded.of(kind.name, thing.id)
    pairs = tuple(_list_held(comparison, thing, carriers.get((kind.name, thing.id), {})))
    ours, files = (record.owned, record.files) if record else (False, ())
    return KeptChange(change.action, source, by, key, had=dict(values_of(kind, thing)), held=pairs, ours=ours, files=files)


def _find_name(kind: Kind, change: ThingChange, thing: Live | None, resource: Resource | None) -> tuple[str, Any]:
    """What names a thing where its id does not: what is live, or for one that is not there yet what is declared."""
    if resource and change.action is Action.CREATE:
        return resource.by, resource.key
    by = kind.identities[0].field
    return ("", None) if thing is None or kind.person else (by, thing.fields.get(by))


def _find_end_name(comparison: Comparison, change: LinkChange) -> tuple[str, Any]:
    """What names the other end of a link that a merge undoes: a later run may delete it, and its undo makes it anew."""
    thing = comparison.live.things.get(change.target.kind, {}).get(change.target_id or "")
    by = comparison.kinds[change.target.kind].identities[0].field
    return (by, thing.fields.get(by)) if thing and change.merges and change.action is Action.DETACH else ("", None)


def _list_held(comparison: Comparison, thing: Live, carriers: Mapping[LinkName, Collection[str]]) -> Iterator[Held]:
    """The links of what is deleted: its own, and those of whoever carries it."""
    for link in comparison.kinds.links.values():
        if link.source == thing.kind:
            record = comparison.recorded.of(thing.kind, thing.id)
            ids = sorted(comparison.live.links.get(link.name, {}).get(thing.id, ()))
            kind, ours = link.target, frozenset(i for i in ids if record and record.link_origin(link.field, i) == LinkOrigin.OWNED)
        elif link.target == thing.kind:
            ids = sorted(carriers.get(link.name, ()))
            records = {i: comparison.recorded.of(link.source, i) for i in ids}
            kind, ours = (
                link.source,
                frozenset(i for i, r in records.items() if r and r.link_origin(link.field, thing.id) == LinkOrigin.OWNED),
            )
        else:
            continue
        if ids:
            yield Held(link.name, kind, tuple(ids), ours)
