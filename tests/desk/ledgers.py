"""Ledgers without a run: to make the tables of one takes longer than most stories, so each process makes them once."""

from __future__ import annotations

import atexit
import tempfile
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree

from reconciler.ledger.ledger import Ledger


@cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ledger-"))
    atexit.register(rmtree, folder)
    ledger = Ledger.open(folder / "new", create=True, environ={})
    assert ledger
    ledger.close()
    return folder / "new"


def a_new_ledger(folder: Path) -> Path:
    """The folder, with a ledger as whoever opens it first would make it."""
    return copytree(_template(), folder)
