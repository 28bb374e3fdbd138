"""The plan: changes in order, as a value that can be saved, shown, hashed and refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from reconciler.core import globs, order
from reconciler.core.address import Address
from reconciler.core.calls import Job, compile_steps
from reconciler.core.change import Action, Change
from reconciler.core.gates import Case, People, affected, check
from reconciler.core.naming import unsure
from reconciler.core.order import Step
from reconciler.core.refusal import Refusal
from reconciler.core.resource import WAITING, Note, Snapshot, Workspace
from reconciler.core.typing import time_paths

# Intercom documents 10,000 calls per minute and app, metered in windows of ten seconds: developers.intercom.com, rate limiting.
DOCUMENTED_WINDOW = 1667

NOBODY = People(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which addresses a plan is limited to: by globs, of which the `exact` ones mean only themselves, and to `only` those of a saved
    plan, as it shows them; `moved`: to what live moved away from. `retry`: it has also what Intercom did not take before."""

    target: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    moved: bool = False
    exact: frozenset[str] = frozenset()
    retry: bool = False

    @property
    def whole(self) -> bool:
        return not (self.target or self.exclude)

    def among(self, addresses: Iterable[Address]) -> Scope:
        """The same scope, where each glob that is one of these addresses means that one alone."""
        written = {glob for glob in (*self.target, *self.exclude) if globs.plain(glob) != glob}
        return replace(self, exact=self.exact.union(written.intersection(map(str, addresses)))) if written else self


@dataclass(frozen=True, slots=True)
class Drift:
    """How far live moved away from what was applied, in changes that would put it right; `pending` are those that were never applied,
    `undeclared` things that nobody declares where the policy calls that drift. `recorded`: an apply is known to hold it against."""

    moved: int
    pending: int
    undeclared: int
    recorded: bool
    # Of how many entries nothing can be said, and whether that is so of all of them.
    refused: int = 0
    unproven: int = 0
    blind: bool = False

    @property
    def is_drift(self) -> bool:
        return bool(self.moved or self.undeclared)


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, in execution order, and why it may not be. `undoes` is the run that it takes back, if any; `drift` says how far
    live moved, where only that was asked for."""

    workspace: Workspace
    paths: tuple[str, ...]
    digest: str
    steps: tuple[Step, ...]
    jobs: tuple[Job, ...] = ()
    refused: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    scope: Scope = Scope()
    window: int = DOCUMENTED_WINDOW
    losing: People = NOBODY
    approved: tuple[str, ...] = ()
    undoes: str = ""
    drift: Drift | None = None
    # The calls that an apply makes beside its writes, by route: looks, counts, and what is kept.
    reads: Mapping[str, int] = field(default_factory=dict)
    # Whether what is refused for single entries is left out, so that the rest can be applied.
    held: bool = False
    # The fields whose values are times, as (kind, path).
    times: frozenset[tuple[str, str]] = frozenset()

    @property
    def unproven(self) -> tuple[Note, ...]:
        """What was sent and never proved, and what is declared and not done now."""
        return tuple(note for note in self.notes if note.held)

    @property
    def waiting(self) -> tuple[Note, ...]:
        """What only waits for Intercom to catch up."""
        return tuple(note for note in self.notes if note.topic == WAITING)

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(step.change for step in self.steps)

    @property
    def partial(self) -> bool:
        return not self.scope.whole

    @property
    def summary(self) -> Mapping[str, int]:
        """A count for every action, zero included."""
        counts = Counter(change.action for change in self.changes)
        return {action.value: counts[action] for action in Action}

    @property
    def calls(self) -> int:
        """How many HTTP calls an apply makes, without retries."""
        return sum(self.routes.values())

    @property
    def slowest(self) -> str | None:
        """The action that most calls are for; all calls take the same time at the rate limit."""
        calls: Counter[str] = Counter()
        for job in self.jobs:
            calls[self.steps[job.covers[0]].change.action.value] += len(job.calls)
        return max(calls, key=lambda action: calls[action], default=None)

    @property
    def routes(self) -> Mapping[str, int]:
        """How many calls go to each route, most first."""
        writes = Counter(call.route for job in self.jobs for call in job.calls)
        return dict((writes + Counter(self.reads)).most_common())

    @property
    def seconds(self) -> float:
        """How long the calls take at the workspace's limit, in seconds; the limit counts per ten seconds."""
        return round(self.calls * 10 / self.window, 1)


