"""Taxonomy: everything that is declared of a kind, with what it means to people and what they use instead of what goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.compare.inventory import Row, Standing
from reconciler.core.compare.retiring import find_successor
from reconciler.core.model.address import ID, Address
from reconciler.core.model.change import Use
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kind import Kind
from reconciler.errors import Mark


class State(StrEnum):
    """What people may do with a thing, by the word that they read."""

    ACTIVE = "active"
    # It goes out of use.
    DEPRECATED = "deprecated"
    # It goes into another one, or has.
    MERGED = "merged"
    # It is declared absent.
    RETIRED = "retired"
    # It is live, and nobody declares it.
    UNDECLARED = "undeclared"


@dataclass(frozen=True, slots=True)
class Term:
    """One thing of the taxonomy."""

    # Its name.
    name: str
    # What people may do with it.
    state: State
    # What it means; empty where nobody says.
    meaning: str = ""
    # Who answers for it; empty where nobody does.
    owner: str = ""
    # The name of what is used instead; empty where nothing is.
    successor: str = ""
    # For how long nobody may use it anew before it is due to go, in seconds; None where that is not written.
    quiet: int | None = None
    # The names that it had.
    former: Sequence[str] = ()
    # Who uses it where nobody can count, in people's words.
    used_by: Sequence[str] = ()
    # Where it is declared.
    mark: Mark | None = None
    # When it was first recorded, in Unix seconds; None where nothing says, and of what goes.
    since: float | None = None
    # How often it is used, place by place; None where nobody looked, nothing where it is not live.
    uses: Sequence[Use] | None = None

    @property
    def total(self) -> int:
        """How much is known to carry it, in all places."""
        return sum(use.number or 0 for use in self.uses or ())


@dataclass(frozen=True)
class Taxonomy:
    """All that is declared of a kind, and what else is live of it if somebody looked."""

    # The kind.
    kind: Kind
    # What the manifest is called; empty where nobody wrote that.
    name: str
    # The workspace; empty where nothing says which.
    app_id: str
    # Its things, by name.
    terms: Sequence[Term]
    # Whether somebody looked who uses them.
    counted: bool

    def of(self, *states: State) -> Sequence[Term]:
        """The things of these states."""
        return [term for term in self.terms if term.state in states]


@dataclass(frozen=True)
class TaxonomyFacts:
    """What is known beside a manifest."""

    # When things were first recorded, in Unix seconds.
    since: Mapping[Address, float] = field(default_factory=dict)
    # What is live, with its uses; None where nobody looked.
    rows: Sequence[Row] | None = None


def describe_taxonomy(kind: Kind, manifest: Manifest, facts: TaxonomyFacts) -> Taxonomy:
    """The taxonomy of a kind. What is live and undeclared is left out where the policy ignores it."""
    resources = {address: resource for address, resource in manifest.resources.items() if address.kind == kind.name}
    live, others = _pair(facts.rows or ())
    if manifest.policy.on_undeclared(kind.section) == "ignore":
        others = []
    names = {address: _name(kind, resource, live.get(address)) for address, resource in resources.items()}
    terms = [*_list_declared(resources, names, live, facts), *(Term(row.name, State.UNDECLARED, uses=row.uses) for row in others)]
    app_id = (manifest.pin.app_id if manifest.pin else None) or ""
    in_order = sorted(terms, key=lambda term: (term.name.casefold(), term.name, term.state))
    return Taxonomy(kind, manifest.name if manifest.has_name else "", app_id, in_order, facts.rows is not None)


def _pair(rows: Iterable[Row]) -> tuple[Mapping[Address, Row], list[Row]]:
    """What is live by the entry that means it, and the rest, with all but one of the twins that an entry names."""
    live: dict[Address, Row] = {}
    others = []
    for row in rows:
        if row.address is None or row.standing is Standing.UNDECLARED or live.setdefault(row.address, row) is not row:
            others.append(row)
    return live, others


def _name(kind: Kind, resource: Resource, row: Row | None) -> str:
    """What a thing is called; by its id alone where nobody says."""
    name = resource.fields.get(kind.named_by) or ("" if resource.by == "id" else resource.key)
    return str(name or (row.name if row else f"{ID}{resource.key}"))


def _list_declared(
    resources: Mapping[Address, Resource], names: Mapping[Address, str], live: Mapping[Address, Row], facts: TaxonomyFacts
) -> Iterator[Term]:
    for address, resource in resources.items():
        row, successor = live.get(address), resource.into or find_successor(resources, resource)
        yield Term(
            name=names[address],
            state=_state(resource),
            meaning=resource.description,
            owner=resource.owner,
            successor=names.get(successor, "") if successor else "",
            quiet=resource.quiet,
            former=[key for _, key in resource.former],
            used_by=resource.used_by,
            mark=resource.mark,
            since=None if resource.is_gone else facts.since.get(address),
            uses=None if facts.rows is None else row.uses if row else (),
        )


def _state(resource: Resource) -> State:
    if resource.is_gone:
        return State.MERGED if resource.into else State.RETIRED
    return State.DEPRECATED if resource.is_deprecated else State.ACTIVE
