"""How long it takes until something is said: processor time of short commands, against Python that imports click."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.table import Bench, Row

CLICK = ("-c", "import click")
COMMANDS = {
    "--version": ("--version",),
    "--help": ("--help",),
    "validate --help": ("validate", "--help"),
    "validate, a small file": ("validate", "tags.yaml"),
    "plan, a small file, without a ledger": ("plan", "tags.yaml", "--sandbox", "--ledger", "none"),
    "plan, a small file, with a ledger": ("plan", "tags.yaml", "--sandbox"),
}
# The most milliseconds beyond what click itself takes, of what needs nothing else.
FACE = 10
RUNS = 15


def rows(bench: Bench) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tags.yaml").write_text("tags: []\n", encoding="utf-8")
        commands = {"Python with click": CLICK, **{what: ("-m", "reconciler", *arguments) for what, arguments in COMMANDS.items()}}
        seconds: dict[str, list[float]] = {what: [] for what in commands}
        # In turn, so that a machine that is busy for a while is so for all of them.
        for _ in range(1 if bench.small else RUNS):
            for what, arguments in commands.items():
                seconds[what].append(bench.starter.run(arguments, folder).cpu)
    taken = {what: median(runs) * 1000 for what, runs in seconds.items()}
    plain = taken.pop("Python with click")
    yield Row("start: Python with click", 1, plain, "CPU ms")
    for what, milliseconds in taken.items():
        yield Row(f"start: {what}", 1, milliseconds - plain, "CPU ms beyond click", FACE if what in ("--version", "--help") else None)
