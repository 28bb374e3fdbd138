"""Gates: reasons to refuse a plan. Each has a name, a sentence that explains, and the way to go on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.draft import Difference
from reconciler.core.compare.likeness import find_pairs, refuse_renames
from reconciler.core.model.address import Address
from reconciler.core.model.change import LOSING, Action, Change, LinkChange, ThingChange, Use
from reconciler.core.model.desired import Manifest, Pin
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot, Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.policy import FEW_MISSING, MISSING, SHARE_MISSING, Policy
from reconciler.core.model.recorded import Handover, Recorded
from reconciler.core.model.refusal import Refusal, gather_refusals
from reconciler.core.model.written import as_yaml, quote_visibly
from reconciler.core.plan.order import Step, find_concerned
from reconciler.core.plan.rules import check_rules, find_own_limit, has_own_limit


def note_unpinned(manifest: Manifest, live: Snapshot) -> tuple[Note, ...]:
    if manifest.pin and manifest.pin.app_id:
        return ()
    here = f"workspace: {{app_id: {as_yaml(live.workspace.app_id)}, region: {live.workspace.region}}}"
    return (Note("pin", f"the manifest names no workspace, so a wrong token would change another one; write `{here}`"),)


# A percentage of less than this many things says nothing and is not applied.
FEW = 10


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for exactly these refused changes."""

    # Twelve hex of the hash of these changes.
    hash: str
    # How many people they touched then.
    people: int

    def __str__(self) -> str:
        return f"{self.hash}:{self.people}"


# More people than approved by more than this refuse again.
SLACK = 1.05


def check(comparison: Comparison, steps: Sequence[Step], cycles: Sequence[str]) -> tuple[Refusal, ...]:
    """Every reason why these changes may not be applied, in a fixed order."""
    kinds, manifest, live, difference = comparison.kinds, comparison.manifest, comparison.live, comparison.difference
    changes = tuple(step.change for step in steps)
    refusals = [*hold_to_pin(manifest.pin, live.workspace)]
    refusals += check_handover(comparison.recorded)
    refusals += (*live.refusals, *difference.refusals)
    arriving = dict.fromkeys((*changes, *difference.changes))
    refusals += refuse_renames(tuple(find_pairs(comparison, changes, tuple(arriving))))
    refusals += _refuse_used(manifest, changes)
    whole, entries = [*list_stopping(refusals, manifest.policy)], list_held(refusals, manifest.policy)
    if entries:
        # What is left out for its own reasons is no reason to refuse the rest, and is approved alone.
        out = find_concerned(steps, list_held_entries(entries, manifest.policy).__contains__)
        changes = tuple(step.change for i, step in enumerate(steps) if i not in out)
    whole += [Refusal("cycle", text) for text in cycles]
    whole += _refuse_protected(manifest, comparison.recorded, changes)
    whole += _refuse_emptied(kinds, manifest, changes)
    whole += _refuse_uncounted(changes)
    whole += check_rules(manifest, live, comparison.recorded, changes)
    own = [change for change in changes if not has_own_limit(manifest, live, change)]
    whole += _over_limits(kinds, manifest, live, difference, own)
    return tuple(gather_refusals(dict.fromkeys((*_with_approval(whole, live, kinds), *_with_approval(entries, live, kinds)))))


def _with_approval(refusals: Sequence[Refusal], live: Snapshot, kinds: Kinds) -> tuple[Refusal, ...]:
    """Refusals that a person may overrule carry the approval of everything that they refuse together."""
    changes = tuple(dict.fromkeys(change for refusal in refusals for change in refusal.changes))
    left_out = tuple(dict.fromkeys(address for refusal in refusals for address in refusal.left_out))
    if not changes and not left_out:
        return tuple(refusals)
    number = len(
        {(change.address, change.link) for change in changes if isinstance(change, LinkChange) and (change.merges or _gives(change))}
    )
    people = (
        count_affected(kinds, changes).number + sum(change.people or 0 for change in changes if _drops(change)) + len(left_out) + number
    )
    word = str(Approval(fingerprint(changes, live, left_out), people))
    return tuple(replace(refusal, approve=word) if refusal.changes or refusal.left_out else refusal for refusal in refusals)


