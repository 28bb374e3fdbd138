"""What a nested value shows of itself: what was added, removed and moved inside it."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.compare.inside import Inside, Part, look_inside

SCALARS = st.sampled_from(("a", "b", "c", "", "1", 0, 1, 1.0, True, False, None, 2**53, 2**53 + 1, 1.5))
ITEMS = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.sampled_from("xy"), SCALARS, max_size=2)
MAPS = st.recursive(
    st.dictionaries(st.sampled_from(("x", "__y", "z.z")), ITEMS), lambda inner: st.dictionaries(st.sampled_from("xy"), inner)
)


def parts(*values: Any, path: tuple[str, ...] = ()) -> tuple[Part, ...]:
    return tuple(Part(path, value) for value in values)


@pytest.mark.parametrize(
    ("before", "after", "inside"),
    [
        (["a", "b"], ["b", "c"], Inside(parts("c"), parts("a"))),
        (("a", "b"), ["b", "a"], Inside(moved=parts("b"))),
        (["a", "b", "c"], ["c", "a", "d"], Inside(parts("d"), parts("b"), parts("c"))),
        (["a", "a", "b"], ["b", "a", "b"], Inside(parts("b"), parts("a"))),
        ([1, "1", True], [True, 1.0, "1"], Inside(moved=parts(True))),
        ([], ["x"], Inside(parts("x"))),
        ({"plan": 1, "__x": 2}, {"plan": 3, "__x": 2}, Inside(parts(3, path=("plan",)), parts(1, path=("plan",)))),
        ({"a": {"b": ["x"]}}, {"a": {"b": ["x", "y"]}, "c": {}}, Inside((Part(("a", "b"), "y"), Part(("c",), {})))),
        ({"a": ["x"]}, {"a": {"b": 1}}, Inside(parts({"b": 1}, path=("a",)), parts(["x"], path=("a",)))),
        ("a", "b", Inside()),
        (["a"], None, Inside()),
        (["a"], {"a": 1}, Inside()),
    ],
)
def test_parts_are_named(before: Any, after: Any, inside: Inside) -> None:
    assert look_inside(before, after) == inside


def key(value: Any) -> str:
    """1.0 is 1, and neither is true."""
    if isinstance(value, dict):
        return f"map {sorted((name, key(item)) for name, item in value.items())}"
    if isinstance(value, list):
        return repr([key(item) for item in value])
    return repr(int(value) if isinstance(value, float) and value.is_integer() else value)


def bag(items: Any) -> Counter[str]:
    return Counter(key(item.value if isinstance(item, Part) else item) for item in items)


@given(st.lists(ITEMS), st.lists(ITEMS))
def test_what_is_named_of_lists_leads_from_one_to_the_other(before: list[Any], after: list[Any]) -> None:
    inside = look_inside(before, after)
    added, removed, moved = bag(inside.added), bag(inside.removed), bag(inside.moved)
    assert bag(before) - removed + added == bag(after)
    assert removed <= bag(before)
    assert moved <= bag(before) - removed
    assert not added & removed


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9), unique=True))
def test_what_is_not_named_stays_in_its_order(before: list[int], after: list[int]) -> None:
    inside = look_inside(before, after)
    named = {part.value for part in (*inside.added, *inside.removed, *inside.moved)}
    assert [item for item in before if item not in named] == [item for item in after if item not in named]


def within(value: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        value = value[name]
    return value


def apply_inside(before: Any, after: Any, inside: Inside) -> Any:
    """The map before with all that is named done to it; what is added to a list comes last."""
    value = deepcopy(before)
    for part in inside.removed:
        *above, name = part.path
        if isinstance(within(value, part.path), list) and isinstance(within(after, tuple(above)).get(name), list):
            kept = [key(item) for item in within(value, part.path)]
            del within(value, part.path)[kept.index(key(part.value))]
        else:
            assert key(within(value, tuple(above)).pop(name)) == key(part.value)
    for part in inside.added:
        *above, name = part.path
        there = within(value, tuple(above))
        if isinstance(there.get(name), list):
            there[name].append(part.value)
        else:
            there[name] = part.value
    return value


def unorder(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: unorder(item) for name, item in value.items()}
    return bag(value) if isinstance(value, list) else key(value)


@given(MAPS, MAPS)
def test_what_is_named_of_maps_leads_from_one_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert unorder(apply_inside(before, after, look_inside(before, after))) == unorder(after)
