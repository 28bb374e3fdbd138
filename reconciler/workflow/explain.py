"""Explain: what one address means is looked up from three sides, with what the next plan would do with it. Reads only."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

from reconciler.core.compare.compare import compare
from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.draft import Difference
from reconciler.core.compare.drift import Drift, keep_drift
from reconciler.core.compare.explain import Explanation, LiveSide, Names, explain, find_entry
from reconciler.core.compare.ignored import HIDDEN
from reconciler.core.compare.index import read_key
from reconciler.core.model.address import Address, address_by, id_in
from reconciler.core.model.change import DRIFTED, Change, LinkChange
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.kind import Kind
from reconciler.core.model.live import Live, Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.policy import Policy
from reconciler.core.model.privacy import show_address
from reconciler.core.model.record import Record
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.approvals import Approvals, govern, hold_to_approvals, refuse
from reconciler.core.plan.gates import hold_to_pin, list_limits
from reconciler.core.plan.plan import Plan, make_plan
from reconciler.core.plan.scope import Scope, narrow
from reconciler.core.plan.work import Proposal
from reconciler.core.record.adoption import find_records
from reconciler.errors import Mark, ReconcilerError
from reconciler.intercom.memory import Memory
from reconciler.intercom.observe import Observer
from reconciler.intercom.uses import last_uses, read_made, uses_of_each
from reconciler.workflow.adopt import are_twins, find_meant
from reconciler.workflow.lookup import list_all
from reconciler.workflow.observe import add_uses
from reconciler.workflow.plan import propose
from reconciler.workflow.recall import recall
from reconciler.workflow.ruling import Beside, with_members
from reconciler.workflow.session import Session
from reconciler.workflow.since import names_of
from reconciler.workflow.trails import follow

# So many addresses are offered in place of one that fits nothing.
CLOSE = 3
# Those are like it whose length differs by no more, and that have so much in common; among more than so many none is looked for.
NEAR, LIKE, MOST = 3, 0.7, 5000


@dataclass(frozen=True)
class Explained:
    """One thing from three sides, with what the next plan would do."""

    # The three sides.
    sides: Explanation
    # The part of the next plan that is about it, with what it needs; its notes are about this thing alone.
    plan: Plan
    # The limits that each change of that part counts against, by name.
    limits: tuple[Mapping[str, int | str], ...]
    # What those are called who made its links, by their ids.
    people: Mapping[str, str]


def explain_one(session: Session, manifest: Manifest, address_asked: Address, approvals: Approvals) -> Explained:
    """What an address means, from three sides. Reads only what is about it.

    Raises Refused for another workspace than the pin's, and ReconcilerError for an address that fits nothing, or several things.
    """
    refuse(hold_to_pin(manifest.pin, session.here))
    session = replace(session, memory=Memory())
    address, live = _find_meant(session, manifest, address_asked)
    if address in manifest.resources:
        scope = Scope(target=(str(address),), exact=frozenset({str(address)}))
        proposal = propose(session, manifest, scope, approvals, _list_rules(manifest, address.kind))
        live = proposal.live.of(address)
    else:
        proposal = _propose_undeclared(session, manifest, live, approvals)
    record = _find_record(proposal.comparison, address, live)
    if address not in manifest.resources and live is None and record is None:
        raise _fits_nothing(session, manifest, address_asked, proposal.comparison.recorded)
    side = _look_around(session, proposal.comparison, address, live, record)
    sides = explain(address_asked, address, proposal.comparison, manifest, record, side)
    drift, hidden_notes = _find_drift(session, proposal.comparison, address)
    notes = (*(note for note in proposal.plan.notes if note.address == address), *hidden_notes)
    refusals = tuple(replace(r, approve=None) if _is_of_others(r, address) else r for r in proposal.plan.refusals)
    plan = replace(proposal.plan, drift=drift, notes=notes, refusals=refusals)
    limits = tuple(list_limits(session.kinds, proposal.manifest, proposal.live, change) for change in plan.changes)
    return Explained(sides, plan, limits, _name_people(session, sides))


def _is_of_others(refusal: Refusal, address: Address) -> bool:
    """Whether an approval would be for all whom a rule reaches, of whom this is one: a plan says it."""
    return any(isinstance(c, LinkChange) and c.by_rule and c.address == address for c in refusal.changes)


# ── which thing is meant ──────────────────────────────────────────────────────────────────────────────────────────────────
def _find_meant(session: Session, manifest: Manifest, address_asked: Address) -> tuple[Address, Live | None]:
    """The entry that an address means, itself or by another name of the thing; else the live thing under its own address, if there is
    one."""
    kind = session.kinds[address_asked.kind]
    names = _names_in(kind, address_asked)
    if address := address_asked if address_asked in manifest.resources else find_entry(kind, manifest, names):
        return address, None
    live = _find_live(session, address_asked)
    if live is None:
        return find_entry(kind, manifest, names, by_fields=True) or address_asked, None
    names_of_live = [(identity.field, key) for identity in kind.identities if (key := read_key(live, identity)) is not None]
    # So is the entry found that only says such a name, and means nothing that is live: a plan takes nothing from what it mentions.
    by_fields = find_entry(kind, manifest, names_of_live, by_fields=True) if not kind.person else None
    if by_fields and find_meant(session, kind, [by_fields.key])[0][2]:
        by_fields = None
    return find_entry(kind, manifest, names_of_live) or by_fields or live.address, live


def _names_in(kind: Kind, address: Address) -> Names:
    """What an address can name a thing by."""
    if live_id := id_in(address):
        return [("id", live_id)] if "id" in kind.identity else []
    return [(identity.field, address.key) for identity in kind.identities]


def _find_live(session: Session, address: Address) -> Live | None:
    """The live thing of an address that nothing declares. Raises ReconcilerError for several."""
    ((_, _, things),) = find_meant(session, session.kinds[address.kind], [address.key])
    if are_twins(session.kinds[address.kind], things):
        # To look at one of them by its name does nothing to the others.
        things = [thing for thing in things if thing.key == address.key] or things
    if len(things) > 1:
        name, ids = show_address(address, session.here.app_id), sorted(thing.id for thing in things)
        now = f"name one by its id, as in {address.kind}/id:{ids[0]}" if "id" in session.kinds[address.kind].identity else "declare one"
        raise ReconcilerError(f"{name}: several live things (ids {', '.join(ids)}); {now}")
    return things[0] if things else None


def _find_record(comparison: Comparison, address: Address, live: Live | None) -> Record | None:
    """What is recorded of a live thing, else under an address."""
    recorded, kind = comparison.recorded, comparison.kinds[address.kind]
    if record := recorded.of(kind.name, live.id if live else None) or recorded.at(address):
        return record
    return None if live else next(iter(find_records(recorded, kind, address)), None)


def _fits_nothing(session: Session, manifest: Manifest, address_asked: Address, recorded: Recorded) -> ReconcilerError:
    """Neither declared, nor live, nor recorded: with what is like it."""
    kind, app_id = session.kinds[address_asked.kind], session.here.app_id
    things = [thing.address for thing in list_all(session, kind.section)] if kind.whole else []
    names = {show_address(address, app_id) for address in (*manifest.resources, *things) if address.kind == kind.name}
    names |= {record.address for record in recorded.records.of_kind(kind.name)}
    keys = sorted(name.partition("/")[2] for name in names if abs(len(name) - len(str(address_asked))) <= NEAR)
    close = difflib.get_close_matches(address_asked.key, keys, CLOSE, LIKE) if len(keys) <= MOST else []
    unseen = f"; archived {kind.section} cannot be seen" if kind.archive and not kind.whole else ""
    mean = f"did you mean {' or '.join(f'{kind.name}/{key}' for key in close)}?"
    by_id = f", or as {kind.name}/id:ID" if "id" in kind.identity else ""
    text = f"{show_address(address_asked, app_id)}: neither declared, nor recorded, nor live{unseen}"
    return ReconcilerError(f"{text}; {mean if close else f'write it as the manifest does{by_id}'}")


# ── what is looked up ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _propose_undeclared(session: Session, manifest: Manifest, live: Live | None, approvals: Approvals) -> Proposal:
    """What the next plan of the whole manifest would do with a thing that no entry means: nothing, unless the policy prunes it."""
    manifest, notes, refusals = govern(manifest, approvals)
    recorded = recall(session, manifest, approvals.valid(manifest, session.now()))
    kinds, here = session.kinds.under(session.facts), session.here
    around = replace(_observe(session, kinds[live.kind], live), pairs={}) if live else Snapshot(here, {}, facts=session.facts)
    rest = replace(manifest, resources={}, beside=frozenset(manifest.resources))
    if live and (rules := _list_rules(manifest, live.kind)):
        rest, around = _read_rules(session, manifest, around, recorded, rules)
    comparison = compare(kinds, session.now(), rest, around, recorded, whole=True)
    # Whom only a rule reaches has an address by its id in a plan, and here the one that it is asked for by.
    same = (c for c in comparison.difference.changes if live and c.address.kind == live.kind and c.id == live.id)
    mine = [replace(c, address=live.address) if live and isinstance(c, LinkChange) and c.by_rule else c for c in same]
    ends = {change.target for change in mine}
    mine += [change for change in comparison.difference.changes if change.address in ends]
    its_notes = [note for note in comparison.difference.notes if live and note.address == live.address]
    difference = add_uses(session, around, replace(comparison.difference, changes=tuple(mine), notes=tuple(its_notes)))
    around = replace(comparison.live, notes=notes, refusals=refusals)
    comparison = replace(comparison, live=around, difference=difference)
    plan = hold_to_approvals(make_plan(comparison, version=session.client.version), comparison, approvals, session.context)
    return Proposal(plan, comparison)


def _list_rules(manifest: Manifest, kind: str) -> Set[Address]:
    """What those rules are about that reach things of a kind."""
    return frozenset(target for target, rule in manifest.rules.items() if rule.link.source == kind)


def _read_rules(
    session: Session, manifest: Manifest, around: Snapshot, recorded: Recorded, rules: Set[Address]
) -> tuple[Manifest, Snapshot]:
    """The part of a manifest that rules are about, and a live side with whom they reach."""
    assert session.memory is not None
    kinds = session.kinds.under(session.facts)
    part = narrow(kinds, manifest, lambda address: address in rules)
    observer = Observer(session.client, kinds, session.tick, session.memory.sight.copy())
    snapshot = observer.observe(part, session.here, session.window)
    snapshot = with_members(session, observer, part, snapshot, recorded, Beside(rules))
    things = {**around.things, **{name: things for name, things in snapshot.things.items() if things}}
    return part, replace(around, things=things, pairs=snapshot.pairs, withheld=snapshot.withheld, members=snapshot.members)


def _observe(session: Session, kind: Kind, live: Live) -> Snapshot:
    """One live thing with all its links, and the ends of these."""
    assert session.memory is not None
    by, key = ("id", live.id) if "id" in kind.identity else (kind.identities[0].field, live.key)
    links = {link.field: WrittenLinks({}, {}) for link in kind.links}
    resource = Resource(address_by(kind.name, by, key), by, key, {}, Mark(""), links=links)
    # Under this policy every end of a list gets a name.
    manifest = Manifest({resource.address: resource}, Policy(links="exact"))
    observer = Observer(session.client, session.kinds.under(session.facts), session.tick, session.memory.sight.copy())
    return replace(observer.observe(manifest, session.here, session.window), facts=session.facts)


def _look_around(session: Session, comparison: Comparison, address: Address, live: Live | None, record: Record | None) -> LiveSide:
    """What no comparison needs: all links of a thing with who made them, what runs wrote to it, and how often it is used."""
    recorded, kind, client = comparison.recorded, comparison.kinds[address.kind], session.client
    things = {recorded.digests.thing(recorded.app_id, address), *([record.thing] if record else ())}
    writes = session.ledger.read_written(session.here.app_id, comparison.manifest.name, sorted(things)) if session.ledger else ()
    if live is None:
        return LiveSide(writes=writes)
    whole = kind.links and address in comparison.manifest.resources
    around = _observe(session, kind, live) if whole else comparison.live
    attachments = read_made(client, [(link, live.id) for link in kind.links if link.has_dates])
    uses = uses_of_each(client, {live.id: kind})[live.id]
    last = last_uses(client, kind, [live.id]).get(live.id) if any(use.people and use.number for use in uses) else None
    return LiveSide(live, around, attachments, writes, uses, last)


def _find_drift(session: Session, comparison: Comparison, address: Address) -> tuple[Drift | None, Sequence[Note]]:
    """How what moved of a thing came to be so; and what of it the policy ignores."""
    mine = [change for change in comparison.difference.changes if change.address == address and _is_moved(change)]
    if not mine:
        return None, ()
    comparison = replace(comparison, difference=Difference(tuple(mine)))
    hidden_notes = [note for note in keep_drift(comparison, session.now()).difference.notes if note.topic == HIDDEN]
    return Drift(len(mine), 0, 0, recorded=True, ignored=len(hidden_notes), trails=follow(session, comparison)), hidden_notes


def _is_moved(change: Change) -> bool:
    return change.cause in DRIFTED or any(field.cause in DRIFTED for field in change.fields)


def _name_people(session: Session, sides: Explanation) -> Mapping[str, str]:
    """What those are called who linked it, by their ids."""
    name = names_of(session)
    ends = {(one.target.kind, one.attachment.by) for one in sides.links if one.attachment}
    ends |= {(sides.kind.name, sides.live.last.by)} if sides.live.last else set()
    return {id: name(kind, id).removeprefix(" by ") for kind, id in sorted(ends) if id}
