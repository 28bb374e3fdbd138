"""Memory: what the ledger holds for one owner, as a value that the core can ask. Pure: the digests come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.repository import Repository

Thing = tuple[str, str]
"""A kind and a live id."""


class Digests(Protocol):
    """Keyed digests: equal for equal things and values, and nothing can be read back from them."""

    def thing(self, app_id: str, address: Address) -> str:
        """What an address is known by."""

    def place(self, app_id: str, address: Address, path: str) -> str:
        """What a field of a thing is known by."""

    def claim(self, salt: str, path: str, value: Any) -> str:
        """What the value of a field is known by; the salt says of which thing."""

    def plain(self, text: str) -> str:
        """A text without e-mails."""

    def address(self, address: Address) -> str:
        """An address without e-mails."""


class Tie(StrEnum):
    """How a recorded link came about: we made it, it was found there, or it was written absent and is."""

    OWNED = "owned"
    FOUND = "found"
    ABSENT = "absent"


# The key under which a record says by which policy its list of links was the authority; no id is written so.
GOVERNED = "*"

# The path under which a record says that its thing is gone because that was declared; no field is called so.
STATE = "state"

# Before the digest of an address that a thing had until it got another name; no field is called so.
FORMER = "was "

# The path under which a record keeps the address that a thing has by the name which Intercom made of the one that was sent.
SHOWN = "shown as"


class Deaf(StrEnum):
    """How live stands to what a reply showed instead of the value that it was sent: it shows the same still, it shows another one, or
    that was tried once, and what it showed is not known."""

    SAME = "same"
    OTHER = "other"
    ONCE = "once"


Ties = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds of one live thing: `fields` are digests of what was applied or found converged, by path; `links` are ties
    by list and id of the other end. `owned`: created or adopted by us; `deleted`: Intercom said so. `address` holds no e-mail. `file`
    is a line for each file that declares it, as far as it was read.

    `written` is when we last wrote to it, in Unix seconds, 0 where we never did.
    """

    kind: str
    id: str
    thing: str
    address: str
    owned: bool = False
    protected: bool = False
    deleted: bool = False
    file: str = ""
    run: str = ""
    written: float = 0.0
    fields: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Ties] = field(default_factory=dict)
    # Whether any of the links may be ours; where none is, they need not be read.
    tied: bool = field(default=True, compare=False)
    # When each of the links that are ours was made or taken in, in Unix seconds, by list and id of the other end.
    since: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def name(self) -> Thing:
        return self.kind, self.id

    @property
    def files(self) -> Sequence[str]:
        """The files that declare it, or did when they were read last."""
        return self.file.split("\n") if self.file else ()

    @property
    def salt(self) -> str:
        """What the digests of its fields are salted with: the live thing, whatever address it has."""
        return f"{self.kind}/{self.id}"

    @property
    def buried(self) -> bool:
        """Whether it was declared absent and is: what comes back under its address came by itself."""
        return self.deleted and STATE in self.fields

    def ours_since(self, link: str, target_id: str) -> float:
        """When a link of it became ours; a record of an older release says only when we wrote to the thing, or recorded it, last."""
        known: int | None = self.since.get(link, NOTHING).get(target_id)
        return max(self.written, _began(self.run)) if known is None else float(known)

    def tie(self, link: str, target_id: str) -> str | None:
        """How a link of it came about, None where nothing is recorded."""
        return self.links.get(link, NOTHING).get(target_id)


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Place(NamedTuple):
    """What a write was about: a thing by its digest, and for a link its list and the digest of the other end."""

    thing: str
    link: str = ""
    target: str = ""


class Attempt(NamedTuple):
    """A write that was in a plan and of which nobody can say that it was done. `intended` is when its call was about to be sent (0:
    never); `proof`: its run had proved that the thing, or the link, was not there. `fields` are digests by path, `thing_id` and
    `target_id` the live ids that its call named, `files` the paths of what its run read."""

    action: str
    intended: float
    proof: bool
    answered: bool
    fields: Mapping[str, str]
    kind: str = ""
    thing_id: str | None = None
    target_id: str | None = None
    files: Sequence[str] = ()

    def links(self, source_id: str, target_id: str) -> bool:
        """Whether its call was about these live things, as far as it named any."""
        return self.thing_id in (None, source_id) and self.target_id in (None, target_id)

    @property
    def lost(self) -> bool:
        """Whether what it makes may be there, made by us: it was sent, never answered, and proved not to be there before."""
        return self.proof and self.intended > 0 and not self.answered


