"""All kinds as one value: in order, by name, by section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from graphlib import TopologicalSorter

from reconciler.core.model.ability import Ruling
from reconciler.core.model.address import LinkName
from reconciler.core.model.facts import Facts
from reconciler.core.model.kind import Identity, Kind
from reconciler.core.model.route import LinkKind, Listing


def join_words(words: Iterable[str], last: str) -> str:
    """`tags, topics and companies`: each word once."""
    *before, end = dict.fromkeys(words) or ("",)
    return f"{', '.join(before)} {last} {end}" if before else end


def _fold_names(identity: Identity, facts: Facts) -> Identity:
    return replace(identity, fold=facts.fold) if identity.visible else identity


class Kinds:
    """The kinds that people declare, so that what others need comes first, and `beside` them those that nobody declares: their things only
    carry others. `ruling` says how rules are written, where there are any. Raises graphlib.CycleError, which holds the cycle, if there is
    one."""

    def __init__(self, kinds: Iterable[Kind], beside: Iterable[Kind] = (), ruling: Ruling | None = None) -> None:
        declarable, self.beside, self.ruling = tuple(kinds), tuple(beside), ruling
        by_name = {kind.name: kind for kind in (*declarable, *self.beside)}
        ends = {k.name: (*(link.target for link in k.links), *k.references.values(), *k.after) for k in by_name.values()}
        # What leads to things of its own kind is put in order thing by thing.
        needs = {name: [other for other in others if other != name] for name, others in ends.items()}
        self._by_name = {name: by_name[name] for name in TopologicalSorter(needs).static_order() if name in by_name}
        self._declared = {kind.name for kind in declarable}

    def __iter__(self) -> Iterator[Kind]:
        return (kind for kind in self._by_name.values() if kind.name in self._declared)

    @property
    def every(self) -> Sequence[Kind]:
        """All kinds, with those that nobody declares."""
        return tuple(self._by_name.values())

    def declares(self, name: str) -> bool:
        """Whether people declare things of this kind."""
        return name in self._declared

    def __getitem__(self, name: str) -> Kind:
        return self._by_name[name]

    def get(self, name: str) -> Kind | None:
        """The kind of this name, None where a record or a file names one that is not known here."""
        return self._by_name.get(name)

    def under(self, facts: Facts) -> Kinds:
        """The same kinds, whose names are one where they are so to Intercom."""
        if facts.name_folding in (None, "case"):
            return self
        kinds = (replace(kind, identities=tuple(_fold_names(identity, facts) for identity in kind.identities)) for kind in self)
        return Kinds(kinds, self.beside, self.ruling)

    @cached_property
    def by_section(self) -> Mapping[str, Kind]:
        """The kinds by the manifest's section that lists them."""
        return {kind.section: kind for kind in self}

    @cached_property
    def links(self) -> Mapping[LinkName, LinkKind]:
        """What can be linked, by name."""
        return {link.name: link for kind in self.every for link in kind.links}

    def list_sources(self, link: LinkName) -> Listing | None:
        """The list of those who have a link to one thing, where there is one in numbered pages; its route names the thing by `{id}`."""
        members = (members for kind in self.every if kind.uses for members in kind.uses.members)
        return next((m.listing for m in members if m.link == link and m.query is None and m.listing.style == "pages"), None)

    @cached_property
    def words(self) -> Mapping[str, str]:
        """What a sentence about several kinds calls their things, by the place that it has for them."""
        things = [kind for kind in self if kind.delete and not kind.person]
        people = [kind for kind in self if kind.person]
        links = [f"a {link.target}" for kind in people for link in kind.links]
        owners = [kind for kind in (*people, *self) if any(field.typed_by for field in kind.fields.values())]
        return {
            "thing": join_words((kind.name for kind in things), "or"),
            "things": join_words((kind.section for kind in things), "and"),
            "person": join_words((kind.name for kind in people), "or"),
            "people": join_words((kind.section for kind in people), "and"),
            "held": join_words(links, "or"),
            "lost": join_words((*links, "themselves"), "or"),
            "undeclared": join_words((kind.name for kind in self if kind.reports_undeclared), "or"),
            "typing": join_words((kind.name for kind in self if kind.choices), "or"),
            "owners": join_words((kind.section for kind in owners), "or"),
        }

    @cached_property
    def persons(self) -> frozenset[str]:
        """The names of the kinds whose things are people."""
        return frozenset(kind.name for kind in self if kind.person)
