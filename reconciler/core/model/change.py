"""A change: one create, update, rename, delete, archive, unarchive, attach or detach, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.quick import quick
from reconciler.errors import Mark


class Action(StrEnum):
    """What a change does; the order of the words is the order of execution."""

    CREATE = "create"
    UNARCHIVE = "unarchive"
    RENAME = "rename"
    UPDATE = "update"
    ATTACH = "attach"
    DETACH = "detach"
    ARCHIVE = "archive"
    DELETE = "delete"


LOSING = frozenset({Action.DETACH, Action.ARCHIVE, Action.DELETE})


class Cause(StrEnum):
    """Why a change is needed, by what is declared, what was applied and what is live; the gravest first.

    `config`: the manifest changed. `drift`: live changed. `conflict`: both did, differently. `unapplied`: an earlier apply had it in
    its plan and it was not done. `foreign`: live, and never ours. `unrecorded`: nothing was ever applied under this name.
    `due`: somebody began or ceased to match a rule that was applied.
    """

    CONFLICT = "conflict"
    DRIFT = "drift"
    CONFIG = "config"
    UNAPPLIED = "unapplied"
    FOREIGN = "foreign"
    UNRECORDED = "unrecorded"
    DUE = "due"


# What moved away from what was applied.
DRIFTED = frozenset({Cause.DRIFT, Cause.CONFLICT, Cause.UNRECORDED})


@quick
@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that moves."""

    # The field; a dot leads to a key of a merged map: `custom_attributes.plan`.
    path: str
    # Its live value; None where it has none.
    before: Any
    # The value that it is to have.
    after: Any
    # Why; None without a ledger.
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """How often a thing is used somewhere."""

    # Where it is used, in the words of a report.
    where: str
    # How often; None where that could not be counted.
    number: int | None
    # Whether those are contacts.
    people: bool = False
    # Whether the list that was counted hides some.
    least: bool = False
    # Who they are, as far as was seen.
    ids: frozenset[str] = frozenset()


@quick
@dataclass(frozen=True, slots=True)
class ThingChange:
    """A change of one thing."""

    # What is done.
    action: Action
    # The thing.
    address: Address
    # Where it is declared.
    mark: Mark
    # Its live id; None where it is created.
    id: str | None = None
    # The fields that move.
    fields: tuple[FieldChange, ...] = ()
    # Whether a create may find it in the archive, and brings it back then.
    returns: bool = False
    # Whether it is created again if it turns out to be deleted.
    recreate: bool = False
    # How many contacts it touches; None where nobody knows.
    people: int | None = None
    # How often the thing is used, by where.
    uses: tuple[Use, ...] = ()
    # Where it may be used too, and Intercom cannot say how often.
    uncounted: tuple[str, ...] = ()
    # The gravest cause of its fields; None without a ledger.
    cause: Cause | None = None
    # What else people are to know of it.
    remark: str = ""
    # What names it in Intercom, where its address is an id.
    key: str = ""
    # The thing that it is merged into, where it is deleted for that,
    into: Address | None = None
    # and what else is moved there: sections.
    also: tuple[str, ...] = ()

    @property
    def target(self) -> None:
        return None

    @property
    def label(self) -> str:
        """What the thing is called that this names by its id."""
        return self.key

    @property
    def subject(self) -> tuple[str, str, str]:
        """What a plan can hold only one of."""
        return (self.action, str(self.address), "")


@quick
@dataclass(frozen=True, slots=True)
class LinkChange:
    """A link that is made or undone."""

    # Attach or detach.
    action: Action
    # Its source.
    address: Address
    # Its other end.
    target: Address
    # The kind of link.
    link: LinkName
    # Where it is declared.
    mark: Mark
    # The live id of its source; None where that is created.
    id: str | None = None
    # The live id of its other end; None where that is created.
    target_id: str | None = None
    # How many contacts it touches; None where nobody knows.
    people: int | None = None
    # Why; None without a ledger.
    cause: Cause | None = None
    # What names the target in Intercom, where its address is an id.
    target_key: str = ""
    # The thing that is merged, where the link is made or undone because of a merge.
    merges: Address | None = None
    # Whether a rule says so, and no entry of its source.
    by_rule: bool = False

    @property
    def label(self) -> str:
        """What the thing is called that this names by its id."""
        return self.target_key

    @property
    def remark(self) -> str:
        return f"called {self.target_key}" if self.target_key else ""

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        return ()

    @property
    def subject(self) -> tuple[str, str, str]:
        return (self.action, str(self.address), str(self.target))


Change = ThingChange | LinkChange
