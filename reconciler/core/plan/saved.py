"""Saved plans: a fresh comparison is checked against the saved plan, and a change that the plan lacks makes it stale."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from reconciler.core.compare.doubt import Doubts
from reconciler.core.model.address import Address
from reconciler.core.model.attempt import Disproof, Place
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


def read_refusals(saved_plan: PlanDocument) -> tuple[Refusal, ...]:
    """What a saved plan was refused for; its entries stand there as they are shown."""
    return tuple(
        Refusal(r["gate"], r["message"], r["approve"], entries=tuple(Address(*name.split("/", 1)) for name in r.get("entries", ())))
        for r in saved_plan["refused"]
    )


def read_scope(saved_plan: PlanDocument) -> Scope:
    """What a saved plan is limited to."""
    scope = saved_plan.get("scope")
    return Scope(tuple(scope["target"]), tuple(scope["exclude"])) if scope else EVERYTHING


def read_ids(saved_plan: PlanDocument, manifest: Manifest, app_id: str) -> Mapping[Address, str]:
    """The live ids of what was as declared when the plan was made."""
    ids = saved_plan.get("as_declared") or {}
    return {address: ids[name] for address in manifest.resources if (name := show_address(address, app_id)) in ids} if ids else {}


@dataclass(frozen=True, slots=True)
class Enclosure:
    """What a saved plan holds beside its document."""

    # The texts of the manifest, for a plan that needs no other file; such a plan is confidential.
    files: Mapping[str, str] | None = None
    # The live ids of what was as declared when it was planned: the base of drift for what it does not touch.
    as_declared: Mapping[Address, str] = field(default_factory=dict)
    # What the ledger was seen to be wrong about.
    doubts: Doubts = Doubts()
    # The rules that were read, by what their people have, with the day that was today for them.
    rules: Mapping[str, str | None] = field(default_factory=dict)


NOTHING = Enclosure()


def write_saved(kinds: Kinds, plan: Plan, salt: str, enclosure: Enclosure = NOTHING) -> PlanDocument:
    """The document of a plan that can be applied: with digests of its before-values, salted, and a seal over all of it."""
    saved_plan = document(kinds, plan)
    for entry, change in zip(saved_plan["changes"], plan.changes, strict=True):
        # A name may pass to another thing meanwhile, which nobody decided about.
        entry["id_digest"] = digest(salt, change.id) if change.id else None
        entry["name_digest"] = digest(salt, change.label) if change.label else None
        for field_document, field_change in zip(entry["fields"], change.fields, strict=True):
            del field_document["before"], field_document["after"]
            field_document.pop("was", None)
            field_document["before_digest"] = digest(salt, field_change.before)
    head: SavedDocument = {"confidential": True} if enclosure.files is not None else {}
    head.update({"applicable": True, "salt": salt, "approved": list(plan.approved)})
    if plan.scope.moved:
        head["moved"] = True
    if plan.scope.retry:
        head["retry"] = True
    if plan.scope.since or plan.scope.rules:
        head["rest"] = list_rest(plan)
    whole: PlanDocument = {**head, **saved_plan}
    _enclose(whole, enclosure, plan.workspace.app_id)
    whole["seal"] = seal(whole)
    return whole


def _enclose(whole: PlanDocument, enclosure: Enclosure, app_id: str) -> None:
    """Add what a saved plan holds beside its document."""
    whole["as_declared"] = {show_address(address, app_id): live_id for address, live_id in sorted(enclosure.as_declared.items())}
    if enclosure.rules:
        whole["rules"] = dict(enclosure.rules)
    doubts = enclosure.doubts
    if doubts.disproved or doubts.undone:
        disproofs = [(*write.place, write.sent_at) for write in doubts.disproved]
        whole["doubts"] = {"disproved": disproofs, "undone": list(doubts.undone)}
    if enclosure.files is not None:
        whole["files"] = dict(enclosure.files)


def list_rest(plan: Plan) -> list[tuple[str, str, str | None, list[str]]]:
    """What is left out of the changes of a plan: their actions and ends as a saved plan names them, and the fields."""
    sources = {change.address for change in plan.changes}
    return [(*subject_of(c, plan.workspace.app_id), [f.path for f in c.fields]) for c in plan.rest if c.address in sources]


# The keys of a saved plan, and of its changes, that only an apply needs.
_FOR_APPLY = frozenset(
    {"rest", "confidential", "salt", "files", "seal", "as_declared", "doubts", "rules", "id_digest", "name_digest", "before_digest"}
)


def to_look_at(saved_plan: PlanDocument) -> PlanDocument:
    """A saved plan to look at. Without its digests, its seal and the embedded manifest it cannot be applied."""
    if "applicable" not in saved_plan:
        return saved_plan
    changes: list[ChangeDocument] = [{**_bare(c), "fields": [_bare(field) for field in c["fields"]]} for c in saved_plan["changes"]]
    return {**_bare(saved_plan), "applicable": False, "changes": changes}


def _bare(part: Part) -> Part:
    return cast(Part, {key: value for key, value in part.items() if key not in _FOR_APPLY})


def read_doubts(saved_plan: PlanDocument) -> Doubts:
    """What a saved plan says that the ledger is wrong about."""
    if "doubts" not in saved_plan:
        return Doubts()
    disproofs = tuple(Disproof(Place(*place), float(sent_at)) for *place, sent_at in saved_plan["doubts"]["disproved"])
    return Doubts(disproofs, tuple(LiveLink(*link) for link in saved_plan["doubts"]["undone"]))


def subject_in(change: ChangeDocument) -> Subject:
    """A change of a saved plan by its action and its ends."""
    return Subject(change["action"], change["address"], change["target"])


def group_changes(changes: Iterable[ChangeDocument]) -> dict[Subject, list[ChangeDocument]]:
    """Changes by their subjects. What is done in two turns stands there twice."""
    groups: dict[Subject, list[ChangeDocument]] = {}
    for change in changes:
        groups.setdefault(subject_in(change), []).append(change)
    return groups


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
class Verdict:
    """What is still to do of a saved plan, or why it is stale."""

    # The steps of the fresh plan that are in the saved one, by their positions.
    keep: frozenset[int]
    # Why it is stale.
    stale: tuple[str, ...]
    # Planned creates that are neither done nor possible now.
    unmade: tuple[Subject, ...] = ()


def list_touched(saved_plan: PlanDocument) -> frozenset[str]:
    """The addresses, as shown, that a saved plan touches."""
    ends = [change["address"] for change in saved_plan["changes"]] + [change["target"] for change in saved_plan["changes"]]
    return frozenset(end for end in ends if end)


def hold(saved_plan: PlanDocument, steps: Sequence[Step], manifest: Manifest, live: Snapshot) -> Verdict:
    """Check the steps of a fresh comparison against a saved plan. Steps at addresses that the plan does not name are not ours to do."""
    app_id, salt = live.workspace.app_id, saved_plan["salt"]
    groups = group_changes(saved_plan["changes"])
    sources = {subject.address for subject in groups}
    differences = _list_moved(saved_plan, steps, groups, app_id)
    bringing = {c["address"] for c in saved_plan["changes"] if c["action"] == Action.UNARCHIVE or c.get("or")}
    keep, stale, fresh = set(), [], set()
    for i, step in enumerate(steps):
        change = step.change
        subject = subject_of(change, app_id)
        # Nobody could plan the links and values that come back from the archive: they are left to the next plan.
        along = change.action is Action.DETACH and subject.address in bringing and subject not in groups
        if isinstance(change, LinkChange) and (change.merges or change.by_rule):
            # Since then other people may carry it or match. Nothing is deleted before all of them are moved.
            keep |= {i} if subject in groups or i in differences else set()
            fresh.add(subject)
            continue
        if subject.address not in sources or along:
            continue
        fresh.add(subject)
        if subject in groups:
            reasons = [say_moved(turn, change, salt) for turn in groups[subject]]
            reason = reasons[0] if all(reasons) else ""
        else:
            reason = "" if change.action is Action.UPDATE and subject.address in bringing else "was not in the plan"
        if reason:
            stale.append(f"{' '.join(filter(None, subject))}: {reason}")
        keep.add(i)
    stale += _lacking(steps, keep, app_id)
    names = {show_address(address, app_id): address for address in manifest.resources}
    rest = [subject for subject, turns in groups.items() if subject not in fresh and not _is_of_many(turns[0]) for _ in turns]
    unmade = tuple(s for s in rest if s.action in _MAKING and s.address in names and live.of(names[s.address]) is None)
    addresses = {subject.address for subject in unmade}
    stale += [f"{s.action} {s.address}: {reason}" for s in rest if (reason := _why_lost(s, names, live, addresses))]
    return Verdict(frozenset(keep), tuple(sorted(stale)), unmade)


def _is_of_many(entry: ChangeDocument) -> bool:
    """Whether a merge or a rule reaches this person, which may end at any time."""
    return bool(entry.get("merges") or entry.get("by_rule"))


def _list_moved(saved_plan: PlanDocument, steps: Sequence[Step], subjects: Container[Subject], app_id: str) -> Set[int]:
    """The positions of the steps that move somebody for a merge that was planned, as a whole or in part."""
    ends = (step.change for step in steps if isinstance(step.change, ThingChange) and step.change.into)
    merging = {end for change in ends if subject_of(change, app_id) in subjects for end in (change.into, change.address)}
    moving = {c["address"] for c in saved_plan["changes"] if c.get("merges") and c["action"] == Action.DETACH}
    return {i for i, step in enumerate(steps) if step.change.target in merging or show_address(step.change.address, app_id) in moving}


def say_moved(entry: ChangeDocument, change: Change, salt: str) -> str:
    """Why a change is not the planned one: another field, or another value before it."""
    fields = {field["path"]: field["before_digest"] for field in entry["fields"]}
    if (id_digest := entry.get("id_digest")) and change.id and id_digest != digest(salt, change.id):
        return "another thing has this name now"
    if (name_digest := entry.get("name_digest")) and name_digest != digest(salt, change.label):
        return f"it is called {change.label!a} now, and had another name when this was planned"
    new = [f.path for f in change.fields if f.path not in fields]
    if new:
        return f"{', '.join(new)} was not in the plan"
    paths = [f.path for f in change.fields if digest(salt, f.before) != fields[f.path]]
    return f"{', '.join(paths)} is no longer what it was when this was planned" if paths else ""


def _lacking(steps: Sequence[Step], keep: Set[int], app_id: str) -> Iterator[str]:
    """Changes that need another change which the plan lacks: the thing that they build on is gone."""
    for i in sorted(keep):
        change = steps[i].change
        for n in sorted(steps[i].needs - keep):
            yield f"{change.action} {show_address(change.address, app_id)}: {show_address(steps[n].change.address, app_id)} is gone"


def _why_lost(subject: Subject, names: Mapping[str, Address], live: Snapshot, addresses: Set[str]) -> str:
    """Why a planned change that the comparison no longer shows is not simply done: its thing is gone, and nothing will create it."""
    if subject.action in (*_LOSING, *_MAKING):
        return ""
    for end in sorted({subject.address, subject.target or subject.address} - addresses):
        address = names.get(end)
        if address is None or live.of(address) is None:
            return f"{end} is gone"
    return ""
