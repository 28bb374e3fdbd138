"""Waves and budgets as numbers."""

from __future__ import annotations

import pytest

from reconciler.fleet.fleet import Wave, Workspace, allowance, assign, take_turns


@pytest.mark.parametrize(
    ("limit", "number", "allowed"),
    [(0, 100, 0), (3, 2, 3), ("1%", 99, 0), ("1%", 100, 1), ("29%", 100, 29), ("0.5%", 400, 2), ("100%", 7, 7)],
)
def test_a_percentage_allows_what_is_whole_of_it(limit: int | str, number: int, allowed: int) -> None:
    assert allowance(limit, number) == allowed


def members(number: int, *groups: str) -> list[Workspace]:
    return [Workspace(f"{'-'.join(groups) or 'none'}{at}", groups=groups) for at in range(number)]


def test_each_workspace_is_in_one_wave_and_a_percentage_is_of_what_remains() -> None:
    fleet = [*members(4, "canary"), *members(40), *members(60, "eu")]
    waves = [Wave("canary"), Wave("5%"), Wave("7%"), Wave("rest")]
    placed = assign(fleet, waves)
    assert sorted(one.app_id for one, _ in placed) == sorted(one.app_id for one in fleet)
    # 5 % of 100; 7 % of 95 is 6.65.
    assert [[number for _, number in placed].count(wave) for wave in range(4)] == [4, 5, 7, 88]
    assert [number for _, number in placed] == sorted(number for _, number in placed)


def test_one_workspace_is_a_wave_of_one_percent_and_seven_of_a_hundred_are_seven() -> None:
    assert [number for _, number in assign(members(3), [Wave("1%"), Wave("rest")])] == [0, 1, 1]
    assert [number for _, number in assign(members(100), [Wave("7%"), Wave("rest")])].count(0) == 7


def test_groups_take_turns() -> None:
    order = [one.app_id for one in take_turns([*members(4, "big"), *members(2, "small"), *members(1)])]
    assert order == ["big0", "small0", "none0", "big1", "small1", "big2", "big3"]