def fingerprint(changes: Sequence[Change], live: Snapshot, left_out: Sequence[Address] = ()) -> str:
    """Twelve hex over what changes are: actions, addresses, ids, targets and choices taken away, in any order, not over counts; and over
    who is left out."""
    here = live.workspace
    subjects = dict.fromkeys(_subject(change) for change in changes)
    lines = sorted("\0".join(map(str, one)) for one in (*subjects, *(("left out", address, "", "") for address in left_out)))
    return hashlib.sha256("\n".join((here.app_id, here.region, *lines)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _gives(change: LinkChange) -> bool:
    """Whether somebody gets something by a rule."""
    return change.by_rule and change.action is Action.ATTACH


def _subject(change: Change) -> tuple[object, ...]:
    """What an approval is for. Whoever carries what goes into another thing, or matches a rule, that is one and the same approval."""
    if isinstance(change, LinkChange) and change.merges:
        return (change.action, change.merges, "", change.target)
    if isinstance(change, LinkChange) and change.by_rule:
        return (change.action, "", "", change.target)
    return (change.action, change.address, change.id or "", change.target or "", *_choices(change))


# Gates behind which nobody can say what moved: others stop an apply, which a look is not.
BLINDING = frozenset({"workspace", "origin"})


def list_stopping(refusals: Iterable[Refusal], policy: Policy) -> tuple[Refusal, ...]:
    """The refusals that stop a whole plan: where the policy says `hold`, those about single entries stop only these."""
    return tuple(refusal for refusal in refusals if not _is_held(refusal, policy))


def list_held(refusals: Iterable[Refusal], policy: Policy) -> tuple[Refusal, ...]:
    """The refusals that stop only the entries that they are about."""
    return tuple(refusal for refusal in refusals if _is_held(refusal, policy))


def list_held_entries(refusals: Iterable[Refusal], policy: Policy) -> frozenset[Address]:
    """The entries that are left out of a plan whose rest is applied."""
    return frozenset(entry for refusal in list_held(refusals, policy) for entry in refusal.entries)


def _is_held(refusal: Refusal, policy: Policy) -> bool:
    return policy.refused_entries == "hold" and refusal.entry_wide


def list_standing(refusals: Sequence[Refusal], approvals: Sequence[Approval]) -> tuple[Refusal, ...]:
    """The refusals that the approvals do not lift."""
    return tuple(r for r in refusals if not (r.approve and any(_covers(approval, r.approve) for approval in approvals)))


def _covers(approval: Approval, hash: str) -> bool:
    digest, _, people = hash.partition(":")
    return approval.hash == digest and int(people) <= approval.people * SLACK


@dataclass(frozen=True, slots=True)
class People:
    """How many distinct contacts lose something."""

    # How many.
    number: int
    # Whether it is exactly that many, or at most.
    exact: bool = True


def count_affected(kinds: Kinds, changes: Sequence[Change]) -> People:
    """Distinct people who lose a tag, a company or themselves. Those of a deletion who were only counted may be any of the others. What
    goes into another thing is lost by nobody."""
    persons = kinds.persons
    losing = [change for change in changes if change.action in LOSING and not (isinstance(change, ThingChange) and change.into)]
    people = {change.id or str(change.address) for change in losing if change.address.kind in persons}
    counts = []
    for change in losing:
        if isinstance(change, ThingChange) and change.address.kind not in persons and change.action is Action.DELETE and change.people:
            ids = frozenset[str]().union(*(use.ids for use in change.uses if use.people))
            people |= ids if len(ids) >= change.people else set()
            counts += [change.people] if len(ids) < change.people else []
    return People(len(people) + sum(counts), not counts or (len(counts) == 1 and not people))


def _refuse_uncounted(changes: Sequence[Change]) -> Iterator[Refusal]:
    """What is taken away and nobody could count is not nothing."""
    for change in changes:
        places = [use.where for use in change.uses if use.number is None] if isinstance(change, ThingChange) else ()
        if isinstance(change, ThingChange) and change.into:
            # It is looked at once more before, and stays where that is unknown.
            continue
        if places and change.action is Action.DELETE:
            text = f"{change.mark}: how many {' and '.join(places)} carry this {change.address.kind} is unknown"
            now = "let the token read them (under API version 2.16), or approve"
            yield Refusal("unknown", f"{text}; {now}", changes=(change,))
        elif places and _drops(change):
            text = f"{change.mark}: how many {' and '.join(places)} there are is unknown: no list and no search shows all of them"
            now = "look for them in Intercom, give each another value, then approve"
            yield Refusal("unknown", f"{text}; {now}", changes=(change,))


def _drops(change: Change) -> bool:
    """Whether an update takes something away that others may carry: choices, which alone are counted for an update."""
    return isinstance(change, ThingChange) and change.action in (Action.UPDATE, Action.UNARCHIVE) and bool(change.uses)


def _choices(change: Change) -> Sequence[str]:
    """The choices that a change takes away: who approves that one goes does not approve it of another one."""
    return sorted(use.where for use in change.uses) if isinstance(change, ThingChange) and _drops(change) else []


def _read_carried(change: Change) -> Sequence[Use]:
    """The choices that an update takes away and that others still carry."""
    return [use for use in change.uses if use.number] if isinstance(change, ThingChange) and _drops(change) else []


def _say_use(use: Use) -> str:
    """A use as a sentence names it."""
    return f"{use.where}: {'at least ' if use.least else ''}{use.number}"


def hold_to_pin(pin: Pin | None, here: Workspace) -> Iterator[Refusal]:
    """The gate `workspace`: a token of another workspace than the one that is meant."""
    if pin and ((pin.app_id or here.app_id) != here.app_id or (pin.region or here.region) != here.region):
        place = f"{pin.app_id or 'any workspace'} in {pin.region or 'any region'}"
        text = f"the token is for {here.app_id} in {here.region}, not for {place}"
        yield Refusal("workspace", f"{text}; use the token of that workspace")


def check_handover(recorded: Recorded) -> Iterator[Refusal]:
    """The gate `origin`: a manifest's name that was last applied from another repository, or perhaps from another one."""
    passing = recorded.handover
    if passing:
        before = passing.before or "another repository"
        text = f"`name: {passing.name}` was last applied from {before}, and is now used in {passing.now}"
        now = "if that repository was moved here, approve, and what was applied from there is ours; else write another `name:`"
        yield Refusal("origin", f"{text}; {now}", approve=str(Approval(_digest_handover(recorded.app_id, passing), 0)))


def _digest_handover(app_id: str, passing: Handover) -> str:
    """Twelve hex over whose name passes from where to where."""
    before = (passing.before.address, passing.before.first) if passing.before else ("", "")
    text = "\0".join(("origin", app_id, passing.name, *before, passing.now.address, passing.now.first))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _refuse_protected(manifest: Manifest, recorded: Recorded, changes: Sequence[Change]) -> Iterator[Refusal]:
    """What is protected is not lost, nor what was when it was applied last: to remove the entry is not to remove the protection."""
    for change in changes:
        if change.action not in (Action.DELETE, Action.ARCHIVE):
            continue
        resource, record = manifest.resources.get(change.address), recorded.of(change.address.kind, change.id)
        text = f"{change.mark}: {change.address.kind} {change.address.key!r} is protected and would be lost by {change.action}"
        if resource and resource.protect:
            yield Refusal("protect", f"{text}; remove `protect: true` first, in a change of its own")
        elif (other := recorded.others.get((change.address.kind, change.id or ""))) and other.protected:
            yield Refusal("protect", f"{text}: `name: {other.name}` protects it; remove it there first")
        elif record and record.protected:
            yield Refusal("protect", f"{text}; declare it without `protect: true` and apply that first, in a change of its own")


def _refuse_used(manifest: Manifest, changes: Sequence[Change]) -> Iterator[Refusal]:
    """What somebody uses where Intercom shows nobody keeps its name, and stays."""
    for change in changes:
        resource = manifest.resources.get(change.address)
        if resource and resource.used_by and change.action in (Action.DELETE, Action.RENAME):
            text = f"{change.mark}: this {change.address.kind} is used by {' and '.join(map(quote_visibly, resource.used_by))}"
            now = f"before its {change.action}, change that in Intercom and take it out of `used_by`"
            yield Refusal("used", f"{text}, which Intercom does not show; {now}", entries=(change.address,))


def _refuse_emptied(kinds: Kinds, manifest: Manifest, changes: Sequence[Change]) -> Iterator[Refusal]:
    """A section that is written and declares nothing, while `prune` may take what is not declared, is more often a slip than a wish."""
    kinds_named = {address.kind for address in (*manifest.resources, *manifest.beside)}
    for kind in kinds:
        prune = manifest.policy.pruning(kind.section)
        if prune != "never" and kind.section in manifest.sections and kind.name not in kinds_named:
            text = f"`{kind.section}:` declares nothing, and `policy: prune: {kind.section}: {prune}` takes what is not declared"
            now = f"write `{kind.section}: never` under `prune`, or remove the section, which is then not ours"
            deletions = tuple(c for c in changes if c.action is Action.DELETE and c.address.kind == kind.name)
            yield Refusal("emptied", f"{text}; {now}", changes=deletions)


def _over_limits(kinds: Kinds, manifest: Manifest, live: Snapshot, difference: Difference, changes: Sequence[Change]) -> Iterator[Refusal]:
    counts = _counts(kinds, difference, changes)
    persons = kinds.persons
    links = sum(sum(map(len, ends.values())) for ends in live.links.values())
    for name, limit in manifest.policy.limits:
        sections = counts[name]
        if limit == MISSING:
            people = sum(address.kind in persons for address in manifest.resources)
            limit = max(FEW_MISSING, int(people * SHARE_MISSING))
        if isinstance(limit, int):
            over = [(sum(sections.values()), float(limit), "")] if sum(sections.values()) > limit else []
        else:
            bases = {section: links if name in ("attaches", "detaches") else live.totals.get(section, 0) for section in sections}
            shares = {section: float(limit.rstrip("%")) * base / 100 for section, base in bases.items() if base >= FEW}
            over = [(sections[w], share, f" ({limit} of {bases[w]})") for w, share in shares.items() if sections[w] > share]
        for count, allowed, of in over:
            most = "" if name != "people" or count_affected(kinds, changes).exact else "up to "
            places = "; ".join(f"{c.mark}: {_say_use(use)}" for c in changes for use in _read_carried(c)) if name == "options" else ""
            noun = _WORDS[name][count != 1].format(**kinds.words)
            text = f"{most}{count} {noun}{f' ({places})' if places else ''}, the limit is {allowed:g}{of}"
            now = f"if they are meant, raise `policy: limits: {name}:`, or split the change"
            stopping = tuple(c for c in changes if _COUNTED[name](c, kinds))
            yield Refusal(
                f"limits.{name}", f"{text}; {now}", changes=stopping, left_out=_list_left_out(difference) if name == "missing" else ()
            )


# What each limit counts, as one and as several, with places for the words of the kinds.
_WORDS = {
    "creates": ("create", "creates"),
    "attaches": ("attach", "attaches"),
    "deletes": ("{thing} deleted", "{things} deleted"),
    "contact_deletes": ("{person} deleted for ever", "{people} deleted for ever"),
    "archives": ("{person} archived", "{people} archived"),
    "detaches": ("detach", "detaches"),
    "people": ("person loses {lost}", "people lose {lost}"),
    "missing": ("{person} not found", "{people} not found"),
    "conversations": ("conversation moved", "conversations moved"),
    "options": ("option taken away that is in use", "options taken away that are in use"),
}


# Which changes each limit counts.
_COUNTED: Mapping[str, Callable[[Change, Kinds], bool]] = {
    "creates": lambda c, kinds: c.action is Action.CREATE,
    "attaches": lambda c, kinds: c.action is Action.ATTACH and kinds.declares(c.address.kind),
    "deletes": lambda c, kinds: c.action is Action.DELETE and c.address.kind not in kinds.persons,
    "contact_deletes": lambda c, kinds: c.action is Action.DELETE and c.address.kind in kinds.persons,
    "archives": lambda c, kinds: c.action is Action.ARCHIVE and c.address.kind in kinds.persons,
    "detaches": lambda c, kinds: c.action is Action.DETACH and kinds.declares(c.address.kind),
    "people": lambda c, kinds: c.action in LOSING and kinds.declares(c.address.kind),
    "missing": lambda c, kinds: False,
    "conversations": lambda c, kinds: not kinds.declares(c.address.kind),
    "options": lambda c, kinds: bool(_read_carried(c)),
}


def list_limits(kinds: Kinds, manifest: Manifest, live: Snapshot, change: Change) -> Mapping[str, int | str]:
    """The limits that a change counts against, by name: those of the policy, and `rule.…` of its rule."""
    own = find_own_limit(manifest, live, change)
    if has_own_limit(manifest, live, change):
        return own
    return {**{name: limit for name, limit in manifest.policy.limits if _COUNTED[name](change, kinds)}, **own}


def _list_left_out(difference: Difference) -> tuple[Address, ...]:
    """The contacts that the plan leaves out because they are not found; one that is refused for it is counted there."""
    missing = {entry for refusal in difference.refusals if refusal.gate == "missing" for entry in refusal.entries}
    return tuple(address for address in difference.missing if address not in missing)


_OF_LINKS = ("attaches", "detaches")
_OF_PEOPLE = ("people", "missing", "contact_deletes", "archives")


def _counts(kinds: Kinds, difference: Difference, changes: Sequence[Change]) -> Mapping[str, Mapping[str, int]]:
    """What each limit counts, by the kind whose live number a percentage is taken of."""
    people = next(iter(sorted(kinds.persons)), "")
    numbers: dict[str, Counter[str]] = {}
    for name, counts in _COUNTED.items():
        base = "" if name in _OF_LINKS else people
        numbers[name] = Counter(base if name in (*_OF_LINKS, *_OF_PEOPLE) else c.address.kind for c in changes if counts(c, kinds))
    numbers["people"] = Counter({people: count_affected(kinds, changes).number})
    numbers["missing"] = Counter({people: len(_list_left_out(difference))})
    numbers["conversations"] = Counter({"": len({change.address for change in changes if not kinds.declares(change.address.kind)})})
    numbers["options"] = Counter({"": sum(len(_read_carried(change)) for change in changes)})
    return numbers
