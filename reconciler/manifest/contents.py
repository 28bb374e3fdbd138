"""What the files of a manifest say together: their head, their entries by the names that these are declared with, and every problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import WrittenLinks
from reconciler.core.model.entry import LinkItem, Values
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.quick import quick
from reconciler.errors import Mark, Problem
from reconciler.manifest.layers import BASE, Layers
from reconciler.manifest.reader import Document
from reconciler.manifest.sentences import Guesses, Loc
from reconciler.manifest.source import OpenList

# Lists of links as an entry writes them: which list, the links, and how many lines below the entry each stands.
WrittenAs = tuple[tuple[LinkName, Sequence[LinkItem], tuple[int, ...]], ...]

# A kind, one of its identities, and the form in which its names are equal: two entries with one of these declare one thing.
Name = tuple[str, str, str]


def name_of(kind: Kind, by: str, value: Any) -> Name:
    """The name that a value of an identity is."""
    return kind.name, by, kind.identity[by].fold(str(value))


class Raw(NamedTuple):
    """One entry as it is written."""

    # The document that it is an entry of.
    document: Document
    # The way to it in the document.
    loc: Loc
    # A dictionary, where it can be valid.
    value: Any

    def mark(self, *loc: str | int) -> Mark:
        """The place of the entry, or of a key or item inside it."""
        return self.document.marks.of((*self.loc, *loc))


@quick
@dataclass(frozen=True, slots=True)
class Item:
    """One entry, and where it stands."""

    # Its kind.
    kind: Kind
    # What is written in it, valid.
    values: Values
    # The file that it stands in.
    document: Document
    # The section, and the entry's number in it.
    loc: Loc
    # What people call it.
    address: Address
    # The identity that the address is made of.
    by: str
    # What it goes into, as the entry of that says.
    into: Address | None = None
    # What else is moved there, as that entry says.
    also: tuple[str, ...] = ()

    def mark(self, *loc: str | int) -> Mark:
        """The place of the entry, or of a key or item inside it."""
        return self.document.marks.of((*self.loc, *loc) if loc else self.loc)

    def below(self, key: str) -> tuple[int, ...]:
        """How many lines below the entry each item of one of its lists stands."""
        return self.document.marks.below(self.loc, key, len(self.values[key]))

    @property
    def name(self) -> Name:
        """The name that it is declared with."""
        return name_of(self.kind, self.by, self.values.get(self.by, ""))

    @property
    def state(self) -> str | None:
        """As it is written; None where it is not."""
        return self.values.get("state")


@dataclass
class Contents:
    """What is gathered from all files, so that the problems of all of them are reported at once."""

    # All kinds.
    kinds: Kinds
    # What is wrong so far.
    problems: list[Problem]
    # Where the text itself is wrong. If there is such a place, what seems not to be declared may be declared there.
    unread: set[Mark]
    # Opens the lists that files name.
    open_list: OpenList
    # What is laid over the base.
    layers: Layers = BASE
    # The entries of overlays by their names.
    overlays: dict[Name, Raw] = field(default_factory=dict)
    # Which of these stand over another one.
    laid: set[Name] = field(default_factory=set)
    # The sections that the environment leaves out.
    left_out: set[str] = field(default_factory=set)
    # The files that were read, lists among them.
    files: list[str] = field(default_factory=list)
    # The entries, each once.
    items: dict[Address, Item] = field(default_factory=dict)
    # The same entries, by the names that they are declared with.
    names: dict[Name, Item] = field(default_factory=dict)
    # The entries that an id names, by the other names that they give their things.
    other_names: dict[Name, list[Item]] = field(default_factory=dict)
    # Entries that were renamed, by the names that they had.
    former_names: dict[Name, Item] = field(default_factory=dict)
    # Whether a former name in a reference is read as the new one.
    accepts_former: bool = False
    # Entries of what another entry declares; their own problems are reported too.
    doubles: list[Item] = field(default_factory=list)
    # The names of entries that are not valid: whoever refers to these is not told that they are missing.
    invalid: set[Name] = field(default_factory=set)
    # What stands beside the sections, merged.
    head: dict[str, Any] = field(default_factory=dict)
    # Where each leaf of that stands first.
    head_marks: dict[Loc, Mark] = field(default_factory=dict)
    # The rules as they are written, laid over each other.
    rules: list[Raw] = field(default_factory=list)
    # The sections that are written, perhaps empty.
    sections: set[str] = field(default_factory=set)
    # Which keys were meant by those that are not known.
    guesses: Guesses = field(default_factory=Guesses)
    # What lists of links mean, by field, as one value for all entries that write the same.
    links: dict[WrittenAs, Mapping[str, WrittenLinks]] = field(default_factory=dict)
    # What to do about a name that is not declared, by kind and name.
    hints: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, mark: Mark, what: str, now: str = "") -> None:
        """Note a problem: what is wrong and what to do now. Where the text itself is wrong, that problem is enough."""
        if mark not in self.unread:
            self.problems.append(Problem(mark, what, now))
