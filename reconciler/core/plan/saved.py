"""Hold: a fresh comparison is held against a saved plan; what the plan does not have makes it stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from reconciler.core.compare.doubt import Doubts
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Change
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.privacy import shown
from reconciler.core.model.recorded import Disproved, LiveLink, Place
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.document import Document, Hold, document
from reconciler.core.plan.order import Step
from reconciler.core.plan.plan import Plan


def saved_refusals(found: Document) -> tuple[Refusal, ...]:
    """What a saved plan was refused for; its entries stand there as they are shown."""
    return tuple(
        Refusal(r["gate"], r["message"], r["approve"], entries=tuple(Address(*name.split("/", 1)) for name in r.get("entries", ())))
        for r in found["refused"]
    )


def saved_ids(found: Document, manifest: Manifest, app_id: str) -> Mapping[Address, str]:
    """The live ids of what was as declared when the plan was made."""
    ids = found.get("as_declared") or {}
    return {address: ids[name] for address in manifest.resources if (name := shown(address, app_id)) in ids} if ids else {}


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a saved plan holds beside its document. `files` are the manifest's own texts, for a plan that needs nothing beside it; such a
    one is confidential. `found` are the live ids of what was as declared when it was planned: the base of drift for what it does not
    touch. `doubts` is what the ledger was seen to be wrong about."""

    files: Mapping[str, str] | None = None
    found: Mapping[Address, str] = field(default_factory=dict)
    doubts: Doubts = Doubts()


NOTHING = Enclosed()


def saved(kinds: Kinds, plan: Plan, salt: str, enclosed: Enclosed = NOTHING) -> Document:
    """The document of a plan that can be applied: with digests of its before-values, salted, and a seal over all of it."""
    files = enclosed.files
    found = document(kinds, plan)
    for written, change in zip(found["changes"], plan.changes, strict=True):
        # A name may pass to another thing meanwhile, which nobody decided about.
        written["id_digest"] = digest(salt, change.id) if change.id else None
        written["name_digest"] = digest(salt, change.called) if change.called else None
        for named, moved in zip(written["fields"], change.fields, strict=True):
            del named["before"], named["after"]
            named["before_digest"] = digest(salt, moved.before)
    embedded = {"confidential": True} if files is not None else {}
    head = {**embedded, "applicable": True, "salt": salt, "approved": list(plan.approved)}
    if plan.scope.moved:
        head["moved"] = True
    if plan.scope.retry:
        head["retry"] = True
    as_declared = {shown(address, plan.workspace.app_id): live_id for address, live_id in sorted(enclosed.found.items())}
    disproved = [[*write.place, write.sent] for write in enclosed.doubts.disproved]
    wrong = {"disproved": disproved, "undone": [list(link) for link in enclosed.doubts.undone]}
    beside = {"doubts": wrong if any(wrong.values()) else None, "files": dict(files) if files is not None else None}
    whole = {**head, **found, "as_declared": as_declared, **{key: value for key, value in beside.items() if value is not None}}
    return {**whole, "seal": seal(whole)}


def to_look_at(found: Document) -> Document:
    """A saved plan as one to look at: without digests, seal and embedded manifest, so that nothing can be applied from it."""
    if "applicable" not in found:
        return found
    bare = [{**change, "fields": [_less(field, "before_digest") for field in change["fields"]]} for change in found["changes"]]
    changes = [_less(change, "id_digest", "name_digest") for change in bare]
    return {**_less(found, "confidential", "salt", "files", "seal", "as_declared", "doubts"), "applicable": False, "changes": changes}


def _less(found: Document, *names: str) -> Document:
    return {key: value for key, value in found.items() if key not in names}


def doubted(found: Document) -> Doubts:
    """What a saved plan says that the ledger is wrong about."""
    wrong = found.get("doubts") or {}
    disproved = tuple(Disproved(Place(*place), float(sent)) for *place, sent in wrong.get("disproved", ()))
    return Doubts(disproved, tuple(LiveLink(*link) for link in wrong.get("undone", ())))


def holds(found: Document) -> tuple[Hold, ...]:
    """What a saved plan holds its apply to."""
    return tuple(map(_hold, found["changes"]))


def _hold(change: Document) -> Hold:
    fields = {field["path"]: field["before_digest"] for field in change["fields"]}
    return Hold(change["action"], change["address"], change["target"], fields, change.get("id_digest"), change.get("name_digest"))


def digest(salt: str, value: Any) -> str:
    """A value as a saved plan keeps it: 1 and 1.0 are one value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()[:32]


def seal(found: Document) -> str:
    """A digest over a whole saved plan: an edit by hand shows."""
    body = {key: value for key, value in found.items() if key != "seal"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


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
