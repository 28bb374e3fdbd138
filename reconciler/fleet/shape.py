"""The shape of a plan: what it does, without the ids and the people of one workspace. Plans of one shape are reviewed as one. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.kinds import KINDS

# What a thing is called by people, and so the same in every workspace; all else names one customer's things.
NAMED_BY = "name"
# The shape of a plan without changes.
EMPTY = hashlib.sha256(b"[]").hexdigest()[:12]


@dataclass(frozen=True, order=True)
class Line:
    """What a plan does to things of a kind, or to one that is called the same everywhere."""

    # The action.
    action: str
    # The kind, with the name where that is the same everywhere; of a link its source.
    what: str
    # The other end of a link, like the first; empty where there is none.
    target: str = ""
    # The fields that are set.
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        target = f" {'from' if self.action == 'detach' else 'to'} {self.what}" if self.target else ""
        fields = f" ({', '.join(self.fields)})" if self.fields and self.action == "update" else ""
        return f"{self.action} {self.target or self.what}{target}{fields}"


def lines_of(changes: Sequence[ChangeDocument]) -> tuple[Line, ...]:
    """What the changes of a plan do, each line once, in the order of their actions and names."""
    return tuple(sorted({_line(change) for change in changes}))


def shape_of(plan: PlanDocument) -> str:
    """The shape of a plan, as twelve digits; that of a plan without changes is the same for all."""
    lines = [(line.action, line.what, line.target, line.fields) for line in lines_of(plan["changes"])]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:12]


def _line(change: ChangeDocument) -> Line:
    fields = tuple(sorted({field["path"] for field in change["fields"]}))
    return Line(change["action"], _bare(change["address"]), _bare(change["target"] or ""), fields)


def _bare(address: str) -> str:
    """An address without what only one workspace has."""
    kind, _, key = address.partition("/")
    known = KINDS.get(kind)
    return f"{kind}/{key}" if known and known.identities[0].field == NAMED_BY else kind
