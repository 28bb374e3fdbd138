"""What a plan costs the processor and the memory of its own process, against what anybody pays: PyYAML for the same file, and plain
`requests` with `json` for the same pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.far import TAGS, far_intercom, tags_of

# As many as one search asks for.
PAGE = 150

YAML = """
import sys, time, yaml
began = time.process_time()
with open(sys.argv[1], encoding="utf-8") as file:
    yaml.load(file, yaml.CSafeLoader)
print(time.process_time() - began)
"""
PAGES = """
import sys, time, requests
url, size, page = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
began = time.process_time()
with requests.Session() as session:
    for start in range(0, size, page):
        keys = [f"u{n}" for n in range(start, min(size, start + page))]
        query = {"query": {"field": "external_id", "operator": "IN", "value": keys}, "pagination": {"per_page": page}}
        session.post(url + "/contacts/search", json=query).json()
print(time.process_time() - began)
"""


@dataclass(frozen=True)
class Spent:
    """What a process took."""

    # Processor seconds, its own and the system's for it.
    cpu: float
    # The most memory that it had, in MiB.
    peak: float


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


def spent(arguments: Sequence[str], folder: Path) -> Spent:
    """Run a command to its end, which is to be a good one."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= {"INTERCOM_ACCESS_TOKEN": "sandbox", "PYTHONPATH": os.getcwd()}
    with (folder / "out").open("w") as out, subprocess.Popen(arguments, cwd=folder, env=environ, stdout=out, stderr=out) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments}: {process.returncode}\n{(folder / 'out').read_text()}")
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def seconds(script: str, *arguments: object) -> float:
    """The processor seconds that a script says it took."""
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def write_yaml(path: Path, size: int) -> None:
    """A manifest of so many contacts, with a name and two tags each."""
    with path.open("w", encoding="utf-8") as file:
        file.write(f"tags: [{', '.join(f't{n:02}' for n in range(TAGS))}]\ncontacts:\n")
        for n in range(size):
            file.write(f"- external_id: u{n}\n  name: Person {n}\n  tags: [{', '.join(tags_of(n))}]\n")


def write_csv(path: Path, size: int) -> None:
    """The same contacts in a list beside the manifest."""
    path.write_text(f"tags: [{', '.join(f't{n:02}' for n in range(TAGS))}]\ncontacts:\n- from: people.csv\n", encoding="utf-8")
    with (path.parent / "people.csv").open("w", encoding="utf-8") as file:
        file.write("external_id,name,tags\n")
        file.writelines(f"u{n},Person {n},{';'.join(tags_of(n))}\n" for n in range(size))


def command(verb: str, path: Path, url: str, *options: str) -> list[str]:
    """A verb on a manifest, as typed."""
    return [sys.executable, "-m", "reconciler", verb, str(path), "--base-url", url, *options]


@contextmanager
def place() -> Iterator[tuple[Path, str]]:
    """An empty folder, and the URL of an Intercom."""
    with tempfile.TemporaryDirectory() as folder, far_intercom() as url:
        yield Path(folder), url


def shares(size: int) -> Shares:
    """A plan of so many contacts that are live as declared, without a ledger."""
    with place() as (folder, url):
        path = folder / "people.yaml"
        write_yaml(path, size)
        yaml, pages = seconds(YAML, path), seconds(PAGES, url, size, PAGE)
        return Shares(spent(command("plan", path, url, "--ledger", "none"), folder), yaml, pages)


def shares_with_ledger(size: int) -> Shares:
    """The same with a ledger that an apply filled."""
    with place() as (folder, url):
        path = folder / "people.yaml"
        write_yaml(path, size)
        spent(command("apply", path, url, "--auto-approve"), folder)
        yaml, pages = seconds(YAML, path), seconds(PAGES, url, size, PAGE)
        return Shares(spent(command("plan", path, url), folder), yaml, pages)


def from_csv(size: int) -> Spent:
    """The same plan, of a list."""
    with place() as (folder, url):
        path = folder / "people.yaml"
        write_csv(path, size)
        return spent(command("plan", path, url, "--ledger", "none"), folder)


if __name__ == "__main__":
    work = {"yaml": shares, "ledger": shares_with_ledger, "csv": from_csv}[sys.argv[1]]
    found = work(int(sys.argv[2]))
    print(json.dumps({"ratio": found.ratio if isinstance(found, Shares) else None, "found": str(found)}))
