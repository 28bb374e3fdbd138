"""What the ledger adds to a plan: the same plan of a workspace that is as declared, without a ledger and with one that knows all of it."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.ledger.ledger import Ledger
from tests.bench.cases import Case, Measured, live_route, peak


def with_ledger(size: int) -> Measured:
    """The plan with a ledger; printed beside it how much longer it took than without, and what lies on the disk."""
    # As `reconciler` itself has it.
    gc.disable()
    with live_route(size, size, 0) as (route, path):
        ledger = route.ledger = Ledger.open(route.folder / ".reconciler", create=True, now=route.clock)
        assert ledger
        recording = _processor(lambda: route.converge(path))
        route.box.forget_requests()
        alone, beside = [], []
        for _ in range(2):
            route.ledger = None
            alone.append(_processor(lambda: route.document(path)))
            route.ledger = ledger
            beside.append(_processor(ledger.examine) + _processor(lambda: route.document(path)))
        calls = len(route.box.requests) // 4
        ledger.close()
        disk = sum(file.stat().st_size for file in Path(route.folder / ".reconciler").rglob("*") if file.is_file()) / 1e6
        more = (min(beside) / min(alone) - 1) * 100
        note = f"processor time; {min(alone):.2f} s without, +{more:.1f} %; recording {recording:.2f} s; {disk:.0f} MB on disk"
        return Measured(min(beside), peak(), calls, note)


def _processor(work: Callable[[], object]) -> float:
    """Processor seconds of this process: others on the machine do not count."""
    began = time.process_time()
    work()
    return time.process_time() - began


CASES = {"plan with a ledger, nothing differs": Case((10_000, 100_000), with_ledger)}
