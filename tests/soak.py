"""How often what is tried by chance, and what is repeated, is tried: `make soak` tries twenty times as much as `make test` does."""

from __future__ import annotations

import os

SWITCH = "RECONCILER_SOAK"
SCALE = 20 if os.environ.get(SWITCH) else 1


def times(number: int) -> int:
    """So many in `make test`, twenty times as many in `make soak`."""
    return number * SCALE
