"""When intents and outcomes are on the disk: in few commits, and never too late."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from tests.conftest import MakeRoute
from tests.desk.route import Route
from tests.stories.ledger.records import record

Look = Callable[[str, int, int], object]


def looking(route: Route, look: Look) -> None:
    """Tell `look` of each write that arrives: its path, how many intents are on the disk then, and how many outcomes."""
    (path,) = route.folder.rglob("ledger.db")
    one_at_a_time = threading.Lock()

    def between(app: WSGIApplication) -> WSGIApplication:
        def asked(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] in ("POST", "PUT", "DELETE") and not environ["PATH_INFO"].endswith("/search"):
                with one_at_a_time, sqlite3.connect(path) as disk:
                    look(environ["PATH_INFO"], *disk.execute("SELECT sum(intended > 0), count(outcome) FROM writes").fetchone())
            return app(environ, start)

        return asked

    route.between = between


def people(count: int, **more: Any) -> dict[str, Any]:
    return {
        "policy": {"limits": {"creates": 500, "attaches": 500}},
        "tags": ["vip"],
        "contacts": [{"external_id": f"u{n}", "missing": "create", **more} for n in range(count)],
    }


def count_commits(route: Route, name: str) -> list[int]:
    """Grows with each call of a method of the ledger, while that is called so."""
    calls, method = list[int](), getattr(route.ledger, name)

    def count(*given: Any) -> Any:
        calls.append(1)
        return method(*given)

    setattr(route.ledger, name, count)
    return calls


def test_many_intents_stand_in_one_commit_and_many_outcomes_in_another(make_route: MakeRoute) -> None:
    route = make_route(ledger=True)
    intents, outcomes = count_commits(route, "intend"), count_commits(route, "settle")
    assert {o.status for o in route.converge(route.manifest(people(60, tags=["vip"])))} == {"applied"}
    assert sum(intents) <= 6
    assert sum(outcomes) <= 4
    assert all(record(route, f"contact/u{n}") for n in range(60))


def test_no_write_arrives_before_its_intent_is_on_the_disk(make_route: MakeRoute) -> None:
    route, seen = make_route(ledger=True), list[tuple[int, int]]()
    looking(route, lambda path, intents, outcomes: seen.append((len(seen) + 1, intents)))
    route.converge(route.manifest(people(60)))
    assert len(seen) == 61
    assert [(n, intents) for n, intents in seen if intents < n] == []
    assert max(intents - n for n, intents in seen) < 55, "what was not sent is unproven after a kill: not more than a few"


def test_what_a_create_made_that_must_not_be_sent_twice_is_on_the_disk_before_the_next(make_route: MakeRoute) -> None:
    route, behind = make_route(ledger=True), list[int]()
    leads = [{"email": f"lead{n}@example.com", "role": "lead", "missing": "create"} for n in range(12)]
    looking(route, lambda path, intents, outcomes: behind.append(intents - outcomes))
    assert len(route.converge(route.manifest({"policy": {"limits": {"creates": 500}}, "contacts": leads}))) == 12
    assert max(behind) <= 8, "those under way, and none whose answer came"


def test_what_takes_away_is_on_the_disk_at_once(make_route: MakeRoute) -> None:
    tags = [f"t{n}" for n in range(12)]
    route, behind = make_route({"tags": tags}, ledger=True), list[int]()
    gone = [{"name": name, "state": "absent"} for name in tags]
    looking(route, lambda path, intents, outcomes: behind.append(outcomes))
    route.converge(route.manifest({"policy": {"limits": {"deletes": 500}}, "tags": gone}))
    assert len(behind) == 12
    assert max(n - outcomes for n, outcomes in enumerate(behind)) <= 8
