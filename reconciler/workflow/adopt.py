"""Adopt and forget: live things that become ours without a change of them, and things that are ours no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.index import Index, read_key
from reconciler.core.compare.match import describe, find_candidates
from reconciler.core.model.address import Address, address_by, id_in
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live, Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.model.privacy import show_address
from reconciler.core.model.record import Record
from reconciler.core.plan.approvals import refuse
from reconciler.core.plan.gates import hold_to_pin
from reconciler.core.record.adoption import Adoption, Owners, adopt_declared, adopt_named, find_records
from reconciler.core.record.writer import RecordWriter
from reconciler.errors import ReconcilerError, Refused, Stale, Usage
from reconciler.kinds import KINDS
from reconciler.workflow.ground import ground_of
from reconciler.workflow.lookup import list_all, look_up
from reconciler.workflow.observe import look
from reconciler.workflow.recall import recall
from reconciler.workflow.record import head_of
from reconciler.workflow.session import Session, by_their_clock

if TYPE_CHECKING:
    from reconciler.ledger.ledger import Ledger


@dataclass(frozen=True)
class Candidates:
    """Live things that an adoption would take."""

    # Whose they would be.
    manifest: Manifest
    # What the manifest declares, held against live; None where things were named.
    comparison: Comparison | None = None
    # The things that were named.
    things: Mapping[Address, Live] = field(default_factory=dict)


def read_addresses(words: Sequence[str], kinds: Kinds = KINDS) -> tuple[Address, ...]:
    """Addresses as people write them, each once. Raises Usage."""
    return tuple(dict.fromkeys(_read_address(text, kinds) for text in words))


def _read_address(text: str, kinds: Kinds) -> Address:
    name, _, key = text.partition("/")
    if not key:
        raise Usage(f"{text}: no address; write KIND/KEY, as in tag/vip")
    if kinds.get(name) is None:
        raise Usage(f"{text}: there is no kind {name!r}; write one of {', '.join(kind.name for kind in kinds)}")
    return Address(name, key)


def seek_declared(session: Session, manifest: Manifest) -> Candidates:
    """What a manifest declares, observed and compared as a plan does it. Raises Refused (3) for another workspace."""
    refuse(hold_to_pin(manifest.pin, session.here))
    return Candidates(manifest, look(session, manifest, recall(session, manifest)))


def seek_named(session: Session, addresses: Sequence[Address], name: str) -> Candidates:
    """The live things that these addresses mean. Raises ReconcilerError, which names all that is not live, or is not one thing; Refused (3)
    where a name is that of several, as a plan refuses it."""
    by_address: dict[Address, Live] = {}
    problems: list[str] = []
    twins: list[str] = []
    for kind in session.kinds:
        keys = [address.key for address in addresses if address.kind == kind.name]
        for key, address, things in find_meant(session, kind, keys) if keys else ():
            if len(things) == 1:
                by_address[address] = things[0]
            elif are_twins(kind, things):
                names, by_id = " and ".join(map(describe, things)), address_by(kind.name, "id", things[0].id)
                twins.append(
                    f"twins: {kind.name}/{key}: several live {kind.section} have this name: {names}; name one by its id, as in {by_id}"
                )
            else:
                text = f"several live things (ids {', '.join(thing.id for thing in things)})" if things else "not live"
                problems.append(f"{show_address(Address(kind.name, key), session.here.app_id)}: {text}")
    if twins:
        raise Refused((*twins, *problems))
    if problems:
        raise ReconcilerError("nothing was recorded:\n  " + "\n  ".join(problems))
    # Who was named twice, by two names, is one thing.
    once = {(thing.kind, thing.id): address for address, thing in reversed(by_address.items())}
    return Candidates(Manifest({}, Policy(), name=name), things={address: by_address[address] for address in once.values()})


def find_meant(session: Session, kind: Kind, keys: Sequence[str]) -> list[tuple[str, Address, list[Live]]]:
    """For each key the address as a manifest writes it, and the live things that it can mean."""
    heirs: Mapping[str, str] = {}
    if kind.whole:
        things = [thing for thing in list_all(session, kind.section) if not kind.dormant(thing)]
    else:
        answer = look_up(session, kind.section, keys)
        things, heirs = answer.things, answer.merged
    index = Index(kind, things)
    rows = []
    for key in keys:
        survivor = [thing for thing in things if thing.id == heirs.get(key)]
        address, candidates = (Address(kind.name, key), survivor) if survivor else _by_identity(kind, index, key)
        rows.append((key, address, candidates))
    return rows


def _by_identity(kind: Kind, index: Index, key: str) -> tuple[Address, list[Live]]:
    """By its id where that is written, else by the first identity that finds any. Of several, the one that is written exactly so, but for
    twins: what is done by the name of one may hit the other."""
    if "id" in kind.identity and (same := index.get(("id", id_in(Address(kind.name, key))))):
        others = [thing for by in kind.identity for thing in index.get((by, kind.identity[by].fold(key)))]
        return Address(kind.name, key), list({thing.id: thing for thing in (*same, *others)}.values())
    for identity in kind.identities:
        if things := find_candidates(kind, index, identity.field, key):
            exact = [thing for thing in things if read_key(thing, identity) == key] if identity.visible is None else []
            spelling = identity.fold(key) if identity.stable else key
            return address_by(kind.name, identity.field, spelling), exact if len(exact) == 1 else list(things)
    return Address(kind.name, key), []


def are_twins(kind: Kind, things: Sequence[Live]) -> bool:
    """Whether these are several live things of one name, which only their ids tell apart."""
    first = kind.identities[0]
    return len(things) > 1 and first.visible is not None and len({first.fold(thing.key) for thing in things}) == 1


def judge(session: Session, candidates: Candidates) -> Adoption:
    """What becomes of what was sought, by what the ledger says now."""
    recorded = recall(session, candidates.manifest)
    owners: Owners = session.ledger.owners(session.here.app_id, candidates.manifest.name) if session.ledger else {}
    if candidates.comparison:
        file = cache(ground_of(session.ledger, session.checkout).name_file) if session.ledger else str
        return adopt_declared(
            RecordWriter(session.kinds, recorded, "", by_their_clock(session), file),
            replace(candidates.comparison, recorded=recorded),
            owners,
        )
    return adopt_named(RecordWriter(session.kinds, recorded, "", by_their_clock(session), lambda _: ""), candidates.things, owners)


def take_in(session: Session, candidates: Candidates, adoption: Adoption) -> None:
    """Record what was told of, and nothing else; whoever calls it holds the lock. Raises Stale where the ledger says otherwise by now."""
    assert session.ledger is not None
    now = judge(session, candidates)
    if now.finds != adoption.finds:
        raise Stale("the ledger is not as it was when this was listed; run it again")
    session.ledger.check()
    run = session.ledger.begin(head_of(session, candidates.manifest, "adopt"))
    session.ledger.record(session.here.app_id, candidates.manifest.name, [replace(record, run=run) for record in now.records])
    session.ledger.end(run, 0, {"adopted": now.takes})


def other_names(ledger: Ledger | None, app_id: str, name: str) -> Sequence[str]:
    """The names under which things were applied to a workspace, where none were under this one."""
    names = {run.name for run in ledger.runs() if run.workspace.app_id == app_id and run.verb == "apply"} if ledger else set()
    return () if name in names else sorted(names)


def records_of(
    ledger: Ledger, app_id: str, name: str, addresses: Sequence[Address], kinds: Kinds = KINDS
) -> Mapping[Address, Sequence[Record]]:
    """What is recorded under these addresses, or ids. Raises ReconcilerError, which names all under which nothing is, or several things."""
    recorded = ledger.read_recorded(app_id, name)
    by_address = {address: find_records(recorded, kinds[address.kind], address) for address in addresses}
    others = other_names(ledger, app_id, name)
    hint = f"; things were applied here as name: {', '.join(others)}: say which with --name" if others else ""
    problems = [
        f"{show_address(a, app_id)}: nothing is recorded of it under `name: {name}`{hint}"
        for a, records in by_address.items()
        if not records
    ]
    problems += [
        f"{show_address(a, app_id)}: several things (ids {', '.join(sorted(r.id for r in records))}); "
        f"name one by its id, as in {a.kind}/id:ID"
        for a, records in by_address.items()
        if len({record.thing for record in records}) > 1
    ]
    if problems:
        raise ReconcilerError("nothing was forgotten:\n  " + "\n  ".join(problems))
    return by_address


def let_go(ledger: Ledger, here: Workspace, name: str, actor: str, records: Sequence[Record]) -> None:
    """Let go of these records; whoever calls it holds the lock."""
    from reconciler.ledger.run import RunHead
    from reconciler.manifest.repository import head

    ledger.check()
    run = ledger.begin(RunHead(here.app_id, here.region, name, "", "", "forget", actor, head()))
    ledger.forget(here.app_id, name, records)
    ledger.end(run, 0, {"forgotten": len(records)})