def make_plan(case: Case, scope: Scope = Scope(), version: str = "2.16") -> Plan:
    """Order the changes, cut them to the scope, hold them against the gates, compile them. Pure: same inputs, same plan."""
    kinds, manifest, live, difference = case.kinds, case.manifest, case.live, case.difference
    steps, cycles = order.arrange(kinds, difference.changes, live)
    scope = scope.among(chain(manifest.resources, (thing.address for things in live.things.values() for thing in things.values())))
    steps, left_out = _within(scope, steps, live)
    refused = check(_about(scope, case), steps, cycles)
    return Plan(
        workspace=live.workspace,
        paths=manifest.paths,
        digest=manifest.digest,
        steps=steps,
        jobs=compile_steps(kinds, steps, version, unsure(kinds, steps, live)),
        refused=refused,
        notes=(*live.notes, *difference.notes, *left_out),
        scope=scope,
        window=live.window or DOCUMENTED_WINDOW,
        times=frozenset(time_paths(kinds, manifest, live)),
        losing=affected(kinds, [step.change for step in steps]),
    )


def _about(scope: Scope, case: Case) -> Case:
    """The case without the refusals that are about no entry of the scope, and about nothing that such an entry is linked to."""
    if scope.whole:
        return case
    manifest, app_id = case.manifest, case.live.workspace.app_id
    named = {address: globs.names(address, app_id) for address in manifest.resources}
    asked = {a for a, names in named.items() if not scope.target or globs.matches(scope.target, names, scope.exact)}
    asked -= {a for a in asked if globs.matches(scope.exclude, named[a], scope.exact)}
    links = [written for address in asked for written in manifest.resources[address].links.values()]
    asked |= {end for written in links for end in (*written.present, *written.absent)}

    def concerns(refusal: Refusal) -> bool:
        return not refusal.entries or not asked.isdisjoint(refusal.entries)

    live, difference = case.live, case.difference
    live = replace(live, refusals=tuple(filter(concerns, live.refusals)))
    return replace(case, live=live, difference=replace(difference, refusals=tuple(filter(concerns, difference.refusals))))


def without_entries(case: Case, plan: Plan, entries: Callable[[Address], bool], version: str) -> Plan:
    """The plan without the changes at some entries, links to them, and all that need those."""
    out = order.concerned(plan.steps, entries)
    if not out:
        return plan
    steps = order.keep(plan.steps, set(range(len(plan.steps))) - out)
    jobs = compile_steps(case.kinds, steps, version, unsure(case.kinds, steps, case.live))
    return replace(plan, steps=steps, jobs=jobs, losing=affected(case.kinds, [step.change for step in steps]))


def _within(scope: Scope, steps: tuple[Step, ...], live: Snapshot) -> tuple[tuple[Step, ...], tuple[Note, ...]]:
    """The steps that the scope admits: what a target needs comes along, what needs an excluded step stays behind, named."""
    if scope.whole and scope.only is None:
        return steps, ()
    names = [globs.names(step.change.address, live.workspace.app_id) for step in steps]
    wanted = {i for i, n in enumerate(names) if not scope.target or globs.matches(scope.target, n, scope.exact)}
    excluded = {i for i, n in enumerate(names) if globs.matches(scope.exclude, n, scope.exact)}
    if scope.only is not None:
        wanted = {i for i in wanted if not scope.only.isdisjoint(names[i])}
    possible = order.without(steps, excluded)
    kept = order.closure(steps, wanted & possible)
    behind = sorted(i for i in wanted - excluded - possible)
    notes = tuple(_behind(steps[i].change.address) for i in behind)
    return order.keep(steps, kept), notes


def _behind(address: Address) -> Note:
    return Note("excluded", "left out: it needs a change that --exclude leaves out", address)
