"""Which workspaces are alike, and which of them stand first."""

from __future__ import annotations

from dataclasses import replace

from reconciler.fleet.report.groups import group_alike
from reconciler.fleet.states import State
from reconciler.fleet.view import One
from tests.unit.fleet.views import OLD, VIP, a_view

FAILED = One("a1", "eu", "rest", State.FAILED, 5, reason="the host does not answer")
DONE = One("b1", "eu", "rest", State.DONE, 2, VIP, 1, 0, 3)


def names(*workspaces: One) -> list[list[str]]:
    """The app ids of each group."""
    return [[one.app_id for one in group.members] for group in group_alike(a_view(*workspaces))]


def test_what_failed_goes_by_its_reason_whatever_was_planned() -> None:
    assert names(replace(FAILED, shape=VIP), replace(FAILED, app_id="a2", shape=OLD), replace(FAILED, app_id="a3", reason="no")) == [
        ["a1", "a2"],
        ["a3"],
    ]


def test_a_long_reason_goes_by_how_it_begins() -> None:
    long = "the host does not answer " * 40
    assert names(replace(FAILED, reason=f"{long}once"), replace(FAILED, app_id="a2", reason=f"{long}or ever")) == [["a1", "a2"]]


def test_where_nobody_knows_what_a_shape_does_it_tells_none_from_another() -> None:
    known = a_view(DONE, replace(DONE, app_id="b2", shape=OLD))
    assert [group.shape for group in group_alike(known)] == [OLD, VIP]
    assert [(group.shape, len(group.members)) for group in group_alike(replace(known, shapes={}))] == [(None, 2)]


def test_groups_of_one_size_stand_in_one_order_whoever_ran_first() -> None:
    one, other = replace(FAILED, app_id="a9", reason="one"), replace(FAILED, reason="other")
    assert names(one, other) == names(other, one) == [["a1"], ["a9"]]
