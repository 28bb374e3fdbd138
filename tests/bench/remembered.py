"""What the ledger adds to a plan: the same plan of a workspace that is as declared, without a ledger and with one that knows all of it."""

from __future__ import annotations

import time
from pathlib import Path

from reconciler.ledger import Ledger
from tests.bench.cases import Case, Measured, route, timed


def with_ledger(size: int) -> Measured:
    """The plan with a ledger; printed beside it how much longer it took than without, and what lies on the disk."""
    with route(size, size, 0) as (told, path):
        told.document(path)
        alone = min(_processor(lambda: told.document(path)) for _ in range(2))
        told.ledger = Ledger.open(told.folder / ".reconciler", create=True, now=told.clock)
        assert told.ledger
        recording = timed(lambda: told.converge(path)).seconds
        told.box.forget_requests()
        found = timed(lambda: told.document(path))
        beside = min(_processor(lambda: told.document(path)) for _ in range(2))
        told.ledger.close()
        disk = sum(file.stat().st_size for file in Path(told.folder / ".reconciler").rglob("*") if file.is_file()) / 1e6
        note = f"+{(beside / alone - 1) * 100:.0f} % processor time, {disk:.0f} MB on disk, first recording {recording:.1f} s"
        return Measured(found.seconds, found.peak, len(told.box.requests), note)


def _processor(work: object) -> float:
    """Processor seconds of this process: others on the machine do not count."""
    assert callable(work)
    began = time.process_time()
    work()
    return time.process_time() - began


CASES = {"plan with a ledger, nothing differs": Case((10_000, 100_000), with_ledger)}
