"""Due: people who began or ceased to match a rule that was applied. A plan leaves them to the one of `--only rules`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.ruled import DUE
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Cause, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.note import Note
from reconciler.core.plan.explained import leave_out
from reconciler.core.plan.schema import PlanDocument
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
    kept = (change for change in comparison.difference.changes if not is_due(change))
    return leave_out(comparison, kept, due, _note_due(comparison, due, ": `apply --only rules` carries it out"))


def keep_due(comparison: Comparison) -> tuple[Comparison, tuple[Change, ...]]:
    """The comparison of what is due alone, and the changes that are left out for that, whose number is told."""
    kept = [change for change in comparison.difference.changes if is_due(change)]
    rest = tuple(change for change in comparison.difference.changes if not is_due(change))
    notes = [Note(LEFT, f"{len(rest):,} other changes are left to a plan without --only rules")] if rest else []
    return leave_out(comparison, kept, rest, notes), rest


def note_rules(manifest: Manifest) -> tuple[Note, ...]:
    """A note that rules reach nobody in a plan of a part."""
    number = len(manifest.rules)
    return (Note("excluded", f"{number:,} rules are left out: a plan of --target has none"),) if number else ()


def hold_to_planned(comparison: Comparison, saved: PlanDocument) -> Comparison:
    """The comparison with those changes by rules alone that a saved plan has: who began or ceased to match since is left for later."""
    app_id = comparison.live.workspace.app_id
    planned = {(c["action"], c["address"], c["target"]) for c in saved["changes"] if c.get("by_rule")}
    late = {
        c for c in comparison.difference.changes if isinstance(c, LinkChange) and c.by_rule and tuple(subject_of(c, app_id)) not in planned
    }
    if not late:
        return comparison
    kept = [change for change in comparison.difference.changes if change not in late]
    told = _note_due(comparison, late, " since this was planned: the next `apply --only rules` carries it out")
    return leave_out(comparison, kept, late, told)


def _note_due(comparison: Comparison, changes: Iterable[Change], then: str) -> Iterator[Note]:
    counts: dict[Address, Counter[Action]] = {}
    for change in changes:
        if change.target:
            counts.setdefault(change.target, Counter())[change.action] += 1
    for target, number in sorted(counts.items()):
        text = f"{number[Action.ATTACH]:,} began to match and {number[Action.DETACH]:,} ceased to{then}"
        yield Note(DUE, text, target, comparison.manifest.rules[target].mark)
