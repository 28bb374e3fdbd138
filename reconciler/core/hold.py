"""Hold: a fresh comparison is held against a saved plan; what the plan does not have makes it stale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from reconciler.core.address import Address
from reconciler.core.change import Action, Change
from reconciler.core.document import Document, Hold, digest, holds
from reconciler.core.order import Step
from reconciler.core.privacy import shown
from reconciler.core.resource import Manifest, Snapshot

_MAKING = (Action.CREATE.value, Action.UNARCHIVE.value)
_LOSING = (Action.DELETE.value, Action.ARCHIVE.value, Action.DETACH.value)


@dataclass(frozen=True, slots=True)
class Held:
    """What is left to do of a saved plan, or why it is stale. `unmade` are planned creates that are neither done nor possible now."""

    keep: frozenset[int]
    stale: tuple[str, ...]
    unmade: tuple[Hold, ...] = ()


def touched(found: Document) -> frozenset[str]:
    """The addresses, as shown, that a saved plan touches."""
    ends = [change["address"] for change in found["changes"]] + [change["target"] for change in found["changes"]]
    return frozenset(end for end in ends if end)


def hold(found: Document, steps: Sequence[Step], manifest: Manifest, live: Snapshot) -> Held:
    """Hold the steps of a fresh comparison against a saved plan. Steps at addresses that the plan does not name are not ours to do."""
    app_id, salt = live.workspace.app_id, found["salt"]
    # What is done in two turns stands there twice.
    planned: dict[tuple[str, str, str], list[Hold]] = {}
    for held in holds(found):
        planned.setdefault(held.subject, []).append(held)
    sources = {subject[1] for subject in planned}
    bringing = {c["address"] for c in found["changes"] if c["action"] == Action.UNARCHIVE or c.get("or")}
    keep, stale, fresh = set(), [], set()
    for i, step in enumerate(steps):
        change = step.change
        subject = (change.action.value, shown(change.address, app_id), shown(change.target, app_id) if change.target else "")
        # What somebody brings along from the archive could not be planned: it is left to the next plan.
        along = change.action is Action.DETACH and subject[1] in bringing and subject not in planned
        if subject[1] not in sources or along:
            continue
        fresh.add(subject)
        if subject in planned:
            reasons = [_moved(turn, change, salt) for turn in planned[subject]]
            reason = reasons[0] if all(reasons) else ""
        else:
            reason = "" if change.action is Action.UPDATE and subject[1] in bringing else "was not in the plan"
        if reason:
            stale.append(f"{' '.join(filter(None, subject))}: {reason}")
        keep.add(i)
    stale += _lacking(steps, keep, app_id)
    names = {shown(address, app_id): address for address in manifest.resources}
    rest = [turn for subject, turns in planned.items() if subject not in fresh for turn in turns]
    unmade = tuple(h for h in rest if h.action in _MAKING and h.address in names and live.of(names[h.address]) is None)
    awaited = {h.address for h in unmade}
    stale += [f"{h.action} {h.address}: {reason}" for h in rest if (reason := _lost(h, names, live, awaited))]
    return Held(frozenset(keep), tuple(sorted(stale)), unmade)


def _moved(planned: Hold, change: Change, salt: str) -> str:
    """Why a change is not the planned one: another field, or another value before it."""
    if planned.id and change.id and planned.id != digest(salt, change.id):
        return "another thing has this name now"
    if planned.called and planned.called != digest(salt, change.called):
        return f"it is called {change.called!a} now, and had another name when this was planned"
    new = [f.path for f in change.fields if f.path not in planned.fields]
    if new:
        return f"{', '.join(new)} was not in the plan"
    moved = [f.path for f in change.fields if digest(salt, f.before) != planned.fields[f.path]]
    return f"{', '.join(moved)} is no longer what it was when this was planned" if moved else ""


def _lacking(steps: Sequence[Step], keep: Set[int], app_id: str) -> Iterator[str]:
    """Changes that need another one which the plan does not have: what they build on is gone."""
    for i in sorted(keep):
        change = steps[i].change
        for n in sorted(steps[i].needs - keep):
            yield f"{change.action} {shown(change.address, app_id)}: {shown(steps[n].change.address, app_id)} is gone"


def _lost(planned: Hold, names: Mapping[str, Address], live: Snapshot, awaited: Set[str]) -> str:
    """Why a planned change that the comparison no longer shows is not simply done: its thing is gone, and not awaited either."""
    if planned.action in (*_LOSING, *_MAKING):
        return ""
    for end in sorted({planned.address, planned.target or planned.address} - awaited):
        address = names.get(end)
        if address is None or live.of(address) is None:
            return f"{end} is gone"
    return ""
