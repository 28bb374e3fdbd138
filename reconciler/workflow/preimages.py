"""Imaging: before its first write an apply keeps what it is about to destroy; an undo finds it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from reconciler.core.compare.merge import NO_CARRIERS, Carriers
from reconciler.core.model.change import Change
from reconciler.core.model.jsons import parse_json
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.gates import check
from reconciler.core.plan.work import Work
from reconciler.core.undo.preimage import Preimage, keep_changes, list_deletions, recount_uses
from reconciler.core.undo.stored import hides_values, join_preimage, read_sealed, seal_private, split_preimage
from reconciler.errors import ReconcilerError, Refused, Usage
from reconciler.workflow.session import Session


def read_kept(session: Session, changes: Sequence[Change], carriers_before: Carriers = NO_CARRIERS) -> Carriers:
    """Who carries what goes by these changes, where that is kept. Whom `carriers_before` has, nobody asks for again. Raises Refused (3)
    where it cannot be read with this token: it could not come back."""
    from reconciler.intercom.http.errors import HttpError
    from reconciler.intercom.uses import UNREADABLE, read_carriers

    things = [(change.address.kind, str(change.id)) for change in list_deletions(changes)]
    if not things or not session.keepers:
        return {}
    # Nothing is kept of what a merge moves beside these: the moves are.
    links = {members.link for kind in session.kinds for members in kind.uses.members}
    carriers = {t: {link: ids for link, ids in carriers_before[t].items() if link in links} for t in things if t in carriers_before}
    session.tick("what undo needs", 0)
    try:
        return {**carriers, **read_carriers(session.client, session.kinds, [thing for thing in things if thing not in carriers])}
    except HttpError as error:
        if error.status in UNREADABLE:
            text = f"pre-images: who carries what would be deleted cannot be read ({error}), so it could not come back; nothing was written"
            raise Refused([f"{text}; let the token read it, or go on without undo: --ledger none"]) from None
        raise


def unforeseen(work: Work, carriers: Carriers) -> tuple[Refusal, ...]:
    """The refusals of a plan that deletes things, where more carry them than were counted when it was held against the gates."""
    comparison, plan = work.proposal.comparison, work.proposal.plan
    recounts = recount_uses(comparison.kinds, comparison.live, plan.changes, carriers)
    if recounts == plan.changes:
        return ()
    refusals = {(refusal.gate, refusal.message) for refusal in check(comparison, plan.steps, ())}
    recounting = [replace(step, change=change) for step, change in zip(plan.steps, recounts, strict=True)]
    return tuple(refusal for refusal in check(comparison, recounting, ()) if (refusal.gate, refusal.message) not in refusals)


def keep(session: Session, work: Work, run: str, carriers: Carriers) -> None:
    """Keep what a run is about to do and to destroy. Raises LedgerUnusable where that cannot be."""
    from reconciler.ledger.homes.images import Kept

    comparison, plan, keepers = work.proposal.comparison, work.proposal.plan, session.keepers
    if not keepers:
        return
    if not plan.steps:
        # Nobody waits for it, and the next apply tries again.
        with suppress(ReconcilerError):
            keepers[0].drop(session.now())
        return
    name, limits = comparison.recorded.digests.plain(work.whole.name), work.whole.policy.limits.model_dump(mode="json", exclude_unset=True)
    here, now = session.here, session.now()
    changes, keys = keep_changes(comparison, plan.steps, carriers), tuple(dict.fromkeys(work.whole.policy.undo_keys))
    shared, private = split_preimage(session.kinds, Preimage(run, here.app_id, here.region, name, now, limits, changes, keys))
    if keys and private:
        from reconciler.ledger.sealing import seal

        shared, private = seal_private(shared, _text(private), seal), {}
    keepers[0].keep(run, Kept(_text(shared), _text(private) if private else ""), now)


def _text(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


def _open(session: Session, text: str, keys: Sequence[str]) -> str:
    """What was sealed, opened. A file of keys may be a pipe, which can be read once."""
    from reconciler.ledger.sealing import unseal

    if text not in session.opened:
        session.opened[text] = unseal(text, keys, session.key_file)
    return session.opened[text]


def find(session: Session, run: str) -> Preimage | None:
    """What was kept of a run; None where nothing is, or not any more. What was encrypted is opened where a key is given. Raises Usage for
    a key that does not open it, ReconcilerError where it cannot be read."""
    documents = next((documents for images in session.keepers if (documents := images.of(run))), None)
    if documents is None:
        return None
    try:
        shared = parse_json(documents.shared)
        preimage = join_preimage(run, shared, parse_json(documents.private or "{}"), session.kinds)
        if preimage.is_expired(session.now()):
            return None
        if (text := read_sealed(shared)) and session.key_file:
            preimage = join_preimage(run, shared, parse_json(_open(session, text, preimage.keys)), session.kinds)
        if preimage.keys and (session.key_file or not text) and hides_values(preimage, session.kinds):
            raise ValueError("a part of what was encrypted is gone")
    except Usage:
        raise
    except ReconcilerError as error:
        raise ReconcilerError(f"the pre-images of the run {run} are damaged: {error}; undo it by hand") from None
    except ValueError:
        raise ReconcilerError(f"the pre-images of the run {run} are damaged, or a newer reconciler wrote them; undo it by hand") from None
    return preimage
