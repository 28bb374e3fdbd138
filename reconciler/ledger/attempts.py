"""Attempts: the open writes of one owner, as the core asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from reconciler.core.model.attempt import Attempt, Place
from reconciler.core.model.change import LOSING
from reconciler.ledger.errors import LedgerUnusable
from reconciler.ledger.tables import HELD, STRANGER


def read_attempts(rows: Iterable[Row[Any]], place: str) -> Mapping[Place, Attempt]:
    """What was last tried at each place: the last write, unless an earlier one may still be what made the thing."""
    attempts: dict[Place, Attempt] = {}
    try:
        for row in rows:
            where, last = Place(row.thing, row.link, row.target), _read_attempt(row)
            earlier = attempts.get(where)
            last = _keep_holder(earlier, last) if earlier and earlier.holder else last
            attempts[where] = earlier._replace(fields={**earlier.fields, **last.fields}) if earlier and _may_stand(earlier, last) else last
    except (ValueError, TypeError) as error:
        raise LedgerUnusable(place, "it is damaged") from error
    return attempts


def _read_attempt(row: Row[Any]) -> Attempt:
    fields, files = dict(row.fields or {}), tuple(row.files or ())
    attempt = Attempt(row.action, row.intended, row.proof, row.outcome is not None, fields, row.kind, row.thing_id, row.target_id, files)
    return attempt._replace(holder=row.live_id, held_since=float(row.settled)) if row.status in (STRANGER, HELD) else attempt


def _keep_holder(earlier: Attempt, last: Attempt) -> Attempt:
    """A write that failed, with when it was seen first that somebody in the archive keeps a value of it; one that was not sent proves
    nothing else."""
    if last.fields != earlier.fields or (last.holder or earlier.holder) != earlier.holder or (last.intended_at and not last.holder):
        return last
    return last._replace(holder=earlier.holder, held_since=earlier.held_since)


def _may_stand(earlier: Attempt, last: Attempt) -> bool:
    """Whether a write whose answer was lost may have made what is there: since, nobody proved that nothing is, nor may have undone it."""
    may_have_gone = last.action in LOSING and last.intended_at > 0 and not last.answered
    return earlier.is_lost and not last.proof and not may_have_gone
