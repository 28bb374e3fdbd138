"""Rules checked against whom they expect to reach, and against their own limits. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.compare.ruled import governs
from reconciler.core.model.change import Action, Change, LinkChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.live import Snapshot
from reconciler.core.model.recorded import Recorded
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.rule import Membership, Rule

# Where fewer people than this have something, no percentage is taken, and nobody asks how many keep it.
FEW = 10
_LIMITS = {Action.ATTACH: "attaches", Action.DETACH: "detaches"}


def has_own_limit(manifest: Manifest, live: Snapshot, change: Change) -> bool:
    """Whether a rule asks for a change, and its own limit of such changes counts instead of that of the policy."""
    return isinstance(change, LinkChange) and bool(find_own_limit(manifest, live, change)) and manifest.rules[change.target].over_policy


def find_own_limit(manifest: Manifest, live: Snapshot, change: Change) -> Mapping[str, int | str]:
    """The limit of its own rule that a change counts against, by name; none where no rule asks for it, or that percentage is not taken."""
    if not isinstance(change, LinkChange) or not change.by_rule:
        return {}
    name = _LIMITS[change.action]
    limit = manifest.rules[change.target].limits.get(name)
    if limit is None or (isinstance(limit, str) and len(live.members[change.target].having) < FEW):
        return {}
    return {f"rule.{name}": limit}


def check_rules(manifest: Manifest, live: Snapshot, recorded: Recorded, changes: Sequence[Change]) -> Iterator[Refusal]:
    """Why rules are refused: a new or changed one reaches whom it does not expect, or one goes over its own limits."""
    for target, members in sorted(live.members.items()):
        rule = manifest.rules[target]
        own = tuple(c for c in changes if isinstance(c, LinkChange) and c.by_rule and c.target == target)
        detaches = sum(change.action is Action.DETACH for change in own)
        governs_already = governs(recorded, rule, live.pairs.get(target))
        if why := _find_emptied(rule, members, detaches) if governs_already else _find_unexpected(rule, members, detaches):
            yield Refusal("rule", f"{rule.mark}: {why}", changes=own)
        for action, name in _LIMITS.items():
            yield from _over_limit(rule, name, members, tuple(c for c in own if c.action is action))


def _find_emptied(rule: Rule, members: Membership, detaches: int) -> str:
    """Whether nobody matches a rule any more that was applied before: perhaps what it asks about is gone, not all its people."""
    if members.matching or not detaches or not rule.expected.least:
        return ""
    return f"nobody matches any more, and {detaches:,} would lose it; correct the rule, or write `expect: {{min: 0}}`"


def _find_unexpected(rule: Rule, members: Membership, detaches: int) -> str:
    """How those whom a rule reaches differ from what it expects; empty where they do not."""
    number, limits = len(members.matching), rule.expected
    most = limits.most if limits.most is not None else None if limits.everybody or members.total is None else members.total - 1
    staying = len(members.having & members.matching) if rule.links == "declared" else len(members.having) - detaches
    if number < limits.least:
        return f"{number:,} match, and at least {limits.least:,} are expected; correct the rule, or write `expect: {{min: {number}}}`"
    if most is not None and number > most:
        every, way = ("everybody matches", "all") if number == members.total else (f"{number:,} match", str(number))
        return f"{every}, and at most {most:,} are expected; correct the rule, or write `expect: {{max: {way}}}`"
    if len(members.having) >= FEW and staying * 100 < limits.kept * len(members.having):
        keep = "match" if rule.links == "declared" else "would keep it"
        share = f"{staying:,} of the {len(members.having):,} who have it {keep}, and {limits.kept:g} % are expected to keep it"
        return f"{share}; correct the rule, or write `expect: {{keep: {staying * 100 // len(members.having)}%}}`"
    return ""


def _over_limit(rule: Rule, name: str, members: Membership, changes: Sequence[LinkChange]) -> Iterator[Refusal]:
    limit = rule.limits.get(name)
    if limit is None:
        return
    if isinstance(limit, int):
        most, of = float(limit), ""
    elif len(members.having) < FEW:
        return
    else:
        most, of = float(limit.rstrip("%")) * len(members.having) / 100, f" ({limit} of {len(members.having):,})"
    if len(changes) > most:
        text = f"{rule.mark}: {len(changes):,} {name}, the limit of this rule is {most:g}{of}"
        yield Refusal(f"rule.{name}", f"{text}; if they are meant, raise its `limits: {name}:`", changes=tuple(changes))
