"""Remembering: what the ledger says before anything is read: whose ids are known, which files spoke before, who holds the lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from reconciler.core.compare.hints import Hints
from reconciler.core.compare.likeness import likely
from reconciler.core.compare.orphan import candidates
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.core.model.recorded import BLANK, Record, Recorded
from reconciler.core.plan.gates import Approval
from reconciler.workflow.ground import Ground, check_name, settled
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.ledger.homes.home import Waiting

# Search may not show a write for some minutes (API 2.16, POST /contacts/search); how many is not said.
LAG = 15 * 60.0


def recall(session: Session, manifest: Manifest, approvals: Sequence[Approval] = ()) -> Recorded:
    """What the ledger holds for this workspace and the manifest's name; without a ledger nothing.

    Raises Invalid (65) for a manifest without a name where the ledger is shared.
    """
    if session.ledger is None:
        return BLANK
    if session.ledger.home.shared:
        check_name(manifest, session.ledger.place)
    found = session.ledger.memory(session.here.app_id, manifest.name)
    return settled(found, manifest, Ground.of(session.ledger), approvals)


def hints(session: Session, manifest: Manifest, memory: Recorded) -> Hints:
    """Where to look, from what is remembered."""
    every = frozenset(k.name for k in session.kinds if getattr(manifest.policy.prune, k.section, "never") == "all" and memory.runs)
    if not memory.records:
        return Hints(every=every)
    by_kind = {kind.name: kind for kind in session.kinds}
    known = {a: r for a, res in manifest.resources.items() if res.by != "id" and (r := _known(by_kind[a.kind], res, memory))}
    recent = session.now() - LAG
    return Hints(
        ids={a: r.id for a, r in known.items() if by_kind[a.kind].search and r.written >= recent},
        last={a: r.id for a, r in known.items()},
        also=_also(by_kind, manifest, memory),
        every=every,
        ends=partial(_made, memory),
    )


def _known(kind: Kind, resource: Resource, memory: Recorded) -> Record | None:
    """What is recorded of a resource under its address, or under one that it had."""
    record = memory.at(resource.address)
    if record and not record.deleted:
        return record
    for by, key in resource.former:
        identity = kind.identity[by]
        record = memory.of(kind.name, key) if by == "id" else memory.at(Address(kind.name, identity.fold(key) if identity.stable else key))
        if record and not record.deleted:
            return record
    return None


def _also(by_kind: Mapping[str, Kind], manifest: Manifest, memory: Recorded) -> Mapping[str, Set[str]]:
    """What is ours and perhaps not declared any more, of the kinds that can be pruned, and of those whose listing costs one read."""
    found: dict[str, set[str]] = {}
    for record in candidates(manifest, memory):
        kind = by_kind.get(record.kind)
        if kind and (kind.whole or getattr(manifest.policy.prune, kind.section, "never") != "never"):
            found.setdefault(record.kind, set()).add(record.id)
    for kind in by_kind.values():
        if not kind.whole and (ids := likely(kind, manifest, memory)):
            found.setdefault(kind.name, set()).update(ids)
    return found


def _made(memory: Recorded, link: LinkName, source_id: str) -> Iterable[str]:
    """The other ends of the links of a thing that we made."""
    record = memory.of(link.source, source_id)
    return memory.owned(link, record) if record else ()


@contextmanager
def locked(session: Session, timeout: float) -> Iterator[object]:
    """The right to write, from whatever keeps the memory; no try of a call goes out without it. Raises Locked (6) after so many seconds."""
    if session.ledger is None:
        yield None
        return
    with session.ledger.locked(session.here.app_id, session.who, waiting(session, timeout)) as lock:
        session.client.guard = session.ledger.check
        try:
            yield lock
        finally:
            session.client.guard = None


def waiting(session: Session, timeout: float) -> Waiting:
    """How long to wait for a lock, by the clocks of a session."""
    from reconciler.ledger.homes.home import Waiting

    return Waiting(timeout, session.sleep, session.client.monotonic, session.now)
