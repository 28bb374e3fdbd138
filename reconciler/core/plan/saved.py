"""Hold: a fresh comparison is held against a saved plan; what the plan does not have makes it stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from reconciler.core.compare.doubt import Doubts
from reconciler.core.model.address import Address
from reconciler.core.model.attempt import Disproved, Place
from reconciler.core.model.change import Action, Change, LinkChange, ThingChange
from reconciler.core.model.desired import Manifest
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Snapshot
from reconciler.core.model.privacy import show_address
from reconciler.core.model.recorded import LiveLink
from reconciler.core.model.refusal import Refusal
from reconciler.core.plan.document import document
from reconciler.core.plan.order import Step
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.schema import ChangeDocument, FieldDocument, PlanDocument, SavedDocument
from reconciler.core.plan.scope import EVERYTHING, Scope
from reconciler.core.plan.touched import Subject, subject_of

Part = TypeVar("Part", PlanDocument, ChangeDocument, FieldDocument)


def read_refusals(saved: PlanDocument) -> tuple[Refusal, ...]:
    """What a saved plan was refused for; its entries stand there as they are shown."""
    return tuple(
        Refusal(r["gate"], r["message"], r["approve"], entries=tuple(Address(*name.split("/", 1)) for name in r.get("entries", ())))
        for r in saved["refused"]
    )


def read_scope(saved: PlanDocument) -> Scope:
    """What a saved plan is limited to."""
    scope = saved.get("scope")
    return Scope(tuple(scope["target"]), tuple(scope["exclude"])) if scope else EVERYTHING


def read_ids(saved: PlanDocument, manifest: Manifest, app_id: str) -> Mapping[Address, str]:
    """The live ids of what was as declared when the plan was made."""
    ids = saved.get("as_declared") or {}
    return {address: ids[name] for address in manifest.resources if (name := show_address(address, app_id)) in ids} if ids else {}


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a saved plan holds beside its document."""

    # The manifest's own texts, for a plan that needs nothing beside it; such a one is confidential.
    files: Mapping[str, str] | None = None
    # The live ids of what was as declared when it was planned: the base of drift for what it does not touch.
    as_declared: Mapping[Address, str] = field(default_factory=dict)
    # What the ledger was seen to be wrong about.
    doubts: Doubts = Doubts()
    # The rules that were read, by what their people have, with the day that was today for them.
    rules: Mapping[str, str | None] = field(default_factory=dict)


NOTHING = Enclosed()


def write_saved(kinds: Kinds, plan: Plan, salt: str, enclosed: Enclosed = NOTHING) -> PlanDocument:
    """The document of a plan that can be applied: with digests of its before-values, salted, and a seal over all of it."""
    saved = document(kinds, plan)
    for written, change in zip(saved["changes"], plan.changes, strict=True):
        # A name may pass to another thing meanwhile, which nobody decided about.
        written["id_digest"] = digest(salt, change.id) if change.id else None
        written["name_digest"] = digest(salt, change.label) if change.label else None
        for named, moved in zip(written["fields"], change.fields, strict=True):
            del named["before"], named["after"]
            named.pop("was", None)
            named["before_digest"] = digest(salt, moved.before)
    head: SavedDocument = {"confidential": True} if enclosed.files is not None else {}
    head.update({"applicable": True, "salt": salt, "approved": list(plan.approved)})
    if plan.scope.moved:
        head["moved"] = True
    if plan.scope.retry:
        head["retry"] = True
    if plan.scope.since or plan.scope.rules:
        head["rest"] = list_rest(plan)
    whole: PlanDocument = {**head, **saved}
    _enclose(whole, enclosed, plan.workspace.app_id)
    whole["seal"] = seal(whole)
    return whole


def _enclose(whole: PlanDocument, enclosed: Enclosed, app_id: str) -> None:
    """Add what a saved plan holds beside its document."""
    whole["as_declared"] = {show_address(address, app_id): live_id for address, live_id in sorted(enclosed.as_declared.items())}
    if enclosed.rules:
        whole["rules"] = dict(enclosed.rules)
    doubts = enclosed.doubts
    if doubts.disproved or doubts.undone:
        disproved = [(*write.place, write.sent) for write in doubts.disproved]
        whole["doubts"] = {"disproved": disproved, "undone": list(doubts.undone)}
    if enclosed.files is not None:
        whole["files"] = dict(enclosed.files)


