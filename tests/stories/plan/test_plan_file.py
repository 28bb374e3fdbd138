"""The file of a plan: what it holds, and that none is applied that was edited, cut or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.plan.document import document
from reconciler.core.plan.saved import write_saved
from reconciler.errors import Invalid
from reconciler.workflow.planfile import applicable, read_plan, save
from tests.conftest import MakeRoute
from tests.stories.gates.test_limits import refused_to_apply
from tests.stories.plan.test_stale import LIVE, PLANNED

Doc = dict[str, Any]

EDITS: tuple[tuple[str, Callable[[Doc], object]], ...] = (
    ("the workspace", lambda d: d["workspace"].update(app_id="other")),
    ("the manifest", lambda d: d["manifest"].update(digest="0" * 64)),
    ("a change taken out", lambda d: d["changes"].pop()),
    ("a before-value", lambda d: d["changes"][0].update(action="delete")),
    ("a refusal taken out", lambda d: d.update(refused=[])),
    ("the seal", lambda d: d.update(seal="0" * 64)),
    ("no seal", lambda d: d.pop("seal")),
)


@pytest.mark.parametrize(("what", "edit"), EDITS, ids=[what for what, _ in EDITS])
def test_an_edited_plan_is_refused(what: str, edit: Callable[[Doc], object], make_route: MakeRoute, tmp_path: Path) -> None:
    route = make_route(LIVE)
    path = tmp_path / "plan.json"
    save(route.planned(route.manifest("policy: {limits: {creates: 0}}\n" + PLANNED)), path)
    assert path.stat().st_mode & 0o777 == 0o600
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(Invalid, match="edited"):
        read_plan(path)


def test_a_plan_to_look_at_is_not_applied_and_holds_no_digest(make_route: MakeRoute, tmp_path: Path) -> None:
    route = make_route(LIVE)
    planned = route.planned(route.manifest(PLANNED))
    plan = document(route.kinds, planned.plan)
    assert "digest" not in json.dumps({**plan, "manifest": {}})
    path = tmp_path / "look.json"
    path.write_text(json.dumps(plan), encoding="utf-8")
    with pytest.raises(Invalid, match="not one to apply"):
        applicable(read_plan(path), path)


def test_a_saved_plan_holds_no_values_and_is_salted_anew(make_route: MakeRoute, tmp_path: Path) -> None:
    route = make_route(LIVE)
    planned = route.planned(route.manifest(PLANNED))
    one, two = (write_saved(route.kinds, planned.plan, salt) for salt in ("a", "b"))
    text = json.dumps(one["changes"])
    assert not [value for value in ("Wash", "Hoban", "+15551234567", "pro", "free") if value in text]
    digests = [[f["before_digest"] for c in plan["changes"] for f in c["fields"]] for plan in (one, two)]
    assert not set(digests[0]) & set(digests[1])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "not json", '{"changes": []}', '{"format_version": "2.0", "changes": []}'])
def test_what_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid):
        applicable(read_plan(path), path)


def test_a_refused_plan_is_refused_again_when_applied(make_route: MakeRoute) -> None:
    route = make_route(LIVE)
    refused_to_apply(route, route.manifest("policy: {limits: {creates: 0}}\n" + PLANNED))
    assert route.box.writes == []
