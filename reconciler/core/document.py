"""The plan as a JSON document, format 1.0: what reports render and files hold. Masked, in a fixed order, without a clock."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from reconciler.core import globs
from reconciler.core.address import Address
from reconciler.core.change import Change, FieldChange, ThingChange
from reconciler.core.doubt import Doubts
from reconciler.core.kind import Kind
from reconciler.core.memory import Place
from reconciler.core.outcome import Outcome
from reconciler.core.plan import Drift, Plan
from reconciler.core.privacy import hidden, masked, shown, without
from reconciler.core.refusal import Refusal
from reconciler.core.resource import Note, Workspace
from reconciler.core.values import moment

FORMAT = "1.0"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hold:
    """How one change of a saved plan is recognised: by its action and ends as shown, and by digests of its live id and before-values,
    and of what the thing was called that it names by an id."""

    action: str
    address: str
    target: str | None
    fields: Mapping[str, str]
    id: str | None = None
    called: str | None = None

    @property
    def subject(self) -> tuple[str, str, str]:
        return self.action, self.address, self.target or ""


@dataclass(frozen=True, slots=True)
class View:
    """How a plan is shown: with personal values or without, and of which changes the origin is known."""

    personal: bool = False
    origins: tuple[str, ...] = ()


MASKED = View()


def document(kinds: Sequence[Kind], plan: Plan, view: View = MASKED) -> Document:
    """A plan as plain values. Personal values are masked unless the view shows them; the same plan gives the same document."""
    by_name = {kind.name: kind for kind in kinds}
    app_id = plan.workspace.app_id
    found: Document = {
        "format_version": FORMAT,
        "workspace": {"app_id": app_id, "region": plan.workspace.region},
        **({"run": plan.undoes} if plan.undoes else {"manifest": {"paths": list(plan.paths), "digest": plan.digest}}),
        **({"drift": _drift(plan.drift)} if plan.drift else {}),
        **({"held": True} if plan.held else {}),
        "partial": plan.partial,
        "changes": [_change(by_name[c.address.kind], c, plan, view) for c in plan.changes],
        "summary": dict(plan.summary),
        "people": {"losing": plan.losing.number, "exact": plan.losing.exact},
        "cost": {
            "calls": plan.calls,
            "seconds": plan.seconds,
            "routes": dict(plan.routes),
            "slowest": plan.slowest,
            "reads": sum(plan.reads.values()),
        },
        "refused": [_refusal(refusal, app_id) for refusal in plan.refused],
        "unproven": [_unproven(note, app_id) for note in plan.unproven],
        "waiting": len(plan.waiting),
        "notes": [_note(note, app_id) for note in plan.notes],
    }
    for change, origin in zip(found["changes"], view.origins, strict=False):
        change["origin"] = str(origin)
    if plan.partial:
        found["scope"] = {
            "target": [_glob(glob, plan) for glob in plan.scope.target],
            "exclude": [_glob(glob, plan) for glob in plan.scope.exclude],
        }
    return found


def _glob(glob: str, plan: Plan) -> str:
    """A glob as every artifact writes it: one that is an address is shown as that address, which it still matches."""
    name = glob if glob in plan.scope.exact else globs.plain(glob)
    kind, slash, key = (name or "").partition("/")
    address = Address(kind, key)
    return shown(address, plan.workspace.app_id) if slash and shown(address) != str(address) else glob


def _drift(drift: Drift) -> Document:
    """How far live moved, always; of how much nothing can be said, where that is so."""
    always = {"moved", "pending", "undeclared", "recorded"}
    return {name: value for name, value in asdict(drift).items() if value or name in always}


def _refusal(refusal: Refusal, app_id: str) -> Document:
    entries = [shown(entry, app_id) for entry in refusal.entries]
    return {"gate": refusal.gate, "message": hidden(refusal.message, False), "approve": refusal.approve, "entries": entries}


def _unproven(note: Note, app_id: str) -> Document:
    address = shown(note.address, app_id) if note.address else None
    return {"address": address, "reason": hidden(note.message, False), "until": None if note.until is None else moment(note.until)}


def _note(note: Note, app_id: str) -> Document:
    source = {"file": note.mark.file, "line": note.mark.line} if note.mark else None
    address = shown(note.address, app_id) if note.address else None
    return {"topic": note.topic, "address": address, "message": hidden(note.message, False), "source": source}


def _uses(change: Change) -> Document:
    """Where a thing that goes or is renamed is in use; null is unknown."""
    if not isinstance(change, ThingChange) or not change.uses:
        return {}
    uses = {use.where: use.number for use in change.uses}
    return {"uses": uses, "at_least": [use.where for use in change.uses if use.least], "uncounted": list(change.uncounted)}


# Where people look at a thing in the browser; the regional hosts are reported, not documented.
_PAGES = {"us": "https://app.intercom.com", "eu": "https://app.eu.intercom.com", "au": "https://app.au.intercom.com"}


def _page(kind: Kind, change: Change, here: Workspace) -> str | None:
    """The page of a live thing in Intercom, whose own access control decides who sees it."""
    if not kind.page or not change.id:
        return None
    ids = {"app_id": quote(here.app_id, safe=""), "id": quote(change.id, safe="")}
    return _PAGES.get(here.region, _PAGES["us"]) + kind.page.format(**ids)


def _change(kind: Kind, change: Change, plan: Plan, view: View) -> Document:
    here = plan.workspace
    name = str if view.personal else partial(shown, app_id=here.app_id)
    return {
        "address": name(change.address),
        "action": change.action.value,
        "target": name(change.target) if change.target else None,
        "cause": change.cause.value if change.cause else None,
        "fields": [_field(kind, moved, plan, view) for moved in change.fields],
        "source": {"file": change.mark.file, "line": change.mark.line},
        "people": change.people,
        "page": _page(kind, change, here),
        **_uses(change),
        **({"or": "unarchive"} if getattr(change, "returns", False) else {}),
        **({"remark": change.remark} if change.remark else {}),
    }


def _field(kind: Kind, moved: FieldChange, plan: Plan, view: View) -> Document:
    before, after = moved.before, moved.after
    if (kind.name, moved.path) in plan.times:
        before, after = moment(before), moment(after)
    elif not view.personal:
        before, after = masked(kind.name, before, after, personal_path(kind, moved.path), plan.workspace.app_id)
    return {"path": moved.path, "before": before, "after": after, "cause": moved.cause.value if moved.cause else None}


def personal_path(kind: Kind, path: str) -> bool:
    """Whether a field holds what only the person's own page should show."""
    field = kind.fields.get(path) or kind.fields.get(path.partition(".")[0])
    return bool(field and field.personal)


