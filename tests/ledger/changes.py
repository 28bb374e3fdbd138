"""Changes and runs of which a test names only what matters."""

from __future__ import annotations

from typing import Any

from reconciler.core.change import Action, FieldChange, LinkChange, ThingChange
from reconciler.core.resource import Address, LinkName
from reconciler.errors import Mark
from reconciler.ledger import Ledger, RunHead

APP = "ecahpwf5"
HEAD = RunHead(APP, "us", "default", "manifest-digest", "plan-digest")
MARK = Mark("reconciler.yaml", 3)
HOBAN = Address("contact", "hoban@serenity.example")
VIP = Address("tag", "vip")


def a_change(action: Action = Action.CREATE, address: Address = HOBAN, id: str | None = None, **fields: Any) -> ThingChange:
    moved = tuple(FieldChange(path, None, value) for path, value in fields.items())
    return ThingChange(action, address, MARK, id, moved)


def an_attach(address: Address = HOBAN, target: Address = VIP) -> LinkChange:
    return LinkChange(Action.ATTACH, address, target, LinkName("contact", "tags"), MARK, "c-1", "t-1")


def write(
    ledger: Ledger,
    action: Action = Action.CREATE,
    address: Address = HOBAN,
    id: str | None = None,
    outcome: str | None = "applied",
    live_id: str | None = None,
) -> None:
    """One run with one write; without an outcome its answer was lost."""
    number = ledger.intend(ledger.begin(HEAD), a_change(action, address, id))
    if outcome is not None:
        ledger.settle(number, outcome, live_id, 200)
