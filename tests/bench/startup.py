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
# Milliseconds more than click itself takes.
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
    plain = median(seconds["Python with click"]) * 1000
    for what in commands:
        taken = median(seconds[what]) * 1000
        yield Row(f"start: {what}", 1, taken, "CPU ms", plain + FACE if what in ("--version", "--help") else None)