def list_rest(plan: Plan) -> list[tuple[str, str, str | None, list[str]]]:
    """What is left out of the things that a plan changes: action and ends as a saved plan names them, and the fields."""
    sources = {change.address for change in plan.changes}
    return [(*subject_of(c, plan.workspace.app_id), [f.path for f in c.fields]) for c in plan.rest if c.address in sources]


# What only an apply needs of a saved plan, and of its changes.
_FOR_APPLY = frozenset(
    {"rest", "confidential", "salt", "files", "seal", "as_declared", "doubts", "rules", "id_digest", "name_digest", "before_digest"}
)


def to_look_at(saved: PlanDocument) -> PlanDocument:
    """A saved plan as one to look at: without digests, seal and embedded manifest, so that nothing can be applied from it."""
    if "applicable" not in saved:
        return saved
    changes: list[ChangeDocument] = [{**_bare(c), "fields": [_bare(field) for field in c["fields"]]} for c in saved["changes"]]
    return {**_bare(saved), "applicable": False, "changes": changes}


def _bare(part: Part) -> Part:
    return cast(Part, {key: value for key, value in part.items() if key not in _FOR_APPLY})


def read_doubts(saved: PlanDocument) -> Doubts:
    """What a saved plan says that the ledger is wrong about."""
    if "doubts" not in saved:
        return Doubts()
    disproved = tuple(Disproved(Place(*place), float(sent)) for *place, sent in saved["doubts"]["disproved"])
    return Doubts(disproved, tuple(LiveLink(*link) for link in saved["doubts"]["undone"]))


def subject_in(change: ChangeDocument) -> Subject:
    """A change of a saved plan by its action and its ends."""
    return Subject(change["action"], change["address"], change["target"])


def group_changes(changes: Iterable[ChangeDocument]) -> dict[Subject, list[ChangeDocument]]:
    """Changes by their subjects. What is done in two turns stands there twice."""
    grouped: dict[Subject, list[ChangeDocument]] = {}
    for change in changes:
        grouped.setdefault(subject_in(change), []).append(change)
    return grouped


