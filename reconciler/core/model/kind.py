"""What a kind says about itself. The engine asks these declarations; it has no branch by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from reconciler.core.model.address import ID, LinkName
from reconciler.core.model.entry import Entry
from reconciler.core.model.live import Live
from reconciler.core.model.scalars import same

Body = Mapping[str, Any]


def as_is(value: Any) -> Any:
    """The wire's form is the manifest's form."""
    return value


@dataclass(frozen=True)
class Field:
    """A managed field: how its live form is read and compared. Stands in the `Annotated` of an entry's attribute.

    `form` is the form in which values are equal; `time`: they are Unix seconds.
    `merged` fields are maps that Intercom merges key by key and that are compared so; `typed_by` names the kind whose things
    say of which type each key is. `moves` marks unique values, which one thing must give up before another may take them, unless they are
    `shared` by two things with such fields.
    `choices`: a list of the only values that a key which this thing types may have. `refuses` says why one live value can never become
    another ("": it can). `telling`: what people call it by, beside its identity. `older` is the wire's form before an API version.
    """

    read: Callable[[Any], Any] = as_is
    write: Callable[[Any], Any] = as_is
    form: Callable[[Any], Any] = as_is
    time: bool = False
    personal: bool = False
    merged: bool = False
    typed_by: str | None = None
    moves: bool = False
    shared: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] = lambda one, other: False
    choices: bool = False
    telling: bool = False
    refuses: Callable[[Any, Any], str] = lambda before, after: ""
    older: tuple[str, Callable[[Any], Any]] | None = None

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are one to Intercom."""
        return same(self.form(one), self.form(other))

    def wire(self, value: Any, version: str) -> Any:
        """A value as a body holds it under an API version."""
        return self.older[1](value) if self.older and version < self.older[0] else self.write(value)


@dataclass(frozen=True)
class Identity:
    """A field that can name a thing, and how things are found by it.

    `fold` is the form in which keys are equal, `stable`: addresses are written in it. `visible` is the form in which keys that
    differ only invisibly coincide. `find` is a strong read of one; `search`: the kind's search takes it; `loose`: a search by
    the whole value may mind its case, so a containing search follows.
    """

    field: str
    fold: Callable[[str], str] = as_is
    find: str | None = None
    search: bool = False
    loose: bool = False
    stable: bool = False
    visible: Callable[[str], str] | None = None


@dataclass(frozen=True)
class Listing:
    """A route that answers with many. `items` are the keys that may hold the array; `style` is how the next page is asked for."""

    route: str
    items: tuple[str, ...] = ("data",)
    style: Literal["whole", "pages", "cursor", "search"] = "whole"
    per_page: int = 150
    # How many things can be reached this way, if not all.
    most: int | None = None

    def hides(self, total: int) -> bool:
        """Whether there may be more than the listing reaches: a total that stops at the cap is no count."""
        return self.most is not None and total >= self.most


@dataclass(frozen=True, slots=True)
class Searched:
    """A field that a kind's search takes: its type ("" while nobody knows it), the only values it has (none: any), and the first
    API version that has it."""

    type: str
    values: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True)
class Write:
    """A route that changes something. A body is a template: "{id}", "{key}", "{source}", "{target}" and "{name}" are filled in
    late; `carries` are the fields that are merged into the body (None: all that the change has)."""

    route: str
    body: Body | None = None
    carries: frozenset[str] | None = frozenset()
    shown: bool = True

    @property
    def named(self) -> bool:
        """Whether it says by a name what is meant, and not by an id."""
        return "{name}" in (self.body or {}).values()


@dataclass(frozen=True)
class Bulk:
    """One call that makes up to `size` links to the same target; `items` is the key of its array in body and reply."""

    write: Write
    items: str
    size: int
    since: str


@dataclass(frozen=True)
class LinkKind:
    """A pair of kinds that can be linked, and how to see, make and undo such a link.

    `embedded` finds the objects of the other ends in the body of a source, and says whether these are all. `names` is a call that
    changes nothing and shows which target a name means, for links that can be written only by that.
    """

    source: str
    target: str
    field: str
    attach: Write
    detach: Write
    embedded: Callable[[Body], tuple[Iterable[Any], bool]]
    listing: Listing | None = None
    bulk_attach: Bulk | None = None
    bulk_detach: Bulk | None = None
    names: Write | None = None
    lost_source: str = ""
    most: int | None = None
    # The listing says of each link when it was made, and by whom.
    dated: bool = False
    # A thing shows no more than so many of its own, None where it shows all.
    shown: int | None = None

    @property
    def name(self) -> LinkName:
        return LinkName(self.source, self.field)


@dataclass(frozen=True)
class Count:
    """A read of one page whose total says how often a thing is used somewhere. It is asked under `since` where the API is older.

    `least`: the list that is counted may hide some.
    """

    where: str
    route: str
    body: Body | None = None
    people: bool = False
    since: str = ""
    least: bool = False


