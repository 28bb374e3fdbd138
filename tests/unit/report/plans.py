"""Plan documents for tests, written by hand as `core.document` makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from reconciler.core.model.change import Action
from reconciler.core.plan.schema import ChangeDocument, FieldDocument, NoteDocument, PlanDocument


def a_field(path: str, before: Any, after: Any, cause: str | None = None) -> FieldDocument:
    return {"path": path, "before": before, "after": after, "cause": cause}


def a_change(action: str, address: str, *fields: Any, line: int = 1, **more: Any) -> ChangeDocument:
    change = {"address": address, "action": action, "target": None, "cause": None, "fields": list(fields)}
    return cast(ChangeDocument, {**change, "source": {"file": "growth.yaml", "line": line}, "people": None, **more})


def a_note(topic: str, address: str | None, message: str, line: int = 0) -> NoteDocument:
    return {"topic": topic, "address": address, "message": message, "source": {"file": "growth.yaml", "line": line} if line else None}


def a_plan(*changes: ChangeDocument, refused: Sequence[Any] = (), notes: Sequence[NoteDocument] = (), **more: Any) -> PlanDocument:
    counts = Counter(change["action"] for change in changes)
    plan: PlanDocument = {
        "format_version": "1.0",
        "workspace": {"app_id": "ecahpwf5", "region": "us"},
        "manifest": {"paths": ["growth.yaml"], "digest": "d1"},
        "partial": False,
        "changes": list(changes),
        "summary": {action.value: counts[action] for action in Action},
        "cost": {"calls": len(changes), "seconds": round(len(changes) / 166.7, 1)},
        "refused": list(refused),
        "notes": list(notes),
    }
    return cast(PlanDocument, {**plan, **more})
