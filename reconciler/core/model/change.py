"""A change: one create, update, rename, delete, archive, unarchive, attach or detach, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reconciler.core.model.address import Address, LinkName
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
    """

    CONFLICT = "conflict"
    DRIFT = "drift"
    CONFIG = "config"
    UNAPPLIED = "unapplied"
    FOREIGN = "foreign"
    UNRECORDED = "unrecorded"


# What moved away from what was applied.
DRIFTED = frozenset({Cause.DRIFT, Cause.CONFLICT, Cause.UNRECORDED})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that moves; `path` names a key of a merged map with a dot: `custom_attributes.plan`."""

    path: str
    before: Any
    after: Any
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """How often a thing is used somewhere, None where that could not be counted; `people`: those are contacts; `least`: the list
    that was counted hides some."""

    where: str
    number: int | None
    people: bool = False
    least: bool = False
    # Who they are, as far as was seen.
    ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ThingChange:
    """A change of one thing. `id` is the live one, None where the thing is created; `returns` says that it may be archived.

    `people` is how many contacts it touches, None where nobody knows; `uses` are the places that carry it, `uncounted` those of
    which Intercom cannot say. `recreate`: made anew where it turns out to be deleted. `remark` is what else to know of it.
    """

    action: Action
    address: Address
    mark: Mark
    id: str | None = None
    fields: tuple[FieldChange, ...] = ()
    returns: bool = False
    recreate: bool = False
    people: int | None = None
    uses: tuple[Use, ...] = ()
    uncounted: tuple[str, ...] = ()
    cause: Cause | None = None
    remark: str = ""
    # What names it in Intercom, where its address is an id.
    key: str = ""

    @property
    def target(self) -> None:
        return None

    @property
    def called(self) -> str:
        """What the thing is called that this names by its id."""
        return self.key

    @property
    def subject(self) -> tuple[str, str, str]:
        """What a plan can hold only one of."""
        return (self.action, str(self.address), "")


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A link that is made or undone; the address is its source, the target the other end."""

    action: Action
    address: Address
    target: Address
    link: LinkName
    mark: Mark
    id: str | None = None
    target_id: str | None = None
    people: int | None = None
    cause: Cause | None = None
    # What names the target in Intercom, where its address is an id.
    target_key: str = ""

    @property
    def called(self) -> str:
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
