"""Narrow: the part of a manifest that some addresses need to be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.core.model import globs
from reconciler.core.model.address import Address
from reconciler.core.model.change import Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.note import Note
from reconciler.core.model.reference import ends_of
from reconciler.core.plan import order
from reconciler.core.plan.order import Step


def note_unmatched(manifest: Manifest, scope: Scope, app_id: str) -> tuple[Note, ...]:
    """A note for every target that matches no declared address: otherwise a typo would look like nothing to do."""
    names = [globs.names(address, app_id) for address in manifest.resources]
    empty = [glob for glob in scope.target if not any(globs.matches([glob], n) for n in names)]
    return tuple(Note("excluded", f"nothing declared matches --target {glob}") for glob in empty)


# How the command line and the plan call a scope of rules.
RULES = "rules"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan is limited to."""

    # Only the addresses that these globs match; all where there are none.
    target: tuple[str, ...] = ()
    # But for those that these match.
    exclude: tuple[str, ...] = ()
    # Only the addresses of a saved plan, as it shows them.
    only: frozenset[str] | None = None
    # Only what live moved away from.
    moved: bool = False
    # The globs that mean only themselves.
    exact: frozenset[str] = frozenset()
    # Whether it also tries again what Intercom did not take before.
    retry: bool = False
    # Only what follows from changes of the manifest since this one; None for all.
    since: Manifest | None = None
    # Only who began or ceased to match a rule that was applied.
    rules: bool = False
    # The entries that this is about; None for all.
    entries: frozenset[Address] | None = None

    @property
    def whole(self) -> bool:
        return not (self.target or self.exclude or self.since or self.rules)

    def among(self, addresses: Iterable[Address]) -> Scope:
        """The same scope. A glob that is itself one of these addresses means that one alone."""
        names = {glob for glob in (*self.target, *self.exclude) if globs.plain(glob) != glob}
        return replace(self, exact=self.exact.union(names.intersection(map(str, addresses)))) if names else self


def is_named(scope: Scope, address: Address, app_id: str) -> bool:
    """Whether a scope is about an address, by its globs."""
    if not (scope.target or scope.exclude):
        return True
    names = globs.names(address, app_id)
    return (not scope.target or globs.matches(scope.target, names, scope.exact)) and not globs.matches(scope.exclude, names, scope.exact)


def _names_of(change: Change, app_id: str) -> tuple[str, ...]:
    """The names of what a change is about: of a link by a rule also those of its other end."""
    names = globs.names(change.address, app_id)
    return (*names, *globs.names(change.target, app_id)) if isinstance(change, LinkChange) and change.by_rule else names


def is_within(scope: Scope, steps: tuple[Step, ...], live: Snapshot) -> tuple[tuple[Step, ...], tuple[Note, ...]]:
    """The steps that the scope admits. What a target needs comes along; what needs an excluded step stays behind, and is named."""
    if not (scope.target or scope.exclude) and scope.only is None:
        return steps, ()
    names = [_names_of(step.change, live.workspace.app_id) for step in steps]
    targets = {i for i, n in enumerate(names) if not scope.target or globs.matches(scope.target, n, scope.exact)}
    exclusions = {i for i, n in enumerate(names) if globs.matches(scope.exclude, n, scope.exact)}
    if scope.only is not None:
        targets = {i for i in targets if not scope.only.isdisjoint(globs.names(steps[i].change.address, live.workspace.app_id))}
    possible = order.without(steps, exclusions)
    places = order.closure(steps, targets & possible)
    behind = sorted(i for i in targets - exclusions - possible)
    notes = tuple(is_behind(steps[i].change.address) for i in behind)
    return order.keep(steps, places), notes


def list_concerned(kinds: Kinds, scope: Scope, changes: Sequence[Change], live: Snapshot) -> frozenset[Address]:
    """The things of the changes that a scope admits, and of those that these need."""
    if not (scope.target or scope.exclude):
        return frozenset(change.address for change in changes)
    steps, _ = is_within(scope, order.arrange(kinds, changes, live)[0], live)
    return frozenset(step.change.address for step in steps)


def is_behind(address: Address) -> Note:
    return Note("excluded", "left out: it needs a change that --exclude leaves out", address)


EVERYTHING = Scope()


def narrow(kinds: Kinds, manifest: Manifest, keeps: Callable[[Address], bool]) -> Manifest:
    """Only the resources that `keeps` admits, the ends of their links and references, and the kinds whose listing is whole, which cost
    one read."""
    whole = {kind.name for kind in kinds if kind.whole}
    addresses = {address for address in manifest.resources if keeps(address)}
    ends = {end for address in addresses for links in manifest.resources[address].links.values() for end in (*links.present, *links.absent)}
    ends |= {end for address in addresses for end in ends_of(kinds[address.kind], manifest.resources[address].fields)}
    keep = addresses | ends | {address for address in manifest.resources if address.kind in whole}
    beside = frozenset(a for a, r in manifest.resources.items() if a not in keep and not r.is_gone)
    return replace(manifest, resources={a: r for a, r in manifest.resources.items() if a in keep}, beside=beside)
