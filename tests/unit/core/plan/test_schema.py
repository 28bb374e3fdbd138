"""What is a plan, and what is none, as far as its keys and types say."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from reconciler.core.plan.schema import is_plan

SHOWN: dict[str, Any] = {
    "format_version": "1.0",
    "workspace": {"app_id": "sandbox1", "region": "us"},
    "manifest": {"paths": ["m.yaml"], "digest": "d"},
    "changes": [
        {
            "address": "tag/vip",
            "action": "rename",
            "target": None,
            "cause": None,
            "fields": [{"path": "name", "before": "VIP", "after": "vip", "cause": None}],
            "source": {"file": "m.yaml", "line": 1},
            "people": None,
        }
    ],
    "summary": {"rename": 1},
    "cost": {"calls": 1, "seconds": 0.1},
    "refused": [],
    "notes": [],
}
BARE = [{"path": "name", "cause": None, "before_digest": "0f"}]


def plan(*path: str | int, value: Any, of: dict[str, Any] = SHOWN) -> dict[str, Any]:
    """A plan in which one thing is otherwise; None takes it away."""
    changed = deepcopy(of)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


SAVED = {**plan("changes", 0, "fields", value=BARE), "applicable": True, "salt": "s"}


def test_one_to_look_at_has_values_and_one_to_apply_has_digests() -> None:
    assert is_plan(SHOWN)
    assert is_plan(SAVED)
    assert is_plan({**{key: value for key, value in SAVED.items() if key != "manifest"}, "run": "r-1"})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        plan("workspace", value="sandbox1"),
        plan("changes", 0, "people", value="7"),
        plan("changes", 0, "source", "line", value="1"),
        plan("cost", "calls", value=1.5),
        plan("manifest", value=None),
        plan("changes", 0, "fields", 0, value={"path": "name", "before": "VIP", "cause": None}),
        plan("salt", value="", of=SAVED),
        plan("changes", 0, "fields", 0, "before_digest", value="", of=SAVED),
        plan("changes", 0, "fields", 0, "after", value="vip", of=SAVED),
        plan("manifest", "paths", value=[], of=SAVED),
    ],
)
def test_another_type_a_value_or_a_missing_digest_makes_it_none(value: Any) -> None:
    assert not is_plan(value)
