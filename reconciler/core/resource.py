"""The nouns: a resource as declared, a thing as it is live, and the two sides that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.address import Address, LinkName
from reconciler.core.policy import ApprovalEntry, Policy
from reconciler.core.refusal import Refusal
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


@dataclass(frozen=True, slots=True)
class Live:
    """One thing as it is in the workspace, decoded into the form that manifests use."""

    kind: str
    id: str
    key: str
    fields: Fields

    @property
    def address(self) -> Address:
        return Address(self.kind, self.key)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Which workspace: Intercom's app id and region (`us`, `eu`, `au`)."""

    app_id: str
    region: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something people should know that is no change. `topic` groups notes in reports; `address` is None for general ones."""

    topic: str
    message: str
    address: Address | None = None
    mark: Mark | None = None
    # Whether it says that something was sent and never proved, or is not done now though it is declared: no success.
    held: bool = False
    # From when on another try is worth it, in Unix seconds; None where only a person can help.
    until: float | None = None


# The topic of what only waits for Intercom to catch up with what was done.
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live side. `pairs` says which live id each declared address is; `links` are pairs of ids; `withheld` must not be touched,
    nor be lost the links to `doubted` things (kind and id), which a withheld address may mean. `cut` are things
    that show only some of their links, `listed` kinds of which everything was read. `vanished` are addresses whose remembered
    id Intercom does not know any more."""

    workspace: Workspace
    things: Mapping[str, Mapping[str, Live]]
    pairs: Mapping[Address, str] = field(default_factory=dict)
    links: Mapping[LinkName, Mapping[str, Set[str]]] = field(default_factory=dict)
    withheld: frozenset[Address] = frozenset()
    doubted: frozenset[tuple[str, str]] = frozenset()
    merged: frozenset[Address] = frozenset()
    cut: frozenset[tuple[LinkName, str]] = frozenset()
    listed: frozenset[str] = frozenset()
    vanished: Mapping[Address, str] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    # Live things (kind and id) that share their name with another one, each with a description of all of these.
    twins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    reads: int = 0
    window: int | None = None

    def of(self, address: Address) -> Live | None:
        """The live thing that a declared address is, if any."""
        return self.things.get(address.kind, {}).get(self.pairs.get(address, ""))
