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


class LinkOrigin(StrEnum):
    """How a recorded link came about: we made it, it was found there, or it was written absent and is."""

    OWNED = "owned"
    FOUND = "found"
    ABSENT = "absent"


class LiveLink(NamedTuple):
    """A link between two live things."""

    # The kind and the live id of its source.
    kind: str
    source_id: str
    # The list of its source that it stands in.
    field: str
    # The live id of its other end.
    target_id: str

    @property
    def source(self) -> Thing:
        return self.kind, self.source_id


class ReplyMatch(StrEnum):
    """How live stands to what a reply showed instead of the value that it was sent: it shows the same still, it shows another one, or
    that was tried once, and what it showed is not known."""

    SAME = "same"
    OTHER = "other"
    ONCE = "once"


LinkOrigins = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds of one live thing."""

    # Its kind and its live id.
    kind: str
    id: str
    # The digest of its address.
    thing: str
    # Its address, without e-mails.
    address: str
    # Whether we created or adopted it.
    owned: bool = False
    # Whether its entry says `protect`.
    protected: bool = False
    # Whether Intercom said that it was deleted.
    deleted: bool = False
    # The files that declare it, or did when they were read last.
    files: tuple[str, ...] = ()
    # The run that said all this.
    run: str = ""
    # When we last wrote to it, in Unix seconds; 0 where we never did.
    written: float = 0.0
    # Digests of what was applied or seen to be as declared, by path.
    fields: Mapping[str, str] = field(default_factory=dict)
    # How each link came about, by list and id of the other end.
    links: Mapping[str, LinkOrigins] = field(default_factory=dict)
    # Whether any of the links may be ours; where none is, they need not be read.
    tied: bool = field(default=True, compare=False)
    # When each of the links that are ours was made or taken in, in Unix seconds, by list and id of the other end.
    since: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # The policy under which a list of links was the authority over them, by list.
    governed: Mapping[str, str] = field(default_factory=dict)
    # The digest of how it ended as its entry says; empty where it did not.
    ended: str = ""
    # Digests of the addresses that it had before it got another name.
    former: frozenset[str] = frozenset()
    # The digest of the address by the name which Intercom made of the one that was sent; empty where it made none.
    shown_as: str = ""

    @property
    def name(self) -> Thing:
        return self.kind, self.id

    @property
    def salt(self) -> str:
        """What the digests of its fields are salted with: the live thing, whatever address it has."""
        return f"{self.kind}/{self.id}"

    @property
    def buried(self) -> bool:
        """Whether it was declared absent and is: what comes back under its address came by itself."""
        return self.deleted and bool(self.ended)

    def ours_since(self, link: str, target_id: str) -> float:
        """When a link of it became ours; a record of an older release says only when we wrote to the thing, or recorded it, last."""
        known: int | None = self.since.get(link, NOTHING).get(target_id)
        return max(self.written, _began(self.run)) if known is None else float(known)

    def link_origin(self, link: str, target_id: str) -> str | None:
        """How a link of it came about, None where nothing is recorded."""
        return self.links.get(link, NOTHING).get(target_id)


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Place(NamedTuple):
    """What a write was about."""

    # The digest of the address of its thing.
    thing: str
    # Of a link, its list and the digest of the address of its other end.
    link: str = ""
    target: str = ""


class Disproved(NamedTuple):
    """A write that is known not to be done."""

    # What it was about.
    place: Place
    # When it was sent, in Unix seconds.
    sent: float


class Attempt(NamedTuple):
    """A write that was in a plan and of which nobody can say that it was done."""

    # The action of its change.
    action: str
    # When its call was about to be sent, in Unix seconds; 0 where it never was.
    intended: float
    # Whether its run had proved that the thing, or the link, was not there.
    proof: bool
    # Whether Intercom answered.
    answered: bool
    # Digests of the values that it was to write, by path.
    fields: Mapping[str, str]
    # The kind of its thing.
    kind: str = ""
    # The live ids that its call named.
    thing_id: str | None = None
    target_id: str | None = None
    # The paths of the files that its run read.
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
    """The files of manifests as the ledger calls them."""

    # Those that this run read.
    read: frozenset[str] = frozenset()
    # Those of former runs that no longer exist.
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
    """What another manifest's name has recorded."""

    # That name.
    name: str
    # Whether it protects it.
    protected: bool = False


