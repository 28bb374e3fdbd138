"""Changes, runs and records of which a test names only what matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.record import Record
from reconciler.errors import Mark
from reconciler.ledger.digests import Digests
from reconciler.ledger.ledger import Ledger
from reconciler.ledger.run import PlannedWrite, RunHead, Settlement

APP = "ecahpwf5"
HEAD = RunHead(APP, "us", "default", "manifest-digest", "plan-digest")
MARK = Mark("reconciler.yaml", 3)
HOBAN = Address("contact", "hoban@serenity.example")
VIP = Address("tag", "vip")
TAGS = LinkName("contact", "tags")


def a_change(action: Action = Action.CREATE, address: Address = HOBAN, id: str | None = None, **fields: Any) -> ThingChange:
    moved = tuple(FieldChange(path, None, value) for path, value in fields.items())
    return ThingChange(action, address, MARK, id, moved)


def an_attach(address: Address = HOBAN, target: Address = VIP, action: Action = Action.ATTACH) -> LinkChange:
    return LinkChange(action, address, target, TAGS, MARK, "c-1", "t-1")


def a_record(
    digests: Digests,
    address: Address = HOBAN,
    id: str = "c-1",
    values: Mapping[str, Any] | None = None,
    app_id: str = APP,
) -> Record:
    """What the ledger holds of a live thing that we made."""
    record = Record(address.kind, id, digests.thing(app_id, address), digests.address(address), owned=True)
    return replace(record, fields={path: digests.claim(record.salt, path, value) for path, value in (values or {}).items()})


def attempt(ledger: Ledger, change: Change, outcome: str | None = "failed", proof: bool = False, head: RunHead = HEAD) -> int:
    """One run with one write that is sent; without an outcome its answer was lost."""
    run = ledger.begin(head)
    [number] = ledger.plan(run, [PlannedWrite(change, proof)])
    ledger.intend({number: change})
    if outcome is not None:
        ledger.settle(run, [Settlement(number, outcome, None, 200)])
    return number


def write(ledger: Ledger, address: Address = HOBAN, live_id: str = "c-1", head: RunHead = HEAD) -> None:
    """One run with one create that is done, and what is known since."""
    run, change = ledger.begin(head), a_change(address=address)
    [number] = ledger.plan(run, [PlannedWrite(change)])
    ledger.intend({number: change})
    record = a_record(ledger.digests, address, live_id, app_id=head.app_id)
    ledger.settle(run, [Settlement(number, "applied", live_id, 200)], [record])


def live_id_of(ledger: Ledger, address: Address = HOBAN, head: RunHead = HEAD) -> str | None:
    """The live id that is recorded under an address."""
    record = ledger.read_recorded(head.app_id, head.name).at(address)
    return record.id if record and not record.deleted else None


def is_lost_create(ledger: Ledger, address: Address = HOBAN, head: RunHead = HEAD) -> bool:
    """Whether what is live at an address came there by a create of ours whose answer was lost."""
    return ledger.read_recorded(head.app_id, head.name).has_lost_create(address)


def list_compiled(engine: Engine) -> list[str]:
    """The statements that an engine compiles from now on, instead of finding them where they are kept."""
    compiled: list[str] = []

    def look(*execution: Any) -> None:
        statement, context = execution[2], execution[4]
        compiled.extend([statement] if context.cache_hit is CacheStats.CACHE_MISS else [])

    event.listen(engine, "before_cursor_execute", look)
    return compiled