# Between the identity of a repository and the path of a file in it.
WITHIN = "//"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of manifests as the ledger calls them: those read in this run, and those of former runs that no longer exist."""

    read: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()

    def unread(self, record: Record) -> Sequence[str]:
        """What to call those files that declared a thing, and may still, as nobody read them in this run: by their paths, and one whose
        path was read here by its being another repository's."""
        here = {path_of(file) for file in self.read}
        left = [path_of(file) for file in record.files if file not in self.read and file not in self.vanished]
        return [f"{path} of another repository" if path in here else path for path in left]


def path_of(file: str) -> str:
    """The path of a file in its repository."""
    return file.rpartition(WITHIN)[2]


@dataclass(frozen=True, slots=True)
class Handover:
    """A manifest's name that was last applied from one repository, and is now used in another one, as far as anybody can say."""

    # The manifest's name.
    name: str
    # The repository it was last applied from, None where nobody recorded which.
    before: Repository | None
    # The one it is used in now.
    now: Repository


class _Blank:
    """The digests where there is no ledger: nothing was ever recorded under them."""

    def thing(self, app_id: str, address: Address) -> str:
        return ""

    def place(self, app_id: str, address: Address, path: str) -> str:
        return ""

    def claim(self, salt: str, path: str, value: Any) -> str:
        return ""

    def plain(self, text: str) -> str:
        return text

    def address(self, address: Address) -> str:
        return str(address)


class Other(NamedTuple):
    """What another manifest's name has recorded: which name, and whether it protects it."""

    name: str
    protected: bool = False


@dataclass(frozen=True)
class Recorded:
    """What is remembered for one workspace and one manifest's name. `others` are things that other names recorded, `ties` their links,
    as (kind, id, list, id of the other end), each with whose it is.

    `strangers` are ids that were seen to be somebody else, each with the digest of the address that met them.

    `there`: there is a ledger. `runs`: how many applies it holds for this name; 0 is also what a lost ledger holds.
    """

    app_id: str = ""
    digests: Digests = field(default_factory=_Blank)
    records: Mapping[Thing, Record] = field(default_factory=dict)
    others: Mapping[Thing, Other] = field(default_factory=dict)
    ties: Mapping[tuple[str, str, str, str], str] = field(default_factory=dict)
    attempts: Mapping[Place, Attempt] = field(default_factory=dict)
    strangers: frozenset[tuple[str, str]] = frozenset()
    # By the digest of a field: those of the value that a reply did not show, and of what it showed instead.
    ineffective: Mapping[str, frozenset[str]] = field(default_factory=dict)
    there: bool = False
    runs: int = 0
    files: Files = Files()
    # The repositories that the name was applied from, in the order of the runs, None where nobody recorded which; without repetitions.
    origins: Sequence[Repository | None] = ()
    # Where the name passes from one repository to another.
    handover: Handover | None = None

    @cached_property
    def by_thing(self) -> Mapping[str, Record]:
        """The records by the digests of their addresses; of two with one, the one that is not deleted."""
        found: dict[str, Record] = {}
        for record in self.records.values():
            other = found.get(record.thing)
            if other is None or _rank(other) < _rank(record):
                found[record.thing] = record
        return found

    def of(self, kind: str, live_id: str | None) -> Record | None:
        """What is recorded of a live thing."""
        return self.records.get((kind, live_id)) if live_id else None

    def at(self, address: Address) -> Record | None:
        """What is recorded under an address, whatever is live there now."""
        return self.by_thing.get(self.digests.thing(self.app_id, address)) if self.records else None

    def rewritten(self, thing: Address, live_id: str) -> bool:
        """Whether a live thing, by its own address, has the name that Intercom made of the one which was sent: nobody else renamed it."""
        record = self.of(thing.kind, live_id)
        return record is not None and record.fields.get(SHOWN) == self.digests.thing(self.app_id, thing)

    def had(self, kind: str, live_id: str, address: Address) -> bool:
        """Whether a live thing had an address before the one that it has now."""
        record = self.of(kind, live_id)
        return record is not None and FORMER + self.digests.thing(self.app_id, address) in record.fields

    def attempt(self, address: Address, link: str = "", target: Address | None = None) -> Attempt | None:
        """What was last tried there, and not known to be done."""
        if not self.attempts:
            return None
        end = self.digests.thing(self.app_id, target) if target else ""
        return self.attempts.get(Place(self.digests.thing(self.app_id, address), link, end))

    def is_stranger(self, address: Address, live_id: str) -> bool:
        """Whether an archived thing was brought back once to see who it is, and is not the one that an address means."""
        return bool(self.strangers) and (self.digests.thing(self.app_id, address), live_id) in self.strangers

    def created(self, address: Address) -> bool:
        """Whether a create of ours was sent, never answered, and proved to be of something that was not there."""
        found = self.attempt(address)
        return found is not None and found.action == "create" and found.lost

    def tie(self, link: LinkName, source: Address, source_id: str, target: Address, target_id: str) -> str | None:
        """How a live link came about: recorded so, or made by a call of ours whose answer was lost."""
        record = self.of(source.kind, source_id)
        if record and (tie := record.tie(link.field, target_id)) in (Tie.OWNED, Tie.FOUND):
            return tie
        found = self.attempt(source, link.field, target)
        if found and found.action == "attach" and found.lost and found.links(source_id, target_id):
            return Tie.OWNED
        return record.tie(link.field, target_id) if record else None

    def deaf(self, address: Address, path: str, value: Any, live: Any) -> Deaf | None:
        """How live stands to what a reply showed instead of this value of a field; None where none was seen to refuse it."""
        place = self.digests.place(self.app_id, address, path) if self.ineffective else ""
        digests = self.ineffective.get(place, frozenset())
        if self.digests.claim(place, path, value) not in digests:
            return None
        if self.digests.claim(place, path, [value, live]) in digests:
            return Deaf.SAME
        return Deaf.OTHER if len(digests) > 1 else Deaf.ONCE

    def elsewhere(self, link: LinkName, source_id: str, target_id: str) -> str | None:
        """Which other name has a link too."""
        return self.ties.get((link.source, source_id, link.field, target_id))

    def owned(self, link: LinkName, record: Record) -> Sequence[str]:
        """The ids of the other ends of the links that we made."""
        held = record.links.get(link.field, NOTHING) if record.tied else NOTHING
        return [target_id for target_id, tie in held.items() if tie == Tie.OWNED]


