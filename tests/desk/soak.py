"""How often what is tried by chance, and what is repeated, is tried: `make soak` tries twenty times as much as `make test` does.

`make test` tries the same examples in every run, so that it fails for what changed and for nothing else; `make soak` tries others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

SWITCH = "RECONCILER_SOAK"
SOAKS = bool(os.environ.get(SWITCH))
SCALE = 20 if SOAKS else 1
# Of what is long and alike, `make test` runs the first.
only_in_soak = pytest.mark.skipif(not SOAKS, reason="long, and like others that run: `make soak` runs it")


def table(rows: Iterable[tuple[Any, ...]], alike: Iterable[tuple[Any, ...]]) -> list[Any]:
    """The rows of a table as parameters, named by their first value; those that are alike run in the soak alone."""
    return [pytest.param(*row, id=row[0]) for row in rows] + [pytest.param(*row, id=row[0], marks=only_in_soak) for row in alike]


def cases(mapping: Mapping[str, Any], *always: str) -> list[Any]:
    """The cases of a table as parameters, by their names; those that are not named here are alike, and run in the soak alone."""
    alone = {name: () if name in always else only_in_soak for name in mapping}
    return [pytest.param(*(case if isinstance(case, tuple) else (case,)), id=name, marks=alone[name]) for name, case in mapping.items()]


def times(number: int) -> int:
    """So many in `make test`, twenty times as many in `make soak`."""
    return number * SCALE
