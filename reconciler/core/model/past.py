"""The past: runs as the ledger tells of them, and what became of what they planned. No e-mail stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Run:
    """One run. Times are Unix seconds; without `ended` it was killed, or goes on. `revision` is the commit of its manifest."""

    run: str
    verb: str
    app_id: str
    region: str
    name: str
    who: str
    started: float
    ended: float | None = None
    exit_code: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    revision: str = ""
    manifest_digest: str = ""
    plan_digest: str = ""
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """What a run had in its plan, and its outcome: `unanswered` where its call was sent and nobody knows, `not started` where it was
    not sent. `fields` are paths without values. `met`: a create found in place what somebody else made."""

    action: str
    address: str
    target: str | None
    outcome: str
    fields: tuple[str, ...] = ()
    id: str | None = None
    met: bool = False
