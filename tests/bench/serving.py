"""What the sandbox of this process serves, so that it is known not to be what is measured."""

from __future__ import annotations

import time
from collections.abc import Iterator

from reconciler.sandbox.app import Sandbox
from tests.bench.table import Bench, Row
from tests.desk.calling import Caller

LIVE, TAGS = 20_000, 20
# Single reads a processor second.
LEAST = 2_000


def gets_a_second(live: int) -> float:
    """Single reads of contacts with two tags and a company, a processor second, in a workspace of so many."""
    with Sandbox() as box:
        links = ({"tags": [f"t{n % TAGS}", f"t{(n + 7) % TAGS}"], "companies": ["c"]} for n in range(live))
        contacts = [{"external_id": f"u{n}", "name": f"Person {n}", **held} for n, held in enumerate(links)]
        box.seed({"tags": [f"t{n}" for n in range(TAGS)], "companies": [{"company_id": "c"}], "contacts": contacts})
        ids, call = list(box.ws.store.table("contact").docs)[:2_000], Caller(box, version="2.16")
        began = time.process_time()
        for live_id in ids:
            call("GET", f"/contacts/{live_id}")
        return len(ids) / (time.process_time() - began)


def rows(bench: Bench) -> Iterator[Row]:
    (live,) = bench.sizes([LIVE])
    yield Row("the sandbox, single GETs in this process", live, bench.median(lambda: gets_a_second(live)), "a CPU second", at_least=LEAST)
