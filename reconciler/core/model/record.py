"""What the ledger holds of one live thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from reconciler.core.model.quick import quick

Thing = tuple[str, str]
"""A kind and a live id."""


NOTHING: Mapping[str, Any] = MappingProxyType({})
# Where `since` says of the thing itself what it says of its links; no list and no other end is called so.
ITSELF = ""
# Where it says there when a run saw first that nobody declares the thing any more.
LEFT = "left"


class LinkOrigin(StrEnum):
    """How a recorded link came about: we made it, we did as far as a ledger says that lacks what came after, it was found there, or it was
    written absent and is."""

    OWNED = "owned"
    DOUBTED = "doubted"
    FOUND = "found"
    ABSENT = "absent"


LinkOrigins = Mapping[str, str]
# Those of links that are ours, surely or perhaps.
OURS = (LinkOrigin.OWNED, LinkOrigin.DOUBTED)


@dataclass(frozen=True, slots=True)
class Watch:
    """Who carries a thing that goes out of use, as runs saw it."""

    # When a run looked first, in Unix seconds.
    since: int
    # When one last saw somebody who had not been there when the one before it looked; 0 where none did.
    new: int
    # Digests of those who carried it when one looked last.
    carriers: frozenset[str]


@quick
@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger holds of one live thing."""

    # Its kind.
    kind: str
    # Its live id.
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
    has_own_links: bool = field(default=True, compare=False)
    # When each of the links that are ours was made or taken in, in Unix seconds, by list and id of the other end; and when the thing was
    # first recorded, at `ITSELF`, and when it left the manifest.
    since: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    # The policy under which a list of links was the authority over them, by list.
    policies: Mapping[str, str] = field(default_factory=dict)
    # The digest of how it ended as its entry says; empty where it did not.
    end_digest: str = ""
    # Digests of the addresses that it had before it got another name.
    former: frozenset[str] = frozenset()
    # The digest of the address by the name which Intercom made of the one that was sent; empty where it made none.
    shown_as: str = ""
    # Who carries it, where it goes out of use and a run looked.
    watch: Watch | None = None

    @property
    def name(self) -> Thing:
        return self.kind, self.id

    @property
    def salt(self) -> str:
        """What the digests of its fields are salted with: the live thing, whatever address it has."""
        return f"{self.kind}/{self.id}"

    @property
    def proved_at(self) -> float:
        """When it was last written, or recorded as found; in Unix seconds, 0 where nothing says."""
        return max(self.written, _began(self.run))

    @property
    def is_buried(self) -> bool:
        """Whether it was declared absent and is: what comes back under its address came by itself."""
        return self.deleted and bool(self.end_digest)

    @property
    def first(self) -> float | None:
        """When it was first recorded, in Unix seconds; None where nothing says."""
        return self.since.get(ITSELF, NOTHING).get(ITSELF)

    @property
    def departure(self) -> float | None:
        """When a run saw first that nobody declares it any more, in Unix seconds; None while somebody does, or where nothing says."""
        return self.since.get(ITSELF, NOTHING).get(LEFT)

    def ours_since(self, link: str, target_id: str) -> float:
        """When a link of it became ours; where nothing says, when we wrote to the thing, or recorded it, last."""
        at: int | None = self.since.get(link, NOTHING).get(target_id)
        return self.proved_at if at is None else float(at)

    def link_origin(self, link: str, target_id: str) -> str | None:
        """How a link of it came about, None where nothing is recorded."""
        return self.links.get(link, NOTHING).get(target_id)


def _began(run: str) -> float:
    """When a run began, in Unix seconds, as its id says; 0 where it does not."""
    try:
        return datetime.strptime(run[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def mark_left(record: Record, at: float) -> Record:
    """A record that says when a run saw first that nobody declares the thing any more."""
    if record.deleted or record.departure is not None:
        return record
    return replace(record, since={**record.since, ITSELF: {**record.since.get(ITSELF, NOTHING), LEFT: int(at)}})


def without_link(record: Record, link: str, target_id: str) -> Record:
    """A record that knows nothing of one link any more."""
    link_origins = dict(record.links.get(link, NOTHING))
    link_origins.pop(target_id, None)
    return _date_link(replace(record, links={**record.links, link: link_origins}), link, target_id, None)


def with_link(record: Record, link: str, target_id: str, link_origin: LinkOrigin, at: float | None = None) -> Record:
    """A record that knows how one link came about, and when it became ours."""
    link_origins = {**record.links.get(link, NOTHING), target_id: link_origin.value}
    new = replace(record, has_own_links=True, links={**record.links, link: link_origins})
    return new if at is None else _date_link(new, link, target_id, at if link_origin is LinkOrigin.OWNED else None)


def _date_link(record: Record, link: str, target_id: str, at: float | None) -> Record:
    """A record that says when one link became ours, None where it is not; the others are not looked at."""
    dates = dict(record.since.get(link, NOTHING))
    dates.pop(target_id, None)
    if at is not None:
        dates[target_id] = int(at)
    since = {name: ends for name, ends in record.since.items() if name != link}
    return replace(record, since={**since, link: dates} if dates else since)


def settle_links(record: Record) -> Record:
    """A record of which people say that all links that may be ours are."""
    links = {
        link: {end: LinkOrigin.OWNED.value if origin == LinkOrigin.DOUBTED else origin for end, origin in ends.items()}
        for link, ends in record.links.items()
    }
    return record if links == record.links else replace(record, links=links)


def keep_dates(record: Record | None) -> Record | None:
    """A record that is about to be written again, and says of each link that is ours when it became so at the latest: what else is written
    there proves no more of it."""
    if record is None or not record.has_own_links:
        return record
    since = {
        link: {end: int(record.ours_since(link, end)) for end, origin in ends.items() if origin == LinkOrigin.OWNED}
        for link, ends in record.links.items()
    }
    since = {link: ends for link, ends in since.items() if not ends.keys() <= record.since.get(link, NOTHING).keys()}
    return replace(record, since={**record.since, **since}) if since else record


def date_links(record: Record, new: Iterable[tuple[str, str]] = (), at: float = 0.0) -> Record:
    """A record of what is declared, that says of the new links, each its list and the id of the other end, when they became ours, and of
    no others than are still ours."""
    new = tuple(new)
    if not new and not record.since:
        return record
    dates = {
        link: {
            end: when for end, when in ends.items() if (link == ITSELF and end != LEFT) or record.link_origin(link, end) == LinkOrigin.OWNED
        }
        for link, ends in record.since.items()
    }
    for link, end in new:
        dates.setdefault(link, {})[end] = int(at)
    return replace(record, since={link: ends for link, ends in dates.items() if ends})
