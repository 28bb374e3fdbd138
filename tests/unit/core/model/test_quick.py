"""A quick value is made like a plain one, and is a frozen dataclass in all else."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, replace

from reconciler.core.model.quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Pair:
    # The one.
    one: int
    # The other.
    other: int = 2
    # All others.
    others: list[int] = field(default_factory=list)


def test_it_is_made_with_its_defaults_and_each_has_its_own() -> None:
    assert (Pair(1).one, Pair(1).other, Pair(1).others) == (1, 2, [])
    assert Pair(1).others is not Pair(1).others


def test_it_is_equal_copied_and_pickled_as_ever() -> None:
    assert Pair(1) == Pair(1) != Pair(3)
    assert replace(Pair(1), other=5) == Pair(1, 5)
    assert pickle.loads(pickle.dumps(Pair(1))) == Pair(1)
    assert hash(replace(Pair(1), others=())) == hash(Pair(1, 2, ()))  # type: ignore[arg-type]  # of another type on purpose
