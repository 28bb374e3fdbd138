"""Live things → entries as people write them: what names each, and every value that a manifest holds and reads back as it is live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from reconciler.core.compare.choices import choices_without
from reconciler.core.compare.index import Index, read_key
from reconciler.core.compare.match import find_candidates
from reconciler.core.model.address import Address, LinkName, address_by
from reconciler.core.model.kind import Field, Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Live
from reconciler.core.model.scalars import is_time_type, parse_typed, same
from reconciler.core.model.spelling import fold
from reconciler.core.model.texts import parse_attribute_name
from reconciler.core.model.times import format_time
from reconciler.core.model.written import Plain
from reconciler.manifest.sentences import Guesses, explain
from reconciler.manifest.variables import without_variables

# An entry, or a value in it: a dictionary, a list, `str` (a text) or `Plain` (no text: a number, a flag).
Written = Any
Thing = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is live and stands in no entry."""

    # What it is called.
    address: Address
    # Of the whole thing, or of some of it.
    why: str


@dataclass
class EntryWriter:
    """Makes the entries of one workspace, kind by kind in the order of `kinds`."""

    # All kinds.
    kinds: Kinds
    # All that was seen, by kind.
    things: Mapping[str, Sequence[Live]]
    # The ids at the other ends of the links of each thing, by list; empty where no links are wanted.
    links: Mapping[LinkName, Mapping[str, Set[str]]]
    # How entries that stand already, or were made, are referred to, by kind and id.
    ends: dict[Thing, Written] = field(default_factory=dict)
    # The addresses that are in use.
    addresses: set[Address] = field(default_factory=set)
    # The names that an entry gives as its former ones: a kind, an identity, a key in the form in which keys are equal.
    former: set[tuple[str, str, str]] = field(default_factory=set)
    # What stands in no entry.
    omissions: list[LeftOut] = field(default_factory=list)

    def write(self, kind: Kind, things: Sequence[Live]) -> list[Written]:
        """The entries of these things, in a stable order. What none can hold is noted in `left`."""
        index = Index(kind, self.things[kind.name])
        types = {name: self._types(typed_by) for name, f in kind.fields.items() if (typed_by := f.typed_by)}
        lines = []
        for thing in sorted(things, key=lambda thing: (fold(thing.key), thing.key, thing.id)):
            if kind.dormant(thing):
                self.omissions.append(LeftOut(thing.address, "is archived"))
            elif (values := self._name(kind, thing, index, types)) is not None:
                lines.append((thing, values))
        # Things may lead to others of their own kind, so all of these have their names first.
        for thing, values in lines:
            self._lead(kind, thing, values)
        entries = [values[kind.short] if kind.short and values.keys() == {kind.short} else values for _, values in lines]
        return [without_variables(entry) for entry in entries]

    def _types(self, typing: str) -> Mapping[str, Live]:
        """The things that say of which type a key is; what several say is not sure."""
        times = Counter(thing.key for thing in self.things[typing])
        return {t.key: t for t in self.things[typing] if times[t.key] == 1 and not self.kinds[typing].dormant(t)}

    def _name(self, kind: Kind, thing: Live, index: Index, types: Mapping[str, Mapping[str, Live]]) -> dict[str, Written] | None:
        """The entry with the first identity that means this thing alone; None where none does."""
        why = ""
        for identity in kind.identities:
            by, key = identity.field, read_key(thing, identity)
            address = address_by(kind.name, by, identity.fold(key) if identity.stable else key) if key else None
            if key is None or address is None:
                continue
            if (kind.name, by, identity.fold(key)) in self.former:
                why = f"{by}: is the former one of an entry; merge the two"
                break
            if find_candidates(kind, index, by, key) != [thing] or address in self.addresses:
                why = why or f"{by}: several live {kind.section} have this one"
                continue
            omissions: list[LeftOut] = []
            entry = (
                {"id": thing.id, **self._fields(kind, thing, types, omissions)}
                if by == "id"
                else self._fields(kind, thing, types, omissions)
            )
            if reason := self._check(kind, thing, by, entry, omissions):
                why = why or reason
                continue
            self.addresses.add(address)
            self.ends[kind.name, thing.id] = {"id": thing.id} if by == "id" else key
            self.omissions += omissions
            return entry
        self.omissions.append(LeftOut(thing.address, why or "nothing names it"))
        return None

    def _fields(self, kind: Kind, thing: Live, types: Mapping[str, Mapping[str, Live]], omissions: list[LeftOut]) -> dict[str, Written]:
        """All that a new thing would not have by itself."""
        entry: dict[str, Written] = {}
        for name, about in kind.fields.items():
            value, info = thing.fields.get(name), kind.entry.model_fields[name]
            if about.fleeting or value in (None, "", (), {}) or _is_default(about, info, value):
                continue
            if about.typed_by:
                values = dict(self._read_typed(kind, thing, name, value, types[name], omissions))
                entry.update({name: values} if values else {})
            elif about.refers:
                # Those of its own kind have no names yet.
                entry[name] = self.ends.get((about.refers, value), value)
            else:
                entry[name] = write_scalar(value, time=about.time)
        return entry

    def _read_typed(
        self, kind: Kind, thing: Live, name: str, values: Mapping[str, Any], types: Mapping[str, Live], omissions: list[LeftOut]
    ) -> Iterator[tuple[str, Written]]:
        typed_by = kind.fields[name].typed_by
        assert typed_by
        for key, value in sorted(values.items()):
            if value is None:
                continue
            typing = types.get(key)
            if typing is None or typing.fields.get("model") not in (None, kind.name):
                omissions.append(LeftOut(thing.address, f"{name}.{key}: there is no one live {typed_by} of this name"))
                continue
            data_type = str(typing.fields.get("data_type"))
            scalar = write_scalar(value, time=is_time_type(data_type))
            if _reads_back(key, scalar, value, data_type) and not choices_without(self.kinds[typed_by], typing.fields, value):
                yield key, scalar
            else:
                omissions.append(LeftOut(thing.address, f"{name}.{key}: a manifest cannot hold it as it is live"))

    def _check(self, kind: Kind, thing: Live, by: str, values: dict[str, Written], omissions: list[LeftOut]) -> str:
        """Take out what the kind's own entry refuses, or would read as something else. Returns why it can be no entry; "" if it can."""
        while True:
            try:
                entry = kind.entry.model_validate(values)
            except ValidationError as error:
                problems = {str(loc[0]) if loc else "": what for what, loc in explain(error, kind.entry, Guesses())}
            else:
                fields = {name: f for name, f in kind.fields.items() if name in values and not f.typed_by and not f.refers}
                differing = [name for name, f in fields.items() if not f.same(getattr(entry, name), thing.fields[name])]
                problems = {name: f"{name}: a manifest cannot hold it as it is live" for name in differing}
                if not problems:
                    return ""
            others = {i.field for i in kind.identities if i.field != by} & values.keys()
            if by == "id" and problems.keys() == {""} and others:
                # Beside an id some kinds take no other name.
                problems = dict.fromkeys(others, "")
            if problems.keys() & {"", by, *kind.required_keys}:
                return next(iter(problems.values()))
            omissions += (LeftOut(thing.address, why) for why in problems.values() if why)
            for name in problems:
                values.pop(name, None)

    def _lead(self, kind: Kind, thing: Live, entry: dict[str, Written]) -> None:
        """What it leads to: references and links, as far as the other ends have entries."""
        for name, target in kind.references.items():
            if name in entry and not isinstance(end := self.ends.get((target, thing.fields[name])), str):
                del entry[name]
                self.omissions.append(LeftOut(thing.address, f"{name}: the {target} that it leads to is not exported by its name"))
            elif name in entry:
                entry[name] = end
        for link in kind.links:
            ids = self.links.get(link.name, {}).get(thing.id, frozenset())
            ends = [self.ends[link.target, live_id] for live_id in ids if (link.target, live_id) in self.ends]
            if ends:
                entry[link.field] = sorted(ends, key=lambda end: (not isinstance(end, str), str(end)))
            if len(ends) < len(ids):
                section = self.kinds[link.target].section
                self.omissions.append(
                    LeftOut(thing.address, f"{link.field}: some lead to {section} that are neither exported nor declared")
                )


def _is_default(about: Field, info: FieldInfo, value: Any) -> bool:
    """Whether a new thing has this value by itself."""
    return not info.is_required() and not info.default_factory and about.same(value, info.default)


def write_scalar(value: Any, *, time: bool) -> Written:
    """A live value as it is written."""
    if isinstance(value, (tuple, list)):
        return [write_scalar(item, time=time) for item in value]
    if isinstance(value, bool):
        return Plain("true" if value else "false")
    if isinstance(value, (int, float)):
        scalar = format_time(value) if time else value
        return scalar if isinstance(scalar, str) else Plain(_number(value))
    return str(value)


def _number(value: float) -> str:
    """The number as readers of YAML 1.1 take it too, who miss a point in 1e+16."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    head, e, exponent = repr(value).partition("e")
    return f"{head}{'' if not e or '.' in head else '.0'}{e}{exponent}"


def _reads_back(key: str, scalar: Written, value: Any, data_type: str) -> bool:
    try:
        return parse_attribute_name(Plain(key)) == key and same(parse_typed(scalar, data_type), value)
    except ValueError:
        return False