@dataclass(frozen=True)
class Recorded:
    """What is remembered for one workspace and one manifest's name."""

    # The workspace.
    app_id: str = ""
    # What addresses and values are known by.
    digests: Digests = field(default_factory=_Blank)
    # What this name recorded.
    records: Mapping[Thing, Record] = field(default_factory=dict)
    # Things that other names recorded.
    others: Mapping[Thing, Other] = field(default_factory=dict)
    # The links of those, each with the name that recorded it.
    link_origins: Mapping[LiveLink, str] = field(default_factory=dict)
    # What was last tried at each place, and is not known to be done.
    attempts: Mapping[Place, Attempt] = field(default_factory=dict)
    # Ids that were seen to be somebody else, each after the digest of the address that met them.
    strangers: frozenset[tuple[str, str]] = frozenset()
    # By the digest of a field: those of the value that a reply did not show, and of what it showed instead.
    ineffective: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # Whether there is a ledger.
    there: bool = False
    # How many applies it holds for this name; 0 is also what a lost ledger holds.
    runs: int = 0
    # The files that were read, and those that no longer exist.
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
        return record is not None and record.shown_as == self.digests.thing(self.app_id, thing)

    def had(self, kind: str, live_id: str, address: Address) -> bool:
        """Whether a live thing had an address before the one that it has now."""
        record = self.of(kind, live_id)
        return record is not None and self.digests.thing(self.app_id, address) in record.former

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

    def link_origin(self, link: LinkName, source: Address, source_id: str, target: Address, target_id: str) -> str | None:
        """How a live link came about: recorded so, or made by a call of ours whose answer was lost."""
        record = self.of(source.kind, source_id)
        if record and (link_origin := record.link_origin(link.field, target_id)) in (LinkOrigin.OWNED, LinkOrigin.FOUND):
            return link_origin
        found = self.attempt(source, link.field, target)
        if found and found.action == "attach" and found.lost and found.links(source_id, target_id):
            return LinkOrigin.OWNED
        return record.link_origin(link.field, target_id) if record else None

    def reply_match(self, address: Address, path: str, value: Any, live: Any) -> ReplyMatch | None:
        """How live stands to what a reply showed instead of this value of a field; None where none was seen to refuse it."""
        place = self.digests.place(self.app_id, address, path) if self.ineffective else ""
        digests = self.ineffective.get(place, frozenset())
        if self.digests.claim(place, path, value) not in digests:
            return None
        if self.digests.claim(place, path, [value, live]) in digests:
            return ReplyMatch.SAME
        return ReplyMatch.OTHER if len(digests) > 1 else ReplyMatch.ONCE

    def elsewhere(self, link: LinkName, source_id: str, target_id: str) -> str | None:
        """Which other name has a link too."""
        return self.link_origins.get(LiveLink(link.source, source_id, link.field, target_id))

    def owned(self, link: LinkName, record: Record) -> Sequence[str]:
        """The ids of the other ends of the links that we made."""
        held = record.links.get(link.field, NOTHING) if record.tied else NOTHING
        return [target_id for target_id, link_origin in held.items() if link_origin == LinkOrigin.OWNED]


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


def disowned(recorded: Recorded) -> Recorded:
    """What a ledger holds that is older than what was applied last: it knows what was found, and owns nothing."""
    records = {name: _disowned(record) for name, record in recorded.records.items()}
    return replace(recorded, records=records, attempts={})


def _disowned(record: Record) -> Record:
    links = {
        field: {end: LinkOrigin.FOUND if link_origin == LinkOrigin.OWNED else link_origin for end, link_origin in held.items()}
        for field, held in record.links.items()
    }
    return replace(record, owned=False, links=links)


def without_link(record: Record, link: str, target_id: str) -> Record:
    """A record that knows nothing of one link any more."""
    link_origins = {end: link_origin for end, link_origin in record.links.get(link, NOTHING).items() if end != target_id}
    return dated(replace(record, links={**record.links, link: link_origins}))


def with_link(record: Record, link: str, target_id: str, link_origin: LinkOrigin, at: float | None = None) -> Record:
    """A record that knows how one link came about, and when it became ours."""
    link_origins = {**record.links.get(link, NOTHING), target_id: link_origin.value}
    known = replace(record, tied=True, links={**record.links, link: link_origins})
    return known if at is None else dated(known, [(link, target_id)], at)


def dated(record: Record, new: Iterable[tuple[str, str]] = (), at: float = 0.0) -> Record:
    """A record that says of the new links, each its list and the id of the other end, when they became ours, and of no others than are
    still ours."""
    found = {
        link: {end: when for end, when in told.items() if record.link_origin(link, end) == LinkOrigin.OWNED}
        for link, told in record.since.items()
    }
    for link, end in new:
        found.setdefault(link, {})[end] = int(at)
    return replace(record, since={link: told for link, told in found.items() if told})


@dataclass(frozen=True, slots=True)
class Ownership:
    """What of all that an undo brings back was ours before."""

    # Things, with the files that declared them.
    files: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    # Links, by their ends.
    links: frozenset[tuple[Address, Address]] = frozenset()
