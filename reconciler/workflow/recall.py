"""Remembering: what the ledger says before anything is read: whose ids are known, which files spoke before, who holds the lock."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.core.model.desired import Manifest
from reconciler.core.model.recorded import BLANK, Recorded
from reconciler.core.plan.gates import Approval
from reconciler.core.plan.handover import other_place, settle_handover
from reconciler.workflow.ground import check_name, ground_of, refuse_second
from reconciler.workflow.session import Session

if TYPE_CHECKING:
    from reconciler.ledger.homes.home import Waiting
    from reconciler.ledger.ledger import Ledger


def recall(session: Session, manifest: Manifest, approvals: Sequence[Approval] = ()) -> Recorded:
    """What the ledger holds for this workspace and the manifest's name; without a ledger nothing.

    Raises Invalid (65) for a manifest without a name where the ledger is shared, or that of another folder has none either.
    """
    if session.ledger is None:
        return BLANK
    if session.ledger.home.is_shared:
        check_name(manifest, session.ledger.place)
    recorded, ground = session.ledger.read_recorded(session.here.app_id, manifest.name), ground_of(session.ledger, session.checkout)
    if session.ledger.home.ground and (other := other_place(recorded, manifest, ground)):
        path = os.path.join(ground.root, other)
        refuse_second(manifest, session.ledger.place, path if session.checkout else os.path.relpath(path))
    return settle_handover(recorded, manifest, ground, approvals)


def recall_offline(ledger: Ledger, manifest: Manifest) -> Recorded:
    """What a ledger holds for the manifest's name in the workspace of its pin, else in the only one that it knows; nothing where it knows
    several. Raises LedgerUnusable."""
    app_ids = [manifest.pin.app_id] if manifest.pin and manifest.pin.app_id else list(ledger.workspaces())
    return ledger.read_recorded(app_ids[0], manifest.name) if len(app_ids) == 1 else BLANK


@contextmanager
def hold_lock(session: Session, timeout: float) -> Iterator[object]:
    """The right to write, from whatever keeps the ledger; no call that writes goes out without it. Raises Locked (6) after `timeout`
    seconds."""
    if session.ledger is None:
        yield None
        return
    with session.ledger.lock(session.here.app_id, session.who, waiting(session, timeout)) as lock:
        session.client.guard = session.ledger.check
        try:
            yield lock
        finally:
            session.client.guard = None


def waiting(session: Session, timeout: float) -> Waiting:
    """How long to wait for a lock, by the clocks of a session, and aloud."""
    from reconciler.ledger.homes.home import Waiting

    return Waiting(timeout, session.sleep, session.client.monotonic, session.now).aloud(session.client.notice)
