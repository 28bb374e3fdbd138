"""octoDNS, from PyPI in an environment of its own, plans as many records as we plan contacts: both from YAML, and all is as declared."""

from __future__ import annotations

import subprocess
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.apart import Spent, Starter
from tests.bench.processor import plan_people, write_yaml
from tests.bench.table import Bench, Row

VERSION = "1.22.0"
SIZE = 20_000
# Contacts a processor second of ours, over records a processor second of theirs.
LEAST = 7
CONFIG = """
providers:
  source: {class: octodns.provider.yaml.YamlProvider, directory: ./source}
  target: {class: octodns.provider.yaml.YamlProvider, directory: ./target}
zones:
  example.com.: {sources: [source], targets: [target]}
"""


def install(folder: Path) -> Path | None:
    """The Python of an environment with octoDNS; None where it cannot be fetched."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    fetch = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"octodns=={VERSION}"]
    return None if subprocess.run(fetch, check=False, capture_output=True).returncode else python


def write_zone(folder: Path, size: int) -> None:
    """A zone of so many records with two values each, as their source and as what is there."""
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")
    record = "u{:07}: {{ttl: 300, type: A, values: [192.0.2.{}, 198.51.100.{}]}}\n"
    text = "---\n" + "".join(record.format(n, n % 250 + 1, n % 240 + 1) for n in range(size))
    for side in ("source", "target"):
        (folder / side).mkdir()
        (folder / side / "example.com.yaml").write_text(text, encoding="utf-8")


def plan_zone(python: Path, size: int) -> Spent:
    """Their plan of so many records."""
    with tempfile.TemporaryDirectory() as name:
        write_zone(Path(name), size)
        return Starter(python=str(python)).run(["-m", "octodns.cmds.sync", "--config-file", "config.yaml"], Path(name))


def rows(bench: Bench) -> Iterator[Row]:
    (size,) = bench.sizes([SIZE])
    with tempfile.TemporaryDirectory() as name:
        python = None if bench.small else install(Path(name))
        ours, theirs = list[Spent](), list[Spent]()
        for _ in range(bench.repeats):
            ours.append(plan_people(bench, write_yaml, size))
            if python:
                theirs.append(plan_zone(python, size))
    pace = size / median(plan.cpu for plan in ours)
    yield Row("plan, contacts, HTTP included", size, pace, "a CPU second", note=f"{median(plan.peak for plan in ours):.0f} MiB")
    if not theirs:
        yield Row(f"octoDNS {VERSION}, records", size, None, "a CPU second", note="octoDNS is not to be had here")
        return
    theirs_pace = size / median(plan.cpu for plan in theirs)
    yield Row(f"octoDNS {VERSION}, records", size, theirs_pace, "a CPU second", note=f"{median(plan.peak for plan in theirs):.0f} MiB")
    yield Row("contacts over records", size, pace / theirs_pace, "x octoDNS", at_least=LEAST)
