"""What many workspaces cost: all of them applied and looked at for drift in one go, by one process and by two workers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.ledger.key import make_spare_key
from tests.bench.apart import Spent
from tests.bench.table import Bench, Row
from tests.bench.together import cluster
from tests.desk.postgres import Cluster, _programs
from tests.desk.soak import SOAKS

# How many workspaces are looked at in one go, and at how many the pace is taken, with so many milliseconds a call.
SIZE, PACED, SLOW = 5_000, 600, 100
# How many where only the bench is tried.
FEW = 3
WORKERS, JOBS = 2, 8
NIGHT = 8 * 3600
_FLEET = """\
name: bench
engine: {engine}
manifests: [intercom.yaml]
token: {{env: "TOKEN_{{app_id}}"}}
rollout: [{{wave: 5%}}, {{wave: rest}}]
workspaces: {{csv: workspaces.csv}}
"""


@dataclass(frozen=True)
class Took:
    """What a verb took, with the workers where there are any."""

    # How many workspaces there are.
    number: int
    # Seconds on the wall.
    wall: float
    # What each process took.
    spent: list[Spent]

    @property
    def each(self) -> float:
        """Processor milliseconds of a workspace."""
        return sum(one.cpu for one in self.spent) / self.number * 1000

    @property
    def peak(self) -> float:
        return max(one.peak for one in self.spent)

    @property
    def note(self) -> str:
        return f"{self.wall:.1f} s, {self.number / self.wall:.1f} a second"


class Many:
    """A fleet in a folder of its own."""

    def __init__(self, bench: Bench, folder: Path, url: str, number: int, database: str) -> None:
        self._bench, self._folder, self._number, self._workers = bench, folder, number, WORKERS if database else 0
        app_ids = [f"ws{at:05}" for at in range(number)]
        rows = (f"{app_id},us,{url}/{app_id}\n" for app_id in app_ids)
        (folder / "workspaces.csv").write_text("app_id,region,base_url\n" + "".join(rows))
        (folder / "fleet.yaml").write_text(_FLEET.format(engine="postgresql" if database else "local"))
        (folder / "intercom.yaml").write_text("name: bench\ntags: [vip, churned, trial]\n")
        self._environ = {f"TOKEN_{app_id}": f"token-of-{app_id}" for app_id in app_ids}
        if database:
            self._environ |= {"RECONCILER_FLEET": database, "RECONCILER_LEDGER_KEY": make_spare_key().hex()}

    def __call__(self, *arguments: str) -> Took:
        """What a verb of the family takes."""
        with ExitStack() as stack:
            worker = ["-m", "reconciler", "fleet", "worker", "--jobs", str(JOBS)]
            workers = [
                stack.enter_context(self._bench.starter.beside(worker, self._folder, self._environ))
                for _ in range(self._workers if arguments[0] in ("apply", "drift") else 0)
            ]
            began = time.perf_counter()
            verb = self._bench.starter.run(["-m", "reconciler", "fleet", *arguments], self._folder, self._environ)
            wall = time.perf_counter() - began
        return Took(self._number, wall, [verb, *(one for spent in workers for one in spent)])

    def kept(self, server: Cluster | None) -> tuple[float, float]:
        """What the store takes, and what lies on the disk beside it, in MiB."""
        ours = self._folder / ".reconciler"
        disk = sum(path.stat().st_size for path in ours.rglob("*") if path.is_file())
        store = sum(path.stat().st_size for path in ours.glob("fleet.db*"))
        if server:
            store = server.run("SELECT pg_database_size('ledger')")[0][0]
            return store / 2**20, disk / 2**20
        return store / 2**20, (disk - store) / 2**20


@contextmanager
def a_fleet(bench: Bench, number: int, milliseconds: int, server: Cluster | None) -> Iterator[Many]:
    """A fleet of so many, whose answers take so long."""
    with tempfile.TemporaryDirectory() as folder, bench.starter.serve(["-m", "tests.bench.customers", str(milliseconds)]) as url:
        yield Many(bench, Path(folder), url, number, server.database() if server else "")


def measure(bench: Bench, engine: str, server: Cluster | None, number: int) -> Iterator[Row]:
    """All in one go, and what is left of it."""
    with a_fleet(bench, number, 0, server) as many:
        applied, drifted = many("apply", "--auto-approve"), many("drift")
        for what, took in ((f"plan and apply, {engine}", applied), (f"drift, {engine}", drifted)):
            yield Row(what, number, took.each, "CPU ms each", note=took.note)
            yield Row(f"its memory, {engine}", number, took.peak, "MiB")
        status = many("status", "--format", "markdown")
        yield Row(f"status, {engine}", number, status.spent[0].cpu, "CPU s", note=f"{status.spent[0].peak:.0f} MiB")
        store, disk = many.kept(server)
        yield Row(f"its store, {engine}", number, store, "MiB", note=f"{disk:.0f} MiB of ledgers and images beside it")


def pace(bench: Bench, server: Cluster | None, number: int) -> Iterator[Row]:
    """How many a worker does in a night, at so many milliseconds a call."""
    with a_fleet(bench, number, 0 if bench.small else SLOW, server) as many:
        for verb, *options in (("apply", "--auto-approve"), ("drift",))[: 1 if bench.small else 2]:
            took = many(verb, *options)
            night = number / took.wall * NIGHT / max(1, len(took.spent) - 1)
            yield Row(f"{verb} in 8 h, a worker", number, night, "workspaces", note=f"at {SLOW} ms a call, --jobs {JOBS}; {took.note}")


def rows(bench: Bench) -> Iterator[Row]:
    number, paced = (FEW, FEW) if bench.small else (SIZE, PACED)
    # `make test` tries the bench without a server; tests of their own have workers.
    programs = None if bench.small and not SOAKS else _programs()
    with ExitStack() as stack:
        server = stack.enter_context(cluster(programs, max_connections="100")) if programs else None
        yield from measure(bench, "one process", None, number)
        if server:
            yield from measure(bench, "two workers", server, number)
        yield from pace(bench, server, paced)
