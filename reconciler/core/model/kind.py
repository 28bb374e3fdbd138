"""What a kind says about itself. The engine asks these declarations; it has no branch by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from reconciler.core.model.ability import Archive, Conflict, Loss, Merge, Person, Prune, Retirement, Search, Uses, Wire
from reconciler.core.model.address import ID
from reconciler.core.model.entry import Entry, Values
from reconciler.core.model.facts import Facts
from reconciler.core.model.live import Live
from reconciler.core.model.route import Body, LinkKind, Listing, Write
from reconciler.core.model.scalars import same


def as_is(value: Any) -> Any:
    """The wire's form is the manifest's form."""
    return value


@dataclass(frozen=True)
class Field:
    """A managed field: how its live form is read and compared. Stands in the `Annotated` of an entry's attribute."""

    # The wire's form → ours.
    read: Callable[[Any], Any] = as_is
    # Our form → the wire's.
    write: Callable[[Any], Any] = as_is
    # The form in which values are equal.
    form: Callable[[Any], Any] = as_is
    # Its values are Unix seconds.
    time: bool = False
    # Only the person's own page should show it.
    personal: bool = False
    # A map that Intercom merges key by key, and that is compared so.
    merged: bool = False
    # The kind whose things give each key of a merged map its type.
    typed_by: str | None = None
    # The kind of the thing that a value refers to. People write that thing's key; Intercom holds its id.
    refers: str | None = None
    # Its key in a body, where that is another one than in an entry.
    wire_name: str = ""
    # A unique value, which one thing must give up before another may take it,
    moves: bool = False
    # unless two things with these fields may share it.
    may_share: Callable[[Mapping[str, Any], Mapping[str, Any], Facts], bool] = lambda one, other, facts: False
    # A list of all values that the key may have whose type this thing gives.
    choices: bool = False
    # What people call a thing by, beside its identity.
    telling: bool = False
    # It changes by itself, so an export does not write it.
    fleeting: bool = False
    # Why one live value can never become another one; "" where it can.
    refuses: Callable[[Any, Any], str] = lambda before, after: ""
    # An API version, and the wire's form before it.
    older: tuple[str, Callable[[Any], Any]] | None = None

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are one to Intercom."""
        return same(self.form(one), self.form(other))

    def wire(self, value: Any, version: str) -> Any:
        """A value as a body holds it under an API version."""
        return self.older[1](value) if self.older and version < self.older[0] else self.write(value)


@dataclass(frozen=True)
class Identity:
    """A field that can name a thing, and how things are found by it."""

    # The field's name.
    field: str
    # The form in which keys are equal.
    fold: Callable[[str], str] = as_is
    # A route that reads the one thing of a key, and never lags.
    find: str | None = None
    # The kind's search takes it.
    search: bool = False
    # A search for the whole value may be sensitive to case, so a search for a part follows.
    loose: bool = False
    # Addresses are written in the folded form.
    stable: bool = False
    # A form that is equal for all keys that only differ invisibly.
    visible: Callable[[str], str] | None = None


_NO_VALUES: dict[str, Any] = {}


@dataclass(frozen=True)
class Kind:
    """A type of thing, as data: what people write, what names it, the routes that read and change it, and what else it can."""

    # Its name, in the singular.
    name: str
    # The manifest's section that lists such things.
    section: str
    # An entry of that section.
    entry: type[Entry]
    # What names a thing, the surest first.
    identities: tuple[Identity, ...]
    # Lists things.
    listing: Listing | None = None
    # Reads one thing by its id.
    get: str | None = None
    # Makes one.
    create: Write | None = None
    # Change the fields of one; each carries its own.
    update: tuple[Write, ...] = ()
    # Gives one another name, where no update does.
    rename: Write | None = None
    # Deletes one.
    delete: Write | None = None
    # What its things can be linked to.
    links: tuple[LinkKind, ...] = ()
    # The kinds whose things must be there before its own.
    after: tuple[str, ...] = ()
    # The one field that stands for an entry written as a bare value.
    short: str | None = None
    # The keys that an entry says its thing had before, as (field, key).
    former: Callable[[Values], Iterable[tuple[str, str]]] = lambda values: ()
    # The key of a body that says when the thing was made, in Unix seconds.
    born: str = ""
    # The path of the page where people see it.
    page: str = ""
    # Live things that nobody ever declared are told of.
    reports_undeclared: bool = False
    # Things can be put aside.
    archive: Archive | None = None
    # Things can be searched for.
    search: Search | None = None
    # The create of what is there already is answered with 409.
    conflict: Conflict | None = None
    # The things are people.
    person: Person | None = None
    # A thing is shown in another form than it is written.
    wire: Wire | None = None
    # A thing can take in others.
    merge: Merge | None = None
    # A thing can go out of use before it goes.
    retirement: Retirement | None = None
    # What no file declares may be deleted.
    prune: Prune | None = None
    # Where a thing is used by others.
    uses: Uses = Uses()
    # What a thing has that another one in its place has not.
    loss: Loss = Loss()

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The managed fields, in the order of the entry."""
        infos = self.entry.model_fields.items()
        return {name: meta for name, info in infos for meta in info.metadata if isinstance(meta, Field)}

    @cached_property
    def required_keys(self) -> frozenset[str]:
        """The keys that every entry has."""
        return frozenset(name for name, info in self.entry.model_fields.items() if info.is_required())

    @cached_property
    def references(self) -> Mapping[str, str]:
        """The fields that lead to other things, each with the kind of these."""
        return {name: field.refers for name, field in self.fields.items() if field.refers}

    @cached_property
    def typed_fields(self) -> frozenset[str]:
        """The fields whose values have the types that other things say."""
        return frozenset(name for name, field in self.fields.items() if field.typed_by)

    @cached_property
    def choices(self) -> str:
        """The field that lists the only values which a key typed by such a thing may have; empty where there is none."""
        return next((name for name, field in self.fields.items() if field.choices), "")

    @cached_property
    def shapes(self) -> Mapping[str, frozenset[type]]:
        """The types that a live value of each field, and of what else is shown, can have: those of what people write, and nothing."""
        types = {name: _types(self.entry.model_fields[name].annotation) for name in self.fields}
        return types | dict.fromkeys(self._flags, frozenset({bool, NoneType}))

    @cached_property
    def seen_types(self) -> set[tuple[type, ...]]:
        """The types that live values of all fields had together, as far as these are right: thousands of things have the same."""
        return set()

    @cached_property
    def named_by(self) -> str:
        """The field that everything of this kind has, "" where there are several names and none is sure."""
        names = [identity.field for identity in self.identities if identity.field != "id"]
        return names[0] if len(names) == 1 else ""

    @property
    def is_named_by_people(self) -> bool:
        """Whether people choose what its things are called."""
        return self.named_by == "name"

    @cached_property
    def identity(self) -> Mapping[str, Identity]:
        return {i.field: i for i in self.identities}

    @cached_property
    def other_names(self) -> Mapping[str, frozenset[str]]:
        """For each identity the fields of all others."""
        return {by: frozenset(self.identity) - {by} for by in self.identity}

    @property
    def whole(self) -> bool:
        """Whether one list shows every live thing."""
        return bool(self.listing and self.listing.whole)

    @cached_property
    def _shown_keys(self) -> Mapping[str, str]:
        """What a body shows of a thing: the fields and the flags, each with its key there."""
        return {name: field.wire_name or name for name, field in self.fields.items()} | {name: name for name in self._flags}

    @cached_property
    def read_keys(self) -> frozenset[str] | None:
        """The keys of a body that are used of a thing and its links; None for all of them."""
        return None if self.wire else frozenset({"id", *self._shown_keys.values(), *self.identity, *(link.field for link in self.links)})

    @cached_property
    def _readers(self) -> Sequence[tuple[str, Callable[[Any], Any]]]:
        """The fields whose form on the wire is another one than in a manifest."""
        return [(name, field.read) for name, field in self.fields.items() if field.read is not as_is]

    @cached_property
    def _flags(self) -> tuple[str, ...]:
        return (self.archive.flag,) if self.archive and self.archive.flag else ()

    def writes(self, name: str) -> bool:
        """Whether a field of a thing that is there can be written."""
        routes = (*self.update, *((self.rename,) if self.rename else ()))
        return any(route.carries is None or name in route.carries for route in routes)

    def admits(self, body: Body) -> bool:
        """Whether what stands in a list of Intercom's is of this kind."""
        return self.wire is None or self.wire.admits(body)

    def dormant(self, thing: Live) -> bool:
        """Whether a live thing is put aside."""
        # Faster than `any`, which asks a generator.
        return any([thing.fields[flag] for flag in self._flags])

    def rank(self, thing: Live) -> int:
        """Of several things with one identity, those of the lowest rank are meant."""
        return self.person.rank(thing) if self.person else 0

    def unrepeatable(self, fields: Body) -> bool:
        """Whether a second create of a thing with these fields makes a second one."""
        return bool(self.conflict and self.conflict.never(fields))

    def decode(self, body: Body) -> Live:
        """Intercom's form of a thing → ours: normalised here, at the door, and nowhere else."""
        body = self.wire.prepare(body) if self.wire else body
        live_id = str(body["id"])
        fields = dict(zip(self._shown_keys, map(body.get, self._shown_keys.values()), strict=True))
        for name, read in self._readers:
            fields[name] = read(fields[name])
        for name in self.typed_fields:
            # Most things have no custom values, and one map says so for all of them.
            if fields[name] == {}:
                fields[name] = _NO_VALUES
        for identity in self.identities:
            if (key := fields.get(identity.field)) not in (None, ""):
                return Live(self.name, live_id, str(key), fields)
        return Live(self.name, live_id, f"{ID}{live_id}", fields)


def _types(annotation: Any) -> frozenset[type]:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _types(parts[0])
    if origin in (Union, UnionType):
        return frozenset().union(*map(_types, parts))
    types = {type(part) for part in parts} if origin is Literal else {origin or annotation}
    # A whole number may come as 49.0.
    return frozenset(types | ({float} if int in types else set()) | {NoneType})
