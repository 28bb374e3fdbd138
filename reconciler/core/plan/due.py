"""Due: people who began or ceased to match a rule that was applied. A plan leaves them to the one of `--only rules`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.drift import PENDING
from reconciler.core.compare.ruled import DUE
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Cause, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.plan.explained import leave_out
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import Scope, is_named
from reconciler.core.plan.touched import subject_of

LEFT = "left to rules"


def is_due(change: Change) -> bool:
    """Whether somebody began or ceased to match a rule that was applied, and nothing else changed."""
    return isinstance(change, LinkChange) and change.by_rule and change.cause is Cause.DUE


def leave_due(comparison: Comparison) -> Comparison:
    """The comparison without what is due, which is told with its number."""
    due = [change for change in comparison.difference.changes if is_due(change)]
    if not due:
        return comparison
    changes = (change for change in comparison.difference.changes if not is_due(change))
    return leave_out(comparison, changes, due, _note_due(comparison, due, ": `apply --only rules` carries it out"))


def keep_due(comparison: Comparison) -> tuple[Comparison, tuple[Change, ...]]:
    """The comparison of what is due alone, and the changes that are left out for that, whose number is told."""
    changes = [change for change in comparison.difference.changes if is_due(change)]
    rest = tuple(change for change in comparison.difference.changes if not is_due(change))
    notes = [Note(LEFT, f"{len(rest):,} other changes are left to a plan without --only rules")] if rest else []
    return leave_out(comparison, changes, rest, notes), rest


def leave_rules(comparison: Comparison) -> Comparison:
    """The comparison without what rules ask for, for drift: who came and went is due, and what a rule asks for that is new, or another
    one, was never applied. Both are told with their numbers."""
    comparison = leave_due(comparison)
    new = [c for c in comparison.difference.changes if isinstance(c, LinkChange) and c.by_rule]
    changes = (c for c in comparison.difference.changes if not (isinstance(c, LinkChange) and c.by_rule))
    notes = list[Note]()
    for target, number in sorted(_count(new).items()):
        text = f"its rule gives it to {number[Action.ATTACH]:,} and takes it from {number[Action.DETACH]:,} ({Cause.CONFIG})"
        notes.append(Note(PENDING, text, target, comparison.manifest.rules[target].mark))
    comparison = leave_out(comparison, changes, new, notes)
    return replace(comparison, live=replace(comparison.live, members={}))


def list_targeted(manifest: Manifest, scope: Scope, app_id: str) -> frozenset[Address]:
    """What those rules are about that a scope takes along: its globs name it."""
    return frozenset(address for address in manifest.rules if is_named(scope, address, app_id))


def note_rules(manifest: Manifest, targets: Set[Address]) -> tuple[Note, ...]:
    """A note on the rules that a plan of a part does not take along."""
    number = len(manifest.rules.keys() - targets)
    return (
        (
            Note(
                "excluded",
                f"{number:,} of {len(manifest.rules):,} rules left out: --target does not name what they are about, or --exclude does",
            ),
        )
        if number
        else ()
    )


def hold_to_planned(comparison: Comparison, saved_plan: PlanDocument) -> Comparison:
    """The comparison with those changes by rules alone that a saved plan has: who began or ceased to match since is left for later."""
    app_id = comparison.live.workspace.app_id
    subjects = {(c["action"], c["address"], c["target"]) for c in saved_plan["changes"] if c.get("by_rule")}
    late = {
        c for c in comparison.difference.changes if isinstance(c, LinkChange) and c.by_rule and tuple(subject_of(c, app_id)) not in subjects
    }
    if not late:
        return comparison
    changes = [change for change in comparison.difference.changes if change not in late]
    notes = _note_due(comparison, late, " since this was planned: the next `apply --only rules` carries it out")
    return leave_out(comparison, changes, late, notes)


def _note_due(comparison: Comparison, changes: Iterable[Change], then: str) -> Iterator[Note]:
    for target, number in sorted(_count(changes).items()):
        text = f"{number[Action.ATTACH]:,} began to match and {number[Action.DETACH]:,} ceased to{then}"
        yield Note(DUE, text, target, comparison.manifest.rules[target].mark)


def _count(changes: Iterable[Change]) -> Mapping[Address, Counter[Action]]:
    """How many get and lose what rules are about."""
    counts: dict[Address, Counter[Action]] = {}
    for change in changes:
        if change.target:
            counts.setdefault(change.target, Counter())[change.action] += 1
    return counts
