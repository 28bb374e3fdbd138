"""What the ledger holds for one owner, as a value that the core can ask. Pure: the digests come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.attempt import Attempt, Place
from reconciler.core.model.record import NOTHING, OURS, LinkOrigin, Record, Thing
from reconciler.core.model.records import Records
from reconciler.core.model.repository import Repository


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


class LiveLink(NamedTuple):
    """A link between two live things."""

    # The kind of its source.
    kind: str
    # The live id of its source.
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
        paths = [path_of(file) for file in record.files if file not in self.read and file not in self.vanished]
        return [f"{path} of another repository" if path in here else path for path in paths]


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
    records: Records = field(default_factory=Records)
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
    # Whether a manifest was adopted as a whole under it.
    adopted: bool = False
    # The files that were read, and those that no longer exist.
    files: Files = Files()
    # The repositories that the name was applied from, in the order of the runs, None where nobody recorded which; without repetitions.
    origins: Sequence[Repository | None] = ()
    # Where the name passes from one repository to another.
    handover: Handover | None = None

    @property
    def has_base(self) -> bool:
        """Whether there is something to hold live against beside the manifest: what was applied, or adopted as it was."""
        return self.runs > 0 or self.adopted

    def of(self, kind: str, live_id: str | None) -> Record | None:
        """What is recorded of a live thing."""
        return self.records.get((kind, live_id)) if live_id else None

    def at(self, address: Address) -> Record | None:
        """What is recorded under an address, whatever is live there now."""
        return next(iter(self.records.under(address.kind, self.digests.thing(self.app_id, address))), None) if self.records else None

    def rewritten(self, thing: Address, live_id: str) -> bool:
        """Whether a live thing, by its own address, has the name that Intercom made of the one which was sent: nobody else renamed it."""
        record = self.of(thing.kind, live_id)
        return record is not None and record.shown_as == self.digests.thing(self.app_id, thing)

    def became(self, sent: Address, thing: Address, live_id: str) -> bool:
        """Whether a live thing, by its own address, has the name that Intercom made of this one."""
        record = self.of(thing.kind, live_id)
        digest = self.digests.thing(self.app_id, sent)
        return self.rewritten(thing, live_id) and record is not None and (record.thing == digest or digest in record.former)

    def proves_name(self, thing: Address, live_id: str) -> bool:
        """Whether a live thing, by its own address, has the name that we sent, and the answer showed it so."""
        record = self.of(thing.kind, live_id)
        if record is None or not record.written or record.shown_as or record.former:
            return False
        return record.thing == self.digests.thing(self.app_id, thing)

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

    def may_be_woken(self, kind: str, live_id: str, names: Iterable[Address]) -> bool:
        """Whether an archived thing may be brought back to see whether one of these names is its own: no earlier run did that and met
        somebody else, and it is not on record under another name."""
        if any(live_id == stranger for _, stranger in self.strangers):
            return False
        record = self.of(kind, live_id)
        return record is None or record.thing in {self.digests.thing(self.app_id, name) for name in names}

    def has_lost_create(self, address: Address) -> bool:
        """Whether a create of ours was sent, never answered, and proved to be of something that was not there."""
        attempt = self.attempt(address)
        return attempt is not None and attempt.action == "create" and attempt.is_lost

    def link_origin(self, link: LinkName, source: Address, source_id: str, target: Address, target_id: str) -> str | None:
        """How a live link came about: recorded so, or made by a call of ours whose answer was lost."""
        record = self.of(source.kind, source_id)
        if record and (link_origin := record.link_origin(link.field, target_id)) in (LinkOrigin.OWNED, LinkOrigin.FOUND):
            return link_origin
        attempt = self.attempt(source, link.field, target)
        if attempt and attempt.action == "attach" and attempt.is_lost and attempt.links(source_id, target_id):
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

    def owned_ends(self, link: LinkName, record: Record) -> Sequence[str]:
        """The ids of the other ends of the links that we made, as far as anybody can say."""
        ends = record.links.get(link.field, NOTHING) if record.has_own_links else NOTHING
        return [target_id for target_id, link_origin in ends.items() if link_origin in OURS]


BLANK = Recorded()


def disown(recorded: Recorded) -> Recorded:
    """What a ledger holds that is older than what was applied last: it owns nothing, and what it calls ours is doubted."""
    return replace(recorded, records=Records.of(map(_disown, recorded.records.values())), attempts={})


def _disown(record: Record) -> Record:
    links = {
        field: {end: LinkOrigin.DOUBTED if link_origin == LinkOrigin.OWNED else link_origin for end, link_origin in ends.items()}
        for field, ends in record.links.items()
    }
    return replace(record, owned=False, links=links)


@dataclass(frozen=True, slots=True)
class Ownership:
    """What of all that an undo brings back was ours before."""

    # Things, with the files that declared them.
    files: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    # Links, by their ends.
    links: frozenset[tuple[Address, Address]] = frozenset()