@dataclass(frozen=True)
class Members:
    """A list, or where there is a `query` a search, of all that carry a thing by one kind of links: the sources of these."""

    link: LinkName
    listing: Listing
    query: Body | None = None


@dataclass(frozen=True)
class Trace:
    """How to see who put a thing on somebody: a search for those who carry it, a list of one of these that says when and by whom
    (`applied_at`, `applied_by`), and the route of the people who do such things."""

    carriers: str
    body: Body
    route: str
    admin: str


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A body template with its "{placeholders}" replaced by values."""
    if isinstance(template, str) and template.startswith("{") and template.endswith("}"):
        return values[template[1:-1]]
    if isinstance(template, Mapping):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, (list, tuple)):
        return [fill(item, values) for item in template]
    return template


@dataclass(frozen=True)
class Kind:
    """A type of thing, as data: what people write, what names it, and the routes that read and change it.

    `whole` says that the listing shows every live thing, so that absence from it is proof. `conflict` reads the id out of the
    message of a 409. `settles` says that a deletion is asynchronous; `born` is the key that holds when a thing was made, in Unix
    seconds. `lenient` kinds may be missing from the workspace without being created: their entries carry `missing`. `unrestored` is
    what does not come back with a thing that is made anew, `bound` is what stays with a
    thing that cannot be renamed, `filled` are the fields that Intercom gives a new thing by itself.
    """

    name: str
    section: str
    entry: type[Entry]
    identities: tuple[Identity, ...]
    listing: Listing | None = None
    whole: bool = False
    search: Listing | None = None
    searchable: Mapping[str, Searched] = field(default_factory=dict)
    get: str | None = None
    create: Write | None = None
    update: tuple[Write, ...] = ()
    rename: Write | None = None
    delete: Write | None = None
    archive: Write | None = None
    unarchive: Write | None = None
    links: tuple[LinkKind, ...] = ()
    after: tuple[str, ...] = ()
    short: str | None = None
    conflict: Callable[[str], tuple[str, bool] | None] | None = None
    lenient: bool = False
    settles: bool = False
    born: str = ""
    person: bool = False
    blind: tuple[str, ...] = ()
    merges: str | None = None
    shows: tuple[str, ...] = ()
    scroll: Listing | None = None
    counts: tuple[Count, ...] = ()
    uncounted: tuple[str, ...] = ()
    trace: Trace | None = None
    members: tuple[Members, ...] = ()
    unrestored: str = ""
    bound: str = ""
    filled: frozenset[str] = frozenset()
    page: str = ""
    limit: str = "deletes"
    unrepeatable: Callable[[Body], bool] = lambda body: False
    undeclared: bool = False
    former: Callable[[Any], Iterable[tuple[str, str]]] = lambda entry: ()
    constant: frozenset[str] = frozenset()
    admits: Callable[[Body], bool] = lambda body: True
    dormant: Callable[[Live], bool] = lambda live: False
    rank: Callable[[Live], int] = lambda live: 0
    prepare: Callable[[Body], Body] = as_is
    finish: Callable[[Body], Body] = as_is

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The managed fields, in the order of the entry."""
        infos = self.entry.model_fields.items()
        return {name: meta for name, info in infos for meta in info.metadata if isinstance(meta, Field)}

    @cached_property
    def choices(self) -> str:
        """The field that lists the only values which a key typed by such a thing may have; empty where there is none."""
        return next((name for name, field in self.fields.items() if field.choices), "")

    @cached_property
    def shapes(self) -> Mapping[str, frozenset[type]]:
        """The types that a live value of each field, and of what else is shown, can have: those of what people write, and nothing."""
        written = {name: _types(self.entry.model_fields[name].annotation) for name in self.fields}
        return written | dict.fromkeys(self.shows, frozenset({bool, NoneType}))

    @cached_property
    def named_by(self) -> str:
        """The field that everything of this kind has, "" where there are several names and none is sure."""
        names = [identity.field for identity in self.identities if identity.field != "id"]
        return names[0] if len(names) == 1 else ""

    @cached_property
    def identity(self) -> Mapping[str, Identity]:
        return {i.field: i for i in self.identities}


def _types(annotation: Any) -> frozenset[type]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(parts[0])
    if origin in (Union, UnionType):
        return frozenset().union(*map(_types, parts))
    found = {type(part) for part in parts} if origin is Literal else {origin or annotation}
    # A whole number may come as 49.0.
    return frozenset(found | ({float} if int in found else set()) | {NoneType})


def decode(kind: Kind, body: Body) -> Live:
    """Intercom's form of a thing → ours: normalised here, at the door, and nowhere else."""
    body = kind.prepare(body)
    live_id = str(body["id"])
    fields = {name: field.read(body.get(name)) for name, field in kind.fields.items()} | {name: body.get(name) for name in kind.shows}
    keys = (fields.get(i.field) for i in kind.identities)
    key = next((str(key) for key in keys if key not in (None, "")), f"{ID}{live_id}")
    return Live(kind.name, live_id, key, fields)
