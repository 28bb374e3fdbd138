"""How often what is tried by chance, and what is repeated, is tried: `make soak` tries twenty times as much as `make test` does.

`make test` tries the same examples in every run, so that it fails for what changed and for nothing else; `make soak` tries others.
"""

from __future__ import annotations

import os

import pytest

SWITCH = "RECONCILER_SOAK"
SOAKS = bool(os.environ.get(SWITCH))
SCALE = 20 if SOAKS else 1
# Of what is long and alike, `make test` runs the first.
only_in_soak = pytest.mark.skipif(not SOAKS, reason="long, and like others that run: `make soak` runs it")


def times(number: int) -> int:
    """So many in `make test`, twenty times as many in `make soak`."""
    return number * SCALE
