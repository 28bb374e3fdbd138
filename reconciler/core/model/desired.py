"""The nouns: a resource as declared, a thing as it is live, and the two sides that are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.policy import ApprovalEntry, Policy
from reconciler.core.model.quick import quick
from reconciler.core.model.rule import Rule
from reconciler.errors import Mark

Fields = Mapping[str, Any]
# The state of what goes out of use.
DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class WrittenLinks:
    """A list of links as written; many resources have the same one."""

    # The links that must exist: the address of the other end, and how many lines below the entry it is written.
    present: Mapping[Address, int]
    # Those that must not be: the same.
    absent: Mapping[Address, int]


@quick
@dataclass(frozen=True, slots=True)
class Resource:
    """One declared thing with its claimed fields."""

    # What people call it.
    address: Address
    # The field that identifies it; `id` for a live id.
    by: str
    # The value of that field.
    key: str
    # The claimed fields; None clears one.
    fields: Fields
    # Where it is declared.
    mark: Mark
    # `present`, `deprecated`, `archived` or `absent`; None where it is not written.
    state: str | None = None
    # Keys that it had, as field and value, in the order written.
    former: tuple[tuple[str, str], ...] = ()
    # Whether nothing deletes it.
    protect: bool = False
    # What is done where it is not found: `skip`, `error` or `create`; None leaves it to the policy.
    missing: str | None = None
    # Whether it is made anew after somebody deleted it.
    recreate: bool = False
    # Whether links to it are left as they are.
    free: bool = False
    # What it goes into.
    into: Address | None = None
    # The sections whose things are moved too, besides the things of declared kinds that carry it.
    also: tuple[str, ...] = ()
    # What is used instead of one that goes out of use.
    successor: Address | None = None
    # How long it must have no new use before it is due to go, in seconds; None where that is not written.
    quiet: int | None = None
    # Who uses it where nobody can count, in people's words.
    used_by: tuple[str, ...] = ()
    # Who answers for it; empty where that is not written.
    owner: str = ""
    # What it means; empty where that is not written.
    description: str = ""
    # The lists of links that it writes, by field.
    links: Mapping[str, WrittenLinks] = field(default_factory=dict)
    # The overlays that are laid over it.
    overlays: tuple[str, ...] = ()

    @property
    def is_gone(self) -> bool:
        """Whether it is declared absent or archived."""
        return self.state in ("absent", "archived")

    @property
    def is_deprecated(self) -> bool:
        """Whether it goes out of use, and is still to be there."""
        return self.state == DEPRECATED


def group_by_kind(resources: Iterable[Resource]) -> Mapping[str, Sequence[Resource]]:
    """Declared things by their kinds, in their order."""
    groups: dict[str, list[Resource]] = {}
    for resource in resources:
        groups.setdefault(resource.address.kind, []).append(resource)
    return groups


@dataclass(frozen=True, slots=True)
class Pin:
    """The one workspace a manifest may touch."""

    # Its app id; None allows any.
    app_id: str | None = None
    # Where it is: `us`, `eu` or `au`; None allows any.
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that was declared, merged from all files."""

    # The declared things.
    resources: Mapping[Address, Resource]
    # What is allowed.
    policy: Policy
    # Whose ownership this is.
    name: str = "default"
    # The one workspace that it may touch; None allows any.
    pin: Pin | None = None
    # The paths as they were given.
    paths: tuple[str, ...] = ()
    # A digest of what was loaded, not of the bytes.
    digest: str = ""
    # The sections that are written; others are not ours.
    sections: frozenset[str] = frozenset()
    # The approvals that are written.
    approvals: tuple[ApprovalEntry, ...] = ()
    # The addresses that are declared present and that this part of a manifest leaves out.
    beside: frozenset[Address] = frozenset()
    # The files that were read.
    files: tuple[str, ...] = ()
    # Whether somebody wrote its name.
    has_name: bool = False
    # The environment that it was read for; empty for none.
    env: str = ""
    # The environments that its files know.
    environments: frozenset[str] = frozenset()
    # The rules, by what their people have.
    rules: Mapping[Address, Rule] = field(default_factory=dict)
