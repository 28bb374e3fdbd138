"""What is live: a thing as Intercom shows it, the workspace it is in, and the snapshot that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Fields
from reconciler.core.model.note import Note
from reconciler.core.model.refusal import Refusal


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
