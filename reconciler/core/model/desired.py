"""The nouns: a resource as declared, a thing as it is live, and the two sides that are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.model.address import Address
from reconciler.core.model.policy import ApprovalEntry, Policy
from reconciler.errors import Mark

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WrittenLinks:
    """A list of links as written on one resource: the target's address → its line; `absent` are the ones that must not be."""

    present: Mapping[Address, int]
    absent: Mapping[Address, int]


@dataclass(frozen=True, slots=True)
class Resource:
    """One declared thing with its claimed fields. `by` is the field that identifies it; `former` are keys it had, as (field, key)."""

    address: Address
    by: str
    key: str
    fields: Fields
    mark: Mark
    state: str | None = None
    former: tuple[tuple[str, str], ...] = ()
    protect: bool = False
    missing: str | None = None
    recreate: bool = False
    free: bool = False
    links: Mapping[str, WrittenLinks] = field(default_factory=dict)

    @property
    def gone(self) -> bool:
        """Whether it is declared as not being there."""
        return self.state in ("absent", "archived")


@dataclass(frozen=True, slots=True)
class Pin:
    """The one workspace a manifest may touch."""

    app_id: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that was declared, merged from all files; `digest` covers what was loaded, not the bytes of the files.

    `beside` is what is declared present and left out of this part of a manifest. `files` are those it was read from. `named`: somebody
    wrote its name.
    """

    resources: Mapping[Address, Resource]
    policy: Policy
    name: str = "default"
    pin: Pin | None = None
    paths: tuple[str, ...] = ()
    digest: str = ""
    sections: frozenset[str] = frozenset()
    approvals: tuple[ApprovalEntry, ...] = ()
    beside: frozenset[Address] = frozenset()
    files: tuple[str, ...] = ()
    named: bool = False
