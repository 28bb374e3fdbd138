"""The plan as a JSON document, format 1.0: what reports render and files hold. Masked, in a fixed order, without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from urllib.parse import quote

from reconciler.core.compare.drift import Drift
from reconciler.core.compare.ignored import list_paths
from reconciler.core.compare.origin import Origin
from reconciler.core.compare.trail import Trail
from reconciler.core.model import globs
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action, Cause, Change, FieldChange, LinkChange, ThingChange
from reconciler.core.model.kind import Kind
from reconciler.core.model.kinds import Kinds
from reconciler.core.model.live import Workspace
from reconciler.core.model.note import Note
from reconciler.core.model.outcome import Outcome
from reconciler.core.model.paths import personal_path
from reconciler.core.model.privacy import hide, mask_pair, show_address, without
from reconciler.core.model.refusal import Refusal
from reconciler.core.model.times import format_time
from reconciler.core.plan import schema
from reconciler.core.plan.calls import Call, Ref
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.schema import PlanDocument
from reconciler.core.plan.scope import RULES


def list_calls(plan: Plan) -> list[str]:
    """The HTTP calls of a plan: the reads by their routes, then the writes in order, ids that are not known yet by their address; no
    bodies."""
    looks = [route for route, number in plan.reads.items() for _ in range(number)]
    return [*looks, *(_call_line(call, plan.workspace) for job in plan.jobs for call in job.calls)]


def explain_reads(plan: Plan) -> list[schema.QuestionDocument]:
    """What was asked to find what is declared, the ways that there were with their calls, and which one was taken."""
    return [
        {
            "kind": question.kind,
            "by": question.by or None,
            "things": question.number,
            "ways": [{"way": way.word, "calls": way.calls, "at_least": way.least} for way in question.ways],
            "taken": question.taken,
        }
        for question in plan.questions
    ]


def _call_line(call: Call, here: Workspace) -> str:
    values = {
        name: f"<{show_address(value.address, here.app_id)}>" if isinstance(value, Ref) else value for name, value in call.values.items()
    }
    fields = ", ".join(sorted(call.body)) if isinstance(call.body, dict) else ""
    return call.route.format_map({**values, "key": "…"}) + (f"  ({fields})" if fields else "")


FORMAT = "1.0"


@dataclass(frozen=True, slots=True)
class View:
    """How a plan is shown."""

    # Whether with personal values.
    personal: bool = False
    # The origins of the first changes, where they are known.
    origins: tuple[str, ...] = ()


MASKED = View()


def document(kinds: Kinds, plan: Plan, view: View = MASKED) -> PlanDocument:
    """A plan as plain values. Personal values are masked unless the view shows them; the same plan gives the same document."""
    app_id = plan.workspace.app_id
    result = cast(PlanDocument, _subject(plan))
    result.update(
        {
            "partial": plan.partial,
            "changes": [_change(kinds[c.address.kind], c, plan, view) for c in plan.changes],
            "summary": dict(plan.summary),
            "people": {"losing": plan.losing.number, "exact": plan.losing.exact},
            "cost": {
                "calls": plan.calls,
                "seconds": plan.seconds,
                "routes": dict(plan.routes),
                "slowest": plan.slowest,
                "reads": sum(plan.reads.values()),
            },
            "refused": [_refusal(refusal, app_id) for refusal in plan.refusals],
            "unproven": [_write_unproven(note, app_id) for note in plan.unproven],
            "waiting": len(plan.waiting),
            "notes": [_note(note, app_id) for note in plan.notes],
        }
    )
    for change, origin in zip(result["changes"], view.origins, strict=False):
        change["origin"] = origin
    if plan.partial:
        result["scope"] = {
            "target": [_glob(glob, plan) for glob in plan.scope.target],
            "exclude": [_glob(glob, plan) for glob in plan.scope.exclude],
        }
        if plan.scope.since:
            result["scope"]["only"] = Origin.EXPLAINED.value
        if plan.scope.rules:
            result["scope"]["only"] = RULES
    return result


def _subject(plan: Plan) -> schema.SubjectDocument:
    subject: schema.SubjectDocument = {
        "format_version": FORMAT,
        "workspace": {"app_id": plan.workspace.app_id, "region": plan.workspace.region},
    }
    if plan.undoes:
        subject["run"] = plan.undoes
    else:
        subject["manifest"] = {"paths": list(plan.paths), "digest": plan.digest}
        if plan.env:
            subject["manifest"]["env"] = plan.env
    if plan.drift:
        subject["drift"] = _drift(plan.drift)
    if plan.held:
        subject["held"] = True
    return subject


def _glob(glob: str, plan: Plan) -> str:
    """A glob as every artifact writes it: one that is an address is shown as that address, which it still matches."""
    name = glob if glob in plan.scope.exact else globs.plain(glob)
    kind, slash, key = (name or "").partition("/")
    address = Address(kind, key)
    return show_address(address, plan.workspace.app_id) if slash and show_address(address) != str(address) else glob


def _drift(drift: Drift) -> schema.DriftDocument:
    """How far live moved, always; of how much nothing can be said, where that is so."""
    always = {"moved", "pending", "undeclared", "recorded"}
    names = schema.DriftDocument.__annotations__
    return cast(schema.DriftDocument, {name: value for name in names if (value := getattr(drift, name)) or name in always})


def _refusal(refusal: Refusal, app_id: str) -> schema.RefusalDocument:
    entries = [show_address(entry, app_id) for entry in refusal.entries]
    return {"gate": refusal.gate, "message": hide(refusal.message, False), "approve": refusal.approve, "entries": entries}


def _write_unproven(note: Note, app_id: str) -> schema.UnprovenDocument:
    address = show_address(note.address, app_id) if note.address else None
    return {"address": address, "reason": hide(note.message, False), "until": None if note.until is None else format_time(note.until)}


def _note(note: Note, app_id: str) -> schema.NoteDocument:
    source: schema.SourceDocument | None = {"file": note.mark.file, "line": note.mark.line} if note.mark else None
    address = show_address(note.address, app_id) if note.address else None
    return {"topic": note.topic, "address": address, "message": hide(note.message, False), "source": source}


# Where people look at a thing in the browser; the regional hosts are reported, not documented.
_PAGES = {"us": "https://app.intercom.com", "eu": "https://app.eu.intercom.com", "au": "https://app.au.intercom.com"}


def find_page(kind: Kind, live_id: str | None, here: Workspace) -> str | None:
    """The page of a live thing in Intercom, whose own access control decides who sees it."""
    if not kind.page or not live_id:
        return None
    ids = {"app_id": quote(here.app_id, safe=""), "id": quote(live_id, safe="")}
    return _PAGES.get(here.region, _PAGES["us"]) + kind.page.format(**ids)


def _change(kind: Kind, change: Change, plan: Plan, view: View) -> schema.ChangeDocument:
    here = plan.workspace
    name = str if view.personal else partial(show_address, app_id=here.app_id)
    row: schema.ChangeDocument = {
        "address": name(change.address),
        "action": change.action.value,
        "target": name(change.target) if change.target else None,
        "cause": change.cause.value if change.cause else None,
        "fields": [_write_field(kind, field, plan, view) for field in change.fields],
        "source": {"file": change.mark.file, "line": change.mark.line},
        "people": change.people,
        "page": find_page(kind, change.id, here),
    }
    if isinstance(change, ThingChange) and change.uses:
        row["uses"] = {use.where: use.number for use in change.uses}
        row["at_least"] = [use.where for use in change.uses if use.least]
        row["uncounted"] = list(change.uncounted)
    if isinstance(change, ThingChange) and change.returns:
        row["or"] = "unarchive"
    if isinstance(change, LinkChange) and change.merges:
        row["merges"] = name(change.merges)
    if isinstance(change, LinkChange) and change.by_rule:
        row["by_rule"] = True
    if change.remark:
        row["remark"] = change.remark
    if plan.drift and (trail := plan.drift.trails.get(change.subject)):
        _add_moved(row, change, trail, here.app_id)
    return row


# How a thing or a link was as it was applied, and how it is now.
_SIDES: Mapping[Action, tuple[str, str]] = {
    Action.CREATE: ("there", "gone"),
    Action.UNARCHIVE: ("active", "archived"),
    Action.RENAME: ("as applied", "changed"),
    Action.UPDATE: ("as applied", "changed"),
    Action.ATTACH: ("linked", "not linked"),
    Action.DETACH: ("not linked", "linked"),
    Action.ARCHIVE: ("archived", "active"),
    Action.DELETE: ("deleted", "there again"),
}


def _add_moved(row: schema.ChangeDocument, change: Change, trail: Trail, app_id: str) -> None:
    """Say how the change came to be needed."""
    was, now = _SIDES[change.action]
    row["moved"] = {
        "was": was,
        "now": now,
        "since": None if trail.since is None else format_time(int(trail.since)),
        "exact": trail.exact,
        "by": trail.by or None,
        "put_right": trail.put_right,
        "fields": list(list_paths(change, app_id)),
        "seen": trail.live_digest,
    }
    for field in row["fields"]:
        if field["cause"] == Cause.DRIFT:
            field["was"] = field["after"]


def _write_field(kind: Kind, field: FieldChange, plan: Plan, view: View) -> schema.FieldDocument:
    before, after = field.before, field.after
    if (kind.name, field.path) in plan.times:
        before, after = format_time(before), format_time(after)
    elif not view.personal:
        before, after = mask_pair(kind.name, before, after, personal_path(kind, field.path), plan.workspace.app_id)
    return {"path": field.path, "before": before, "after": after, "cause": field.cause.value if field.cause else None}


def discreet(kind: Kind, outcome: Outcome) -> Outcome:
    """An outcome whose reason, in Intercom's words, tells none of the personal values that its change is about."""
    personal = [field for field in outcome.change.fields if personal_path(kind, field.path)]
    values = [str(value) for field in personal for value in (field.before, field.after) if value is not None]
    return replace(outcome, reason=without(outcome.reason, values)) if outcome.reason and values else outcome
