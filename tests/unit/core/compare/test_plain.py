"""What is plainly the same is passed over only where no knowledge of a field could say otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.compare.diff import diff
from reconciler.core.model.address import Address
from reconciler.core.model.change import Action
from reconciler.core.model.desired import Manifest, Resource
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.policy import Policy
from reconciler.errors import Mark
from reconciler.kinds import KINDS

WASH = Address("contact", "25")


def differs(written: Any, live: Any) -> bool:
    """Whether there is a change where this is written and that is live."""
    resource = Resource(WASH, "external_id", "25", {"external_id": "25", "name": written}, Mark("a.yaml", 1))
    thing = Live("contact", "c1", "25", {"external_id": "25", "name": live})
    snapshot = Snapshot(Workspace("app", "us"), {"contact": {"c1": thing}}, {WASH: "c1"})
    return bool(diff(KINDS, Manifest({WASH: resource}, Policy()), snapshot).changes)


@pytest.mark.parametrize(("written", "live"), [("a", "a"), (None, None), (1, 1), (1, 1.0), (True, True), (("a",), ["a"])])
def test_the_same(written: Any, live: Any) -> None:
    assert not differs(written, live)


@pytest.mark.parametrize(("written", "live"), [("a", "b"), ("", None), (1, True), (0, False), ([1], [True])])
def test_not_the_same(written: Any, live: Any) -> None:
    assert differs(written, live)


def test_what_is_put_aside_is_not_as_declared_whatever_it_shows() -> None:
    plan, fields = Address("attribute", "plan"), {"name": "plan", "model": "company", "data_type": "string"}
    resource = Resource(plan, "name", "plan", fields, Mark("a.yaml", 1))
    for archived, actions in ((False, []), (True, [Action.UNARCHIVE])):
        things = {"attribute": {"a1": Live("attribute", "a1", "plan", {**fields, "archived": archived})}}
        changes = diff(KINDS, Manifest({plan: resource}, Policy()), Snapshot(Workspace("app", "us"), things, {plan: "a1"})).changes
        assert [change.action for change in changes] == actions
