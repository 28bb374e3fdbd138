"""Retiring: whether anybody still uses anew what goes out of use, asked of Intercom and of what runs remember."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.core.compare.comparison import Comparison, add_notes
from reconciler.core.compare.retiring import Retiring, judge, list_retiring, note_retiring
from reconciler.core.model.address import Address
from reconciler.core.model.desired import Manifest
from reconciler.core.plan.scope import EVERYTHING, Scope, is_named, narrow
from reconciler.workflow.observe import look
from reconciler.workflow.recall import recall
from reconciler.workflow.session import Session


def with_carriers(session: Session, comparison: Comparison, ids: Mapping[Address, str], scope: Scope = EVERYTHING) -> Comparison:
    """The comparison with who carries what goes out of use, of the things of a scope; `ids` are the live ids of what is declared."""
    retiring = list_retiring(comparison.manifest, ids)
    things = sorted((a.kind, live_id) for a, live_id in retiring.items() if is_named(scope, a, session.here.app_id))
    if not things:
        return comparison
    from reconciler.intercom.retiring import read_retiring

    session.tick("who has what is deprecated", 0)
    return replace(comparison, carriers=read_retiring(session.client, session.kinds, things))


def judge_retiring(session: Session, comparison: Comparison) -> Mapping[Address, Retiring]:
    """How far each thing is whose carriers were read. Reads only. Raises IntercomError."""
    from reconciler.intercom.retiring import read_evidence

    retiring, now, kinds = {}, session.now(), session.kinds
    for address, live_id in list_retiring(comparison.manifest, comparison.live.pairs).items():
        thing, resource = (address.kind, live_id), comparison.manifest.resources[address]
        if thing not in comparison.carriers:
            continue
        record = comparison.recorded.of(*thing)
        watch = record.watch if record else None
        since = now - (resource.quiet or 0)
        evidence = read_evidence(session.client, kinds, thing, comparison.carriers[thing], since, watch)
        retiring[address] = judge(kinds, now, resource, live_id, evidence, watch)
    return retiring


def with_retiring(session: Session, comparison: Comparison, scope: Scope) -> Comparison:
    """The comparison with a note on each thing that goes out of use."""
    comparison = with_carriers(session, comparison, comparison.live.pairs, scope)
    notes = note_retiring(session.kinds, comparison.manifest, judge_retiring(session, comparison), comparison.live.withheld)
    return add_notes(comparison, (n for n in notes if n.address and is_named(scope, n.address, session.here.app_id)))


def find_retiring(session: Session, manifest: Manifest) -> Mapping[Address, Retiring]:
    """How far each thing is that goes out of use and says when it may go. Reads only. Raises IntercomError, Invalid."""
    part = narrow(session.kinds, manifest, lambda address: manifest.resources[address].is_deprecated)
    comparison = look(session, part, recall(session, manifest), whole=False)
    return judge_retiring(session, with_carriers(session, comparison, comparison.live.pairs))
