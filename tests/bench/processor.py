"""What a plan costs the processor and the memory of its own process, against what anybody pays: PyYAML for the same file, and plain
`requests` with `json` for the same pages."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
import yaml

from tests.bench.apart import Spent
from tests.bench.far import TAGS, tags_of
from tests.bench.table import Bench, Row, exponent

# As many as one search asks for.
PAGE = 150
SIZE = 100_000
# Of a list; the last is the whole of it.
LISTS = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True)
class Shares:
    """A plan, and what it is held against."""

    # The plan.
    plan: Spent
    # Processor seconds of PyYAML for the same file.
    yaml: float
    # Processor seconds of requests and json for the same pages.
    pages: float

    @property
    def ratio(self) -> float:
        """The plan less what the pages cost anybody, as a multiple of PyYAML."""
        return (self.plan.cpu - self.pages) / self.yaml


def read_plainly(path: str) -> float:
    """Processor seconds of PyYAML, the parser in C, for a file."""
    began = time.process_time()
    with open(path, encoding="utf-8") as file:
        yaml.load(file, yaml.CSafeLoader)
    return time.process_time() - began


def ask_plainly(url: str, size: int) -> float:
    """Processor seconds of requests and json for the pages that show so many contacts."""
    began = time.process_time()
    with requests.Session() as session:
        for start in range(0, size, PAGE):
            keys = [f"u{n}" for n in range(start, min(size, start + PAGE))]
            query = {"query": {"field": "external_id", "operator": "IN", "value": keys}, "pagination": {"per_page": PAGE}}
            session.post(url + "/contacts/search", json=query).json()
    return time.process_time() - began


def write_yaml(path: Path, size: int, name: Callable[[int], str] = "Person {}".format) -> None:
    """A manifest of so many contacts, with a name and two tags each."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"tags: [{', '.join(f't{n:02}' for n in range(TAGS))}]\ncontacts:\n")
        for n in range(size):
            file.write(f"- external_id: u{n}\n  name: {name(n)}\n  tags: [{', '.join(tags_of(n))}]\n")


def write_csv(path: Path, size: int) -> None:
    """The same contacts in a list beside the manifest."""
    path.write_text(f"tags: [{', '.join(f't{n:02}' for n in range(TAGS))}]\ncontacts:\n- from: people.csv\n", encoding="utf-8")
    with (path.parent / "people.csv").open("w", encoding="utf-8") as file:
        file.write("external_id,name,tags\n")
        file.writelines(f"u{n},Person {n},{';'.join(tags_of(n))}\n" for n in range(size))


def command(verb: str, path: Path, url: str, *options: str) -> list[str]:
    """A verb on a manifest, as typed behind `python`."""
    return ["-m", "reconciler", verb, str(path), "--base-url", url, *options]


@contextmanager
def place(bench: Bench) -> Iterator[tuple[Path, str]]:
    """An empty folder, and the URL of an Intercom in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, bench.starter.serve(["-m", "tests.bench.far"]) as url:
        yield Path(folder), url


def compare_with_yaml(bench: Bench, size: int, *, ledger: bool) -> Shares:
    """A plan of so many contacts that are live as declared; `ledger`: with one that an apply filled."""
    with place(bench) as (folder, url):
        path = folder / "people.yaml"
        write_yaml(path, size)
        if ledger:
            bench.starter.run(command("apply", path, url, "--auto-approve"), folder)
        plain = bench.starter.call(read_plainly, str(path)), bench.starter.call(ask_plainly, url, size)
        return Shares(bench.starter.run(command("plan", path, url, *([] if ledger else ["--ledger", "none"])), folder), *plain)


def plan_people(bench: Bench, write: Callable[[Path, int], None], size: int) -> Spent:
    """A plan of so many people without a ledger, HTTP included; `write` says how their manifest is written."""
    with place(bench) as (folder, url):
        path = folder / "people.yaml"
        write(path, size)
        return bench.starter.run(command("plan", path, url, "--ledger", "none"), folder)


def rows(bench: Bench) -> Iterator[Row]:
    (size,) = bench.sizes([SIZE])
    for ledger, (ratio, peak), words in ((False, (0.38, 360), "without a ledger"), (True, (0.55, 480), "with a ledger of all")):
        runs = [compare_with_yaml(bench, size, ledger=ledger) for _ in range(bench.repeats)]
        note = f"{median(run.plan.cpu for run in runs):.2f} s, of it {median(run.pages for run in runs):.2f} s for plain HTTP and JSON"
        yield Row(f"plan, all as declared, {words}", size, median(run.ratio for run in runs), "x CSafeLoader", ratio, note=note)
        yield Row(f"its memory, {words}", size, median(run.plan.peak for run in runs), "MiB", peak)
    points = []
    for size in bench.sizes(LISTS, (30, 60)):
        plans = [plan_people(bench, write_csv, size) for _ in range(bench.repeats)]
        cpu = median(plan.cpu for plan in plans)
        points.append((size, cpu))
        yield Row("plan from CSV, all as declared", size, cpu, "CPU s")
        yield Row("its memory, from CSV", size, median(plan.peak for plan in plans), "MiB", 2048 if size == LISTS[-1] else None)
    yield Row("plan from CSV grows", points[-1][0], exponent(points), "exponent", 1.1)
