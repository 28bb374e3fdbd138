"""A rule: who has a link by what is true of them instead of by a list; and who that is, as far as was read."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date

from reconciler.core.model.address import Address, LinkName
from reconciler.errors import Mark


@dataclass(frozen=True, slots=True)
class Expected:
    """How many a rule is to reach when it is new, or another one."""

    # At least so many.
    least: int = 1
    # At most so many; None for all but one.
    most: int | None = None
    # Whether all may match.
    everybody: bool = False
    # Of those who have it now, at least so many percent keep it.
    kept: float = 50.0


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is declared."""

    # What whoever matches has.
    target: Address
    # The link to it.
    link: LinkName
    # Where it is declared.
    mark: Mark
    # The digest of whom it reaches and what becomes of the others.
    digest: str
    # The condition on its people; empty for none.
    where: str = ""
    # The conditions on what they belong to, by their keys.
    through: Mapping[str, str] = field(default_factory=dict)
    # Who has it whatever the conditions say, as field and value,
    include: tuple[tuple[str, str], ...] = ()
    # and who has it not.
    exclude: tuple[tuple[str, str], ...] = ()
    # What becomes of those who have it and do not match: `declared` (they lose it), `additive` or `owned`.
    links: str = "declared"
    # How many links one run makes or undoes at most, by the name of the limit: a number or a percentage of who has it.
    limits: Mapping[str, int | str] = field(default_factory=dict)
    # Whether these count instead of those of the policy, and not beside them.
    over_policy: bool = True
    # How many it is to reach.
    expected: Expected = Expected()


@dataclass(frozen=True, slots=True)
class Membership:
    """Whom a rule reaches, and who has what it is about, as live ids."""

    # Who matches.
    matching: Set[str]
    # Who has it, as the search shows.
    having: Set[str]
    # The day that was today for its relative times; None where it has none.
    day: date | None = None
    # What its relative times meant, in words.
    days: str = ""
    # Who matches, whatever the conditions say,
    included: Set[str] = frozenset()
    # and who does not.
    excluded: Set[str] = frozenset()
    # When those changed last for whom no condition holds and who have it, as was shown; None where that is no time.
    changed: Mapping[str, float | None] = field(default_factory=dict)
    # Of those who are to lose it, whoever is otherwise by now than was shown.
    unsure: Set[str] = frozenset()
    # How many of those that it includes or excludes by name were not found.
    missing: int = 0
    # How many there are in all; None where that was not asked.
    total: int | None = None
    # The calls that it takes to know all this just before a write, by route.
    reads: Mapping[str, int] = field(default_factory=dict)
