"""The story with every fault at 7 % of the calls, in this process with a clock that does not wait: the same end, whatever the dice say."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conftest import MakeRoute
from tests.desk.calling import Caller
from tests.desk.driving import Box
from tests.desk.route import Route, changes
from tests.desk.soak import times
from tests.processes.story import assert_as_declared, manifest, seed

FAULTS: dict[str, dict[str, Any]] = {
    "drop before": {"drop": "before"},
    "drop after": {"drop": "after"},
    "500": {"status": 500},
    "500 done": {"status": 500, "done": True},
    "503": {"status": 503},
    "429": {"status": 429},
}


class Inside(Box):
    """The sandbox of this process, asked past our client."""

    def __init__(self, route: Route) -> None:
        self.caller = Caller(route.box, version="2.16")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.caller(method, path, body)
        return (reply.json if reply.raw else {}) if reply.status < 400 else None


@pytest.mark.parametrize("dice", range(times(1)))
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_the_same_end(make_route: MakeRoute, fault: str, dice: int) -> None:
    route = make_route(seed(), ledger=True, search_delay=600)
    path = route.manifest(manifest())
    route.box.faults._chance = random.Random(dice)
    route.box.faults.add(times=None, rate=0.07, **FAULTS[fault])
    assert {o.status for o in route.converge(path)} == {"applied"}
    route.box.faults.clear()
    assert_as_declared(Inside(route))
    assert changes(route.document(path)) == []
    route.box.forget_requests()
    route.converge(path)
    assert route.box.writes == []


def test_all_faults_together(make_route: MakeRoute) -> None:
    route = make_route(seed(), ledger=True, search_delay=600)
    path = route.manifest(manifest())
    for fault in FAULTS.values():
        route.box.faults.add(times=None, rate=0.04, **fault)
    for _ in range(3):
        if {o.status for o in route.converge(path)} <= {"applied"}:
            break
    route.box.faults.clear()
    route.converge(path)
    assert_as_declared(Inside(route))
    assert changes(route.document(path)) == []