BLANK = Recorded()


def _rank(record: Record) -> tuple[bool, float, str]:
    """Of two records of one address the higher counts."""
    return not record.deleted, record.written, record.id


def _began(run: str) -> float:
    """When a run began, in Unix seconds, as its id says; 0 where it does not."""
    try:
        return datetime.strptime(run[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def disowned(memory: Recorded) -> Recorded:
    """The memory of a ledger that is older than what was applied last: it knows what was found, and owns nothing."""
    records = {name: _disowned(record) for name, record in memory.records.items()}
    return replace(memory, records=records, attempts={})


def _disowned(record: Record) -> Record:
    links = {field: {end: Tie.FOUND if tie == Tie.OWNED else tie for end, tie in held.items()} for field, held in record.links.items()}
    return replace(record, owned=False, links=links)


def without_tie(record: Record, link: str, target_id: str) -> Record:
    """A record that knows nothing of one link any more."""
    ties = {end: tie for end, tie in record.links.get(link, NOTHING).items() if end != target_id}
    return dated(replace(record, links={**record.links, link: ties}))


def with_tie(record: Record, link: str, target_id: str, tie: Tie, at: float | None = None) -> Record:
    """A record that knows how one link came about, and when it became ours."""
    ties = {**record.links.get(link, NOTHING), target_id: tie.value}
    known = replace(record, tied=True, links={**record.links, link: ties})
    return known if at is None else dated(known, [(link, target_id)], at)


def dated(record: Record, new: Iterable[tuple[str, str]] = (), at: float = 0.0) -> Record:
    """A record that says of the new links, each its list and the id of the other end, when they became ours, and of no others than are
    still ours."""
    found = {link: {end: when for end, when in told.items() if record.tie(link, end) == Tie.OWNED} for link, told in record.since.items()}
    for link, end in new:
        found.setdefault(link, {})[end] = int(at)
    return replace(record, since={link: told for link, told in found.items() if told})


@dataclass(frozen=True, slots=True)
class Ownership:
    """What of all that an undo brings back was ours before."""

    # Things, with the file that declared them.
    files: Mapping[Address, str] = field(default_factory=dict)
    # Links, by their ends.
    links: frozenset[tuple[Address, Address]] = frozenset()
