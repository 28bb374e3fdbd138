"""Within: a plan is compared with the one that people reviewed, change by change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.core.model.change import Change
from reconciler.core.model.note import Note
from reconciler.core.plan.plan import Plan
from reconciler.core.plan.saved import group_changes, say_moved
from reconciler.core.plan.schema import ChangeDocument, PlanDocument
from reconciler.core.plan.touched import Subject, subject_of

# The topic of the notes on what nobody reviewed.
TOPIC = "not reviewed"


def note_unreviewed(plan: Plan, review: PlanDocument) -> Plan:
    """The plan, which tells of every change that does not stand in the reviewed one.

    A change stands there with its action, its address, its fields and their values before; the values after are those of the manifest,
    which has to be the same.

    """
    return replace(plan, notes=(*_find_unreviewed(plan, review), *plan.notes))


def list_unreviewed(plan: Plan) -> list[Note]:
    """The notes on changes that nobody reviewed."""
    return [note for note in plan.notes if note.topic == TOPIC]


def _find_unreviewed(plan: Plan, review: PlanDocument) -> Iterator[Note]:
    here = {"app_id": plan.workspace.app_id, "region": plan.workspace.region}
    if review["workspace"] != here:
        yield Note(TOPIC, f"the reviewed plan is for workspace {review['workspace']['app_id']}")
        return
    if review.get("manifest", {}).get("digest") != plan.digest:
        yield Note(TOPIC, "the reviewed plan is of another manifest, or a variable in it has another value")
        return
    groups = group_changes(review["changes"])
    for change in plan.changes:
        if reason := _say_new(groups, change, plan.workspace.app_id, review["salt"]):
            yield Note(TOPIC, f"{change.action} {reason}", change.address, change.mark)


def _say_new(groups: Mapping[Subject, list[ChangeDocument]], change: Change, app_id: str, salt: str) -> str:
    """Why a change is not one of those that were reviewed; empty where it is."""
    subject = subject_of(change, app_id)
    to = f"{subject.target}: " if subject.target else ""
    # What is done in two turns stands there twice.
    reasons = [say_moved(turn, change, salt) or _say_wider(turn, change) for turn in groups.get(subject, ())]
    if not reasons:
        return f"{to}was not in the plan"
    return f"{to}{reasons[0]}" if all(reasons) else ""


def _say_wider(turn: ChangeDocument, change: Change) -> str:
    """Why a change is wider than the reviewed one: it touches more people."""
    was = turn["people"]
    if change.people is None or (was is not None and change.people <= was):
        return ""
    return f"touches {change.people:,} people, and {'nobody knew how many' if was is None else f'{was:,}'} when this was planned"
