"""The past: runs as the ledger tells of them, and what became of what they planned. No e-mail stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.model.live import Workspace

# The verbs whose runs write to Intercom.
WRITING = ("apply", "undo")


@dataclass(frozen=True, slots=True)
class Run:
    """One run, in the order in which it is told. Times are Unix seconds."""

    # Its id.
    run: str
    # What was called: apply, undo or adopt.
    verb: str
    # Where.
    workspace: Workspace
    # The manifest's.
    name: str
    # The person and the machine.
    who: str
    # When it began.
    started: float
    # None where it was killed, or goes on.
    ended: float | None = None
    # What it ended with; None where it did not.
    exit_code: int | None = None
    # How many changes had which outcome.
    counts: Mapping[str, int] = field(default_factory=dict)
    # The commit of its manifest.
    revision: str = ""
    # The digest of the manifest as it was loaded.
    manifest_digest: str = ""
    # The digest of the plan.
    plan_digest: str = ""
    # Those of the manifest.
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """One change that a run had in its plan, in the order in which it is told."""

    # What was to be done.
    action: str
    # The thing, without e-mails.
    address: str
    # The other end of a link.
    target: str | None
    # `unanswered` where its call was sent and nobody knows, `not started` where it was not sent.
    outcome: str
    # Paths, without values.
    fields: tuple[str, ...] = ()
    # The live id of the thing.
    id: str | None = None
    # Whether a create found in place what somebody else made; this is not told.
    met: bool = False


class Way(StrEnum):
    """From where what a run destroyed can be brought back, as far as it is kept."""

    # Nothing of it is personal.
    ANYWHERE = "anywhere"
    # From anywhere, with a private key.
    KEY = "key"
    # What people had lies on this machine.
    HERE = "here"
    # What people had lies on the machine of the run.
    ELSEWHERE = "elsewhere"
    # Nothing is kept, or not any more.
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Undoable:
    """From where a run can be undone, and until when."""

    # From where.
    way: Way
    # The public keys that what people had is encrypted to.
    keys: tuple[str, ...] = ()
    # Until when, in Unix seconds; None where nothing is kept.
    until: float | None = None
