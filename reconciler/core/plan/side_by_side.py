"""Two plans, two manifests or two runs side by side: what only one of them has, and where the two differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.past import Done
from reconciler.core.model.paths import personal_path
from reconciler.core.model.privacy import hide, mask_pair, show_address
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.saved import group_changes, write_saved
from reconciler.core.plan.schema import FieldDocument, PlanDocument
from reconciler.core.plan.touched import Subject

# What one side says of each subject, by path. A change that takes two turns stands twice.
Rows = Mapping[Subject, Sequence[Mapping[str, Any]]]
# The two values of one path as they are shown.
Show = Callable[[Subject, str, Any, Any], tuple[Any, Any]]
# What stands for a value that a saved plan does not hold, and for one that is set where another one was than in the other plan.
SET, ELSE = "set", "set, from another value"
_KEPT = ("state", "protect", "missing", "recreate", "free", "quiet", "used_by", "owner", "description")


@dataclass(frozen=True, slots=True)
class Part:
    """One path on which the two sides differ."""

    # Of what: a field, or a key of the entry.
    path: str
    # What the first side says; None where it says nothing.
    a: Any
    # What the second one says.
    b: Any


@dataclass(frozen=True, slots=True)
class Unlike:
    """One subject on which the two sides differ."""

    # What it is about.
    subject: Subject
    # The side that alone has it, `a` or `b`; empty where both have it.
    only: str = ""
    # Where both have it: the paths on which they differ.
    parts: tuple[Part, ...] = ()


def _as_it_is(subject: Subject, path: str, a: Any, b: Any) -> tuple[Any, Any]:
    return a, b


def compare_rows(a: Rows, b: Rows, show: Show = _as_it_is) -> list[Unlike]:
    """What only one side has, in its own order, the first side first. What both have and say differently stands where the first side has
    it."""
    unlike: list[Unlike] = []
    for subject, turns in a.items():
        others = b.get(subject, ())
        unlike += [Unlike(subject, "a")] * max(0, len(turns) - len(others))
        for one, other in zip(turns, others, strict=False):
            paths = [path for path in {**one, **other} if one.get(path) != other.get(path)]
            if paths:
                unlike.append(Unlike(subject, parts=tuple(Part(p, *show(subject, p, one.get(p), other.get(p))) for p in paths)))
    for subject, turns in b.items():
        unlike += [Unlike(subject, "b")] * max(0, len(turns) - len(a.get(subject, ())))
    return unlike


def compare_plans(a: PlanDocument, b: PlanDocument) -> list[Unlike]:
    """Two plans, with their values where both hold them: a plan that can be applied holds none, so there the manifest counts as well."""
    values = not (a.get("applicable") or b.get("applicable"))
    return compare_rows(_read_plan(a, values), _read_plan(b, values))


def compare_with_now(kinds: Kinds, saved_plan: PlanDocument, now: Plan) -> tuple[Unlike, ...]:
    """A saved plan, as it was reviewed, and what it would be now; of values that moved since it says that they did. Refusals have their
    own words."""
    fresh = write_saved(kinds, now, saved_plan["salt"])
    a, b = (_read_plan({**plan, "refused": []}, values=False, digests=True) for plan in (saved_plan, fresh))
    return tuple(compare_rows(a, b, _show_digests))


def _show_digests(subject: Subject, path: str, a: Any, b: Any) -> tuple[Any, Any]:
    if subject.action == "plan" or path == "people":
        return a, b
    return (SET if a else None), (ELSE if a and b else SET if b else None)


def _read_plan(plan: PlanDocument, values: bool, digests: bool = False) -> Rows:
    here = plan["workspace"]
    head: dict[str, Any] = {"workspace": f"{here['app_id']} in {here['region']}", "run": plan.get("run")}
    if not values:
        head["digest of the manifest"] = plan.get("manifest", {}).get("digest")
    rows: dict[Subject, list[Mapping[str, Any]]] = {Subject("plan", "as a whole", None): [head]}
    for subject, turns in group_changes(plan["changes"]).items():
        read_change = _read_digests if digests else partial(_read_fields, values=values)
        rows[subject] = [{**read_change(turn["fields"]), "people": turn["people"]} for turn in turns]
    for refusal in plan["refused"]:
        rows.setdefault(Subject("refused", f"{refusal['gate']}: {refusal['message']}", None), []).append({})
    return rows


def _read_fields(fields: Sequence[FieldDocument], values: bool) -> Mapping[str, Any]:
    """The fields that a change sets, by path, each with its step where that counts."""
    return {field["path"]: {"before": field["before"], "after": field["after"]} if values else SET for field in fields}


def _read_digests(fields: Sequence[FieldDocument]) -> Mapping[str, Any]:
    return {field["path"]: field["before_digest"] for field in fields}


def compare_manifests(kinds: Kinds, a: Manifest, b: Manifest) -> list[Unlike]:
    """Two manifests, as two exports are; personal values are masked."""
    app_id = next((m.pin.app_id for m in (a, b) if m.pin and m.pin.app_id), "") or a.name

    def show(subject: Subject, path: str, one: Any, other: Any) -> tuple[Any, Any]:
        kind = kinds.get(subject.address.partition("/")[0])
        personal = kind is not None and personal_path(kind, path)
        return mask_pair(kind.name if kind else "", one, other, personal, app_id)

    return compare_rows(dict(_read_manifest(a, app_id)), dict(_read_manifest(b, app_id)), show)


def _read_manifest(manifest: Manifest, app_id: str) -> Iterator[tuple[Subject, Sequence[Mapping[str, Any]]]]:
    pin = manifest.pin
    head = {"name": manifest.name, "app_id": pin and pin.app_id, "region": pin and pin.region}
    yield Subject("manifest", "as a whole", None), [{**head, **manifest.policy.model_dump(mode="json", exclude_unset=True)}]
    for address, resource in sorted(manifest.resources.items(), key=lambda item: str(item[0])):
        yield Subject("entry", show_address(address, app_id), None), [_read_resource(resource, app_id)]


def _read_resource(resource: Resource, app_id: str) -> Mapping[str, Any]:
    links = {
        f"{name}{'' if side == 'present' else ' (absent)'}": sorted(show_address(end, app_id) for end in ends)
        for name, lists in resource.links.items()
        for side in ("present", "absent")
        if (ends := attrgetter(side)(lists)) or side == "present"
    }
    keys = {name: hide(value, False) for name in _KEPT if (value := getattr(resource, name)) not in (None, False, "", ())}
    ends = {name: str(end) for name, end in (("into", resource.into), ("replaced_by", resource.successor)) if end}
    return {**resource.fields, **links, **keys, **ends}


def compare_runs(a: Sequence[Done], b: Sequence[Done]) -> list[Unlike]:
    """Two runs by what they had in their plans, and what became of it; the ledger keeps no values."""
    return compare_rows(_read_run(a), _read_run(b))


def _read_run(changes: Sequence[Done]) -> Rows:
    rows: dict[Subject, list[Mapping[str, Any]]] = {}
    for change in changes:
        parts = {**dict.fromkeys(change.fields, SET), "outcome": change.outcome}
        rows.setdefault(Subject(change.action, change.address, change.target), []).append(parts)
    return rows
