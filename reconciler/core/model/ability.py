"""What only some kinds can do: one class for each ability, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reconciler.core.model.address import LinkName
from reconciler.core.model.live import Live
from reconciler.core.model.route import Body, Listing, Write


@dataclass(frozen=True)
class Archive:
    """A thing can be put aside, and brought back."""

    # Puts it aside.
    away: Write
    # Brings it back.
    back: Write
    # What is true in the body of a thing that is put aside; "" where such a thing is not shown.
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Searched:
    """A field that a kind's search takes."""

    # Its type, "" while nobody knows it.
    type: str
    # The only values it has; none: any.
    values: tuple[str, ...] = ()
    # The first API version that has it.
    since: str = ""


@dataclass(frozen=True)
class Search:
    """Things can be searched for by their fields."""

    # The route.
    listing: Listing
    # What a condition may name.
    fields: Mapping[str, Searched]


@dataclass(frozen=True)
class Conflict:
    """Intercom answers 409 to the create of a thing that exists already."""

    # Reads from the message the id of the existing thing, and whether it is archived.
    holder: Callable[[str], tuple[str, bool] | None]
    # Whether Intercom never answers 409 to a create with these fields, but makes a second thing.
    never: Callable[[Body], bool]


@dataclass(frozen=True)
class Person:
    """The things are people. They may be missing without being created: their entries carry `missing`."""

    # Where several share one identity, it means those of the lowest rank.
    rank: Callable[[Live], int]
    # The first API version that says of a merged person that it was merged.
    merges: str


@dataclass(frozen=True)
class Wire:
    """Intercom shows a thing in another form than it takes it, or among things of other kinds."""

    # The body as shown → the body as written.
    prepare: Callable[[Body], Body]
    # Whether a body is of this kind.
    admits: Callable[[Body], bool]


@dataclass(frozen=True)
class Count:
    """A read of one page whose total says how often a thing is used somewhere."""

    # The section, or what else is counted, in the plural.
    where: str
    # The method and the path.
    route: str
    # Its body.
    body: Body | None = None
    # Those who are counted are people.
    people: bool = False
    # The API version under which it is asked where the client's is older.
    since: str = ""
    # The list that is counted may hide some.
    least: bool = False


@dataclass(frozen=True)
class Members:
    """A list of all that carry a thing."""

    # The kind of links by which they carry it; they are its sources.
    link: LinkName
    # The list,
    listing: Listing
    # or the search, where there is a query.
    query: Body | None = None


@dataclass(frozen=True)
class Trace:
    """How to see who put a thing on somebody."""

    # A search for those who carry it,
    carriers: str
    # and its body.
    body: Body
    # A list of the things of one of these, that says when each was put there, and by whom (`applied_at`, `applied_by`).
    route: str
    # The route of the people who do such things.
    admin: str


@dataclass(frozen=True)
class Uses:
    """Other things use a thing, and lose it when it is deleted."""

    # How often it is used, place by place.
    counts: tuple[Count, ...] = ()
    # The places that cannot be counted.
    uncounted: tuple[str, ...] = ()
    # Who carries it.
    members: tuple[Members, ...] = ()
    # Who put it on somebody.
    trace: Trace | None = None


@dataclass(frozen=True)
class Prune:
    """A thing that no file declares any more may be deleted, where the policy says so."""

    # An example of how much is, for the reference,
    example: Literal["never", "owned", "all"]
    # and one of the names that may be.
    scope: str


@dataclass(frozen=True)
class Merge:
    """Other things can be merged into a thing: whoever carries one of them gets this one, then they are deleted."""

    # The key of an entry that names them.
    key: str
    # The key of an entry that says who else is moved,
    also: str
    # and who that can be: by the section of the source of each link.
    others: tuple[Members, ...] = ()


@dataclass(frozen=True)
class Begun:
    """A search for what is new and carries a thing."""

    # What is searched, in the plural; its answer lists it under that word.
    where: str
    # One of these.
    one: str
    # The method and the path.
    route: str
    # Its body: `{id}` is the thing, `{since}` a time in Unix seconds.
    body: Body
    # The key under which each that is found says when it began.
    at: str


@dataclass(frozen=True)
class Retirement:
    """A thing can go out of use. While its state is `deprecated`, it stays until it has no new use."""

    # The key of an entry that names what is used instead,
    successor: str
    # and the one that says for how long nobody may use it anew before it is due to go.
    after: str
    # What is new and carries it.
    new_uses: tuple[Begun, ...] = ()


@dataclass(frozen=True)
class Loss:
    """What is lost when another thing takes the place of this one."""

    # What does not come back when the thing is created again.
    unrestored: str = ""
    # What stays with the old thing when it is replaced instead of renamed.
    bound: str = ""
    # The fields that Intercom itself fills in a new thing.
    defaults: frozenset[str] = frozenset()
    # A deletion takes effect some time later.
    settles: bool = False


@dataclass(frozen=True)
class Ruling:
    """How rules are written, and what they can be about."""

    # The manifest's section that lists them.
    section: str
    # One rule as people write it.
    entry: Any
    # The key of a rule that names what its people have, and the kind of that.
    target: str
    # The links that a rule can be about, by the section of their sources.
    on: Mapping[str, LinkName]
    # The links by which people belong to what a condition is about, by the keys of such conditions.
    through: Mapping[str, LinkName]
    # What a condition may name on things that are listed and held against it here, beside their custom values; by their kinds.
    filtered: Mapping[str, Mapping[str, Searched]]
