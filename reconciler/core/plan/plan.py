"""The plan: changes in order, as a value that can be saved, shown, hashed and refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import chain

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.drift import Drift
from reconciler.core.compare.ruled import governs
from reconciler.core.compare.typed import find_time_paths
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import join_words
from reconciler.core.model.live import WAITING, Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.privacy import show_address
from reconciler.core.model.question import Question
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan import order
from reconciler.core.plan.calls import Job, compile_steps
from reconciler.core.plan.gates import BLINDING, People, check, count_affected
from reconciler.core.plan.naming import unsure
from reconciler.core.plan.order import Step
from reconciler.core.plan.scope import EVERYTHING, Scope, is_named, is_within
from reconciler.errors import Mark

# Intercom documents 10,000 calls per minute and app, metered in windows of ten seconds: developers.intercom.com, rate limiting.
DOCUMENTED_WINDOW = 1667

NOBODY = People(0)


@dataclass(frozen=True, slots=True)
class StrongReads:
    """What a plan saw by strong reads, of all that it saw."""

    # Live ids, by kind.
    things: Mapping[str, frozenset[str]]
    # Lists of links that were read to their end, each with the id of its thing.
    lists: frozenset[tuple[LinkName, str]]


@dataclass(frozen=True, slots=True)
class Context:
    """What a plan depends on beside what is compared."""

    # Now, in Unix seconds.
    now: float
    # Intercom's API version.
    version: str
    # The calls that this run has sent so far, by method.
    sent: Mapping[str, int] = field(default_factory=dict)
    # Whether what an apply destroys is kept for an undo.
    keeps: bool = False
    # What an apply that follows at once need not read again; None where it looks for itself.
    strong_reads: StrongReads | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, in execution order, and why it may not be."""

    # The workspace that it is for.
    workspace: Workspace
    # The manifest's paths as they were given.
    paths: tuple[str, ...]
    # The manifest's digest.
    digest: str
    # The changes in their places.
    steps: tuple[Step, ...]
    # The calls that they compile to.
    jobs: tuple[Job, ...] = ()
    # Why it may not be carried out, or a part of it.
    refusals: tuple[Refusal, ...] = ()
    # What people are told beside the changes.
    notes: tuple[Note, ...] = ()
    # What `--target` and `--exclude` left of it.
    scope: Scope = Scope()
    # How many calls Intercom allows in ten seconds.
    window: int = DOCUMENTED_WINDOW
    # How many people lose something by it.
    losing: People = NOBODY
    # The approvals under which it is no longer refused, as they were printed.
    approved: tuple[str, ...] = ()
    # The run that it takes back; empty where it takes none back.
    undoes: str = ""
    # How far live moved, where only that was asked for.
    drift: Drift | None = None
    # The calls that an apply makes beside its writes, by route: looks, counts, and what is kept.
    reads: Mapping[str, int] = field(default_factory=dict)
    # Whether what is refused for single entries is left out, so that the rest can be applied.
    held: bool = False
    # The fields whose values are times, as (kind, path).
    times: frozenset[tuple[str, str]] = frozenset()
    # What does not follow from what was written since the base of the scope, and is left out for that.
    rest: tuple[Change, ...] = ()
    # The environment that the manifest was read for.
    env: str = ""
    # What was asked to find what is declared, and in which ways.
    questions: tuple[Question, ...] = ()
    # What those rules are about that this plan carries out, whether they have changes or not.
    rule_targets: frozenset[Address] = frozenset()

    @property
    def unproven(self) -> tuple[Note, ...]:
        """What was sent and never proved, and what is declared and not done now."""
        return tuple(note for note in self.notes if note.is_open)

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