def discreet(kind: Kind, outcome: Outcome) -> Outcome:
    """An outcome whose reason, in Intercom's words, tells none of the personal values that its change is about."""
    moved = [field for field in outcome.change.fields if personal_path(kind, field.path)]
    values = [str(value) for field in moved for value in (field.before, field.after) if value is not None]
    return replace(outcome, reason=without(outcome.reason, values)) if outcome.reason and values else outcome


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a saved plan holds beside its document. `files` are the manifest's own texts, for a plan that needs nothing beside it; such a
    one is confidential. `found` are the live ids of what was as declared when it was planned: the base of drift for what it does not
    touch. `doubts` is what the ledger was seen to be wrong about."""

    files: Mapping[str, str] | None = None
    found: Mapping[Address, str] = field(default_factory=dict)
    doubts: Doubts = Doubts()


NOTHING = Enclosed()


def saved(kinds: Sequence[Kind], plan: Plan, salt: str, enclosed: Enclosed = NOTHING) -> Document:
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
    disproved = [[*place, intended] for place, intended in enclosed.doubts.disproved]
    wrong = {"disproved": disproved, "undone": [list(tie) for tie in enclosed.doubts.undone]}
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
    disproved = tuple((Place(*place), float(intended)) for *place, intended in wrong.get("disproved", ()))
    return Doubts(disproved, tuple((kind, live_id, field_, end) for kind, live_id, field_, end in wrong.get("undone", ())))


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