def digest(salt: str, value: Any) -> str:
    """A value as a saved plan keeps it: 1 and 1.0 are one value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.sha256(f"{salt}\0{text}".encode()).hexdigest()[:32]


def seal(plan: Mapping[str, Any]) -> str:
    """A digest over a whole saved plan: an edit by hand shows."""
    body = {key: value for key, value in plan.items() if key != "seal"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


_MAKING = (Action.CREATE.value, Action.UNARCHIVE.value)
_LOSING = (Action.DELETE.value, Action.ARCHIVE.value, Action.DETACH.value)


@dataclass(frozen=True, slots=True)
class Held:
    """What is left to do of a saved plan, or why it is stale."""

    # The steps of the fresh plan that are in the saved one, by their positions.
    keep: frozenset[int]
    # Why it is stale.
    stale: tuple[str, ...]
    # Planned creates that are neither done nor possible now.
    unmade: tuple[Subject, ...] = ()


def list_touched(saved: PlanDocument) -> frozenset[str]:
    """The addresses, as shown, that a saved plan touches."""
    ends = [change["address"] for change in saved["changes"]] + [change["target"] for change in saved["changes"]]
    return frozenset(end for end in ends if end)


def hold(saved: PlanDocument, steps: Sequence[Step], manifest: Manifest, live: Snapshot) -> Held:
    """Hold the steps of a fresh comparison against a saved plan. Steps at addresses that the plan does not name are not ours to do."""
    app_id, salt = live.workspace.app_id, saved["salt"]
    planned = group_changes(saved["changes"])
    sources = {subject.address for subject in planned}
    moved = _list_moved(saved, steps, planned, app_id)
    bringing = {c["address"] for c in saved["changes"] if c["action"] == Action.UNARCHIVE or c.get("or")}
    keep, stale, fresh = set(), [], set()
    for i, step in enumerate(steps):
        change = step.change
        subject = subject_of(change, app_id)
        # What somebody brings along from the archive could not be planned: it is left to the next plan.
        along = change.action is Action.DETACH and subject.address in bringing and subject not in planned
        if isinstance(change, LinkChange) and (change.merges or change.by_rule):
            # Who is to be moved, or matches, may have changed since, and what goes is not deleted before all are moved.
            keep |= {i} if subject in planned or i in moved else set()
            fresh.add(subject)
            continue
        if subject.address not in sources or along:
            continue
        fresh.add(subject)
        if subject in planned:
            reasons = [say_moved(turn, change, salt) for turn in planned[subject]]
            reason = reasons[0] if all(reasons) else ""
        else:
            reason = "" if change.action is Action.UPDATE and subject.address in bringing else "was not in the plan"
        if reason:
            stale.append(f"{' '.join(filter(None, subject))}: {reason}")
        keep.add(i)
    stale += _lacking(steps, keep, app_id)
    names = {show_address(address, app_id): address for address in manifest.resources}
    rest = [subject for subject, turns in planned.items() if subject not in fresh and not _is_of_many(turns[0]) for _ in turns]
    unmade = tuple(s for s in rest if s.action in _MAKING and s.address in names and live.of(names[s.address]) is None)
    awaited = {subject.address for subject in unmade}
    stale += [f"{s.action} {s.address}: {reason}" for s in rest if (reason := _why_lost(s, names, live, awaited))]
    return Held(frozenset(keep), tuple(sorted(stale)), unmade)


def _is_of_many(planned: ChangeDocument) -> bool:
    """Whether somebody is reached by a merge or a rule, and may be so no more."""
    return bool(planned.get("merges") or planned.get("by_rule"))


def _list_moved(saved: PlanDocument, steps: Sequence[Step], planned: Container[Subject], app_id: str) -> Set[int]:
    """The steps that move somebody for a merge whose end was planned, or of whom a part was, by their positions."""
    ends = (step.change for step in steps if isinstance(step.change, ThingChange) and step.change.into)
    merging = {end for change in ends if subject_of(change, app_id) in planned for end in (change.into, change.address)}
    moving = {c["address"] for c in saved["changes"] if c.get("merges") and c["action"] == Action.DETACH}
    return {i for i, step in enumerate(steps) if step.change.target in merging or show_address(step.change.address, app_id) in moving}


def say_moved(planned: ChangeDocument, change: Change, salt: str) -> str:
    """Why a change is not the planned one: another field, or another value before it."""
    fields = {field["path"]: field["before_digest"] for field in planned["fields"]}
    if (known := planned.get("id_digest")) and change.id and known != digest(salt, change.id):
        return "another thing has this name now"
    if (called := planned.get("name_digest")) and called != digest(salt, change.label):
        return f"it is called {change.label!a} now, and had another name when this was planned"
    new = [f.path for f in change.fields if f.path not in fields]
    if new:
        return f"{', '.join(new)} was not in the plan"
    moved = [f.path for f in change.fields if digest(salt, f.before) != fields[f.path]]
    return f"{', '.join(moved)} is no longer what it was when this was planned" if moved else ""


def _lacking(steps: Sequence[Step], keep: Set[int], app_id: str) -> Iterator[str]:
    """Changes that need another one which the plan does not have: what they build on is gone."""
    for i in sorted(keep):
        change = steps[i].change
        for n in sorted(steps[i].needs - keep):
            yield f"{change.action} {show_address(change.address, app_id)}: {show_address(steps[n].change.address, app_id)} is gone"


def _why_lost(planned: Subject, names: Mapping[str, Address], live: Snapshot, awaited: Set[str]) -> str:
    """Why a planned change that the comparison no longer shows is not simply done: its thing is gone, and not awaited either."""
    if planned.action in (*_LOSING, *_MAKING):
        return ""
    for end in sorted({planned.address, planned.target or planned.address} - awaited):
        address = names.get(end)
        if address is None or live.of(address) is None:
            return f"{end} is gone"
    return ""