def make_plan(comparison: Comparison, scope: Scope = EVERYTHING, version: str = "2.16") -> Plan:
    """Order the changes, cut them to the scope, hold them against the gates, compile them. Pure: same inputs, same plan."""
    kinds, manifest, live, difference = comparison.kinds, comparison.manifest, comparison.live, comparison.difference
    steps, cycles = order.arrange(kinds, difference.changes, live)
    scope = scope.among(chain(manifest.resources, (thing.address for things in live.things.values() for thing in things.values())))
    steps, left_out = is_within(scope, steps, live)
    part = _narrow(scope, comparison)
    refusals = check(part, steps, cycles)
    return Plan(
        workspace=live.workspace,
        paths=manifest.paths,
        digest=manifest.digest,
        env=manifest.env,
        questions=live.questions,
        steps=steps,
        jobs=compile_steps(kinds, steps, version, unsure(kinds, steps, live, comparison.recorded)),
        refusals=refusals,
        notes=(*part.live.notes, *part.difference.notes, *left_out),
        scope=scope,
        window=live.window or DOCUMENTED_WINDOW,
        times=frozenset(find_time_paths(kinds, manifest, live)),
        losing=count_affected(kinds, [step.change for step in steps]),
        rule_targets=frozenset(
            a for a in live.members if governs(comparison.recorded, manifest.rules[a], live.pairs.get(a)) == scope.rules
        ),
    )


def _narrow(scope: Scope, comparison: Comparison) -> Comparison:
    """The comparison without the refusals that are about no entry of the scope, and about nothing that such an entry is linked to, and
    without the notes on other entries than its globs admit, and what those are linked to."""
    if scope.whole and scope.entries is None:
        return comparison
    manifest, live, difference = comparison.manifest, comparison.live, comparison.difference
    named = {a for a in manifest.resources if is_named(scope, a, live.workspace.app_id)}
    around = _with_ends(manifest, named)
    addresses = around if scope.entries is None else _with_ends(manifest, named & scope.entries)

    def concerns(refusal: Refusal) -> bool:
        return not refusal.entries or not addresses.isdisjoint(refusal.entries)

    def tells(note: Note) -> bool:
        return note.address in around or note.address not in manifest.resources

    live = replace(live, refusals=tuple(filter(concerns, live.refusals)), notes=tuple(filter(tells, live.notes)))
    refusals, notes = tuple(filter(concerns, difference.refusals)), tuple(filter(tells, difference.notes))
    return replace(comparison, live=live, difference=replace(difference, refusals=refusals, notes=notes))


def _with_ends(manifest: Manifest, entries: Set[Address]) -> Set[Address]:
    """Some entries, and all that they are linked to."""
    links = [lists for address in entries for lists in manifest.resources[address].links.values()]
    return entries | frozenset(end for lists in links for end in (*lists.present, *lists.absent))


def without_entries(comparison: Comparison, plan: Plan, entries: Callable[[Address], bool], version: str) -> Plan:
    """The plan without the changes at some refused entries, links to them, and all that need those, which is named."""
    out = order.find_concerned(plan.steps, entries)
    if not out:
        return plan
    waiting = [(plan.steps[i].change, out[i]) for i in sorted(out) if not entries(plan.steps[i].change.address)]
    steps = order.keep(plan.steps, set(range(len(plan.steps))) - out.keys())
    jobs = compile_steps(comparison.kinds, steps, version, unsure(comparison.kinds, steps, comparison.live, comparison.recorded))
    losing = count_affected(comparison.kinds, [step.change for step in steps])
    return replace(plan, steps=steps, jobs=jobs, losing=losing, notes=(*plan.notes, *_note_waiting(waiting, plan.workspace.app_id)))


def _note_waiting(waiting: Sequence[tuple[Change, Address]], app_id: str) -> Iterator[Note]:
    """A note at every entry of which something waits for refused ones. Whoever has to do with a refused tag only by a rule or a merge is
    no entry of it."""
    marks, causes = dict[Address, Mark](), defaultdict[Address, dict[str, None]](dict)
    for change, entry in waiting:
        if not (isinstance(change, LinkChange) and (change.by_rule or change.merges)):
            marks.setdefault(change.address, change.mark)
            causes[change.address][show_address(entry, app_id)] = None
    for address, names in causes.items():
        verb = "is" if len(names) == 1 else "are"
        yield Note("withheld", f"waits for {join_words(names, 'and')}, which {verb} refused", address, marks[address])


def count_blind(drift: Drift, refusals: Sequence[Refusal]) -> Drift:
    """How far live moved, with how much of it could not be told."""
    entries = {entry for refusal in refusals for entry in refusal.entries}
    return replace(drift, refused=len(entries), blind=any(not r.entry_wide and r.gate in BLINDING for r in refusals))
