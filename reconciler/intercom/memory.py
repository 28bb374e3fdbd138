"""Memory: what one look of a command saw, for its next one some seconds later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.core.compare.reads import KindView
from reconciler.core.model.address import LinkName
from reconciler.core.model.change import Change, LinkChange, ThingChange
from reconciler.core.plan.plan import StrongReads

# What was seen longer ago, in seconds, is read again.
YOUNG = 30.0


@dataclass
class Sight:
    """All that a look asked and saw. It grows while the look goes on."""

    # What was asked and seen, by kind.
    views: dict[str, KindView] = field(default_factory=dict)
    # The ids at the other ends of the links of each thing, by list and id of the thing.
    links: dict[LinkName, dict[str, frozenset[str]]] = field(default_factory=dict)
    # The lists of links of which only a part was seen, each with the id of its thing.
    partial: set[tuple[LinkName, str]] = field(default_factory=set)
    # Those that were read from their own list, to the end.
    whole: set[tuple[LinkName, str]] = field(default_factory=set)
    # How many things there are, by kind, where only that was asked.
    totals: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Sight:
        """The same, which may grow without the other."""
        views = {name: view.copy() for name, view in self.views.items()}
        links = {name: dict(ends) for name, ends in self.links.items()}
        return Sight(views, links, set(self.partial), set(self.whole), dict(self.totals))


@dataclass
class Memory:
    """What the plan of a command saw, until its apply looks. Another apply that wrote meanwhile makes it worthless."""

    # What the look saw.
    sight: Sight = field(default_factory=Sight)
    # The changes of things, each before its uses were counted and after that, by what a plan can hold only one of.
    counts: dict[tuple[str, str, str], tuple[Change, Change]] = field(default_factory=dict)
    # What the plan's look had seen by strong reads when it ended; None before, and where it is too long ago.
    strong_reads: StrongReads | None = None
    # When that was, in Unix seconds.
    at: float = 0.0
    # How many runs of the workspace the ledger had then, and how many of these had ended.
    runs: tuple[int, int] = (0, 0)
    # Whether the apply may come too late for it, so that no plan counts on it.
    loose: bool = False

    def note(self, before: Sequence[Change], after: Sequence[Change]) -> None:
        """The uses of these changes were counted."""
        pairs = zip(before, after, strict=True)
        self.counts.update((one.subject, (one, other)) for one, other in pairs if isinstance(one, ThingChange))

    def recall(self, changes: Sequence[Change]) -> tuple[Change, ...] | None:
        """The same changes with their uses; None where one of them is another one, because who leaves a choice counts for others too."""
        pairs = [self.counts.get(change.subject, (None, change)) for change in changes]
        same = all(one == change or isinstance(change, LinkChange) for change, (one, _) in zip(changes, pairs, strict=True))
        return tuple(other for _, other in pairs) if same else None

    def close(self, now: float, runs: tuple[int, int]) -> None:
        """The plan's look ended."""
        if self.strong_reads is None:
            strong = {name: frozenset(view.strong) for name, view in self.sight.views.items()}
            self.strong_reads, self.at, self.runs = StrongReads(strong, frozenset(self.sight.whole)), now, runs

    def check(self, now: float, runs: tuple[int, int]) -> bool:
        """Whether it is still good."""
        if self.strong_reads is None or not 0 <= now - self.at <= YOUNG or runs != self.runs:
            return False
        # What the plan was made from stays as it is.
        self.sight = self.sight.copy()
        return True
