"""How many calls it takes, which is exact: ours against the same job one by one with Intercom's official SDK.

`tests/stories/plan/test_calls.py` and `tests/referee/test_one_by_one.py` assert these numbers.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reconciler.sandbox.app import Sandbox
from tests.bench.table import Bench, Row
from tests.desk.clock import Clock
from tests.desk.route import WIDE, Route

Doc = dict[str, Any]
LIVE, DECLARED, COMPANIES, TAGS = 20_000, 2_000, 200, 20
DETACHES = 1_500


def tags_of(n: int) -> list[str]:
    return [f"t{(n + step) % TAGS}" for step in (0, 7)]


def workspace(live: int, companies: int) -> Doc:
    """Contacts without a tag, each in a company."""
    people = [{"external_id": f"u{n}", "companies": [f"c{n % companies}"]} for n in range(live)]
    return {"tags": [f"t{n}" for n in range(TAGS)], "companies": [{"company_id": f"c{n}"} for n in range(companies)], "contacts": people}


def declared(number: int, companies: int) -> Doc:
    """Two tags for some of the contacts, and all companies."""
    return {**workspace(0, companies), "contacts": [{"external_id": f"u{n}", "tags": tags_of(n)} for n in range(number)]}


def count_ours(live: Doc, wanted: Doc) -> tuple[int, int, int]:
    """The calls of our plan; those of its apply, in all and only the writes."""
    with route_over(live) as route:
        path = route.manifest({**wanted, "policy": WIDE | wanted.get("policy", {})})
        plan = route.saved(path)
        planned = len(route.box.requests)
        route.box.forget_requests()
        outcomes = route.apply(plan)
        assert {str(outcome.status) for outcome in outcomes} == {"applied"}
        return planned, len(route.box.requests), len(route.box.writes)


@contextmanager
def route_over(live: Doc) -> Iterator[Route]:
    with tempfile.TemporaryDirectory() as folder, Sandbox(now=(clock := Clock())) as box:
        box.seed(live)
        box.forget_requests()
        yield Route(box, Path(folder), clock)


def count_one_by_one(box: Sandbox, number: int, companies: int) -> tuple[int, int]:
    """The reads and the writes of the SDK."""
    # Only who measures this needs the SDK, which takes half a second to import.
    from tests.bench.one_by_one import look, official_sdk, write

    with official_sdk(box) as sdk:
        box.forget_requests()
        lacks = look(sdk, ((f"u{n}", tags_of(n)) for n in range(number)), (f"c{n}" for n in range(companies)))
        reads = len(box.requests)
        write(sdk, lacks)
        return reads, len(box.writes)


def rows(bench: Bench) -> Iterator[Row]:
    live, number, companies = (20, 4, 2) if bench.small else (LIVE, DECLARED, COMPANIES)
    plan, apply, writes = count_ours(workspace(live, companies), declared(number, companies))
    with Sandbox() as box:
        box.seed(workspace(live, companies))
        reads, one_by_one = count_one_by_one(box, number, companies)
    world = f"{live:,} live, {companies} companies"
    yield Row("attach two tags each: plan", number, plan, "calls", 60, note=world)
    yield Row("attach two tags each: apply, writes", number, writes, "calls", 100)
    yield Row("attach two tags each: apply, in all", number, apply, "calls", 160)
    yield Row("one by one with the SDK: reads", number, reads, "calls", note=f"{reads / plan:.0f} times as many as our plan")
    yield Row("one by one with the SDK: writes", number, one_by_one, "calls", note=f"{one_by_one / writes:.0f} times as many as our apply")
    number = 10 if bench.small else DETACHES
    people = [{"external_id": f"u{n}", "tags": ["t0"]} for n in range(number)]
    wanted = {"policy": {"links": "declared"}, "tags": ["t0"], "contacts": [{**person, "tags": []} for person in people]}
    _, apply, _ = count_ours({"tags": ["t0"], "contacts": people}, wanted)
    yield Row("detach what somebody wrote down: apply", number, apply, "calls", number + 40)
