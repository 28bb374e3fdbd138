"""What is live: a thing as Intercom shows it, the workspace it is in, and the snapshot that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Fields
from reconciler.core.model.facts import UNKNOWN, Facts
from reconciler.core.model.note import Note
from reconciler.core.model.question import Question
from reconciler.core.model.quick import quick
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.rule import Membership
from reconciler.errors import Mark


@quick
@dataclass(frozen=True, slots=True)
class Live:
    """One thing as it is in the workspace."""

    # Its kind.
    kind: str
    # What Intercom calls it.
    id: str
    # What a manifest calls it.
    key: str
    # Its values, as a manifest writes them.
    fields: Fields

    @property
    def address(self) -> Address:
        return Address(self.kind, self.key)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Which workspace."""

    # Intercom's app id.
    app_id: str
    # Where it is: `us`, `eu` or `au`.
    region: str


# The topic of what only waits for Intercom to catch up with what was done.
WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live side."""

    # Where it was read.
    workspace: Workspace
    # What was seen, by kind and live id.
    things: Mapping[str, Mapping[str, Live]]
    # The live id that each declared address is.
    pairs: Mapping[Address, str] = field(default_factory=dict)
    # The ids of the other ends of links, by kind of link and id of the source.
    links: Mapping[LinkName, Mapping[str, Set[str]]] = field(default_factory=dict)
    # Addresses that must not be touched.
    withheld: frozenset[Address] = frozenset()
    # Live things (kind and id) that those may mean: no link to them is taken away.
    doubtful: frozenset[tuple[str, str]] = frozenset()
    # Live things (kind and id) that entries mention with which nothing is done, each with the place of one: they count as declared.
    mentioned: Mapping[tuple[str, str], Mark] = field(default_factory=dict)
    # Live things (kind and id) that no prune takes in this plan, each with the reason.
    spared: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # Addresses whose live thing is one that theirs was merged into.
    merged: frozenset[Address] = frozenset()
    # Things that show only some of their links: the kind of link and the id.
    cut_lists: frozenset[tuple[LinkName, str]] = frozenset()
    # Kinds of which everything was read.
    listed: frozenset[str] = frozenset()
    # Addresses whose remembered id Intercom does not know any more, with that id.
    vanished_ids: Mapping[Address, str] = field(default_factory=dict)
    # How many live things there are, by kind, where a list or a count says it.
    totals: Mapping[str, int] = field(default_factory=dict)
    # How many of a kind have something, by the kind and the live id of that, where a list of these said it.
    parts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    # What people are told of it.
    notes: tuple[Note, ...] = ()
    # What the live workspace shows that no plan can settle.
    refusals: tuple[Refusal, ...] = ()
    # Live things (kind and id) that share their name with another one, each with a description of all of these.
    twins: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # What was asked, and in which ways.
    questions: tuple[Question, ...] = ()
    # How many calls it took to read.
    reads: int = 0
    # How many calls Intercom allows in ten seconds; None where it did not say.
    window: int | None = None
    # What is known of Intercom itself.
    facts: Facts = UNKNOWN
    # Whom the rules reach that were read, by what their people have.
    members: Mapping[Address, Membership] = field(default_factory=dict)

    def of(self, address: Address) -> Live | None:
        """The live thing that a declared address is, if any."""
        return self.things.get(address.kind, {}).get(self.pairs.get(address, ""))
