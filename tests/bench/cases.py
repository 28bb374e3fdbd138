"""What is measured: each case builds its world first and then times one part of the route."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.core.compare.comparison import Comparison
from reconciler.core.compare.diff import diff
from reconciler.core.model.address import Address, LinkName
from reconciler.core.model.desired import Manifest, Resource, WrittenLinks
from reconciler.core.model.live import Live, Snapshot, Workspace
from reconciler.core.model.policy import Policy
from reconciler.core.plan.calls import compile_steps
from reconciler.core.plan.plan import make_plan
from reconciler.errors import Mark
from reconciler.kinds import KINDS
from reconciler.manifest.read import read_manifest
from reconciler.sandbox.app import Sandbox
from tests.bench.together import on_git, on_postgres
from tests.desk.clock import Clock
from tests.desk.route import Route
from tests.processes.rounds import Tally

TAGS, COMPANIES = 20, 50


@dataclass
class Measured:
    """Seconds, calls made where there are any, the peak of the process's memory in MB, and what else there is to say."""

    seconds: float
    peak: float
    calls: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    sizes: tuple[int, ...]
    measure: Callable[[int], Measured]


def time_once(work: Callable[[], Any]) -> Measured:
    began = time.perf_counter()
    work()
    return Measured(time.perf_counter() - began, peak())


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tags_of(n: int) -> list[str]:
    return [f"t{(n + step) % TAGS:02}" for step in (0, 7)]


def contact(n: int, **more: Any) -> dict[str, Any]:
    return {"external_id": f"u{n}", "name": f"Person {n}", "tags": tags_of(n), "companies": [f"c{n % COMPANIES}"], **more}


def declared(size: int) -> dict[str, Any]:
    return {
        "policy": {"limits": {"creates": size, "attaches": size * 5}},
        "tags": [f"t{n:02}" for n in range(TAGS)],
        "companies": [{"company_id": f"c{n}", "name": f"Company {n}"} for n in range(COMPANIES)],
        "contacts": [contact(n, missing="create") for n in range(size)],
    }


@contextmanager
def live_route(size: int, live: int, off: int) -> Iterator[tuple[Route, Path]]:
    """A workspace with `live` of the contacts, every `off`-th of them different."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()
        with Sandbox(now=clock) as box:
            people = [contact(n, **({"name": "Old", "tags": []} if off and n % off == 0 else {})) for n in range(live)]
            wanted = declared(size)
            box.seed({"tags": wanted["tags"], "companies": wanted["companies"], "contacts": people})
            route = Route(box, Path(folder), clock)
            yield route, route.manifest(wanted)


def measure_plan(size: int, live: int, off: int) -> Measured:
    with live_route(size, live, off) as (route, path):
        cost = time_once(lambda: route.document(path))
        return Measured(cost.seconds, cost.peak, len(route.box.requests))


def measure_apply(size: int) -> Measured:
    with live_route(size, size // 2, 10) as (route, path):
        kept = route.saved(path)
        route.box.forget_requests()
        cost = time_once(lambda: route.apply(kept))
        return Measured(cost.seconds, cost.peak, len(route.box.requests))


def measure_apply_among(size: int) -> Measured:
    """A few changes among many that are as declared."""
    with live_route(size, size, size // 100) as (route, path):
        kept = route.saved(path)
        route.box.forget_requests()
        cost = time_once(lambda: route.apply(kept))
        return Measured(cost.seconds, cost.peak, len(route.box.requests))


def measure_load(size: int) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.yaml"
        lines = ["tags: [" + ", ".join(f"t{n:02}" for n in range(TAGS)) + "]", "contacts:"]
        lines += [f"- {{external_id: u{n}, name: Person {n}, tags: [{', '.join(tags_of(n))}]}}" for n in range(size)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return time_once(lambda: read_manifest([str(path)]))


def sides(size: int) -> tuple[Manifest, Snapshot]:
    """Three links a contact; a tenth of the contacts and of the links differ."""
    mark, tags = Mark("big.yaml", 1), [Address("tag", f"t{n:02}") for n in range(TAGS)]
    resources = {a: Resource(a, "name", a.key, {"name": a.key}, mark) for a in tags}
    named = {f"T{n}": Live("tag", f"T{n}", a.key, {"name": a.key}) for n, a in enumerate(tags)}
    things: dict[str, dict[str, Live]] = {"tag": named, "contact": {}}
    pairs = {a: f"T{n}" for n, a in enumerate(tags)}
    links: dict[str, frozenset[str]] = {}
    for n in range(size):
        address, live_id = Address("contact", f"u{n}"), f"C{n}"
        wanted = {tags[(n + step) % TAGS]: 1 for step in (0, 3, 7)}
        fields = {"external_id": address.key, "name": f"Person {n}"}
        resources[address] = Resource(address, "external_id", address.key, fields, mark, links={"tags": WrittenLinks(wanted, {})})
        shown = {**fields, "name": "Old"} if n % 10 == 0 else fields
        things["contact"][live_id] = Live("contact", live_id, address.key, {**shown, "email": None, "role": "user"})
        pairs[address] = live_id
        links[live_id] = frozenset(f"T{(n + step) % TAGS}" for step in ((0, 3) if n % 10 == 0 else (0, 3, 7)))
    live = Snapshot(Workspace("app", "us"), things, pairs, {LinkName("contact", "tags"): links})
    return Manifest(resources, Policy(links="exact"), sections=frozenset({"tags", "contacts"})), live


def measure_comparison(size: int) -> Measured:
    manifest, live = sides(size)

    def work() -> None:
        made = make_plan(Comparison(KINDS, manifest, live, diff(KINDS, manifest, live)))
        compile_steps(KINDS, made.steps)

    return time_once(work)


def together(played: Callable[[int], Tally | str], rounds: int) -> Measured:
    cost = played(rounds)
    if isinstance(cost, str):
        return Measured(0, peak(), note=f"skipped: {cost}")
    pace = f"{cost.rounds / cost.seconds:.2f} rounds a second"
    return Measured(cost.seconds, peak(), note=f"{pace}; {cost.waited} waited, {cost.locked} ended with 6")


CASES = {
    "load YAML": Case((10_000, 100_000), measure_load),
    "diff and compile, three links a contact": Case((10_000, 100_000), measure_comparison),
    "plan, all live, a tenth differs": Case((1_000, 10_000), lambda size: measure_plan(size, size, 10)),
    "plan, nothing differs": Case((1_000, 10_000), lambda size: measure_plan(size, size, 0)),
    "plan, none live": Case((1_000, 10_000), lambda size: measure_plan(size, 0, 0)),
    "apply, a hundred changes among all": Case((1_000, 10_000), measure_apply_among),
    "apply, half to create": Case((200, 2_000), measure_apply),
}
TOGETHER = {
    "two processes together, PostgreSQL": Case((100,), lambda rounds: together(on_postgres, rounds)),
    "two processes together, git": Case((100,), lambda rounds: together(on_git, rounds)),
}
