"""How each part of the route grows: processor seconds of one process that loads, observes, compares and compiles a manifest of which every
tenth contact differs, and records one of which none does."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from threading import Event
from typing import TypeVar

from reconciler.core.compare.compare import compare
from reconciler.core.model.recorded import BLANK
from reconciler.core.plan.plan import make_plan
from reconciler.core.plan.saved import Enclosure, write_saved
from reconciler.intercom.http.client import Client
from reconciler.intercom.http.token import Token
from reconciler.intercom.observe import Observer
from reconciler.ledger.ledger import Ledger
from reconciler.manifest.read import read_manifest
from reconciler.workflow.apply import carry_out, prepare
from reconciler.workflow.plan import propose
from reconciler.workflow.session import Session, connect
from tests.bench.processor import place, write_yaml
from tests.bench.table import Bench, Row, exponent

SIZES = (1_000, 10_000, 100_000, 300_000)
PARTS = ("load", "observe", "compare", "compile", "record")
T = TypeVar("T")


class Watch:
    """Processor seconds of this process, by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, part: str, work: Callable[[], T]) -> T:
        began = time.process_time()
        result = work()
        self.seconds[part] = time.process_time() - began
        return result


def measure(url: str, size: int, folder: str) -> dict[str, float]:
    """Processor seconds of each part, for so many contacts."""
    # As `reconciler` itself has it, and with a ledger in this folder.
    gc.disable()
    os.chdir(folder)
    watch = Watch()
    with Client(url, Token("sandbox")) as client:
        session = connect(client)
        _plan(watch, session, Path("changed.yaml"), size)
        ledger = Ledger.open(Path(".reconciler"), create=True)
        assert ledger
        with ledger:
            _record(watch, connect(client, ledger), Path("people.yaml"), size)
    return watch.seconds


def _plan(watch: Watch, session: Session, path: Path, size: int) -> None:
    write_yaml(path, size, lambda n: f"Other {n}" if n % 10 == 0 else f"Person {n}")
    manifest = watch.time("load", lambda: read_manifest([str(path)]))
    observer = Observer(session.client, session.kinds)
    live = watch.time("observe", lambda: observer.observe(manifest, session.here, session.window))
    comparison = watch.time("compare", lambda: compare(session.kinds, time.time(), manifest, live, BLANK, whole=True))
    assert watch.time("compile", lambda: make_plan(comparison)).steps


def _record(watch: Watch, session: Session, path: Path, size: int) -> None:
    write_yaml(path, size)
    manifest = read_manifest([str(path)])
    found = propose(session, manifest)
    enclosed = Enclosure(as_declared=found.as_declared, doubts=found.doubts)
    work = prepare(session, write_saved(session.kinds, found.plan, "salt", enclosed), manifest)
    outcomes = watch.time("record", lambda: list(carry_out(session, work, Event())))
    assert outcomes == []
    assert session.ledger
    assert len(session.ledger.read_recorded(session.here.app_id, manifest.name).records) == len(manifest.resources)


def measure_apart(bench: Bench, size: int) -> dict[str, float]:
    with place(bench) as (folder, url):
        seconds: dict[str, float] = bench.starter.call(measure, url, size, str(folder))
        return seconds


def rows(bench: Bench) -> Iterator[Row]:
    points: dict[str, list[tuple[int, float]]] = {part: [] for part in PARTS}
    for size in bench.sizes(SIZES, (30, 60)):
        runs = [measure_apart(bench, size) for _ in range(bench.repeats)]
        for part in PARTS:
            seconds = median(run[part] for run in runs)
            points[part].append((size, seconds))
            yield Row(part, size, seconds, "CPU s", note=f"{seconds / size * 1e6:.1f} us each")
    for part in PARTS:
        # What a thousand cost is mostly what a process has to do anyway.
        yield Row(f"{part} grows", points[part][-1][0], exponent(points[part][0 if bench.small else 1 :]), "exponent", 1.1)
