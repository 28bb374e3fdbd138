"""Gates: reasons to refuse a plan. Each has a name, a sentence that explains, and the way to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core.change import LOSING, Action, Change
from reconciler.core.diff import Difference
from reconciler.core.kind import Kind
from reconciler.core.resource import Manifest, Snapshot

# A percentage of less than this many things says nothing and is not applied.
FEW = 10


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan is refused. `approve` is what a person may add to the command line to go on, None where nothing helps but a change."""

    gate: str
    message: str
    approve: str | None = None

    def __str__(self) -> str:
        return f"{self.gate}: {self.message}"


def check(
    kinds: Sequence[Kind], manifest: Manifest, live: Snapshot, difference: Difference, changes: Sequence[Change], cycles: Sequence[str]
) -> tuple[Refusal, ...]:
    """Every reason why these changes may not be applied, in a fixed order."""
    found = [*_pin(manifest, live)]
    found += [Refusal(gate, text) for gate, text in (*live.refusals, *difference.refusals)]
    found += [Refusal("cycle", text) for text in cycles]
    found += _protected(manifest, changes)
    found += _over_limits(kinds, manifest, live, difference, changes)
    return tuple(dict.fromkeys(found))


def _pin(manifest: Manifest, live: Snapshot) -> Iterator[Refusal]:
    pin, here = manifest.pin, live.workspace
    if pin and ((pin.app_id or here.app_id) != here.app_id or (pin.region or here.region) != here.region):
        wanted = f"{pin.app_id or 'any'} in {pin.region or 'any region'}"
        text = f"the manifest is for workspace {wanted}, the token is for {here.app_id} in {here.region}"
        yield Refusal("workspace", f"{text}; use the token of that workspace, or correct `workspace:`")


def _protected(manifest: Manifest, changes: Sequence[Change]) -> Iterator[Refusal]:
    for change in changes:
        resource = manifest.resources.get(change.address)
        if resource and resource.protect and change.action in (Action.DELETE, Action.ARCHIVE):
            text = f"{change.mark}: this {change.address.kind} is protected and would be lost by {change.action}"
            yield Refusal("protect", f"{text}; remove `protect: true` first, in a change of its own")


def _over_limits(
    kinds: Sequence[Kind], manifest: Manifest, live: Snapshot, difference: Difference, changes: Sequence[Change]
) -> Iterator[Refusal]:
    counts = _counts(kinds, difference, changes)
    links = sum(len(ids) for held in live.links.values() for ids in held.values())
    for name, limit in manifest.policy.limits:
        counted = counts[name]
        if isinstance(limit, int):
            over = [(sum(counted.values()), float(limit), "")] if sum(counted.values()) > limit else []
        else:
            bases = {what: links if name in ("attaches", "detaches") else live.totals.get(what, 0) for what in counted}
            shares = {what: float(limit.rstrip("%")) * base / 100 for what, base in bases.items() if base >= FEW}
            over = [(counted[w], share, f" ({limit} of {bases[w]})") for w, share in shares.items() if counted[w] > share]
        for count, allowed, of in over:
            text = f"{count} {_WORDS[name]}, the limit is {allowed:g}{of}"
            yield Refusal(f"limits.{name}", f"{text}; if they are meant, raise `policy: limits: {name}:`, or split the change")


_WORDS = {
    "creates": "creates",
    "attaches": "attaches",
    "deletes": "tags and companies deleted",
    "contact_deletes": "contacts deleted for ever",
    "archives": "contacts archived",
    "detaches": "detaches",
    "people": "people lose a tag, a company or themselves",
    "missing": "contacts not found",
}


def _counts(kinds: Sequence[Kind], difference: Difference, changes: Sequence[Change]) -> Mapping[str, Mapping[str, int]]:
    """What each limit counts, by the kind whose live number a percentage is taken of."""
    person = {kind.name: kind.person for kind in kinds}
    people = next((kind.name for kind in kinds if kind.person), "")

    def tally(test: Callable[[Change], bool], of: Callable[[Change], str]) -> Counter[str]:
        return Counter(of(change) for change in changes if test(change))

    losers = {c.address for c in changes if c.action in LOSING and person[c.address.kind]}
    return {
        "creates": tally(lambda c: c.action is Action.CREATE, lambda c: c.address.kind),
        "attaches": tally(lambda c: c.action is Action.ATTACH, lambda c: ""),
        "deletes": tally(lambda c: c.action is Action.DELETE and not person[c.address.kind], lambda c: c.address.kind),
        "contact_deletes": tally(lambda c: c.action is Action.DELETE and person[c.address.kind], lambda c: people),
        "archives": tally(lambda c: c.action is Action.ARCHIVE, lambda c: people),
        "detaches": tally(lambda c: c.action is Action.DETACH, lambda c: ""),
        "people": {people: len(losers)},
        "missing": {people: len(difference.missing)},
    }
