"""What a look tells of itself while it goes on: things that people know, and as many as it said that there would be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from reconciler.manifest.read import read_manifest
from reconciler.workflow.lookup import list_all
from reconciler.workflow.plan import propose
from reconciler.workflow.session import watch
from tests.conftest import MakeRoute

TAGS = [f"t{n}" for n in range(30)]
LIVE: dict[str, Any] = {
    "tags": [*TAGS, *(f"old{n}" for n in range(5))],
    "companies": [{"company_id": str(n), "name": f"C{n}"} for n in range(130)],
    "contacts": [{"external_id": str(n), "tags": TAGS[:12] if n < 7 else [], "companies": [str(n % 130)]} for n in range(400)],
}


@dataclass
class Announced:
    """What a read announced, by its name."""

    done: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    # How far ahead of what is done the announcements were.
    ahead: list[int] = field(default_factory=list)

    def __call__(self, name: str, n: int = 1, more: int = 0) -> None:
        self.done[name] += n
        self.more[name] += more
        self.ahead.append(self.more.total() - self.done.total())


def test_a_plan_reads_as_many_as_it_announces(make_route: MakeRoute) -> None:
    progress, route = Announced(), make_route(LIVE)
    companies = [{"company_id": str(n), "name": f"C{n}"} for n in range(130)]
    contacts = [{"external_id": str(n), "tags": TAGS[:12] if n < 7 else []} for n in range(390)]
    tags = [*TAGS, *({"name": f"old{n}", "state": "absent"} for n in range(5))]
    manifest = read_manifest([str(route.manifest({"tags": tags, "companies": companies, "contacts": contacts}))])
    with route.session() as session:
        assert len(propose(watch(session, progress), manifest).plan.changes) == 5
    assert progress.done == progress.more
    # Contacts are looked for in batches, a page of companies shows 60, and of seven the payload shows ten of twelve tags.
    assert progress.done.items() >= {"tags": 35, "companies": 130, "contacts": 390, "each contact's tags": 7, "what is in use": 5}.items()
    assert max(progress.ahead) == 390
    assert min(progress.ahead) == 0


def test_a_listing_says_how_many_there_are_once_a_page_did(make_route: MakeRoute) -> None:
    progress, route = Announced(), make_route(LIVE)
    with route.session() as session:
        assert len(list(list_all(watch(session, progress), "companies"))) == 130
    assert (progress.done, progress.more) == (Counter(companies=130), Counter(companies=130))
    # Before the first page nothing is known; with it all is.
    assert progress.ahead[:2] == [0, 70]
