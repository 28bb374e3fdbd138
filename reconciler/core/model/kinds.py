"""All kinds as one value: in order, by name, by section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from graphlib import TopologicalSorter

from reconciler.core.model.address import LinkName
from reconciler.core.model.kind import Kind
from reconciler.core.model.route import LinkKind


class Kinds:
    """The kinds, so that what others need comes first. Raises graphlib.CycleError, which holds the cycle, if that cannot be."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        given = {kind.name: kind for kind in kinds}
        needs = {k.name: [*(link.target for link in k.links), *k.after] for k in given.values()}
        self._by_name = {name: given[name] for name in TopologicalSorter(needs).static_order() if name in given}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Kind:
        return self._by_name[name]

    def get(self, name: str) -> Kind | None:
        """The kind of this name, None where a record or a file names one that is not known here."""
        return self._by_name.get(name)

    @cached_property
    def by_section(self) -> Mapping[str, Kind]:
        """The kinds by the manifest's section that lists them."""
        return {kind.section: kind for kind in self}

    @cached_property
    def links(self) -> Mapping[LinkName, LinkKind]:
        """What can be linked, by name."""
        return {link.name: link for kind in self for link in kind.links}

    @cached_property
    def persons(self) -> frozenset[str]:
        """The names of the kinds whose things are people."""
        return frozenset(kind.name for kind in self if kind.person)
